"""Tests that would take each other's calls, and tests that only look as if."""

from typing import Any

import pytest

from controller.plan.sharing import shared, uses
from tests.unit.controller.objects import spec

CREDENTIALS = {"secretName": "x"}


def of(callee: str | None = "bob", caller: str = "alice", **changes: Any) -> Any:
    """A CallTest's spec whose caller registers, as its callee does."""
    callee_uri = None if callee is None else {"uri": f"sip:{callee}@x", "route": "Register"}
    found: dict[str, Any] = {"callee": callee_uri, "caller": {"uri": f"sip:{caller}@x", "credentials": CREDENTIALS}}
    if callee is None:
        found["calls.0.expect.callee"] = None
    return uses(spec(found | changes))


@pytest.mark.parametrize(
    ("one", "other", "uri"),
    [
        (of("bob"), of("bob"), "sip:bob@x"),
        (of("bob"), of("b%6Fb"), "sip:bob@x"),
        (of("bob"), of("carol"), None),
        (of("bob"), of("carol", caller="bob"), "sip:bob@x"),
        (of("carol", caller="bob"), of("bob"), "sip:bob@x"),
        (of("bob{endpoint}"), of("bob7"), "sip:bob{endpoint}@x"),
        (of("bob7"), of("bob{endpoint}"), "sip:bob7@x"),
        (of("bob{endpoint}"), of("bob{endpoint}"), "sip:bob{endpoint}@x"),
        (of("bob{endpoint}"), of("bobby"), None),
        (of("bob"), of("bob", **{"callee.route": "CalleeService"}), None),
        (of(None), of(None), None),
        (of("bob"), of(None, caller="bob"), "sip:bob@x"),
        (of("bob"), of(None, caller="bob", **{"caller.register": False}), None),
        (of("bob"), of("b%00"), None),  # refused when it is planned
    ],
)
def test_a_callee_is_shared_with_whoever_registers_its_uri(one: Any, other: Any, uri: str | None) -> None:
    assert shared(one, other) == uri
