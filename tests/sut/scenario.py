"""The examples as tests read them: one folder each, with the SUT's features, the CallTest, and what must come of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import yaml

from agent.contract.verdict import Check, Reason, Result, Role
from controller.api.run import MediaPath
from tests.sut.base import BASES, EXAMPLES, Base
from tests.sut.faults import Fault, Packets, Towards


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls, as in the status."""

    planned: int
    passed: int
    failed: int
    inconclusive: int


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that every failed call must have; a call may have others beside it."""

    leg: Role
    check: Check
    reason: Reason


class FaultSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A fault of the path, which the harness sets before the run."""

    towards: Towards
    packets: Packets
    drop_percent: Annotated[float, msgspec.Meta(gt=0, le=100)]


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expected.yaml`."""

    result: Result
    reason: Reason | None = None
    calls: Counts
    endpoints: tuple[Result, ...]
    """In any order."""
    failures: tuple[Failure, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    media: MediaPath | None = None
    """Where the RTP went, at every endpoint. None: not looked at."""
    deployments: tuple[str, ...]
    """To wait for before the test is applied."""
    evidence: bool = False
    """Every failure names a folder of evidence."""
    local: bool
    """`calltest run` against local replicas must come to the same."""
    cluster: bool = True
    """The end-to-end tests run it too: they take most of a minute for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One pod of a scenario's SUT."""

    base: Base
    features: tuple[str, ...]
    """SUT_FEATURES."""
    phone: str | None
    """SUT_PHONE_DOES."""
    dial: str | None = None
    """SUT_DIAL: `host:port`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One example."""

    name: str
    folder: Path
    expected: Expected
    replicas: tuple[Replica, ...]
    """As its kustomization has them."""
    parrots: int
    """Parrot agents that are its SUT instead."""

    @property
    def calltest(self) -> Path:
        """The CallTest's file."""
        return self.folder / "calltest.yaml"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Faults of the path."""
        return tuple(
            Fault(towards=f.towards, packets=f.packets, drop_percent=f.drop_percent) for f in self.expected.faults
        )


SECRETS = (EXAMPLES / "sut" / "users" / "secrets.yaml", EXAMPLES / "sut" / "certificates" / "secrets.yaml")
"""The users' Secrets, and those of TLS, for `calltest run`."""


def scenarios() -> tuple[str, ...]:
    """The names of all examples."""
    return tuple(sorted(path.parent.name for path in EXAMPLES.glob("*/expected.yaml")))


def load_scenario(name: str) -> Scenario:
    """Reads one example, strictly."""
    folder = EXAMPLES / name
    expected = msgspec.convert(yaml.safe_load((folder / "expected.yaml").read_text()), Expected)
    return Scenario(
        name=name, folder=folder, expected=expected, replicas=tuple(_replicas(folder)), parrots=_parrots(folder)
    )


def _parrots(folder: Path) -> int:
    manifests = folder / "parrot.yaml"
    documents = yaml.safe_load_all(manifests.read_text()) if manifests.exists() else ()
    return sum(it["spec"]["replicas"] for it in documents if it["kind"] == "Deployment")


def _replicas(folder: Path) -> Iterator[Replica]:
    """The pods of a kustomization that builds on a base, and of those in its own folder."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    resources = [(folder / resource).resolve() for resource in kustomization["resources"]]
    literals = dict(
        literal.partition("=")[::2]
        for generator in kustomization.get("configMapGenerator", ())
        if generator["name"] == "sut"
        for literal in generator["literals"]
    )
    counts = {entry["name"]: entry["count"] for entry in kustomization.get("replicas", ())}
    for base in BASES:
        if base.folder in resources:
            deployment = yaml.safe_load((base.folder / "deployment.yaml").read_text())
            replica = Replica(
                base=base,
                features=tuple(literals.get("SUT_FEATURES", "").split()),
                phone=literals.get("SUT_PHONE_DOES"),
                dial=literals.get("SUT_DIAL"),
            )
            yield from [replica] * counts.get(base.name, deployment["spec"]["replicas"])
    for resource in resources:
        if resource.is_dir() and folder in resource.parents:
            yield from _replicas(resource)
