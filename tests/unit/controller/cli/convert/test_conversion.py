"""What a CallTest has of a pjsua file, and what is said of the rest."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api.parse import parse_test
from controller.cli.convert.table import ROWS, Fate, Takes
from controller.faults import UnusableInputError
from tests.unit.controller.cli.convert.converting import ECHO, FILES, TO, fates, fault, made, parsed, spec, told

SAVED = """\
#
# Logging options:
#
--log-level 5
--app-log-level 4

#
# Account 0:
#
--id sip:alice@example.com
--registrar sip:example.com
--reg-timeout 300
--realm *
--username alice
--password wonder#land-7
--use-timer 1

#
# Network settings:
#
--local-port 5060

#
# Media settings:
#
--srtp-keying 0
#using default --clock-rate 16000
#using default --quality 8
#using default --ec-tail 200
#using default --ilbc-mode 30
--rtp-port 4000

#
# User agent:
#
--max-calls 4

#
# Buddies:
#
--add-buddy sip:echo@example.com

#
# SIP extensions:
#
--use-timer 1
"""
"""As pjsua's `dump settings` writes it, by hand."""


def test_a_saved_file_and_its_uri_are_a_whole_test() -> None:
    converted = made(SAVED, "sip:echo@example.com")
    assert converted.test["spec"] == {
        "target": {"address": {"host": "example.com"}, "port": 5060},
        "caller": {"uri": "sip:alice@example.com", "credentials": {"secretName": "a-caller"}},
        "calls": [{"name": "call", "to": "sip:echo@example.com", "caller": {"redirects": "Follow"}}],
    }
    assert converted.secrets == (
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "a-caller"},
            "stringData": {"username": "alice", "password": "wonder#land-7"},
        },
    )
    assert not converted.lacks


def test_a_saved_file_without_a_uri_registers() -> None:
    converted = made(SAVED)
    assert converted.test["spec"]["calls"] == []
    assert told(converted, "URI")[0][0] is Fate.DEFAULT


def test_no_password_is_in_the_test_or_the_report() -> None:
    secret = "hunter-2"
    options = " ".join(
        f"--{name} {secret}" for name in ("password", "tls-password", "turn-passwd", "turn-tls-privkey-pwd")
    )
    converted = made(f"{ECHO}--username a {options} --aka-op {secret} {TO}")
    assert secret not in yaml.safe_dump(converted.test)
    assert [each for each in converted.report if secret in str(each)] == []


def test_a_file_that_calls_nobody_is_refused() -> None:
    for text in ("--null-audio", "--auto-answer 200", "--id sip:a@b", "--id sip:a@b --next-account --registrar sip:b"):
        assert fault(text).startswith("a.cfg: nobody is called, answers or registers")


def test_one_uri_is_called() -> None:
    assert fault(ECHO + TO, "sip:bob@example.com").startswith("a.cfg:4: --URI: sip:echo@example.com is called already")


# --- where it goes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--proxy sip:192.0.2.1", {"address": {"host": "192.0.2.1"}, "port": 5060}),
        ("--proxy <sip:192.0.2.1:5070;lr>", {"address": {"host": "192.0.2.1"}, "port": 5070}),
        ("--proxy sip:[2001:db8::1]", {"address": {"host": "2001:db8::1"}, "port": 5060, "ipFamily": "IPv6"}),
        ("--proxy sip:p.example --ipv6", {"address": {"host": "p.example"}, "port": 5060, "ipFamily": "IPv6"}),
        ("--proxy sip:192.0.2.1 --ipv6", {"address": {"host": "192.0.2.1"}, "port": 5060}),
        ("--proxy sip:192.0.2.1 --outbound sip:192.0.2.9", {"address": {"host": "192.0.2.9"}, "port": 5060}),
        ("--registrar sip:example.com:5080", {"address": {"host": "example.com"}, "port": 5080}),
        ("", {"address": {"host": "example.com"}, "port": 5060}),
        ("--proxy sip:192.0.2.1;transport=tcp", {"address": {"host": "192.0.2.1"}, "port": 5060, "transport": "TCP"}),
        ("--no-udp", {"address": {"host": "example.com"}, "port": 5060, "transport": "TCP"}),
        ("--use-tls --no-tcp", {"address": {"host": "example.com"}, "port": 5060}),
        (
            "--proxy sip:192.0.2.1;transport=tls --use-tls",
            {"address": {"host": "192.0.2.1"}, "port": 5061, "transport": "TLS", "tls": {"verify": False}},
        ),
        (
            "--proxy sip:p.example;transport=tls --tls-verify-server",
            {
                "address": {"host": "p.example"},
                "port": 5061,
                "transport": "TLS",
                "tls": {"serverName": "p.example", "verify": True},
            },
        ),
    ],
)
def test_the_first_hop_is_the_target(text: str, expected: dict[str, Any]) -> None:
    assert spec(f"--id sip:alice@example.com {text} {TO}")["target"] == expected


