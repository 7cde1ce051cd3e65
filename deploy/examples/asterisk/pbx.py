"""Writes Asterisk's configuration and becomes it, or asks it whether it lives. Standard library only.

    pbx.py asterisk | probe

Told by the environment as sut.py is, which is beside this file:

SUT_ADDRESS, SUT_PORT, SUT_TLS_PORT, SUT_USERS, SUT_CERTIFICATES, SUT_REALM, SUT_RUN: see there
SUT_FEATURES      words of FEATURES, below
SUT_MEDIA         addresses of the media towards the first and the second user; SUT_ADDRESS twice
SUT_RTP_PORTS     30000-34999
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sut import ask_options, become, given_certificate, own_certificate, read_users, setting

HERE = Path(__file__).resolve().parent
Options = dict[str, str]
Section = tuple[str, Options]

FEATURES: Final[Mapping[str, Mapping[str, Options]]] = {
    # What is in place of, or beside, the options that each object of pjsip.conf has. As it may be:
    "OPEN": {},
    "TCP": {},
    "TLS": {},
    "MUTUAL_TLS": {"tls": {"verify_client": "yes", "require_client_cert": "yes"}},
    "SHA256": {"auth": {"supported_algorithms_uas": "SHA-256"}},
    "SHA512": {"auth": {"supported_algorithms_uas": "SHA-512-256"}},
    "SDES": {"endpoint": {"media_encryption": "sdes"}},
    "DTLS": {"endpoint": {"media_encryption": "dtls", "dtls_auto_generate_cert": "yes", "dtls_setup": "actpass"}},
    "OPTIMISTIC": {"endpoint": {"media_encryption_optimistic": "yes"}},
    "LONG_BINDINGS": {"aor": {"minimum_expiration": "1800"}},
    "SHORT_BINDINGS": {"aor": {"maximum_expiration": "30"}},
    "MARKED": {"endpoint": {"context": "marked"}},
    "ASYMMETRIC": {"endpoint": {"asymmetric_rtp_codec": "yes"}},
    "MORE_CODECS": {"endpoint": {"allow": "opus,g722,speex,gsm,g729,slin,ulaw,alaw"}},
    # and the faults, each one thing gone wrong:
    "NO_CONTACTS": {"aor": {"max_contacts": "0"}},
    "BUSY": {"endpoint": {"context": "busy"}},
    "SILENT": {"endpoint": {"context": "silent"}},
    "IVR_STAYS": {"endpoint": {"context": "ivr-that-stays"}},
    "INFO_DIGITS": {"endpoint": {"dtmf_mode": "info"}},
}


ALGORITHMS: Final = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
"""Of digests (RFC 8760), and their names in hashlib."""


def main() -> None:
    """Becomes the process that the first argument names; a wrong setting ends it with a sentence."""
    parts = {"asterisk": asterisk, "probe": probe}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        sys.exit(f"usage: pbx.py {' | '.join(parts)}")
    parts[sys.argv[1]]()


def asterisk() -> None:
    """Writes the configuration into the run folder, then becomes Asterisk with it."""
    features, run = wanted_features(), Path(setting("SUT_RUN", "/run/sut"))
    etc = run / "etc"
    etc.mkdir(exist_ok=True)
    for name, sections in configuration(features, run).items():
        file = etc / name
        file.touch(0o600)
        file.write_text("".join(text(*section) for section in sections))
    for name in ("extensions.conf", "modules.conf"):
        (etc / name).write_text((HERE / name).read_text())
    become("asterisk", "-f", "-n", "-vvv", "-C", str(etc / "asterisk.conf"))


def probe() -> None:
    """One OPTIONS over UDP; exit 0 when it is answered 200 within a second."""
    ask_options(setting("SUT_ADDRESS"), int(setting("SUT_PORT", "5060")))


def wanted_features() -> set[str]:
    """The words of SUT_FEATURES: an unknown one would leave a fault out, and the test of it would mean nothing."""
    features = set(os.environ.get("SUT_FEATURES", "").split())
    if unknown := features - FEATURES.keys():
        sys.exit(f"SUT_FEATURES: {' '.join(sorted(unknown))} not known; there are {' '.join(sorted(FEATURES))}")
    if "MUTUAL_TLS" in features and "TLS" not in features:
        sys.exit("SUT_FEATURES: MUTUAL_TLS needs TLS")
    said = [option for feature in features for options in FEATURES[feature].values() for option in options]
    if twice := {option for option in said if said.count(option) > 1}:
        sys.exit(f"SUT_FEATURES: {' '.join(sorted(features))}: more than one says {' '.join(sorted(twice))}")
    return features


def configuration(features: set[str], run: Path) -> dict[str, list[Section]]:
    """Each file's sections."""
    low, _, high = setting("SUT_RTP_PORTS", "30000-34999").partition("-")
    folders = {f"ast{name}dir": str(run) for name in ("etc", "log", "run", "db", "spool", "key", "varlib")}
    folders["astetcdir"] += "/etc"
    return {
        "asterisk.conf": [("directories", folders)],
        "logger.conf": [("logfiles", {"console": "notice,warning,error,verbose"})],
        "rtp.conf": [("general", {"rtpstart": low, "rtpend": high})],
        "pjsip.conf": [*transports(features, run), *users(features), *PROBE],
    }


