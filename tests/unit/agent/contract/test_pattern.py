"""Expressions of people's, over text from the network."""

import time

import pytest

from agent.contract.pattern import MAX_TEXT, fault_of, found_in


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("^sip:bob@", None),
        ("(?i)alice", None),
        ("é", None),
        ("", None),
        ("(", "missing ): ("),
        ("(?=x)", "invalid perl operator: (?="),
        ("(a)\\1", "invalid escape sequence: \\1"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("(\\pL|x){500}y", "pattern too large - compile failed"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said(pattern, fault):
    assert fault_of(pattern) == fault


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", "abbc", True),
        ("^b+$", "abbc", False),
        ("^abbc$", "abbc", True),
        ("(?i)ALICE", "<sip:alice@example.com>", True),
        ("ü.", "für", True),
        ("a.c", "a\nc", False),
        ("", "", True),
    ],
)
def test_an_expression_is_looked_for_anywhere_unless_it_says_where(pattern, text, found):
    assert found_in(pattern, text) is found


def test_no_more_is_looked_at_than_is_judged():
    assert not found_in("y", MAX_TEXT * "x" + "y")


def test_no_expression_takes_long_whatever_the_text():
    began_s = time.process_time()
    assert not found_in("^(x+x+)+y$", MAX_TEXT * "x")
    assert time.process_time() - began_s < 0.5  # backtracking would take years


def test_what_is_no_expression_is_said():
    with pytest.raises(ValueError, match=r"missing \)"):
        found_in("(", "text")
