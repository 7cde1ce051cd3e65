"""What the judge says, against the list that a person has read: `sentences.golden.txt`."""

import re

import pytest

from agent.contract.verdict import Reason
from tests.unit.agent.judge.sentences import CASES, GOLDEN, all_of_them
from tests.unit.agent.judge.test_reasons import NOT_OF_ONE_CALLS_WIRE


def test_every_sentence_is_as_it_was_read():
    """Where it is meant: `dev/uv run python -m tests.unit.agent.judge.sentences --write`, and read what changed."""
    assert all_of_them() == GOLDEN.read_text()


def test_every_reason_of_a_call_is_in_the_list():
    assert {f"{reason}" for reason in set(Reason) - NOT_OF_ONE_CALLS_WIRE} <= CASES.keys()


SAID = [line for line in GOLDEN.read_text().splitlines() if line.startswith("  ")]
EMPTY = re.compile(
    r"(: |received |got |heard )none\b|\bNone\b|\bnull\b|\(OK\)|\(Normal call clearing\)|\(\)|;\s*;"
    r"|\b1 (times|packets|digits|calls)\b|(judged|since|NotMeasured|AgentError):? ?$"
)


@pytest.mark.parametrize("line", SAID)
def test_no_sentence_is_empty_words(line):
    assert not EMPTY.search(line)
