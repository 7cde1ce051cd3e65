"""200 calls by two agents, 50 at a time: every call is accounted for, and what both ends say of it agrees."""

import json
from collections import Counter

import pytest

from agent.contract.media import Origin
from agent.contract.observation import LegObservation
from agent.contract.result import decode_line
from tests.e2e.calltests import Object, call_test, deleted, detail_of, most_at_once, span
from tests.e2e.kube import Namespace

CALLS = 200
CONCURRENCY = 50
LATE = 3
"""Packets that may be on their way when the other end has stopped to listen: 60 ms."""


def test_two_hundred_calls_are_accounted_for(voice: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    call = {"count": CALLS, "concurrency": CONCURRENCY, "holdSeconds": 12}
    voice.apply(call_test("load", call=call, activeDeadlineSeconds=240))
    voice.finished("load", timeout_s=240)
    run = voice.run_of("load")
    legs = [line for line in detail_of(voice, run) if line["kind"] == "leg"]
    callers = {line["number"]: line for line in legs if line["role"] == "Caller"}
    callees = {line["number"]: line for line in legs if line["role"] == "Callee"}
    text = comparison(run, callers, callees)
    with capsys.disabled():
        print(f"\n{text}")
    check_each_call(run, callers, callees)
    for number in range(CALLS):
        for sender, receiver in ((callers, callees), (callees, callers)):
            spare = LATE + int(unheard_ms(sender[number], receiver[number]) / 20)
            assert 0 <= unexplained(sender[number], receiver[number]) <= spare, (number, spare, text)
    assert run["status"]["result"] == "Passed", run["status"]["message"]
    deleted(voice, "load")


def check_each_call(run: Object, callers: dict[int, Object], callees: dict[int, Object]) -> None:
    """Each call has its verdict, and both its legs."""
    status = run["status"]
    counts = status["calls"]
    assert counts["planned"] == CALLS
    assert counts["passed"] + counts["failed"] + counts["inconclusive"] == CALLS
    assert status.get("strayCalls", 0) == 0
    assert status["detail"]["complete"]
    assert set(callers) == set(callees) == set(range(CALLS)), "each call has both its legs"
    assert {callers[n]["callKey"] for n in callers} == {callees[n]["callKey"] for n in callees}
    assert most_at_once(span([leg]) for leg in callers.values()) == CONCURRENCY


def read(leg: Object) -> LegObservation:
    """The line as the agent's contract has it."""
    found = decode_line(json.dumps(leg).encode())
    assert isinstance(found, LegObservation)
    return found


def sent(leg: Object) -> int:
    """Packets, of all sources."""
    return sum(source.packets for source in read(leg).sent or ())


def received(leg: Object) -> int:
    """Packets, of accepted sources."""
    return sum(source.packets for source in read(leg).received or () if source.origin is not Origin.STRANGER)


def lost(leg: Object) -> int:
    """Packets, of accepted sources."""
    return sum(source.lost for source in read(leg).received or () if source.origin is not Origin.STRANGER)


def unexplained(sender: Object, receiver: Object) -> int:
    """Packets that one end sent, and the other neither received nor missed."""
    return sent(sender) - received(receiver) - lost(receiver)


def unheard_ms(sender: Object, receiver: Object) -> float:
    """For how much the sender may have sent that the receiver did not read any more.

    As its end of the call ended later (both have one clock), and more in that time where it had been late; and as the
    receiver was late with its reading when it ended the call.
    """
    outlasted_ms = max(0.0, (span([sender])[1] - span([receiver])[1]) * 1000)
    return outlasted_ms + (read(sender).health.rtp_lateness_ms or 0.0) + (read(receiver).health.lateness_ms or 0.0)


def comparison(run: Object, callers: dict[int, Object], callees: dict[int, Object]) -> str:
    """Sent, received and lost in each direction, for people."""
    counts, status = run["status"]["calls"], run["status"]
    lines = [f"{CALLS} calls, at most {CONCURRENCY} at a time: {status['result']}, {counts['summary']} passed"]
    for name, senders, receivers in (("caller → callee", callers, callees), ("callee → caller", callees, callers)):
        both = senders.keys() & receivers.keys()
        went, came = sum(sent(senders[n]) for n in both), sum(received(receivers[n]) for n in both)
        gone = sum(lost(receivers[n]) for n in both)
        rest = Counter(unexplained(senders[n], receivers[n]) for n in both)
        lines.append(f"  {name}: sent {went}, received {came}, lost {gone}; on their way at the end, by call: ")
        lines[-1] += ", ".join(f"{packets}: {count} calls" for packets, count in sorted(rest.items()))
    lines.append(f"  {status['message']}")
    return "\n".join(lines)
