"""A CallTest's runs, as scheduling sees them, and which spec they are of. Pure."""

import hashlib
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from controller.api.parse import CallTest, CallTestRun
from controller.api.run import RunCause
from controller.api.test import CallTestSpec

NOT_TESTED = ("trigger", "concurrency_policy", "suspend", "successful_runs_history_limit", "failed_runs_history_limit")
"""Fields of a spec that say when it is run, not what: changing them starts nothing and leaves the verdict."""
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(CallTestSpec) if field.name in NOT_TESTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A run of the test, with what only its metadata says."""

    run: CallTestRun
    created: str
    """creationTimestamp: RFC 3339 in UTC, so that text order is time order."""
    is_ours: bool
    """Owned by this very CallTest: not by one of the same name before it, not made by hand."""

    @property
    def finished(self) -> bool:
        """It has a verdict."""
        return self.run.status.result is not UNSET

    @property
    def begun(self) -> bool:
        """It was taken up, and does not wait for another run."""
        return self.run.status.start_time is not UNSET

    @property
    def order(self) -> tuple[str, str]:
        """By age."""
        return self.created, self.run.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run to create now."""

    name: str
    """Says its cause, so that a restarted operator meets its own object."""
    cause: RunCause


def tested_hash(spec: CallTestSpec) -> str:
    """Of what is tested: a verdict on one spec is one on every spec of this hash."""
    bare = msgspec.structs.replace(spec, **_DEFAULTS)
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()[:16]


def run_token(spec: CallTestSpec) -> str:
    """What the spec asks for a run by; empty: it does not."""
    return (spec.trigger and spec.trigger.run_token) or ""


def is_of(run: CallTestRun, test: CallTest) -> bool:
    """Whether a run is of the present spec, by what is tested."""
    return tested_hash(run.spec.test) == tested_hash(test.spec)
