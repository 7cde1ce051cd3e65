"""`calltest-agent parrot` and `calltest-agent absorber`: standing services that take anybody's calls."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from agent.clock import SystemClock
from agent.contract.call import Behaviour
from agent.contract.codecs import USUAL, Codec, Media
from agent.contract.plan import Transport
from agent.contract.srtp import Keying, Srtp, SrtpUse
from agent.phone.media import MediaOfCalls
from agent.phone.protocol import Listener, PhoneError
from agent.process import UNUSABLE, close, on_sigterm, open_phone, port
from agent.run.certificates import read_service
from agent.run.inputs import InputMissingError
from agent.run.standing import run_standing

SERVICES: Final[Mapping[str, Behaviour]] = MappingProxyType(
    {"parrot": Behaviour.PARROT, "absorber": Behaviour.ABSORBER}
)
DESCRIPTIONS: Final = {
    Behaviour.PARROT: "Answers every call, plays back what it hears, and repeats RFC 4733 digits after the last one.",
    Behaviour.ABSORBER: "Answers every call and only listens: it sends silence.",
}
EPILOG: Final = """\
examples:
  calltest-agent {name}
  calltest-agent {name} --port 5062 --bind 127.0.0.1
  calltest-agent {name} --transport TLS --certificate tls.crt --key tls.key
  calltest-agent {name} --transport UDP,TCP,TLS --certificate tls.crt --key tls.key --client-ca ca.crt
  calltest-agent {name} --srtp Optional
  calltest-agent {name} --codecs opus,G722,PCMA
  calltest-agent {name} --transport TLS --certificate tls.crt --key tls.key --srtp Mandatory --keying DTLS

It answers OPTIONS with 200, and says on stderr where it listens and who calls. SIGTERM hangs up and ends it. Files are
PEM, as in a Secret of the type kubernetes.io/tls, and are read once: start it again when they were renewed.
Exit status: 0 it was told to end; 2 an option, a file or a port cannot be used.
"""

Word = TypeVar("Word", bound=StrEnum)

log = logging.getLogger("agent")


def serve(name: str, given: Sequence[str]) -> int:
    """Until SIGTERM; gives the exit status."""
    parser = _parser(name)
    options = parser.parse_args(given)
    if fault := _fault(options):
        parser.error(fault)
    stop_asked = on_sigterm()
    with tempfile.TemporaryDirectory(prefix=f"calltest-{name}-") as directory:
        try:
            first, *also = _listeners(options)
            srtp = Srtp(use=options.srtp, keying=options.keying or tuple(Keying))
            phone = open_phone(
                options.bind,
                first.port,
                Path(directory),
                transport=first.transport,
                tls=first.tls,
                also=also,
                media=MediaOfCalls(usual=Media(codecs=options.codecs, srtp=srtp)),
            )
        except (PhoneError, InputMissingError) as error:
            print(f"calltest-agent {name}: {error}", file=sys.stderr)
            return UNUSABLE
        for listener, address in zip((first, *also), (phone.address, *phone.also), strict=True):
            log.info("%s at %s (%s)", name, address, listener.transport)
        run_standing(phone, SERVICES[name], SystemClock(), stop_asked)
        close(phone)
    return 0


def _listeners(options: argparse.Namespace) -> list[Listener]:
    is_secure = Transport.TLS in options.transport
    tls = read_service(options.certificate, options.key, options.client_ca) if is_secure else None
    return [
        Listener(transport=each, port=options.tls_port, tls=tls)
        if each is Transport.TLS
        else Listener(transport=each, port=options.port)
        for each in options.transport
    ]


def _fault(options: argparse.Namespace) -> str | None:
    """What does not go together."""
    if options.keying is not None and options.srtp is SrtpUse.DISABLED:
        return "--keying is for SRTP: add --srtp Optional or --srtp Mandatory"
    return _fault_without_tls(options) if Transport.TLS not in options.transport else _fault_of_tls(options)


def _fault_of_tls(options: argparse.Namespace) -> str | None:
    if options.certificate is None or options.key is None:
        missing = "--certificate" if options.certificate is None else "--key"
        return f"--transport TLS needs {missing}: --certificate FILE and --key FILE, both PEM"
    if Transport.TCP in options.transport and options.port == options.tls_port != 0:
        return f"--tls-port {options.tls_port} is the port of TCP too: give --port or --tls-port another one"
    return None


def _fault_without_tls(options: argparse.Namespace) -> str | None:
    for option in ("certificate", "key", "client_ca"):
        if getattr(options, option) is not None:
            return f"--{option.replace('_', '-')} is for TLS: add it, as in --transport UDP,TCP,TLS"
    return None


def _transports(text: str) -> tuple[Transport, ...]:
    return tuple(dict.fromkeys(_one_of(Transport, word) for word in text.split(",")))


def _keyings(text: str) -> tuple[Keying, ...]:
    return tuple(dict.fromkeys(_one_of(Keying, word) for word in text.split(",")))


def _codecs(text: str) -> tuple[Codec, ...]:
    return tuple(dict.fromkeys(_one_of(Codec, word) for word in text.split(",")))


def _use(text: str) -> SrtpUse:
    return _one_of(SrtpUse, text)


def _one_of(words: type[Word], text: str) -> Word:
    """Whatever its case."""
    for word in words:
        if word.lower() == text.strip().lower():
            return word
    raise argparse.ArgumentTypeError(f"{text.strip()!r} is none of {', '.join(words)}")


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"calltest-agent {name}",
        description=DESCRIPTIONS[SERVICES[name]],
        epilog=EPILOG.format(name=name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--transport",
        type=_transports,
        default=(Transport.UDP, Transport.TCP),
        metavar="LIST",
        help="where calls are taken, all at once: UDP, TCP, TLS (default: UDP,TCP)",
    )
    parser.add_argument("--port", type=port, default=5060, metavar="N", help="for UDP and TCP (default: 5060)")
    parser.add_argument("--tls-port", type=port, default=5061, metavar="N", help="for TLS (default: 5061)")
    parser.add_argument("--bind", default="", metavar="ADDR", help="local address (default: all)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="TLS: its certificate, and those above it")
    parser.add_argument("--key", type=Path, metavar="FILE", help="TLS: the certificate's private key")
    parser.add_argument(
        "--client-ca",
        type=Path,
        metavar="FILE",
        help="TLS: who connects has to show a certificate of one of these CAs (default: nobody is asked)",
    )
    _media_options(parser)
    return parser


def _media_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--codecs",
        type=_codecs,
        default=USUAL,
        metavar="LIST",
        help=f"media: of an offer the first of these is taken: {', '.join(Codec)} (default: PCMU,PCMA)",
    )
    parser.add_argument(
        "--srtp",
        type=_use,
        default=SrtpUse.DISABLED,
        metavar="USE",
        help="media: Disabled, Mandatory (RTP/AVP is refused with 488), or Optional, which takes both"
        " (default: Disabled, RTP/SAVP is refused)",
    )
    parser.add_argument(
        "--keying", type=_keyings, metavar="LIST", help="SRTP: the keys that are taken: SDES, DTLS (default: both)"
    )
