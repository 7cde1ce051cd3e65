"""A pjsua file's words, as pjsua parts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.cli.convert.words import MAX_BYTES, MAX_LINE_BYTES, MAX_WORDS, read_words
from controller.faults import UnusableInputError


def words(text: str) -> list[str]:
    return [word.text for word in read_words("a.cfg", text.encode())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--id sip:a@b\n--null-audio", ["--id", "sip:a@b", "--null-audio"]),
        ("\t --id\tsip:a@b \r\n", ["--id", "sip:a@b"]),
        ("'a b' \"c 'd'\"", ["a b", "c 'd'"]),
        ("\"a\"b 'c''d'", ["a", "b", "c", "d"]),
        ('--id="a b"', ['--id="a', 'b"']),
        ("'a b", ["a b"]),
        ("a '' \"\" b", ["a", "b"]),
        ("# all of it", []),
        ("a # b\nc", ["a", "c"]),
        ("a#b sip:a@b#c", ["a#b", "sip:a@b#c"]),
        ("a '# b' c\nd", ["a", "d"]),
        (r"a\ b \"c\"", ["a\\", "b", r"\"c\""]),
        ("--realm *", ["--realm", "*"]),
        ("", []),
        ("ä 'ö ü'", ["ä", "ö ü"]),
    ],
)
def test_words_are_parted_as_pjsua_parts_them(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_word_knows_its_line() -> None:
    assert [word.line for word in read_words("a.cfg", b"a\n\n# x\n'b' c\n")] == [1, 4, 4]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"x" * (MAX_BYTES + 1), "a.cfg: larger than"),
        (b"a\n" + b"x" * (MAX_LINE_BYTES + 1), "a.cfg:2: longer than 199 bytes, where pjsua breaks a line in two"),
        (b"a\n" * (MAX_WORDS + 1), "a.cfg:128: more than 127 words"),
        (b"a\n\xff", "a.cfg:2: is no UTF-8 text"),
        (b"a\0b", "a.cfg:1: contains a control character"),
    ],
)
def test_what_pjsua_reads_otherwise_than_it_looks_is_refused_with_its_line(raw: bytes, said: str) -> None:
    with pytest.raises(UnusableInputError, match=said):
        read_words("a.cfg", raw)


def test_what_is_just_short_enough_is_read() -> None:
    assert words("x" * MAX_LINE_BYTES) == ["x" * MAX_LINE_BYTES]
    assert len(words("a\n" * MAX_WORDS)) == MAX_WORDS


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp", "Zs"), include_characters=" "), max_size=40
)


@given(
    st.lists(TEXT.filter(lambda text: text and not text.startswith("#") and not {"'", '"'} <= set(text)), max_size=20)
)
def test_what_is_quoted_comes_back(texts: list[str]) -> None:
    quoted = [f'"{text}"' if "'" in text else f"'{text}'" for text in texts]
    assert words("\n".join(quoted)) == texts


@given(st.binary(max_size=300) | st.text("ab#'\" \t\r\n-=", max_size=100).map(str.encode))
def test_whatever_is_read_is_words_or_said_to_be_none(raw: bytes) -> None:
    try:
        found = read_words("a.cfg", raw)
    except UnusableInputError as error:
        assert str(error).startswith("a.cfg")  # noqa: PT017
    else:
        assert all(word.text and not word.text.startswith("#") for word in found)
