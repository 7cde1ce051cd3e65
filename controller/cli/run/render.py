"""A finished run as people and programs read it: table, YAML, JSON. Pure: values in, text out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

import msgspec
import yaml
from msgspec import UNSET, UnsetType
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.contract.plan import RunRef
from agent.contract.verdict import Result, Role
from agent.judge.checks import asked, asked_of_call
from agent.judge.verdicts import CallVerdict, Flow, RunVerdict
from controller.api import API_VERSION
from controller.api.field import without_nulls
from controller.api.parse import CallTest
from controller.api.run import CallTestRunStatus
from controller.cli.output import NOT_MEASURED
from controller.run.measurements import METRICS, samples
from controller.run.wording import passed_of, reference
from controller.text import plain

_STYLES: Final = {Result.PASSED: "green", Result.FAILED: "bold red", Result.INCONCLUSIVE: "yellow"}
MAX_NOTES: Final = 20
MAX_NOTE: Final = 512
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run with its verdict."""

    run: RunRef
    test: CallTest
    status: CallTestRunStatus
    verdict: RunVerdict


def run_object(finished: FinishedRun) -> dict[str, Any]:
    """The run as the CallTestRun that a cluster would hold."""
    built: dict[str, Any] = msgspec.to_builtins(
        {
            "apiVersion": API_VERSION,
            "kind": "CallTestRun",
            "metadata": {
                "name": finished.run.name,
                "namespace": finished.run.namespace,
                "uid": finished.run.uid,
            },
            "spec": {
                "callTestName": finished.test.name,
                "cause": {"type": "Manual"},
                "test": without_nulls(msgspec.to_builtins(finished.test.spec)),
            },
            "status": finished.status,
            "measurements": _measurements(finished.verdict),
        }
    )
    return built


def _measurements(verdict: RunVerdict) -> list[dict[str, str | float]]:
    """The numbers that /metrics has of a run on a cluster, by the same names; what was not measured is not there."""
    return [
        {
            "metric": sample.metric,
            **dict(zip(METRICS[sample.metric][1], sample.labels, strict=True)),
            "value": sample.value,
        }
        for sample in samples(verdict)
    ]


def as_yaml(runs: Sequence[FinishedRun]) -> str:
    """One document per run."""
    return yaml.safe_dump_all(
        [run_object(run) for run in runs], sort_keys=False, allow_unicode=True, width=120, explicit_start=len(runs) > 1
    )


def as_json(runs: Sequence[FinishedRun]) -> str:
    """The run, or a List where there are several (as kubectl does)."""
    objects = [run_object(run) for run in runs]
    whole = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def as_table(finished: FinishedRun, *, width: int, color: bool) -> str:
    """Verdict, what was checked, endpoints, what did not pass, and the packets of each direction."""
    console = Console(
        file=StringIO(), width=width, force_terminal=color, no_color=not color, highlight=False, markup=False
    )
    with console.capture() as capture:
        console.print(_headline(finished))
        for table in (_checked, _endpoints, _failures, _notes, _evidence, _flows):
            if (part := table(finished)) is not None:
                console.print()
                console.print(part)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def _headline(finished: FinishedRun) -> Text:
    status = finished.status
    text = Text.assemble((finished.test.name, "bold"), ": ", _result(status.result))
    if status.reason is not UNSET:
        text.append(f"/{status.reason}")
    if status.calls is not UNSET:
        counts = status.calls
        told = passed_of(counts.planned, passed=counts.passed, failed=counts.failed, inconclusive=counts.inconclusive)
        text.append(f", {told}")
    if status.start_time is not UNSET and status.completion_time is not UNSET:
        text.append(f", {(status.completion_time - status.start_time).total_seconds():.0f} s")
    if status.message is not UNSET and status.result is not Result.PASSED:
        text.append(f"\n{status.message}")
    if status.reason is not UNSET:
        text.append(f"\nsee {reference(status.reason)}", "dim")
    if status.stray_calls is not UNSET and status.stray_calls:
        text.append(f"\n{status.stray_calls} calls reached the callee that nobody of this run placed")
    return text


