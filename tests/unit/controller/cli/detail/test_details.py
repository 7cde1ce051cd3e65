"""What agents told of a run, printed."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.contract.verdict import Role
from controller.cli.app import app
from controller.cli.detail import details
from controller.faults import UnusableInputError
from controller.page.calls import Known
from tests.unit.builders import caller_leg, registration

LEGS = (caller_leg(number=0), caller_leg(number=1), caller_leg(call="ivr"))
KNOWN = Known(facts=None, seen=(registration(Role.CALLER), *LEGS), made_of=())


def test_each_line_is_as_the_agents_wrote_it() -> None:
    lines = [json.loads(line) for line in details.printed(KNOWN, "pin-g1", None).splitlines()]
    assert [line.get("call") for line in lines] == [None, "pin", "pin", "ivr"]


def test_a_call_is_its_ladder_at_each_end() -> None:
    assert details.printed(KNOWN, "pin-g1", "pin").count("Call-ID") == 2
    assert "pin/1 at endpoint 0" in details.printed(KNOWN, "pin-g1", "pin/1")
    assert "its messages were not kept" in details.printed(KNOWN, "pin-g1", "pin/1")


@pytest.mark.parametrize(
    ("call", "said"),
    [("pin/7", "pin-g1 has no such call: it has pin, ivr"), ("pin/x", "give the call's name, or NAME/NUMBER")],
)
def test_a_call_that_is_not_there_is_said(call: str, said: str) -> None:
    with pytest.raises(UnusableInputError, match=said):
        details.printed(KNOWN, "pin-g1", call)


def test_a_run_without_detail_is_said_with_its_cause() -> None:
    known = Known(facts=None, seen=(), made_of=(), left_out=("the detail lines of ConfigMap a: it is gone",))
    with pytest.raises(UnusableInputError, match=r"has no detail that can be read \(the detail lines of ConfigMap a"):
        details.printed(known, "pin-g1", None)


def test_the_command_says_what_is_missing_and_exits_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(name: str, namespace: str) -> Any:
        assert (name, namespace) == ("pin-g1", "voice")
        return Known(facts=None, seen=LEGS, made_of=(), left_out=("some detail lines",))

    monkeypatch.setattr(details, "from_cluster", known)
    done = CliRunner().invoke(app, ["detail", "pin-g1", "-n", "voice"])
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 3)
    assert "calltest: pin-g1: without some detail lines" in done.stderr
    done = CliRunner().invoke(app, ["detail", "pin-g1", "-n", "voice", "--call", "absent"])
    assert (done.exit_code, done.stdout) == (2, "")
