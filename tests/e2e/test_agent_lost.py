"""An agent that is lost in the middle of a call costs that call, and no other one."""

from collections.abc import Callable

import pytest

from tests.e2e.calltests import call_test, calling, deleted, detail_of, reasons
from tests.e2e.kube import Namespace, signal_pod, until


def by_signal(space: Namespace, run: str, agent: str) -> None:
    """Its process is killed on its node, as by the kernel when memory is short."""
    signal_pod(space.agents(run)[agent], "agent")


def by_force(space: Namespace, run: str, agent: str) -> None:
    """Its pod is deleted at once: nothing of it can be read afterwards."""
    space.kubectl("delete", "pod", f"{run}-{agent}", "--grace-period=0", "--force")


@pytest.mark.parametrize("agent", ["caller-0", "callee-0"])
@pytest.mark.parametrize("kill", [by_signal, by_force])
def test_a_lost_agent_costs_only_the_call_it_was_in(
    voice: Namespace, kill: Callable[[Namespace, str, str], None], agent: str
) -> None:
    name = f"lost-{agent}-{kill.__name__.replace('_', '-')}"
    run = f"{name}-g1"
    voice.apply(call_test(name, call={"count": 3, "holdSeconds": 12}))
    calling(voice, run)
    until(lambda: ended(voice, run) >= 1, "the first call ended", timeout_s=40)
    kill(voice, run, agent)
    voice.finished(name, timeout_s=90)
    status = voice.run_of(name)["status"]

    lost, other = ("Caller", "Callee") if agent == "caller-0" else ("Callee", "Caller")
    assert (status["result"], status["reason"]) == ("Inconclusive", "AgentLost"), status
    assert status["calls"]["failed"] == 0, status["failures"]
    assert status["calls"]["passed"] == 1, status
    assert status["calls"]["inconclusive"] == 2, status
    found = reasons({"status": status})
    assert (lost, "AgentLost") in found
    assert (other, "PeerLost") in found
    assert {reason for leg, reason in found if leg == lost} == {"AgentLost"}
    assert any(line.get("number") == 0 for line in detail_of(voice, voice.run_of(name)))
    until(lambda: not running(voice, run), "no agent runs any more", timeout_s=30)
    deleted(voice, name)


def ended(space: Namespace, run: str) -> int:
    """Calls of a run that have ended."""
    return int(space.get("calltestrun", run)["status"].get("calls", {}).get("ended", 0))


def running(space: Namespace, run: str) -> list[str]:
    """Agents that run."""
    return [agent for agent, pod in space.agents(run).items() if pod["status"]["phase"] == "Running"]
