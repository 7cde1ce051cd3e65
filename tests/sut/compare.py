"""A run's status against what its example must come to; the same for a cluster's status and `calltest run -o json`."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from agent.contract.verdict import Result
from tests.sut.scenario import Expected


def differences(expected: Expected, status: Mapping[str, Any]) -> list[str]:
    """Everything that is not as expected, a sentence each; empty where the run did what it must."""
    return [*_verdict(expected, status), *_endpoints(expected, status), *_failures(expected, status)]


def _verdict(expected: Expected, status: Mapping[str, Any]) -> Iterator[str]:
    if status.get("result") != expected.result:
        yield f"result {status.get('result')}, expected {expected.result.value} ({status.get('message')})"
    if status.get("reason") != expected.reason:
        yield f"reason {status.get('reason')}, expected {expected.reason} ({status.get('message')})"
    for name in ("planned", "passed", "failed", "inconclusive"):
        counted, wanted = status.get("calls", {}).get(name), getattr(expected.calls, name)
        if counted != wanted:
            yield f"calls {name}: {counted}, expected {wanted}"


def _endpoints(expected: Expected, status: Mapping[str, Any]) -> Iterator[str]:
    endpoints = status.get("endpoints", ())
    results = Counter(str(endpoint.get("result")) for endpoint in endpoints)
    wanted = Counter(result.value for result in expected.endpoints)
    if results != wanted:
        yield f"endpoints {dict(results)}, expected {dict(wanted)}"
    for endpoint in endpoints:
        if expected.media is not None and endpoint.get("media") != expected.media:
            yield f"media via {endpoint['address']} {endpoint.get('media')}, expected {expected.media.value}"


def _failures(expected: Expected, status: Mapping[str, Any]) -> Iterator[str]:
    """Each expected finding is there once for each failed call, and nothing is Inconclusive."""
    failures = status.get("failures", ())
    found = Counter((it["leg"], it["check"], it["reason"]) for it in failures)
    for failure in expected.failures:
        seen = found[failure.leg.value, failure.check.value, failure.reason.value]
        if seen != expected.calls.failed:
            yield f"{failure.leg} {failure.check} {failure.reason}: {seen} times, expected {expected.calls.failed}"
    if unmeasured := [f for f in failures if f["result"] == "Inconclusive"]:
        yield f"not measured: {unmeasured[0]}"
    if expected.evidence and any("evidence" not in failure for failure in failures):
        yield f"failures without evidence: {[f.get('note') for f in failures if 'evidence' not in f]}"
    if expected.result is Result.PASSED and failures:
        yield f"failures in a passed run: {failures}"