def test_a_transport_that_is_off_and_one_that_is_not_used_are_told() -> None:
    assert fates(f"{ECHO} --no-udp {TO}", "--no-udp") == [Fate.DEFAULT]
    assert fates(f"--proxy sip:b;transport=udp --id sip:a@b --no-udp {TO}", "--no-udp") == [Fate.DROPPED]
    assert fates(f"--id sip:a@b --proxy sip:b;transport=tcp --no-tcp {TO}", "--no-tcp") == [Fate.DROPPED]
    assert fates(f"{ECHO} --use-tls {TO}", "--use-tls") == [Fate.UNUSED]
    assert "leave no transport" in fault(f"--no-udp --no-tcp --id sip:a@b {TO}")
    assert "add ;transport=tls" in fault(f"--no-udp --no-tcp --use-tls --id sip:a@b {TO}")


def test_further_proxies_are_dropped() -> None:
    text = f"{ECHO} --proxy sip:192.0.2.2 --outbound sip:192.0.2.9 {TO}"
    assert [fate for fate, _ in told(made(text), "--proxy")] == [Fate.DROPPED]
    assert fates(text, "--outbound") == [Fate.MAPPED]


def test_tls_files_are_secrets_where_they_are_and_named_where_they_are_not() -> None:
    text = "--id sips:alice@example.com --tls-ca-file {} --tls-cert-file {} --tls-privkey-file {} sips:echo@example.com"
    converted = made(text.format("ca.pem", "c.pem", "k"))
    assert converted.test["spec"]["target"]["tls"] == {
        "serverName": "example.com", "verify": False, "caSecretName": "a-ca", "clientSecretName": "a-tls",
    }  # fmt: skip
    assert [secret["stringData"] for secret in converted.secrets] == [
        {"ca.crt": "CA"},
        {"tls.crt": "C", "tls.key": "K"},
    ]
    assert [secret.get("type") for secret in converted.secrets] == [None, "kubernetes.io/tls"]
    missing = made(text.format("none.pem", "bytes.pem", "k"))
    assert missing.secrets == ()
    assert told(missing, "--tls-ca-file") == [
        (
            Fate.MAPPED,
            "spec.target.tls.caSecretName: none.pem: No such file or directory: put it into Secret a-ca, key ca.crt",
        )
    ]
    assert "bytes.pem is no PEM" in told(missing, "--tls-privkey-file")[0][1]


@pytest.mark.parametrize("name", ["--tls-cert-file", "--tls-privkey-file"])
def test_half_of_a_certificate_is_dropped(name: str) -> None:
    text = f"--id sip:a@b --proxy sip:b;transport=tls {name} c.pem {TO}"
    assert fates(text, name) == [Fate.DROPPED]
    assert "clientSecretName" not in spec(text)["target"]["tls"]


# --- who


def test_the_last_account_calls_and_others_are_dropped() -> None:
    text = f"--id sip:a@b --registrar sip:b --next-account --id sip:c@d --proxy sip:d {TO}"
    converted = made(text)
    assert converted.test["spec"]["caller"]["uri"] == "sip:c@d"
    assert told(converted, "--registrar") == [
        (Fate.DROPPED, "of another account: a test has one caller and one callee")
    ]
    assert [fate for fate, _ in told(converted, "--id")] == [Fate.DROPPED, Fate.MAPPED]
    assert converted.lacks


