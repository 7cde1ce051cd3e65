"""Starts one part of the system under test, or asks it whether it lives. Standard library only.

    sut.py kamailio | rtpengine | phone | probe

Everything is told by the environment:

SUT_ADDRESS       this replica's address, or one of IPv4 and one of IPv6 apart by a comma (required)
SUT_PORT          SIP over UDP, and with the feature TCP over that too; 5060
SUT_TLS_PORT      SIP over TLS, with that feature; 5061, which a URI with transport=tls and no port means
SUT_FEATURES      words for kamailio.cfg, e.g. "OPEN DIRECT_MEDIA"; see there
SUT_USERS         a folder of folders (mounted Secrets), each with the files username and password; /etc/sut/users
SUT_CERTIFICATES  a folder (a mounted Secret) with tls.crt, tls.key and ca.crt, with MUTUAL_TLS; /etc/sut/tls
SUT_REALM         digest realm; example.com
SUT_PEERS         host:port where all replicas' shared location tables are found (with SHARED_LOCATION)
SUT_DMQ_PORT      port of this replica's shared location table; 5062
SUT_DIAL          host:port that every call goes to, registered or not
SUT_PHONE         address:port of phone.py; SUT_ADDRESS:5070
SUT_PHONE_DOES    ring | announce
SUT_RTPENGINE     address:port of the relay's control socket; 127.0.0.1:2223
SUT_MEDIA         addresses of the relay towards caller and callee, each as SUT_ADDRESS; that twice
SUT_RTP_PORTS     30000-34999
SUT_RUN           the one writable folder; /run/sut
"""

import hashlib
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
FEATURES = {
    "OPEN",
    "DIRECT_MEDIA",
    "TCP",
    "TLS",
    "MUTUAL_TLS",
    "SHA_256",
    "SHARED_LOCATION",
    "BUSY",
    "MOVED",
    "IDENTITY",
    "ANSWER_503",
    "MOVED_IN_A_CIRCLE",
    "REFUSE_REGISTRATION",
    "DIVERT",
    "STRIP_TELEPHONE_EVENT",
    "STRIP_G722",
    "BLOCK_DTMF",
    "OPUS_CALLEES",
    "PTIME_40_CALLEES",
    "ONE_WAY_AUDIO",
    "PLAIN_CALLEES",
    "SDES_CALLEES",
    "DTLS_CALLEES",
    "OSRTP",
    "DOWNGRADE",
    "WRONG_FINGERPRINT",
    "WRONG_KEY",
    "STRIP_CRYPTO",
    "FEIGN_SRTP",
    "SWAP_AUDIO",
}
NEEDS_RELAY = {
    "STRIP_TELEPHONE_EVENT",
    "BLOCK_DTMF",
    "OPUS_CALLEES",
    "PTIME_40_CALLEES",
    "ONE_WAY_AUDIO",
    "SWAP_AUDIO",
    "PLAIN_CALLEES",
    "SDES_CALLEES",
    "DTLS_CALLEES",
    "OSRTP",
}
PEERS_WAIT_S = 30
RELAY_WAIT_S = 30


def main() -> None:
    """Becomes the process that the first argument names; a wrong setting ends it with a sentence."""
    parts = {"kamailio": kamailio, "rtpengine": rtpengine, "phone": phone, "probe": probe}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        sys.exit(f"usage: sut.py {' | '.join(parts)}")
    parts[sys.argv[1]]()


def kamailio() -> None:
    """Writes the table of users, then becomes kamailio."""
    addresses, features = own_addresses(), wanted_features()
    realm, digest = setting("SUT_REALM", "example.com"), "sha256" if "SHA_256" in features else "md5"
    users = {} if "OPEN" in features else read_users(Path(setting("SUT_USERS", "/etc/sut/users")), realm, digest)
    run = Path(setting("SUT_RUN", "/run/sut"))
    added = [user_table(users)]
    defines = {
        **dict.fromkeys(sorted(features)),
        "REALM": realm,
        # The same in each replica, so that one's challenge can be answered at another.
        "NONCE_SECRET": hashlib.sha256(repr(sorted(users.items())).encode()).hexdigest(),
        "RTPENGINE": f"udp:{setting('SUT_RTPENGINE', '127.0.0.1:2223')}",
        "PHONE_ADDRESS": setting("SUT_PHONE", at(addresses[0], "5070")),
    }
    if dial := os.environ.get("SUT_DIAL"):
        defines["DIAL_ADDRESS"] = dial
    listen = listeners("udp", setting("SUT_PORT", "5060"))
    if "TCP" in features:
        listen += listeners("tcp", setting("SUT_PORT", "5060"))
    if "TLS" in features:
        listen += listeners("tls", setting("SUT_TLS_PORT", "5061"))
        defines |= given_certificate() if "MUTUAL_TLS" in features else own_certificate(run)
    if "SHARED_LOCATION" in features:
        dmq_port = setting("SUT_DMQ_PORT", "5062")
        defines["DMQ_ADDRESS"] = f"sip:{at(addresses[0], dmq_port)}"
        added += [f'modparam("dmq", "notification_address", "sip:{it}")\n' for it in other_replicas(addresses[0])]
        listen += ["-l", f"udp:{at(addresses[0], dmq_port)}"]
    if "DIRECT_MEDIA" not in features:
        await_relay()
    config = run / "kamailio.cfg"
    config.touch(0o600)
    config.write_text(f'include_file "{HERE / "kamailio.cfg"}"\n' + "".join(added))
    words = [w for name, value in defines.items() for w in ("-A", name if value is None else f'{name}="{value}"')]
    become("kamailio", "-DD", "-E", "-f", str(config), "-Y", str(run), "-w", str(run), "-m", "64", *listen, *words)


