"""Options and their values, as getopt_long takes them."""

import pytest

from controller.cli.convert.arguments import Arguments, read_arguments
from controller.cli.convert.words import read_words
from controller.faults import UnusableInputError


def read(text: str) -> Arguments:
    return read_arguments("a.cfg", read_words("a.cfg", text.encode()))


def pairs(text: str) -> list[tuple[str, str]]:
    return [(given.name, given.value) for given in read(text).options]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--id sip:a@b", [("id", "sip:a@b")]),
        ("--id=sip:a@b", [("id", "sip:a@b")]),
        ("--contact-params=;a=b", [("contact-params", ";a=b")]),
        ("--dis-codec=", [("dis-codec", "")]),
        ("--id\n'A <sip:a@b>'", [("id", "A <sip:a@b>")]),
        ("--password --null-audio", [("password", "--null-audio")]),
        ("--real x --regis sip:b", [("realm", "x"), ("registrar", "sip:b")]),
        ("--auto-play", [("auto-play", "")]),
        ("--upnp eth0", [("upnp", "")]),
        ("--upnp=eth0", [("upnp", "eth0")]),
        ("--ice_max_host_cands 3", [("ice-max-hosts", "3")]),
    ],
)
def test_options_are_taken_as_pjsua_takes_them(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize("text", ["sip:a@b --null-audio", "--null-audio sip:a@b", "--null-audio -- sip:a@b"])
def test_the_word_that_is_no_option_is_called(text: str) -> None:
    uri = read(text).uri
    assert uri is not None
    assert (uri.value, uri.place) == ("sip:a@b", "a.cfg:1")


def test_behind_two_hyphens_nothing_is_an_option() -> None:
    uri = read("-- --id").uri
    assert uri is not None
    assert uri.value == "--id"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "\n--re x",
            "a.cfg:2: --re: may be --realm, --rec-avi, --rec-avi-audio, --rec-avi-size, --rec-file, --reg-timeout …",
        ),
        (
            "--auto-a 200 --auto-p",
            "a.cfg:1: --auto-p: may be --auto-play, --auto-play-avi, --auto-play-hangup: write out",
        ),
        ("--nonsense", "a.cfg:1: --nonsense: pjsua 2.17 has no such option: correct or remove it"),
        ("--id", "a.cfg:1: --id: its value is missing"),
        ("--null-audio=1", "a.cfg:1: --null-audio: takes no value: leave out what is behind ="),
        ("-v", "a.cfg:1: -v: options of pjsua begin with --"),
        ("-password=secret-7", "a.cfg:1: -password: options of pjsua begin with --"),
        ("sip:a@b\nsip:c@d", "a.cfg:2: a second word that is no option, behind that of line 1"),
    ],
)
def test_what_pjsua_would_not_take_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UnusableInputError) as raised:
        read(text)
    assert said in str(raised.value)


def test_a_password_that_falls_apart_is_not_shown() -> None:
    with pytest.raises(UnusableInputError) as raised:
        read("--password my secret sip:a@b")
    assert "secret" not in str(raised.value)