def test_an_account_without_an_id_is_refused_before_the_last_and_none_as_the_last() -> None:
    assert fault(f"--registrar sip:b\n--next-account --id sip:a@b {TO}").startswith(
        "a.cfg:2: --next-account: the account"
    )
    converted = made(f"--proxy sip:192.0.2.1 --username a {TO}")
    assert converted.test["spec"]["target"]["address"] == {"host": "example.com"}
    assert converted.test["spec"]["caller"] == {"uri": "sip:calltest@example.com"}
    assert told(converted, "--proxy") == [(Fate.UNUSED, "pjsua makes an account with --id alone")]
    assert told(converted, "--id")[0][0] is Fate.DEFAULT


def test_an_account_that_answers_the_one_that_calls_it_is_the_callee() -> None:
    bob = "--id sip:bob@example.com --registrar sip:example.com --username bob --password b\n"
    bob += "--auto-answer 200 --auto-loop"
    alice = "--next-account --id sip:alice@example.com --registrar sip:example.com"
    read = parsed(f"{bob} {alice} sip:bob@example.com")
    assert (read.caller.uri, read.caller.register) == ("sip:alice@example.com", True)
    assert read.callee is not None
    assert (read.callee.uri, read.callee.behaviour, read.callee.route) == ("sip:bob@example.com", "Parrot", "Register")
    assert read.calls[0].to is None


def test_who_only_answers_is_the_callee_of_a_caller_who_is_made_up() -> None:
    read = parsed("--id sip:bob@example.com --registrar sip:example.com --auto-answer 200")
    assert read.caller.uri == "sip:calltest@example.com"
    assert read.callee is not None
    assert (read.callee.uri, read.callee.behaviour) == ("sip:bob@example.com", "Absorber")
    assert parsed("--id sip:a@b --next-account --id sip:c@d --auto-answer=200").caller.uri == "sip:a@b"


def test_a_callee_that_does_not_register_is_dialled() -> None:
    assert spec("--id sip:bob@example.com --auto-answer 200")["callee"]["route"] == "CalleeService"


@pytest.mark.parametrize(
    ("code", "fate", "said"),
    [
        (200, Fate.MAPPED, "spec.callee"),
        (202, Fate.DROPPED, "answers with 200"),
        (183, Fate.DROPPED, "only says 183 is not there yet"),
        (302, Fate.DROPPED, "does not give 302"),
        (407, Fate.DROPPED, "does not give 407"),
        (180, Fate.MAPPED, "expect.sipCode is 487"),
        (486, Fate.MAPPED, "expect.sipCode is 486"),
        (603, Fate.MAPPED, "expect.sipCode is 603"),
    ],
)
def test_what_a_callee_answers(code: int, fate: Fate, said: str) -> None:
    ((found, why),) = told(made(f"--id sip:bob@example.com --auto-answer {code}"), "--auto-answer")
    assert (found, said in why) == (fate, True)


@pytest.mark.parametrize(
    ("code", "callee", "got"),
    [
        (180, {"behaviour": "RingOnly"}, 487),
        (486, {"behaviour": "Busy"}, 486),
        (603, {"behaviour": "Refuse", "refuse": {"code": 603}}, 603),
    ],
)
def test_a_callee_that_does_not_answer_is_one_and_its_code_is_expected(
    code: int, callee: dict[str, Any], got: int
) -> None:
    text = f"--id sip:bob@example.com --registrar sip:example.com --auto-answer {code} --auto-loop --duration 9"
    found = spec(text)
    assert found["callee"] == {"uri": "sip:bob@example.com"} | callee
    assert found["calls"] == [{"name": "call", "expect": {"sipCode": got}}]
    assert fates(text, "--auto-loop") == fates(text, "--duration") == [Fate.UNUSED]
    assert not made(text).lacks


def test_a_caller_answers_nothing_and_loops_nothing() -> None:
    text = f"{ECHO} --auto-answer 200 --auto-loop {TO}"
    assert fates(text, "--auto-answer") == fates(text, "--auto-loop") == [Fate.DROPPED]
    assert spec(text)["calls"][0]["caller"]["play"] == {"silence": {}}


