"""What the agent's programs have in common: one phone, SIGTERM, and an end that waits for nobody."""

import argparse
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from agent.contract.plan import Transport
from agent.phone.media import MediaOfCalls
from agent.phone.protocol import Listener, Phone, TlsFiles
from agent.tap.call import Captures

UNUSABLE: Final = 2
"""Exit status: what was asked for cannot be done."""
CLOSE_LIMIT_S: Final = 5.0


def open_phone(
    bind: str,
    port: int,
    recordings: Path,
    *,
    transport: Transport = Transport.UDP,
    tls: TlsFiles | None = None,
    also: Sequence[Listener] = (),
    media: MediaOfCalls | None = None,
    captures: Captures | None = None,
) -> Phone:
    """The only place where pjsua2 comes in, late. PhoneError."""
    from agent.phone.pjsua.phone import PjsuaPhone  # noqa: PLC0415  command line errors need none

    return PjsuaPhone(
        bind=bind,
        sip_port=port,
        transport=transport,
        tls=tls,
        also=also,
        media=media,
        recordings=recordings,
        captures=captures,
    )


def close(phone: Phone) -> None:
    """Closes it, but not for ever: a peer that does not answer may keep pjsip for 32 s."""
    watchdog = threading.Timer(CLOSE_LIMIT_S, os._exit, [0])
    watchdog.daemon = True
    watchdog.start()
    phone.close()
    watchdog.cancel()


def on_sigterm() -> Callable[[], bool]:
    """From now on SIGTERM and SIGINT only set what this tells."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked.is_set


def port(text: str) -> int:
    """Of a command line."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)