def _checked(finished: FinishedRun) -> Table:
    """What a Passed is worth: what was expected of each leg, beside what is checked of every call."""
    table = _table("CALL", "LEG", "CHECKED")
    has_callee = finished.test.spec.callee is not None
    if not finished.test.spec.calls:
        table.add_row("registration", "", "registered, binding, refreshed, unregistered; no calls")
    for call in finished.test.spec.calls:
        is_up = ["completed", *(["delivered"] if has_callee else [])] if call.expect.is_answer else []
        asks = asked_of_call(call.expect)
        wanted = [f"{check} {text}" for check, text in asks.items()]
        always = ", ".join([f"answered {call.expect.sip_code}", *wanted, *is_up])
        table.add_row(call.name, "", always)
        for role, expect in ((Role.CALLER, call.expect.caller), (Role.CALLEE, call.expect.callee)):
            asks = {} if expect is None else asked(expect)
            if asks:
                table.add_row("", role, ", ".join(f"{check} {text}" for check, text in asks.items()))
        if not any(expect is not None and asked(expect) for expect in (call.expect.caller, call.expect.callee)):
            table.add_row("", "", "nothing was expected of its media: neither audio nor digits nor RTP")
    return table


def _endpoints(finished: FinishedRun) -> Table | None:
    endpoints = finished.status.endpoints
    if endpoints is UNSET or not endpoints:
        return None
    table = _table("ENDPOINT", "ADDRESS", "RESULT", "REASON", "CALLS", "MEDIA")
    for item in endpoints:
        table.add_row(
            str(item.index),
            item.address,
            _result(item.result),
            _said(item.reason),
            _said(item.summary),
            _said(item.media),
        )
    return table


def _failures(finished: FinishedRun) -> Table | None:
    failures = finished.status.failures
    if failures is UNSET or not failures:
        return None
    table = _table("CALL", "ENDPOINT", "LEG", "CHECK", "REASON", "EXPECTED", "OBSERVED", "NOTE")
    for item in failures:
        table.add_row(
            f"{item.call}/{item.number}" if item.call else "",
            str(item.endpoint),
            item.leg,
            item.check,
            Text(item.reason, _STYLES[item.result]),
            _said(item.expected),
            _said(item.observed),
            _said(item.note),
        )
    return table


def _notes(finished: FinishedRun) -> Table | None:
    """What to know of calls, whether they passed or not."""
    said = [(call, note) for call in finished.verdict.items for note in call.notes]
    if not said:
        return None
    table = _table("CALL", "ENDPOINT", "NOTE")
    for call, note in said[:MAX_NOTES]:
        table.add_row(f"{call.call}/{call.number}", str(call.endpoint), Text(plain(note, MAX_NOTE)))
    if len(said) > MAX_NOTES:
        table.add_row("", "", f"and {len(said) - MAX_NOTES} more")
    return table


def _evidence(finished: FinishedRun) -> Table | None:
    """A line for each folder, whole, so that it can be copied."""
    failures = finished.status.failures
    folders = [(item.evidence, item.peer_evidence) for item in failures] if failures is not UNSET else []
    table = _table("EVIDENCE")
    for folder in dict.fromkeys(folder for both in folders for folder in both if folder is not UNSET):
        table.add_row(Text(folder))
    return table if table.row_count else None


def _flows(finished: FinishedRun) -> Table:
    """RTP packets of both directions, summed over the calls that were counted at all ends that are ours."""
    calls = finished.verdict.calls
    ends = 1 if finished.test.spec.callee is None else 2
    table = _table("DIRECTION", "SENT", "RECEIVED", "LOST", "UNSEEN", "CALLS COUNTED")
    directions: tuple[tuple[str, Callable[[CallVerdict], Flow]], ...] = (
        ("from caller", lambda call: call.to_callee),
        ("to caller", lambda call: call.to_caller),
    )
    for name, flow_of in directions:
        flows = [flow_of(call) for call in calls]
        counted = [flow for flow in flows if (flow.sent, flow.received).count(None) == 2 - ends]
        columns = [_sum(getattr(flow, field) for flow in counted) for field in ("sent", "received", "lost", "unseen")]
        table.add_row(name, *columns, f"{len(counted)} of {len(flows)}")
    return table


def _sum(values: Iterable[int | None]) -> str:
    """A sum over nothing, or over something that was not measured, is not measured."""
    known = list(values)
    return NOT_MEASURED if not known or None in known else str(sum(value for value in known if value is not None))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in {"EXPECTED", "OBSERVED", "NOTE"})
    return table


def _result(result: Result | UnsetType) -> Text:
    return Text(NOT_MEASURED) if result is UNSET else Text(result, _STYLES[result])


def _said(value: str | UnsetType) -> Text:
    """As it is: what came from the network is never markup."""
    return Text("" if value is UNSET else value)