@pytest.mark.parametrize(
    ("identity", "uri"),
    [
        ("sip:alice@example.com", "sip:alice@example.com"),
        ("<sip:alice@example.com>", "sip:alice@example.com"),
        ("'Alice <sip:alice@example.com>;tag=x'", "sip:alice@example.com"),
        ("sip:alice@example.com;transport=tcp", "sip:alice@example.com"),
        ("sip:alice@example.com;transport=udp;user=phone", "sip:alice@example.com;transport=udp;user=phone"),
    ],
)
def test_an_identity_is_its_uri(identity: str, uri: str) -> None:
    assert spec(f"--id {identity} --proxy sip:192.0.2.1 {TO}")["caller"]["uri"] == uri


def test_another_transport_in_a_uri_than_the_test_s_is_dropped() -> None:
    text = "--id sip:a@b;transport=tcp --proxy sip:192.0.2.1 sip:echo@b;transport=tls"
    assert fates(text, "--id") == fates(text, "URI") == [Fate.DROPPED]
    assert spec(text)["calls"][0]["to"] == "sip:echo@b"


def test_who_is_called_does_not_hang_up() -> None:
    text = "--id sip:a@b --auto-answer 200 --duration 7"
    assert fates(text, "--duration") == [Fate.DROPPED]
    assert spec(text)["calls"][0]["holdSeconds"] == 7


def test_the_name_before_an_identity_is_dropped() -> None:
    assert fates(f'--id "Al <sip:a@b>" {TO}', "--id") == [Fate.DROPPED]
    assert fates(f"--id <sip:a@b> {TO}", "--id") == [Fate.MAPPED]


@pytest.mark.parametrize("uri", ["tel:+4930", "sip:alice:pw@example.com", "sip:b?Subject=x", "im:a@b"])
def test_a_uri_that_no_test_can_have_is_refused_with_its_line(uri: str) -> None:
    assert fault(f"--id {uri}\n{TO}").startswith("a.cfg:1: --id: ")


def test_what_no_calltest_can_say_is_refused() -> None:
    assert "no CallTest can say so" in fault(f"--id sip:alice@b {TO.replace('echo', '112')}")


# --- registering


def test_a_registration_is_asked_for_as_long_as_said() -> None:
    text = "--id sip:a@b --registrar sip:b --reg-timeout {} " + TO
    assert spec(text.format(60))["caller"]["registration"] == {"expiresSeconds": 60}
    assert spec(text.format(5))["caller"]["registration"] == {"expiresSeconds": 10}
    assert fates(text.format(5), "--reg-timeout") == [Fate.DROPPED]
    assert "registration" not in spec(text.format(300))["caller"]
    assert fault(text.format(3601)).startswith("a.cfg:1: --reg-timeout: '3601': give a number from 1 to 3600")


def test_who_has_credentials_and_no_registrar_does_not_register() -> None:
    assert spec(f"{ECHO} --username a --password b {TO}")["caller"]["register"] is False
    assert spec(f"{ECHO} --registrar sip:example.com {TO}")["caller"]["register"] is True


def test_another_host_than_the_identity_s_is_not_asked_for_a_registration() -> None:
    text = f"--id sip:a@b --registrar sip:192.0.2.1 {TO}"
    assert fates(text, "--registrar") == fates(text, "URI") == [Fate.DROPPED]
    assert spec(text)["target"]["address"] == {"host": "192.0.2.1"}


def test_the_way_of_a_register_is_that_of_calls() -> None:
    text = f"{ECHO} --registrar sip:example.com --reg-use-proxy {{}} {TO}"
    assert fates(text.format(3), "--reg-use-proxy") == [Fate.DEFAULT]
    assert fates(text.format(0), "--reg-use-proxy") == [Fate.DROPPED]


def test_the_realm_of_a_secret() -> None:
    text = f"{ECHO} --username a --password b {{}} {TO}"
    assert made(text.format("--realm example.com")).secrets[0]["stringData"]["realm"] == "example.com"
    for realm in ("", "--realm *"):
        assert "realm" not in made(text.format(realm)).secrets[0]["stringData"]
    assert "not given: any realm may ask" in told(made(text.format("")), "--realm")[0][1]


def test_a_user_without_a_password_has_an_empty_one() -> None:
    converted = made(f"{ECHO} --username a {TO}")
    assert converted.secrets[0]["stringData"] == {"username": "a", "password": ""}
    assert told(converted, "--password")[0][0] is Fate.DEFAULT


