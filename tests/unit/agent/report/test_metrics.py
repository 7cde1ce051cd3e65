"""The agent's metrics: what was not measured has no sample."""

from prometheus_client import generate_latest

from agent.contract.observation import Health, LegObservation
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.report.metrics import AgentMetrics
from tests.unit.builders import SECTION, SOURCE, change


def leg(**fields):
    usual = {"role": Role.CALLEE, "endpoint": 0, "call": "pin", "number": 0, "call_key": None, "sip_call_id": None}
    return LegObservation(from_user=None, started_at=0.0, **(usual | fields))


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_legs_are_counted_by_their_worst_finding():
    metrics = AgentMetrics()
    broken = [
        Finding(call="pin", number=0, endpoint=0, leg=Role.CALLEE, check=Check.DTMF, reason=reason)
        for reason in (Reason.DTMF_MISMATCH, Reason.NO_RTP)
    ]
    metrics.leg_over(leg())
    metrics.leg_over(leg(findings=tuple(broken)))
    assert value(metrics, "calltest_agent_legs_total", role="Callee", reason="") == 1
    assert value(metrics, "calltest_agent_legs_total", role="Callee", reason="DtmfMismatch") == 1


def test_what_was_measured_is_added_up():
    metrics = AgentMetrics()
    for _ in range(2):
        metrics.leg_over(
            leg(
                sections=(SECTION,),
                sent=(change(SOURCE, packets=100),),
                received=(change(SOURCE, packets=90, lost=10, jitter_ms=2.0),),
                health=Health(throttled_ms=500, lateness_ms=20, socket_drops=1, rtp_drops=2),
            )
        )
    assert value(metrics, "calltest_agent_rtp_packets_total", direction="sent") == 200
    assert value(metrics, "calltest_agent_rtp_packets_total", direction="received") == 180
    assert value(metrics, "calltest_agent_rtp_packets_lost_total") == 20
    assert value(metrics, "calltest_agent_rtp_jitter_seconds_count") == 2
    assert value(metrics, "calltest_agent_throttled_seconds_total") == 1.0
    assert value(metrics, "calltest_agent_socket_drops_total") == 6
    assert value(metrics, "calltest_agent_lateness_seconds") == 0.02


def test_what_was_not_measured_is_not_counted():
    metrics = AgentMetrics()
    metrics.leg_over(leg(sections=(SECTION,), received=None))
    assert value(metrics, "calltest_agent_rtp_packets_total", direction="received") is None
    assert value(metrics, "calltest_agent_rtp_jitter_seconds_count") == 0


def test_legs_that_are_up_are_asked_for():
    metrics = AgentMetrics()
    metrics.watch(lambda: 7)
    assert b"calltest_agent_active_legs 7.0" in generate_latest(metrics.registry)
