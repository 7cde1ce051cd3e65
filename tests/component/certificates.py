"""Certificates for tests, of CAs of their own; made by openssl(1), as an agent makes its own."""

import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
LOCK = threading.RLock()
"""Peers are made by several threads at once."""
FOLDER = Path(tempfile.mkdtemp(prefix="calltest-certificates-"))
"""For the tests of this process."""


@dataclass(frozen=True)
class Pair:
    """PEM files."""

    certificate: Path
    key: Path


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def pair(name: str) -> Pair:
    return Pair(FOLDER / f"{name}.crt", FOLDER / f"{name}.key")


def authority(name: str = "ca") -> Pair:
    """A CA that has signed itself."""
    made = pair(name)
    with LOCK:
        if not made.certificate.exists():
            openssl("req", "-x509", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.certificate)
    return made


def certificate(
    names: str = "IP:127.0.0.1", *, common_name: str = "sut", by: str = "ca", expired: bool = False
) -> Pair:
    """`names`: its subjectAltName; empty: it has none. `expired`: since yesterday."""
    made = pair(f"{by}-{common_name}-{names or 'none'}-{expired}".replace(":", "_").replace("*", "any"))
    with LOCK:
        if not made.certificate.exists():
            _sign(made, names, common_name, authority(by), days="-1" if expired else "2")
    return made


def _sign(made: Pair, names: str, common_name: str, signer: Pair, *, days: str) -> None:
    asked, alternative = made.certificate.with_suffix(".csr"), (("-addext", f"subjectAltName={names}") if names else ())
    openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={common_name}", *alternative, "-keyout", made.key, "-out", asked)
    signed = ("-CA", signer.certificate, "-CAkey", signer.key, "-copy_extensions", "copy", "-days", days)
    openssl("x509", "-req", "-in", asked, *signed, "-out", made.certificate)