def test_a_second_pair_of_credentials_is_refused_and_an_empty_one_is_none() -> None:
    text = f"{ECHO} --username a --password b --next-cred {{}} {TO}"
    assert "a second pair of credentials" in fault(text.format("--username c"))
    assert made(text.format("--password c")).secrets[0]["stringData"]["password"] == "b"


@pytest.mark.parametrize(
    ("name", "usual", "other"), [("use-timer", 1, 2), ("timer-se", 1800, 600), ("timer-min-se", 90, 120)]
)
def test_session_timers_are_those_of_the_agents(name: str, usual: int, other: int) -> None:
    assert fates(f"{ECHO} --{name} {usual} {TO}", f"--{name}") == [Fate.DEFAULT]
    assert fates(f"{ECHO} --{name} {other} {TO}", f"--{name}") == [Fate.DROPPED]


# --- media


@pytest.mark.parametrize(
    ("options", "codecs"),
    [
        ("--add-codec pcmu", ["PCMU", "speex", "GSM", "PCMA", "G722"]),
        ("--add-codec PCMU --add-codec g722 --add-codec GSM/8000", ["GSM", "G722", "PCMU"]),
        ("--dis-codec speex --dis-codec GSM", ["PCMU", "PCMA", "G722"]),
        ("--dis-codec * --add-codec PCMA", ["PCMA"]),
        ("--dis-codec= --add-codec opus --add-codec L16 --add-codec G729", ["G729", "L16", "opus"]),
        ("--dis-codec pcm --dis-codec speex --dis-codec g7", ["GSM"]),
    ],
)
def test_the_last_codec_that_is_added_is_the_first(options: str, codecs: list[str]) -> None:
    found = spec(f"{ECHO} {options} {TO}")["caller"]["media"]["codecs"]
    assert found[: len(codecs)] == codecs[: len(found)]
    if "dis-codec" in options:
        assert found == codecs


def test_silence_that_pjsua_would_send_less_of_is_told_of() -> None:
    assert "sends less of it" in told(made(f"{ECHO} {TO}"), "--no-vad")[0][1]
    assert not any("sends less of it" in why for _, why in told(made(f"{ECHO} --no-vad {TO}"), "--no-vad"))


def test_codecs_that_calltest_lacks_are_named() -> None:
    text = f"{ECHO} --dis-codec * --add-codec PCMU --add-codec iLBC --add-codec speex/16000 {TO}"
    assert [fate for fate, _ in told(made(text), "--add-codec")] == [Fate.MAPPED, Fate.DROPPED, Fate.DROPPED]
    assert spec(text)["caller"]["media"]["codecs"] == ["PCMU"]
    assert "leave no codec" in fault(f"{ECHO} --dis-codec * {TO}")
    assert "leave no codec" in fault(f"{ECHO} --dis-codec * --add-codec iLBC {TO}")


def test_packet_times() -> None:
    assert spec(f"{ECHO} --ptime 40 {TO}")["caller"]["media"] == {"ptimeMilliseconds": 40}
    assert fates(f"{ECHO} --ptime 240 {TO}", "--ptime") == [Fate.DROPPED]
    assert "--ptime: '5'" in fault(f"{ECHO} --ptime 5 {TO}")


SDES, DTLS = ["SDES", "DTLS"], ["DTLS", "SDES"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--use-srtp 1", {"use": "Optional", "keying": SDES, "signalling": "TLS"}),
        ("--use-srtp 2 --srtp-secure 0", {"use": "Mandatory", "keying": SDES, "signalling": "None"}),
        ("--use-srtp 3 --srtp-secure 1", {"use": "Optional", "keying": SDES, "signalling": "TLS"}),
        ("--use-srtp 2 --srtp-keying 1", {"use": "Mandatory", "keying": DTLS, "signalling": "TLS"}),
        ("--use-srtp 2 --srtp-keying 0", {"use": "Mandatory", "keying": SDES, "signalling": "TLS"}),
        ("--use-srtp 2 --srtp-secure 2", {"use": "Mandatory", "keying": SDES, "signalling": "TLS"}),
    ],
)
def test_srtp_over_tls(options: str, expected: dict[str, Any]) -> None:
    text = f"--id sip:alice@example.com --proxy sip:192.0.2.1;transport=tls {options} {TO}"
    assert spec(text)["caller"]["media"]["srtp"] == expected


