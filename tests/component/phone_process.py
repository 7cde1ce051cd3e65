"""One real phone in a process of its own: commands come as JSON lines on stdin, replies and events go out on stdout."""

import dataclasses
import logging
import os
import select
import sys
from pathlib import Path
from typing import Any

import msgspec

from agent.contract.headers import Header
from agent.contract.plan import Transport
from agent.contract.steps import Answer, HangUp, PlayBack, Ring, SendDigits
from agent.phone.media import MediaOfCalls
from agent.phone.pjsua.phone import PjsuaPhone
from agent.phone.protocol import AccountId, CallHandle, PhoneError, Playback, SipAccount, TlsFiles
from agent.tap.call import Captures

LOG = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    options = msgspec.json.decode(sys.argv[1])
    options["transport"] = Transport(options["transport"])
    options["tls"] = msgspec.convert(options["tls"], TlsFiles | None, dec_hook=lambda _, path: Path(path))
    options["recordings"] = Path(options["recordings"])
    options["captures"] = Captures(directory=Path(options["captures"]))
    options["media"] = msgspec.convert(options["media"], MediaOfCalls | None)
    try:
        phone = PjsuaPhone(**options)
    except PhoneError as error:
        say({"error": str(error)})
        os._exit(0)
    say({"reply": phone.address})
    try:
        serve(phone)
        phone.close()
    except Exception:
        LOG.exception("the phone's process ends")
    finally:
        os._exit(0)  # whatever happened: interpreter teardown with pjsip's threads alive can hang


def serve(phone: PjsuaPhone) -> None:
    """Obeys until stdin ends."""
    line = b""
    while True:
        if select.select([0], [], [], 0)[0]:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, line = (line + chunk).split(b"\n")
            for command in lines:
                obey(phone, msgspec.json.decode(command))
        event = phone.next_event(0.02)
        if event is not None:
            say({"event": type(event).__name__} | msgspec.to_builtins(dataclasses.asdict(event), enc_hook=plain))


ACTIONS = {"ring": Ring, "answer": Answer, "send_digits": SendDigits, "hang_up": HangUp}


def act(phone: PjsuaPhone, name: str, call: CallHandle, *, echo: bool = False, **args: Any) -> None:
    """A step of the phone's; a callee that echoes does so from the answer on."""
    if echo:
        phone.perform(call, PlayBack())
    phone.perform(call, ACTIONS[name](**args))


def plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else msgspec.to_builtins(value)


def obey(phone: Any, command: dict[str, Any]) -> None:
    name, args = command["do"], command["args"]
    for key, kind in (("account", AccountId), ("call", CallHandle)):
        if isinstance(args.get(key), int):
            args[key] = kind(args[key])
    for key in {"headers", "bye", "cancel"} & args.keys():
        args[key] = tuple(Header(name=name, value=value) for name, value in args[key].items())
    if name == "add_account":
        args = {"account": SipAccount(**args)}
    if "playback" in args:
        wav = args["playback"].get("wav")
        args["playback"] = Playback(wav=Path(wav) if wav else None)
    if name == "live_calls":
        say({"reply": phone._tap.live_calls})
        return
    try:
        if name in ACTIONS:
            say({"reply": act(phone, name, **args)})
        else:
            say({"reply": getattr(phone, name)(**args)})
    except PhoneError as error:
        say({"error": str(error)})


def say(what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