def own_addresses() -> list[str]:
    """IPv4 first, where there is one: by that replicas know each other."""
    return sorted(setting("SUT_ADDRESS").split(","), key=lambda address: ":" in address)


def at(address: str, port: str) -> str:
    """An address with its port."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def listeners(protocol: str, port: str) -> list[str]:
    """Options of kamailio: at all addresses."""
    return [word for address in own_addresses() for word in ("-l", f"{protocol}:{at(address, port)}")]


def own_certificate(folder: Path) -> dict[str, str]:
    """One that it signs itself, and its key, by their names in kamailio.cfg."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=sut")
    command = ["openssl", "req", "-x509", *kind, "-days", "30", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (fixed)
    return {"CERTIFICATE": str(certificate), "PRIVATE_KEY": str(key)}


def given_certificate() -> dict[str, str]:
    """One that a CA signed, its key, and that CA, by their names in kamailio.cfg."""
    names = {"CERTIFICATE": "tls.crt", "PRIVATE_KEY": "tls.key", "AUTHORITIES": "ca.crt"}
    files = {name: Path(setting("SUT_CERTIFICATES", "/etc/sut/tls")) / file for name, file in names.items()}
    for file in files.values():
        if not file.is_file():
            sys.exit(f"MUTUAL_TLS: there is no {file}")
    return {name: str(file) for name, file in files.items()}


def rtpengine() -> None:
    """Becomes rtpengine, in user space, with a named interface towards each side."""
    own = ",".join(own_addresses())
    sides = setting("SUT_MEDIA", f"{own} {own}").split()
    if len(sides) != 2:
        sys.exit(f"SUT_MEDIA: {len(sides)} addresses, expected two (towards caller, towards callee)")
    named = zip(("caller", "callee"), sides, strict=True)
    low, _, high = setting("SUT_RTP_PORTS", "30000-34999").partition("-")
    become(
        "rtpengine",
        # Without this it reads its packaged file and opens a command port.
        "--config-file=none",
        "--foreground",
        "--log-stderr",
        "--log-level=5",
        "--table=-1",
        *(f"--interface={name}/{address}" for name, side in named for address in side.split(",")),
        f"--listen-ng={setting('SUT_RTPENGINE', '127.0.0.1:2223')}",
        f"--port-min={low}",
        f"--port-max={high}",
        "--delete-delay=0",
        f"--pidfile={Path(setting('SUT_RUN', '/run/sut')) / 'rtpengine.pid'}",
    )


def phone() -> None:
    """Becomes phone.py."""
    listen = setting("SUT_PHONE", at(own_addresses()[0], "5070"))
    os.execv(sys.executable, [sys.executable, "-B", str(HERE / "phone.py"), listen, setting("SUT_PHONE_DOES")])  # noqa: S606


def probe() -> None:
    """One OPTIONS over UDP, and a ping to the relay; exit 0 when both are answered within a second each."""
    if "DIRECT_MEDIA" not in wanted_features() and not relay_answers():
        sys.exit("rtpengine: no answer to ping")
    ask_options(own_addresses()[0], int(setting("SUT_PORT", "5060")))


def ask_options(host_asked: str, port_asked: int) -> None:
    """One OPTIONS over UDP; exit status 1 and a sentence, unless it is answered 200 within a second."""
    target = at(host_asked, str(port_asked))
    with socket.socket(socket.AF_INET6 if ":" in host_asked else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host_asked, port_asked))
        sock.settimeout(1)
        host, own_port = sock.getsockname()[:2]
        here = at(host, str(own_port))
        call_id = uuid.uuid4().hex
        sock.send(
            "\r\n".join(
                (
                    f"OPTIONS sip:{target} SIP/2.0",
                    f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call_id};rport",
                    "Max-Forwards: 70",
                    f"From: <sip:probe@{here}>;tag={call_id[:8]}",
                    f"To: <sip:{target}>",
                    f"Call-ID: {call_id}",
                    "CSeq: 1 OPTIONS",
                    "Content-Length: 0",
                    "\r\n",
                )
            ).encode()
        )
        try:
            answer = sock.recv(65535).decode(errors="replace")
        except OSError as error:
            sys.exit(f"OPTIONS to {target}: {error or 'no answer'}")
    if not answer.startswith("SIP/2.0 200 ") or call_id not in answer:
        sys.exit(f"OPTIONS to {target}: {answer.splitlines()[0]}")