def test_srtp_of_each_hop_needs_a_callee() -> None:
    text = f"--id sip:a@b --proxy sip:b;transport=tls --use-srtp 2 --srtp-secure 2 {TO}"
    assert fates(text, "--srtp-secure") == [Fate.DROPPED]
    callee = "--id sips:bob@b --registrar sips:b --use-srtp 1 --srtp-secure 2 --auto-answer 200"
    read = parsed(callee)
    assert read.callee is not None
    assert read.callee.media is not None
    assert read.callee.media.srtp.signalling == "SIPS"


def test_srtp_that_pjsua_refuses_over_udp_is_refused_and_none_is_none() -> None:
    for secure in ("", "--srtp-secure 1", "--srtp-secure 2"):
        assert "pjsua makes no such call by UDP" in fault(f"{ECHO} --use-srtp 1 {secure} {TO}")
    assert "media" not in spec(f"{ECHO} --use-srtp 0 {TO}")["caller"]
    assert spec(f"{ECHO} --use-srtp 2 --srtp-secure 0 {TO}")["caller"]["media"]["srtp"]["signalling"] == "None"
    assert spec(f"--use-srtp 2 --srtp-secure 0 {TO}")["caller"]["media"]["srtp"]["use"] == "Mandatory"


# --- the call


def test_a_file_is_played_and_its_end_ends_the_call() -> None:
    text = f"{ECHO} --play-file a.wav --play-file b.wav {{}} {TO}"
    converted = made(text.format("--auto-play"))
    call = converted.test["spec"]["calls"][0]
    assert (call["caller"]["play"], "holdSeconds" in call) == (
        {"wav": {"configMapName": "a-sound", "key": "play.wav"}},
        False,
    )
    assert converted.config_maps[0]["binaryData"] == {"play.wav": FILES["a.wav"]}
    assert [fate for fate, _ in told(converted, "--play-file")] == [Fate.MAPPED, Fate.UNUSED]
    assert spec(text.format("--auto-play-hangup"))["calls"][0]["holdSeconds"] == 3
    assert spec(text.format("--auto-play-hangup --duration 2"))["calls"][0]["holdSeconds"] == 2
    assert fates(text.format(""), "--play-file") == [Fate.UNUSED]


def test_a_file_that_is_not_there_is_to_be_given_and_one_that_cannot_be_played_is_refused() -> None:
    text = f"{ECHO} --auto-play-hangup --play-file {{}} {TO}"
    converted = made(text.format("none.wav"))
    assert converted.config_maps == ()
    assert "--config-map a-sound=DIR, with it as DIR/play.wav" in told(converted, "--play-file")[0][1]
    assert told(converted, "--auto-play-hangup") == [
        (Fate.DROPPED, "the length of the file is not known: say holdSeconds")
    ]
    for name in ("two.wav", "short.wav", "ca.pem"):
        assert "play a mono 16-bit PCM WAV file of 8 or 16 kHz" in fault(text.format(name))
    assert fates(f"{ECHO} --auto-play-hangup {TO}", "--auto-play-hangup") == [Fate.UNUSED]


@pytest.mark.parametrize(
    ("tone", "hertz", "fate"),
    [
        ("440,0,1000,0", 440, Fate.MAPPED),
        ("440,440,1000,0", 440, Fate.MAPPED),
        ("440,480,1000,0", 440, Fate.DROPPED),
        ("440,0,1000,500", 440, Fate.DROPPED),
        ("20,0,1000,0", None, Fate.DROPPED),
    ],
)
def test_a_tone_is_its_first_frequency(tone: str, hertz: int | None, fate: Fate) -> None:
    text = f"{ECHO} --play-tone {tone} {TO}"
    play = spec(text)["calls"][0]["caller"].get("play")
    assert play == (None if hertz is None else {"tone": {"frequencyHertz": hertz}})
    assert fates(text, "--play-tone") == [fate]


