"""What an agent speaks TLS with, and what it says of files that cannot be used."""

import ssl
import subprocess
from pathlib import Path

import pytest

from agent.contract.plan import Files, Tls
from agent.run import certificates
from agent.run.certificates import PUBLIC, read_service, read_tls
from agent.run.inputs import InputMissingError


def files(folder: Path) -> Files:
    return Files(directory=str(folder), secret_name="agent-tls")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a certificate and its key, as of a Secret."""
    read_tls(None, tmp_path)
    return tmp_path


def test_without_a_secret_an_agent_has_a_certificate_of_its_own_that_it_shows_to_nobody_whom_it_calls(own):
    made = read_tls(None, own)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate, made.key)
    assert (made.anonymous, made.authorities, made.verify, made.server_name) == (True, PUBLIC, True, "")


def test_a_tests_own_are_taken(own):
    (own / "ca.crt").write_bytes((own / "tls.crt").read_bytes())
    made = read_tls(Tls(server_name="sip.example.com", verify=False, ca=files(own), client=files(own)), own / "scratch")
    assert (made.server_name, made.verify, made.anonymous) == ("sip.example.com", False, False)
    assert (made.authorities, made.certificate, made.key) == (own / "ca.crt", own / "tls.crt", own / "tls.key")


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        ("ca", "ca.crt", "Secret agent-tls has no key ca.crt, or is not there"),
        ("client", "tls.crt", "Secret agent-tls has no key tls.crt, or is not there"),
        ("client", "tls.key", "Secret agent-tls has no key tls.key, or is not there"),
    ],
)
def test_a_key_that_is_missing_is_named(own, kind, key, said):
    (own / key).unlink(missing_ok=True)
    with pytest.raises(InputMissingError, match=said):
        read_tls(Tls(**{kind: files(own)}), own)


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        ("ca", "ca.crt", "Secret agent-tls, key ca.crt: is no PEM certificate"),
        ("client", "tls.crt", "Secret agent-tls, keys tls.crt and tls.key: cannot be used"),
        ("client", "tls.key", "Secret agent-tls, keys tls.crt and tls.key: cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(own, kind, key, said):
    (own / key).write_text("no PEM")
    with pytest.raises(InputMissingError, match=said):
        read_tls(Tls(**{kind: files(own)}), own)


def test_a_key_with_a_password_is_refused(own):
    key = own / "tls.key"
    locked = subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x"], capture_output=True, check=True
    )
    key.write_bytes(locked.stdout)
    with pytest.raises(InputMissingError, match="cannot be used: the private key is encrypted"):
        read_tls(Tls(client=files(own)), own)


def test_without_public_authorities_nobody_is_believed_unless_the_test_names_some(own, monkeypatch):
    monkeypatch.setattr(certificates, "PUBLIC", own / "none")
    with pytest.raises(InputMissingError, match=r"name a Secret in target\.tls\.caSecretName"):
        read_tls(None, own)
    assert read_tls(Tls(verify=False), own).authorities is None


@pytest.mark.parametrize(
    ("command", "said"), [("openssl-that-is-not-there", "No such file"), ("false", "openssl makes no certificate")]
)
def test_without_openssl_nothing_is_begun(tmp_path, monkeypatch, command, said):
    monkeypatch.setattr(certificates, "OPENSSL", command)
    with pytest.raises(InputMissingError, match=said):
        read_tls(None, tmp_path)


def test_a_service_asks_those_who_connect_for_a_certificate_where_it_was_given_their_ca(own):
    pair = (own / "tls.crt", own / "tls.key")
    open_to_all, asking = read_service(*pair, None), read_service(*pair, own / "tls.crt")
    assert (open_to_all.asks_client, open_to_all.authorities) == (False, None)
    assert (asking.asks_client, asking.authorities) == (True, own / "tls.crt")
    assert {(made.verify, made.anonymous, made.certificate) for made in (open_to_all, asking)} == {
        (False, False, own / "tls.crt")
    }
