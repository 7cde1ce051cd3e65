"""What the command line of a standing service refuses, and how it says so."""

from pathlib import Path

import pytest

from agent.run.certificates import read_tls
from agent.service import SERVICES, serve

UNUSABLE = 2
PAIR = ("--certificate", "tls.crt", "--key", "tls.key")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--transport", "SCTP"), "'SCTP' is none of UDP, TCP, TLS"),
        (("--transport", "UDP,"), "'' is none of UDP, TCP, TLS"),
        (("--transport", "tls"), "--transport TLS needs --certificate: --certificate FILE and --key FILE"),
        (("--transport", "TLS", "--certificate", "tls.crt"), "--transport TLS needs --key"),
        (("--key", "tls.key"), "--key is for TLS: add it, as in --transport UDP,TCP,TLS"),
        (("--client-ca", "ca.crt"), "--client-ca is for TLS"),
        (("--transport", "TCP,TLS", "--port", "5061", *PAIR), "--tls-port 5061 is the port of TCP too"),
        (("--srtp", "Always"), "'Always' is none of Disabled, Optional, Mandatory"),
        (("--srtp", "optional", "--keying", "ZRTP"), "'ZRTP' is none of SDES, DTLS"),
        (("--keying", "SDES"), "--keying is for SRTP: add --srtp Optional or --srtp Mandatory"),
        (("--codecs", "PCMU,iLBC"), "'iLBC' is none of PCMU, PCMA, G722, GSM, speex, L16, opus, G729"),
        (("--port", "65536"), "'65536' is not a port"),
        (("--tls-port", "sips"), "'sips' is not a port"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(capsys, name, given, said):
    with pytest.raises(SystemExit) as ended:
        serve(name, given)
    assert ended.value.code == UNUSABLE
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith(f"calltest-agent {name}: error: ")
    assert said in told


@pytest.mark.parametrize("name", SERVICES)
def test_help_says_what_it_does_and_how(capsys, name):
    with pytest.raises(SystemExit) as ended:
        serve(name, ["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"calltest-agent {name} --transport UDP,TCP,TLS --certificate tls.crt --key tls.key" in told
    assert ("plays back" in told) == (name == "parrot")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "tls.key").unlink(), "--key: there is no file"),
        (lambda folder: (folder / "tls.crt").write_text("none"), "tls.crt with --key"),
        (lambda folder: (folder / "ca.crt").write_text("none"), "ca.crt: is no PEM certificate"),
    ],
)
def test_files_that_cannot_be_used_are_named_before_it_listens(capsys, tmp_path: Path, break_it, said):
    read_tls(None, tmp_path)
    (tmp_path / "ca.crt").write_bytes((tmp_path / "tls.crt").read_bytes())
    break_it(tmp_path)
    files = {"certificate": "tls.crt", "key": "tls.key", "client-ca": "ca.crt"}
    given = [word for option, name in files.items() for word in (f"--{option}", str(tmp_path / name))]
    assert serve("parrot", ["--transport", "TLS", *given]) == UNUSABLE
    told = capsys.readouterr().err
    assert told.startswith("calltest-agent parrot: --")
    assert said in told
