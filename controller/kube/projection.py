"""An object as the API server sent it → the little of it that is kept, and what it is found by. Pure.

What discovery reads of pods, EndpointSlices and Services is kept as JSON: it is small, and nobody can change it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from controller.api.parse import CallTest, CallTestRun, SpecError, parse_run, parse_test
from controller.api.test import CallTestSpec

Raw = dict[str, Any]
Found = tuple[tuple[str, str], ...]
"""Keys and values that an object is found by: its labels, and ours."""
OF_TEST = "test of the run"
"""A run is found by the name of its CallTest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTest:
    """A CallTest."""

    test: CallTest | None
    """None: it cannot be read."""
    created: str
    """creationTimestamp."""
    is_going: bool
    """It is being deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run. Of a finished one, neither its failures nor its conditions."""

    run: CallTestRun | None
    """None: it cannot be read."""
    created: str
    """creationTimestamp."""
    owners: frozenset[str]
    """UIDs."""
    is_finished: bool
    is_going: bool
    """It is being deleted."""


def kept_test(raw: Raw) -> KeptTest:
    """Of a CallTest."""
    try:
        test = parse_test(raw)
    except SpecError:
        test = None
    return changed(unread_test(raw), test=test)


def kept_run(raw: Raw, known: Iterable[CallTestSpec]) -> KeptRun:
    """Of a CallTestRun; of several runs of one spec, `known` from the others, that is kept once."""
    try:
        run = parse_run(raw)
    except SpecError:
        run = None
    meta, is_finished = raw["metadata"], "result" in (raw.get("status") or {})
    if run is not None:
        spec = next((each for each in known if each == run.spec.test), run.spec.test)
        status = run.status
        if is_finished:
            status = replace(status, conditions=(), failures=UNSET, left_out=UNSET, detail=UNSET)
        run = replace(run, spec=replace(run.spec, test=spec), status=status)
    return KeptRun(
        run=run,
        created=str(meta.get("creationTimestamp") or ""),
        owners=frozenset(str(owner.get("uid")) for owner in meta.get("ownerReferences") or ()),
        is_finished=is_finished,
        is_going="deletionTimestamp" in meta,
    )


def unread_test(raw: Raw) -> KeptTest:
    """Of a CallTest that nobody foresaw: its reconcile asks for it, and says what is wrong."""
    meta = raw["metadata"]
    created = str(meta.get("creationTimestamp") or "")
    return KeptTest(test=None, created=created, is_going="deletionTimestamp" in meta)


def unread_run(raw: Raw) -> KeptRun:
    """The same of a CallTestRun."""
    meta, status = raw["metadata"], raw.get("status")
    return KeptRun(
        run=None,
        created=str(meta.get("creationTimestamp") or ""),
        owners=frozenset(),
        is_finished=isinstance(status, dict) and "result" in status,
        is_going="deletionTimestamp" in meta,
    )


def kept_pod(raw: Raw) -> bytes:
    """Of a pod: what discovery, revisions and podfacts read; an agent's plan, signals and result are not here."""
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    containers = {
        kind: [_only(each, ("name", "image", "ports")) for each in spec[kind]]
        for kind in ("containers", "initContainers")  # the second has sidecars
        if spec.get(kind)
    }
    states = [_state(each) for each in status.get("containerStatuses") or ()]
    return msgspec.json.encode(
        {
            "metadata": _meta(raw),
            "spec": _only(spec, ("nodeName",)) | containers,
            "status": _only(status, ("phase", "reason", "message", "podIP", "podIPs", "conditions"))
            | {"containerStatuses": states},
        }
    )


def kept_slice(raw: Raw) -> bytes:
    """Of an EndpointSlice."""
    return msgspec.json.encode({"metadata": _meta(raw)} | _only(raw, ("addressType", "endpoints", "ports")))


def kept_service(raw: Raw) -> bytes:
    """Of a Service."""
    spec = _only(raw.get("spec") or {}, ("selector", "ports", "clusterIP", "clusterIPs"))
    return msgspec.json.encode({"metadata": _meta(raw), "spec": spec})


def labels_of(raw: Raw) -> Found:
    """Of any object."""
    return tuple(sorted((raw["metadata"].get("labels") or {}).items()))


def _meta(raw: Raw) -> Raw:
    meta = raw["metadata"]
    kept = ("name", "namespace", "uid", "labels", "creationTimestamp", "deletionTimestamp", "ownerReferences")
    return _only(meta, kept)


def _state(raw: Raw) -> Raw:
    """A termination message is the agent's result: 4,000 bytes that are read where the pod's sighting is."""
    kept = _only(raw, ("name", "image", "imageID", "ready", "restartCount", "state"))
    state = {name: {key: value for key, value in each.items() if key != "message"} for name, each in _states(kept)}
    return kept | ({"state": state} if "state" in kept else {})


def _states(kept: Raw) -> Sequence[tuple[str, Raw]]:
    return [(name, each or {}) for name, each in (kept.get("state") or {}).items()]


def _only(raw: Raw, names: Sequence[str]) -> Raw:
    return {name: raw[name] for name in names if name in raw}
