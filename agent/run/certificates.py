"""The files that a phone speaks TLS with: a test's own, looked at before the first call, and what it does not name."""

import ssl
import subprocess
from pathlib import Path
from typing import Final

from agent.contract.plan import Files, Tls
from agent.phone.protocol import TlsFiles
from agent.run.inputs import InputMissingError

CA_KEY, CERTIFICATE_KEY, PRIVATE_KEY = "ca.crt", "tls.crt", "tls.key"
"""Of Secrets of the type kubernetes.io/tls, and beside them."""
PUBLIC: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""Debian's, of the package ca-certificates."""
OPENSSL: Final = "openssl"
OWN_DAYS: Final = 2
"""The certificate that an agent makes itself is for one run."""


def read_tls(tls: Tls | None, scratch: Path) -> TlsFiles:
    """InputMissingError names the Secret and the key that are not there or cannot be used."""
    wanted = tls or Tls()
    certificate, key = _own(scratch) if wanted.client is None else _shown(wanted.client)
    return TlsFiles(
        server_name=wanted.server_name or "",
        verify=wanted.verify,
        authorities=_public(needed=wanted.verify) if wanted.ca is None else _authorities(wanted.ca),
        certificate=certificate,
        key=key,
        anonymous=wanted.client is None,
    )


def read_service(certificate: Path, key: Path, client_ca: Path | None) -> TlsFiles:
    """For whoever connects. Where that one opens a connection itself it does not look at whom it reaches.

    InputMissingError names the file that cannot be used.
    """
    for path, option in ((certificate, "certificate"), (key, "key"), (client_ca, "client-ca")):
        if path is not None and not path.is_file():
            raise InputMissingError(f"--{option}: there is no file {path}")
    _require_pair(certificate, key, f"--certificate {certificate} with --key {key}")
    if client_ca is not None:
        _require_authorities(client_ca, f"--client-ca {client_ca}")
    return TlsFiles(
        verify=False, authorities=client_ca, certificate=certificate, key=key, asks_client=client_ca is not None
    )


def _file(files: Files, key: str) -> Path:
    path = Path(files.directory, key)
    if not path.is_file():
        raise InputMissingError(f"Secret {files.secret_name} has no key {key}, or is not there")
    return path


def _public(*, needed: bool) -> Path | None:
    if PUBLIC.is_file():
        return PUBLIC
    if needed:
        raise InputMissingError(f"there are no public CAs here ({PUBLIC}): name a Secret in target.tls.caSecretName")
    return None


def _authorities(files: Files) -> Path:
    path = _file(files, CA_KEY)
    _require_authorities(path, f"Secret {files.secret_name}, key {CA_KEY}")
    return path


def _require_authorities(path: Path, called: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        raise InputMissingError(f"{called}: is no PEM certificate: {error}") from error


def _shown(files: Files) -> tuple[Path, Path]:
    certificate, key = _file(files, CERTIFICATE_KEY), _file(files, PRIVATE_KEY)
    _require_pair(certificate, key, f"Secret {files.secret_name}, keys {CERTIFICATE_KEY} and {PRIVATE_KEY}")
    return certificate, key


def _require_pair(certificate: Path, key: Path, called: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InputMissingError(f"{called}: cannot be used: {error}") from error


def _no_password() -> str:
    raise ValueError("the private key is encrypted")


def _own(scratch: Path) -> tuple[Path, Path]:
    """Signed by itself: for SUTs that connect to an agent and do not ask who it is."""
    certificate, key = scratch / CERTIFICATE_KEY, scratch / PRIVATE_KEY
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    named = ("-subj", "/CN=calltest", "-days", str(OWN_DAYS))
    command = [OPENSSL, "req", "-x509", *kind, *named, "-keyout", str(key), "-out", str(certificate)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - all of it is ours
    except OSError as error:
        raise InputMissingError(f"openssl, which makes a certificate for this agent: {error.strerror}") from error
    if done.returncode:
        raise InputMissingError(f"openssl makes no certificate for this agent: {done.stderr.strip()[-200:]}")
    return certificate, key
