"""One CallTest on this machine: plan → agents → conclude → status, by the same functions as on a cluster."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from agent.contract.plan import Plan, RunRef
from agent.contract.verdict import Role
from controller.api.parse import CallTest, SpecError, parse_test
from controller.api.run import CallTestRunStatus, Endpoint
from controller.api.test import CallTestSpec, Evidence
from controller.cli.run.inputs import Inputs, Source
from controller.cli.run.local_agents import Deadlines, Host, Watch, run_agents
from controller.cli.run.materials import Directories, provide
from controller.cli.run.record import record
from controller.cli.run.render import FinishedRun
from controller.cli.run.targets import addresses, destinations, endpoints, source_address
from controller.faults import UnusableInputError
from controller.plan.cause import PlanningError
from controller.plan.discovery import Discovery
from controller.plan.limits import Limits
from controller.plan.planning import Mounts, check_test, keeps_evidence, plan_run
from controller.run import status as statuses
from controller.run.conclude import conclude
from controller.run.lifecycle import AgentFacts

FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})
AGENT_COMMAND = (sys.executable, "-m", "agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user typed."""

    targets: tuple[str, ...] = ()
    directories: Directories = field(default_factory=Directories)
    limits: Limits = field(default_factory=Limits)
    keep: Path | None = None
    """Where each agent's plan, log and result stay."""
    evidence: Path | None = None
    """Where captures, sound and SIP messages of calls stay, as the test says, else of calls that did not pass."""
    agent_command: tuple[str, ...] = field(default_factory=lambda: AGENT_COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A test of which all was checked that can be without running it: its plans are made, its inputs are in place."""

    run: RunRef
    test: CallTest
    endpoints: tuple[Endpoint, ...]
    bind: str
    plans: tuple[Plan, ...]
    directory: Path
    """Where its agents get their directories; made when it runs."""


def prepare(source: Source, inputs: Inputs, options: Options, scratch: Path) -> Ready:
    """Checks a document, finds its targets, puts its inputs into `scratch`.

    UnusableInputError names the field and what to do. OSError where there is no room.
    """
    test = _parsed(source, options.limits)
    target = test.spec.target
    wanted = destinations(target, options.targets, f"{source.place('spec.target')}: spec.target")
    found = endpoints(wanted, addresses, target)
    bind = source_address([endpoint.address for endpoint in found])
    uid = str(uuid4())
    run = RunRef(uid=uid, namespace=test.namespace, name=f"{test.name}-{uid[:8]}", call_test=test.name)
    mounts = provide(test, source.place, inputs, options.directories, scratch / uid)
    if options.evidence is not None:
        mounts = replace(mounts, evidence=str(options.evidence.absolute()))
    try:
        plans = plan_run(run, _asked(test.spec, mounts), found, options.limits, mounts=mounts)
    except PlanningError as error:
        raise _refused(source, error) from error
    directory = (scratch if options.keep is None else options.keep.absolute()) / run.name
    return Ready(run=run, test=test, endpoints=found, bind=bind, plans=plans, directory=directory)


def _parsed(source: Source, limits: Limits) -> CallTest:
    # A file may come from `kubectl get -o yaml`; of what the API server added, nothing matters here.
    document = {**source.document, "metadata": {"name": source.name, "namespace": source.namespace}}
    document.pop("status", None)
    misplaced = [
        f"{source.place(field)}: {field}: is no field of a CallTest: what it tests is below spec"
        for field in document
        if field not in FIELDS
    ]
    try:
        test = parse_test(document)
        check_test(test.spec, limits)
    except SpecError as error:
        faults = (f"{source.place(fault.field)}: {fault}" for fault in error.faults)
        raise UnusableInputError("\n".join([*misplaced, *faults])) from error
    except PlanningError as error:
        raise _refused(source, error) from error
    if misplaced:
        raise UnusableInputError("\n".join(misplaced))
    return test


def run_test(ready: Ready, options: Options, aborts: Callable[[], int], watch: Watch) -> FinishedRun:
    """Runs a prepared test to its verdict. OSError where its agents cannot be started."""
    spec = ready.test.spec
    ready.directory.mkdir(mode=0o700, parents=True)
    host = Host(command=options.agent_command, bind=ready.bind, directory=ready.directory)
    deadlines = Deadlines(start_s=spec.ready_deadline_s, active_s=spec.active_deadline_seconds)
    seen = _Seen(watch)
    status = _begun(ready)
    reports = run_agents(ready.plans, host, deadlines, aborts=aborts, watch=seen)
    outcome = conclude(reports, ready.endpoints)
    status = statuses.concluded(seen.progressed(status), outcome, _clock())
    assert outcome.verdict is not None  # there were agents
    finished = FinishedRun(run=ready.run, test=ready.test, status=status, verdict=outcome.verdict)
    if options.evidence is not None:
        record(options.evidence, finished, reports)
    return finished


def _asked(spec: CallTestSpec, mounts: Mounts) -> CallTestSpec:
    """Who says where evidence goes wants some, also where the test does not speak of it."""
    if mounts.evidence is None or spec.evidence is not None:
        return spec
    return msgspec.structs.replace(spec, evidence=Evidence())


def evidence_note(spec: CallTestSpec, options: Options) -> str | None:
    """What a user may not expect of the evidence; None: all is as it was asked for."""
    if options.evidence is None and keeps_evidence(spec):
        return "no evidence is kept: spec.evidence.claimName is for clusters; give --evidence DIR"
    if options.evidence is not None and spec.evidence is not None and not keeps_evidence(spec):
        return "no evidence is kept: spec.evidence.keep is Never"
    return None


def _begun(ready: Ready) -> CallTestRunStatus:
    """The status of a run whose endpoints are known."""
    planned = len(ready.endpoints) * sum(call.count for call in ready.test.spec.calls)
    found = Discovery(endpoints=ready.endpoints, ready=len(ready.endpoints))
    return statuses.resolved(statuses.begun(CallTestRunStatus(), _clock()), found, planned, _clock())


class _Seen:
    """Passes on how the agents are, and remembers it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._agents: Sequence[AgentFacts] = ()

    def __call__(self, agents: Sequence[AgentFacts], elapsed_s: float) -> None:
        self._agents = agents
        self._watch(agents, elapsed_s)

    def progressed(self, status: CallTestRunStatus) -> CallTestRunStatus:
        """The status with the last progress of the agents."""
        callers = [agent.progress for agent in self._agents if agent.plan.role is Role.CALLER and agent.progress]
        return statuses.progressed(
            status,
            agents=len(self._agents),
            ready=sum(agent.ready > 0 for agent in self._agents),
            ended=sum(progress.ended for progress in callers),
            failed=sum(progress.failed for progress in callers),
            clock=_clock(),
        )


def _refused(source: Source, error: PlanningError) -> UnusableInputError:
    cause = error.cause
    place = source.place(f"spec.{cause.message.partition(': ')[0]}")
    return UnusableInputError(f"{place}: {cause.reason}: {cause.message}")


def _clock() -> statuses.Clock:
    return statuses.Clock(now=datetime.now(UTC), generation=1)
