"""The agent's command line: a plan to carry out, or a standing service for anybody."""

import argparse
import faulthandler
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

# One thread for numpy: decoding takes milliseconds, and more threads would take the CPU from the media's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from agent.clock import SystemClock
from agent.contract.address import family_of, host_of
from agent.contract.plan import Plan, PlanError, Transport, decode_plan, plan_digest
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.phone.media import planned
from agent.phone.protocol import Phone, PhoneError
from agent.process import UNUSABLE, close, on_sigterm, open_phone, port
from agent.report.evidence import Evidence, capture_bytes
from agent.report.lines import Report, claim_stdout, open_result
from agent.report.metrics import AgentMetrics
from agent.run.certificates import read_tls
from agent.run.closed_ports import UdpDoor
from agent.run.health import HealthMonitor, Sentinel, SocketDrops, UdpSockets, throttled_ms
from agent.run.inputs import InputMissingError, SignalFile
from agent.run.playlist import Playlist, require_playable
from agent.run.registration import read_login
from agent.run.runner import Runner, calls_at_once
from agent.service import SERVICES, serve
from agent.tap.call import Captures

ORPHAN_LIMIT_S: Final = 10.0
"""What hanging up gets when whoever started us is gone."""

log = logging.getLogger("agent")

BIND_HELP: Final = "local address for SIP and RTP; of several, that of the target's family (default: towards it)"
RUN_EXAMPLES: Final = """\
examples:
  calltest-agent --plan plan.json --signal signal.json --result result.json
  calltest-agent --plan plan.json --signal signal.json --result result.json --bind 127.0.0.1 --metrics-port 9090
  calltest-agent parrot           answers every call and plays it back; see calltest-agent parrot --help
  calltest-agent absorber         answers every call and only listens; see calltest-agent absorber --help

The plan is JSON (agent/contract/plan.py). The signal may be absent at first; it is read again every 50 ms. Detail and
progress go to stdout as JSON lines, logs to stderr, the result (4,000 bytes of JSON) into the result file.
Exit status: 0 the final result was written, whatever the verdict; 2 the plan cannot be used.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs, and ends the process at once: pjsip's threads would keep it, and there is nothing left to tidy up."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    code = serve(given[0], given[1:]) if given and given[0] in SERVICES else _agent(given)
    logging.shutdown()
    os._exit(code)


def _agent(given: Sequence[str]) -> int:
    """Carries out a plan."""
    options = _agent_options(given)
    if options.lifeline:
        threading.Thread(target=_end_with_stdin, name="lifeline", daemon=True).start()
    try:
        raw = options.plan.read_bytes()
        plan = decode_plan(raw)
        write_result = open_result(options.result)
    except (OSError, PlanError) as error:
        print(f"calltest-agent: {error}", file=sys.stderr)
        return UNUSABLE
    report = Report(plan=plan, plan_sha256=plan_digest(raw), write_line=claim_stdout(), write_result=write_result)
    try:
        _run(plan, options, report)
    except InputMissingError as error:
        report.write(final=True, error=_error(plan, Reason.INPUT_MISSING, str(error)))
    except Exception as error:  # noqa: BLE001  whatever it is, the result says it
        _cannot_go_on(plan, report, error)
    return 0


def _run(plan: Plan, options: argparse.Namespace, report: Report) -> None:
    """Wires the parts. The result is final before the phone is closed: whatever that does, all has been said."""
    stop_asked = on_sigterm()
    login = read_login(plan.account.credentials) if plan.account.credentials else None
    if plan.role is Role.CALLER:  # a callee plays no files, and has none
        require_playable(plan)
    # What cannot be removed must not become an error: the result has been written then.
    with tempfile.TemporaryDirectory(prefix="calltest-agent-", ignore_cleanup_errors=True) as directory:
        scratch = Path(directory)
        phone = _planned_phone(plan, _own_address(options.bind, plan), scratch)
        evidence = Evidence(plan, clock := SystemClock())
        is_done = False
        try:
            metrics = AgentMetrics()
            runner = Runner(
                plan=plan,
                phone=phone,
                login=login,
                signals=SignalFile(options.signal),
                stop_asked=stop_asked,
                clock=clock,
                health=_health(int(phone.address.rpartition(":")[2]) if plan.transport is Transport.UDP else None),
                playlist=Playlist(scratch, plan.wav_directory),
                evidence=evidence,
                report=report,
                open_door=partial(UdpDoor, phone.address),
                on_leg=metrics.leg_over,
            )
            metrics.watch(lambda: runner.active)
            if options.metrics_port is not None:
                metrics.serve(options.metrics_port)
            is_done = runner.run()
        except Exception as error:  # noqa: BLE001
            _cannot_go_on(plan, report, error)
        finally:
            close(phone)
        if is_done:
            evidence.make_sound(scratch, stop_asked)


def _planned_phone(plan: Plan, bind: str, scratch: Path) -> Phone:
    tls = read_tls(plan.tls, scratch) if plan.transport is Transport.TLS else None
    captures = Captures(directory=scratch, max_bytes=capture_bytes(calls_at_once(plan))) if plan.evidence else None
    return open_phone(
        bind,
        plan.sip_port,
        scratch,
        transport=plan.transport,
        tls=tls,
        media=planned(plan),
        captures=captures,
    )


def _health(sip_port: int | None) -> HealthMonitor:
    """Of this process, watched from now on. `sip_port`: of UDP."""
    sentinel = Sentinel()
    sentinel.start()
    return HealthMonitor(
        throttled=throttled_ms, drops=SocketDrops(UdpSockets().read, sip_port), worst_ms=sentinel.worst_ms
    )


def _cannot_go_on(plan: Plan, report: Report, error: Exception) -> None:
    log.error("the agent cannot go on", exc_info=error)
    report.write(final=True, error=_error(plan, Reason.AGENT_ERROR, f"{type(error).__name__}: {error}"))


def _end_with_stdin() -> None:
    """Waits for the end of standard input: then nobody is left to tell, calls are hung up, and the process ends."""
    while os.read(0, 4096):
        pass
    log.warning("standard input ended: whoever started this agent is gone")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_LIMIT_S)
    os._exit(1)


def _own_address(given: str | None, plan: Plan) -> str:
    """The given address of the family that the plan's are of; without any, `_local_address`."""
    if given is None:
        return _local_address(plan)
    wanted = next((family for stage in plan.stages if (family := family_of(host_of(stage.address)))), None)
    found = next((ip for ip in given.split(",") if wanted in (None, family_of(ip))), None)
    if found is None:
        raise PhoneError(f"this agent has no {wanted} address (it has {given}), and the target's are")
    return found