def test_a_tone_that_is_none_is_refused_and_a_callee_plays_none() -> None:
    assert "give F1,F2,ON,OFF" in fault(f"{ECHO} --play-tone 440 {TO}")
    assert fates("--id sip:a@b --auto-answer 200 --play-tone 440,0,1,0", "--play-tone") == [Fate.DROPPED]


@pytest.mark.parametrize(
    ("option", "redirects", "fate"),
    [
        ("", "Follow", Fate.DEFAULT),
        ("--accept-redirect 0", "Stop", Fate.MAPPED),
        ("--accept-redirect 1", "Follow", Fate.MAPPED),
        ("--accept-redirect 2", "Follow", Fate.MAPPED),
        ("--accept-redirect 3", None, Fate.DROPPED),
        ("--accept-redirect 4", "Stop", Fate.MAPPED),
    ],
)
def test_redirects_are_followed_where_nothing_is_said(option: str, redirects: str | None, fate: Fate) -> None:
    text = f"{ECHO} {option} {TO}"
    assert spec(text)["calls"][0].get("caller", {}).get("redirects") == redirects
    assert fates(text, "--accept-redirect") == [fate]


@pytest.mark.parametrize(
    ("seconds", "hold_s", "deadline_s", "fate"),
    [
        (7, 7, None, Fate.MAPPED),
        (300, 300, None, Fate.MAPPED),
        (900, 900, 1200, Fate.MAPPED),
        (0, 1, None, Fate.DROPPED),
        (9999, 3600, 3900, Fate.DROPPED),
    ],
)
def test_a_call_is_as_long_as_said_and_its_run_long_enough(
    seconds: int, hold_s: int, deadline_s: int | None, fate: Fate
) -> None:
    text = f"{ECHO} --duration {seconds} {TO}"
    found = spec(text)
    assert (found["calls"][0]["holdSeconds"], found.get("activeDeadlineSeconds")) == (hold_s, deadline_s)
    assert fates(text, "--duration") == [fate]


def test_recordings_are_evidence() -> None:
    found = spec(f"{ECHO} --auto-rec --rec-file x.wav {TO}")
    assert found["evidence"] == {"keep": "Always", "claimName": "a-evidence"}
    assert fates(f"{ECHO} --rec-file x.wav {TO}", "--rec-file") == [Fate.UNUSED]


# --- the report


def test_the_last_of_two_counts_and_what_is_said_twice_is_told_once() -> None:
    converted = made(f"--id sip:alice@example.com\n--duration 1\n--duration 2\n--video\n--video\n{TO}")
    assert converted.test["spec"]["calls"][0]["holdSeconds"] == 2
    assert told(converted, "--duration") == [
        (Fate.UNUSED, "the one behind it counts (a.cfg:3)"),
        (Fate.MAPPED, "spec.calls[0].holdSeconds"),
    ]
    assert "a.cfg:4,5: --video: dropped: calltest has no video" in map(str, converted.report)


USUAL = {"id": "sip:a@b", "proxy": "sip:192.0.2.1;transport=tls", "play-tone": "400,0,1,0", "play-file": "a.wav"}
VALUES = st.sampled_from(["0", "1", "2", "3", "20", "200", "sip:a@b", "sip:bob@c;transport=tls", "a.wav", "PCM", "x"])


@st.composite
def words(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(ROWS)))
    usual = st.just(USUAL[name]) if name in USUAL else VALUES
    return f"--{name}" + (f" {draw(usual | VALUES)}" if ROWS[name].takes is Takes.VALUE else "")


@settings(max_examples=150)
@given(st.lists(words(), max_size=12), st.sampled_from(["", ECHO, "--auto-answer 200 --id sip:a@b "]), st.booleans())
def test_whatever_is_said_is_told_of_and_makes_a_valid_test_or_is_refused(
    options: list[str],
    begin: str,
    calls: bool,  # noqa: FBT001 - drawn
) -> None:
    text = begin + "\n" + "\n".join(options) + (TO if calls else "")
    try:
        converted = made(text)
    except UnusableInputError as error:
        assert str(error).startswith("a.cfg")  # noqa: PT017
        return
    parse_test(converted.test)
    told_of = {each.name for each in converted.report}
    assert {f"--{word.split()[0].removeprefix('--')}" for word in options} <= told_of