PROBE: Final = (("probe", {"type": "endpoint", "context": "none", "disallow": "all", "allow": "ulaw"}),)
"""Who asks for a sign of life needs no password; there is nothing to call in its context."""


def transports(features: set[str], run: Path) -> Iterator[Section]:
    """Where it listens."""
    address, port = setting("SUT_ADDRESS"), setting("SUT_PORT", "5060")
    yield "udp", {"type": "transport", "protocol": "udp", "bind": f"{address}:{port}"}
    if "TCP" in features:
        yield "tcp", {"type": "transport", "protocol": "tcp", "bind": f"{address}:{port}"}
    if "TLS" in features:
        files = given_certificate() if "MUTUAL_TLS" in features else own_certificate(run)
        named = {"CERTIFICATE": "cert_file", "PRIVATE_KEY": "priv_key_file", "AUTHORITIES": "ca_list_file"}
        tls = {
            "type": "transport",
            "protocol": "tls",
            "method": "tlsv1_2",  # its default is 1.0 alone
            "bind": f"{address}:{setting('SUT_TLS_PORT', '5061')}",
        }
        yield with_features("tls", tls | {named[name]: file for name, file in files.items()}, features)


def users(features: set[str]) -> Iterator[Section]:
    """An endpoint, its password and its place of registration, for each user."""
    realm, folder = setting("SUT_REALM", "example.com"), Path(setting("SUT_USERS", "/etc/sut/users"))
    digests = {algorithm: read_users(folder, realm, name) for algorithm, name in ALGORITHMS.items()}
    address = setting("SUT_ADDRESS")
    for name, media in zip(digests["MD5"], setting("SUT_MEDIA", f"{address} {address}").split(), strict=True):
        endpoint = {"type": "endpoint", "context": "calls", "aors": name, "disallow": "all", "allow": "ulaw,alaw"}
        endpoint |= {"direct_media": "no", "media_address": media, "bind_rtp_to_media_address": "yes"}
        auth = {"type": "auth", "auth_type": "digest", "username": name, "realm": realm}
        auth["password_digest"] = ",".join(f"{algorithm}:{digests[algorithm][name]}" for algorithm in ALGORITHMS)
        aor = {"type": "aor", "max_contacts": "1", "remove_existing": "yes"}
        yield with_features("endpoint", endpoint | ({} if "OPEN" in features else {"auth": name}), features, name)
        yield with_features("aor", aor, features, name)
        yield with_features("auth", auth, features, name)


def with_features(kind: str, options: Options, features: set[str], name: str | None = None) -> Section:
    """An object of pjsip.conf as the features want it."""
    for feature in sorted(features):
        options = options | FEATURES[feature].get(kind, {})
    return name or kind, options


def text(name: str, options: Options) -> str:
    """A section of an Asterisk configuration file."""
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items()) + "\n"


if __name__ == "__main__":
    main()