def _local_address(plan: Plan) -> str:
    """The address that the system would send from to the first stage it has a route to; no packet is sent for that."""
    for stage in plan.stages:
        host, port = host_of(stage.address), stage.address.rpartition(":")[2]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, int(port)))
            except (OSError, ValueError) as error:
                log.warning("stage %s: no route to %s: %s", stage.name, stage.address, error)
            else:
                return str(probe.getsockname()[0])
    raise PhoneError(f"no route to any of {', '.join(stage.address for stage in plan.stages) or 'no stages'}")


def _error(plan: Plan, reason: Reason, note: str) -> Finding:
    endpoint = plan.stages[0].endpoint if plan.stages else 0
    return Finding(
        call="",
        number=0,
        endpoint=endpoint,
        leg=plan.role,
        check=Check.RUN,
        reason=reason,
        note=note,
    )


def _agent_options(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="calltest-agent",
        description="Carries out one agent's plan: registers, places or takes calls, observes, reports.",
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plan", type=Path, required=True, metavar="FILE", help="what to do")
    parser.add_argument("--signal", type=Path, required=True, metavar="FILE", help="what may be done now")
    parser.add_argument("--result", type=Path, required=True, metavar="FILE", help="written in place, 4,000 bytes")
    parser.add_argument("--metrics-port", type=port, metavar="N", help="serve /metrics there (default: nowhere)")
    parser.add_argument("--bind", metavar="ADDR", help=BIND_HELP)
    parser.add_argument("--lifeline", action="store_true", help="hang up and end when standard input ends")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
