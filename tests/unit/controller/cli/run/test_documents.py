"""YAML that is more than it looks, and where things stand in it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.cli.run.documents import MAX_WEIGHT, read_documents
from controller.faults import UnusableInputError

NINE = 9


def refused(text: str) -> str:
    with pytest.raises(UnusableInputError) as caught:
        read_documents("pin.yaml", text.encode())
    return str(caught.value)


def bomb(first: str, layer: str) -> str:
    """Each layer is the one before nine times."""
    layers = [layer.format(n=n, before=",".join([f"*a{n - 1}"] * NINE)) for n in range(1, 12)]
    return "\n".join([f"a0: &a0 {first}", *layers])


@pytest.mark.parametrize(
    "text",
    [
        bomb("[x]", "a{n}: &a{n} [{before}]"),
        bomb("{k: 1}", "a{n}: &a{n}\n  <<: [{before}]"),
        "a: &a '" + "x" * 1_000_000 + "'\nb: [" + "*a," * 1_000 + "]",
        "[" + "[]," * (MAX_WEIGHT + 1) + "]",
        "---\na\n" * (MAX_WEIGHT + 1),
    ],
    ids=["aliases", "merges", "long text", "many", "documents"],
)
def test_what_unfolds_to_too_much_is_refused_before_it_is_built(text: str) -> None:
    assert "unfolds to more than" in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "line 1: *a stands for nothing or itself"),
        ("b: 1\na: *b", "line 2: *b stands for nothing or itself"),
        ("{a: " * 100_000, "nested more than 64 deep"),
        ("- " * 100_000, "nested more than 64 deep"),
        ("a:\n  x: 1\n  y: 2\n  x: 3", "line 4: x is there twice: remove one"),
        ("trigger:\n  on: Revision", "line 2: 'on' is no text to YAML, and a key must be: put it in quotes"),
        ("? [a]\n: 1", "line 1: a list or mapping is no text to YAML"),
        ("a: 2026-99-99", "pin.yaml: not YAML: "),
    ],
)
def test_what_kubernetes_would_not_take_is_refused_with_its_line(text: str, said: str) -> None:
    assert said in refused(text)


def test_aliases_and_merges_are_followed() -> None:
    text = "base: &base {count: 2, hold: &hold 8}\ncall:\n  <<: *base\n  count: 3\n  other: *hold\n"
    assert read_documents("x", text.encode())[0].value["call"] == {"count": 3, "hold": 8, "other": 8}


def test_empty_documents_are_left_out() -> None:
    assert [each.value for each in read_documents("x", b"---\n---\na: 1\n---\n~\n")] == [{"a": 1}]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec", 2),
        ("spec.calls", 3),
        ("spec.calls[0].name", 4),
        ("spec.calls[1]", 5),
        ("spec.calls[1].count", 6),
        ("spec.calls[1].absent", 5),
        ("spec.calls[7].name", 3),
        ("elsewhere", 1),
    ],
)
def test_a_field_s_line_is_known_or_the_nearest(path: str, line: int) -> None:
    text = b"kind: CallTest\nspec:\n  calls:\n  - name: a\n  - name: b\n    count: 0\n"
    assert read_documents("x", text)[0].line(path) == line


def test_an_item_of_a_list_has_lines_of_its_own() -> None:
    document = read_documents("x", b"kind: List\nitems:\n- kind: A\n- kind: B\n  spec: 1\n")[0]
    assert document.item("items", 1).line("spec") == 5


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UnusableInputError):
        assert all(each.line("a") for each in read_documents("x", text.encode("utf-8", "surrogatepass")))
