"""What an agent exposes while it runs, in a registry of its own."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from agent.contract.media import Rtp
from agent.contract.observation import LegObservation

JITTER_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)


class AgentMetrics:
    """Series of one agent. What was not measured has no sample: it is neither 0 nor counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._legs = Counter(
            "calltest_agent_legs",
            "Legs that have ended, by the reason of this agent's worst finding; empty: none.",
            ["role", "reason"],
            registry=self.registry,
        )
        self._packets = Counter(
            "calltest_agent_rtp_packets",
            "RTP packets of ended legs.",
            ["direction"],
            registry=self.registry,
        )
        self._lost = Counter(
            "calltest_agent_rtp_packets_lost",
            "RTP packets lost on the way to this agent (RFC 3550 A.3), of ended legs.",
            registry=self.registry,
        )
        self._jitter = Histogram(
            "calltest_agent_rtp_jitter_seconds",
            "Mean interarrival jitter (RFC 3550 A.8) of what a leg received.",
            buckets=JITTER_BUCKETS_S,
            registry=self.registry,
        )
        self._throttled = Counter(
            "calltest_agent_throttled_seconds",
            "CPU quota: time this agent was stopped while media ran, added over legs.",
            registry=self.registry,
        )
        self._drops = Counter(
            "calltest_agent_socket_drops",
            "Datagrams dropped at this agent's own sockets while media ran, added over legs.",
            registry=self.registry,
        )
        self._lateness = Gauge(
            "calltest_agent_lateness_seconds",
            "Worst lateness of this agent during the last leg that ended.",
            registry=self.registry,
        )

    def watch(self, active: Callable[[], int]) -> None:
        """From now on `active` gives the number of legs that are up."""
        name, text = "calltest_agent_active_legs", "Legs that are up, or have just ended and are not judged yet."
        Gauge(name, text, registry=self.registry).set_function(active)

    def serve(self, port: int) -> None:
        """Serves /metrics on all addresses of a TCP port, in a thread. OSError when the port is in use."""
        start_http_server(port, registry=self.registry)

    def leg_over(self, leg: LegObservation) -> None:
        """Counts a leg that has ended."""
        self._legs.labels(leg.role.value, leg.findings[0].reason.value if leg.findings else "").inc()
        self._count("sent", leg.rtp_sent)
        self._count("received", leg.rtp_received)
        received, health = leg.rtp_received, leg.health
        if received and received.lost is not None:
            self._lost.inc(received.lost)
        if received and received.jitter_ms is not None:
            self._jitter.observe(received.jitter_ms / 1000)
        if health.throttled_ms is not None:
            self._throttled.inc(health.throttled_ms / 1000)
        if drops := [each for each in (health.socket_drops, health.rtp_drops) if each is not None]:
            self._drops.inc(sum(drops))
        if health.lateness_ms is not None:
            self._lateness.set(health.lateness_ms / 1000)

    def _count(self, direction: str, rtp: Rtp | None) -> None:
        if rtp and rtp.packets is not None:
            self._packets.labels(direction).inc(rtp.packets)
