"""An agent without a phone: speaks the contract (signal, progress, detail lines, result), and misbehaves on demand.

`fake_agent.py --fault AGENT=FAULT … --plan … --signal … --result …`; without a fault every call is perfect.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from agent.contract.call import Call
from agent.contract.expect import DtmfMethod
from agent.contract.media import Heard, Origin, Section, Source, Stretch
from agent.contract.observation import Bye, Dialog, Digit, Health, LegObservation, Progress, Side, Trouble
from agent.contract.plan import Plan, Signal, call_key, decode_plan, decode_signal, identity_code, plan_digest
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.result import (
    AgentResult,
    DetailLine,
    ProgressLine,
    StopCause,
    detail_digest,
    encode_line,
    encode_result,
)
from agent.contract.verdict import Check, Finding, Reason, Role

POLL_S = 0.01
SECTION: Final = Section(
    begin_ms=0.0,
    local="127.0.0.1:4000",
    remote="127.0.0.1:5000",
    receives=True,
    sends=True,
    codec="PCMU",
    clock_hz=8000,
    ptime_ms=20,
    telephone_event_payload_type=101,
    protocol="RTP/AVP",
    types={0: "PCMU/8000", 101: "telephone-event/8000"},
    theirs={0: "PCMU/8000", 101: "telephone-event/8000"},
)


class FakeAgent:
    def __init__(self, raw_plan: bytes, signal: Path, result: Path, fault: str) -> None:
        self.raw_plan = raw_plan
        self.plan: Plan = decode_plan(raw_plan)
        self.signal_path, self.result_path, self.fault = signal, result, fault
        self.ready = self.done = self.ended = 0
        self.lines: list[bytes] = []

    def run(self) -> None:
        tempfile.mkdtemp(prefix="calltest-fake-")
        match self.fault:
            case "mute":
                time.sleep(600)
            case "garbage":
                os.write(1, b'\xff\xfe{"kind": "leg"\n{"kind":"progress","runUid":1}\nnull\n\n' + b"[" * 2000 + b"\n")
            case "flood":
                while True:
                    os.write(1, b"x" * 65536 + b"\n")
            case "error":
                note = "Secret sip-alice has no key password"
                self.finish(error=self.finding(Reason.INPUT_MISSING, note))
            case _:
                self.walk()
        if self.fault == "garbage":
            self.walk()

    def walk(self) -> None:
        for index, stage in enumerate(self.plan.stages):
            if not self.until(lambda s, i=index: s.prepare >= i):
                return
            self.register(stage.endpoint)
            self.ready = index + 1
            self.say()
            if not self.until(lambda s, i=index: s.go >= i if self.is_caller else s.prepare > i):
                return
            for group in self.plan.calls:
                for number in range(group.count):
                    self.call(stage.endpoint, group, number)
            self.done = index + 1
            self.say()
        if self.until(lambda s: s.prepare >= len(self.plan.stages)):
            self.finish()

    @property
    def is_caller(self) -> bool:
        return self.plan.role is Role.CALLER

    def until(self, is_so) -> bool:
        """Waits for a signal; False when it said stop (the result is then written)."""
        while True:
            signal: Signal = decode_signal(self.signal_path.read_bytes())
            if signal.stop and self.fault != "deaf":
                self.finish(stopped=StopCause.SIGNAL)
                return False
            if not signal.stop and is_so(signal):
                return True
            time.sleep(POLL_S)

    def register(self, endpoint: int) -> None:
        if self.plan.account.register:
            outcome = RegistrationOutcome.REGISTERED
            self.write(
                RegistrationObservation(
                    role=self.plan.role, endpoint=endpoint, outcome=outcome, code=200, phrase="OK", duration_ms=4.0
                )
            )

    def call(self, endpoint: int, group: Call, number: int) -> None:
        if self.fault == "die" and self.ended == 1:
            sys.stderr.write("Segmentation fault (made up)\n")
            os._exit(139)
        if self.fault == "slow":
            time.sleep(0.3)
        self.ended += 1
        self.write(self.leg(endpoint, group, number))
        self.put(final=False)
        self.say()

    def leg(self, endpoint: int, group: Call, number: int) -> LegObservation:
        key = call_key(self.plan.run.uid, endpoint, group.name, number)
        expect = group.expect.caller if self.is_caller else group.expect.callee
        digits = expect.dtmf.digits if expect.dtmf else ""
        sent = group.caller.dtmf.digits if group.caller.dtmf else ""
        packets = round(group.hold_seconds * 50)
        source = Source(
            section=0,
            remote="127.0.0.1:5000",
            ssrc=1,
            origin=Origin.SIGNALLED,
            packets=packets,
            media_ms=20.0 * packets,
            jitter_ms=1.0,
            max_jitter_ms=2.0,
            jitter_samples=packets - 1,
            payload_types={0: packets},
        )
        return LegObservation(
            role=self.plan.role,
            endpoint=endpoint,
            index=self.ended,
            call=group.name,
            number=number,
            call_key=key,
            sip_call_id=f"{identity_code(key)}@fake",
            from_user="alice",
            started_at=1.0,
            progress=Progress(
                first_response_ms=2.0,
                ringing_ms=3.0,
                answered_ms=5.0,
                bye_ms=5.0 + group.hold_seconds * 1000,
                ended_ms=6.0 + group.hold_seconds * 1000,
            ),
            final_code=200,
            final_phrase="OK",
            dialog=Dialog(
                local_tag="a",
                remote_tag="b",
                answers=1,
                ack_ms=1.0,
                bye=Bye(
                    by=Side.LOCAL if self.is_caller else Side.REMOTE,
                    at_ms=5.0 + group.hold_seconds * 1000,
                    code=200,
                    crossed=False,
                ),
            ),
            dtmf_sent=tuple(Digit(digit=d, method=DtmfMethod.RFC4733, duration_ms=100.0) for d in sent),
            dtmf_received=tuple(Digit(digit=d, method=DtmfMethod.RFC4733, duration_ms=100.0) for d in digits),
            sections=(SECTION,),
            sent=(source,),
            received=(source,),
            heard=Heard(
                duration_ms=group.hold_seconds * 1000,
                level_dbfs=-20.0,
                active_ms=group.hold_seconds * 1000,
                codes={str(identity_code(key)): 3},
                stretches=(Stretch(begin_ms=0.0, end_ms=group.hold_seconds * 1000, code=identity_code(key)),),
            ),
            health=Health(media=Trouble(throttled_ms=0.0, lateness_ms=1.0, socket_drops=0), sent_ratio=1.0),
        )

    def finding(self, reason: Reason, note: str) -> Finding:
        return Finding(call="", number=0, endpoint=0, leg=self.plan.role, check=Check.RUN, reason=reason, note=note)

    def write(self, line: DetailLine) -> None:
        raw = encode_line(line)
        self.lines.append(raw)
        if self.fault != "lines-lost":
            self.emit(raw)

    def say(self) -> None:
        line = ProgressLine(
            run_uid="another-run" if self.fault == "stranger" else self.plan.run.uid,
            agent=self.plan.agent,
            ready=self.ready,
            done=self.done,
            active=0,
            ended=self.ended,
            failed=0,
            address="127.0.0.1:5062",
        )
        self.emit(encode_line(line))

    def emit(self, raw: bytes) -> None:
        os.write(1, raw)

    def finish(self, *, stopped: StopCause | None = None, error: Finding | None = None) -> None:
        self.put(final=True, stopped=stopped, error=error)

    def put(self, *, final: bool, stopped: StopCause | None = None, error: Finding | None = None) -> None:
        result = AgentResult(
            run_uid="another-run" if self.fault == "wrong-run" else self.plan.run.uid,
            agent=self.plan.agent,
            plan_sha256=plan_digest(self.raw_plan),
            final=final,
            legs=self.ended,
            detail=detail_digest(self.lines),
            stopped=stopped,
            error=error,
        )
        raw = encode_result(result)
        if self.fault == "half-result":
            raw = raw[:100]
        self.keep(raw)

    def keep(self, raw: bytes) -> None:
        with self.result_path.open("r+b") as file:
            os.pwrite(file.fileno(), raw, 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", action="append", default=[])
    for name in ("plan", "signal", "result", "bind"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--lifeline", action="store_true")
    arguments = parser.parse_args()
    raw = Path(arguments.plan).read_bytes()
    faults = dict(text.split("=", 1) for text in arguments.fault)
    agent = msgspec.json.decode(raw)["agent"]
    FakeAgent(raw, Path(arguments.signal), Path(arguments.result), faults.get(agent, "")).run()


if __name__ == "__main__":
    main()
