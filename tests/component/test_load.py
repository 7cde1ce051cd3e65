"""200 calls over TLS, at 20 a second and all at once: the verdict is right, and none is lost that was not said."""

import re
from collections import Counter

import pytest

from agent.contract.verdict import Reason
from tests.component.field import busy
from tests.component.network import own_network
from tests.component.peers.b2bua import Far, OutOfIt
from tests.component.peers.running import Case, both, run
from tests.component.peers.tls import TlsUas
from tests.component.test_field_srtp import media, through
from tests.component.test_field_tls import over_tls

pytest.importorskip("pjsua2")
CALLS = 200
MEDIA = 'audio: Own, dtmf: {digits: "12#"}, rtp: {minPackets: 100, maxLossPercent: "1"}'
TOO_MANY = f"Inconclusive/{Reason.AGENT_OVERLOADED}"


class Switch(OutOfIt, TlsUas):
    """Between the agents for SIP alone: their media goes from one to the other, as past a proxy."""

    backlog = CALLS


class Opening(Switch):
    """It opens a connection of its own to the callee for each call: as many handshakes at the agent's one thread."""

    def invite(self, far: Far) -> None:
        far.peer = self.dial(re.split(r"[@;]", far.target)[1])
        super().invite(far)


def load(name: str, peer: type[Switch], *, per_s: int, calls: int = CALLS, keying: str | None = None) -> Case:
    plain = both(MEDIA, MEDIA)
    encrypted = media("Mandatory", keying=f"[{keying}]")
    test = plain if keying is None else through(encrypted, encrypted, asked=MEDIA)
    test = test.replace("holdSeconds: 4", "holdSeconds: 5").replace(
        "answerTimeoutSeconds: 10", "answerTimeoutSeconds: 30"
    )
    test = test.replace("  - name: pin\n", f"  - name: pin\n    count: {calls}\n    concurrency: {calls}\n")
    return Case(name=name, peer=peer, test=over_tls(test=test), options=("--max-calls-per-second", str(per_s)))


LOADS = (
    load("20 a second", Switch, per_s=20),
    load("at once", Opening, per_s=10_000),
    load("20 a second, SDES", Switch, per_s=20, keying="SDES"),
    load("20 a second, DTLS", Switch, per_s=20, keying="DTLS"),
)


@pytest.mark.flood
@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.name)
def test_two_hundred_calls_pass_or_were_too_many_for_the_agent_and_each_is_told_of(case: Case) -> None:
    with own_network():
        outcome = run(case)
    status = outcome.run["status"]
    told = Counter(line["role"] for line in outcome.told if line.get("kind") == "leg")
    assert told == {"Caller": CALLS, "Callee": CALLS}, outcome.said
    assert (
        status["calls"]["planned"]
        == CALLS
        == sum(status["calls"][each] for each in ("passed", "failed", "inconclusive"))
    )
    if (trouble := busy(outcome)) and outcome.verdict.startswith("Failed"):
        pytest.skip(f"the machine was too busy {trouble}: {outcome.verdict}")
    assert outcome.verdict in ("Passed", TOO_MANY), outcome.why[:5000]


def test_a_few_at_once_each_by_a_connection_of_its_own_pass() -> None:
    outcome = run(load("a few at once", Opening, per_s=1000, calls=10))
    if trouble := busy(outcome):
        pytest.skip(f"the machine was too busy {trouble}")
    assert outcome.verdict == "Passed", outcome.why