def relay_answers() -> bool:
    """One ping on rtpengine's control socket (the ng protocol: a cookie, then bencode)."""
    host, _, port = setting("SUT_RTPENGINE", "127.0.0.1:2223").rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, int(port)))
        sock.settimeout(1)
        try:
            sock.send(b"probe d7:command4:pinge")
            return b"4:pong" in sock.recv(2048)
        except OSError:
            return False


def await_relay() -> None:
    """Waits for rtpengine, which starts beside kamailio: kamailio would take it for dead and ask again later."""
    end = time.monotonic() + RELAY_WAIT_S
    while not relay_answers():
        if time.monotonic() > end:
            sys.exit(f"rtpengine: no answer to ping in {RELAY_WAIT_S} s")
        time.sleep(0.1)


def wanted_features() -> set[str]:
    """The words of SUT_FEATURES: an unknown one would leave a fault out, and the test of it would mean nothing."""
    features = set(os.environ.get("SUT_FEATURES", "").split())
    if unknown := features - FEATURES:
        sys.exit(f"SUT_FEATURES: {' '.join(sorted(unknown))} not known; there are {' '.join(sorted(FEATURES))}")
    if "MUTUAL_TLS" in features and "TLS" not in features:
        sys.exit("SUT_FEATURES: MUTUAL_TLS needs TLS")
    if "DIRECT_MEDIA" in features and (needing := features & NEEDS_RELAY):
        sys.exit(f"SUT_FEATURES: {' '.join(sorted(needing))} needs the relay, DIRECT_MEDIA takes it away")
    return features


def read_users(folder: Path, realm: str, algorithm: str = "md5") -> dict[str, str]:
    """Each user's HA1 (RFC 7616 3.4.2), from the files `username` and `password` of each folder in `folder`."""
    users = {}
    for secret in sorted(p for p in folder.glob("*") if (p / "username").is_file()):
        name = (secret / "username").read_text().strip()
        password = (secret / "password").read_text().rstrip("\n")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
            sys.exit(f"{secret}/username: letters, digits, . _ - only")
        users[name] = hashlib.new(algorithm, f"{name}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()
    if not users:
        sys.exit(f"SUT_USERS: no folder in {folder} has a file username; OPEN in SUT_FEATURES asks for no passwords")
    return users


def user_table(users: dict[str, str]) -> str:
    """The users as a route that kamailio runs when it has its hash tables."""
    lines = "".join(f'\t$sht(ha1=>{name}) = "{ha1}";\n' for name, ha1 in users.items())
    return f"event_route[htable:mod-init] {{\n{lines}\treturn;\n}}\n"


def other_replicas(address: str) -> list[str]:
    """`address:port` of the other replicas' location tables, as SUT_PEERS leads to them.

    Kamailio greets them once, at its start, and they know it from then on. So this waits until the name leads to this
    replica too: the one whose name came last sees all others. (Kamailio's own multi_notify took a search domain's
    text for an address, in 6.0.1.)
    """
    host, _, port = setting("SUT_PEERS").rpartition(":")
    end = time.monotonic() + PEERS_WAIT_S
    found = resolve(host)
    while not re.fullmatch(r"[0-9.]+", host) and address not in found and time.monotonic() < end:
        time.sleep(0.2)
        found = resolve(host)
    return [f"{it}:{port}" for it in sorted(found - {address})]


def resolve(host: str) -> set[str]:
    """All IPv4 addresses of a name; none where it has none."""
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, socket.AF_INET)}
    except socket.gaierror:
        return set()


def setting(name: str, default: str | None = None) -> str:
    """An environment variable; without one and without a default it is the user's to give."""
    value = os.environ.get(name) or default
    if value is None:
        sys.exit(f"{name}: not set")
    return value


def become(*command: str) -> None:
    """Replaces this process, so that signals reach the program itself."""
    sys.stderr.write(" ".join(w if "SECRET" not in w else "NONCE_SECRET=…" for w in command) + "\n")
    sys.stderr.flush()
    os.execvp(command[0], command)  # noqa: S606 (fixed program names)


if __name__ == "__main__":
    main()
