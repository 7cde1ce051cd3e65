"""When an agent's own troubles make what it measured worthless (truth rule 3)."""

from typing import Final

from agent.contract.observation import Health

MAX_THROTTLED_SHARE: Final = 0.05
"""CPU quota: a twentieth of the call's time without CPU is a packet in twenty late or missing, more than any bound
that people set on loss."""
MAX_LATENESS_MS: Final = 200.0
"""Ten packets of 20 ms: beyond that a receiver's jitter buffer drops what comes, and the path gets the blame. What held
all the same did hold: datagrams wait in our sockets for seconds (those that could not are dropped, and counted), and no
lateness makes a packet, a digit or this call's signal out of nothing, or jitter less."""
MAX_STALL_MS: Final = 1000.0
"""An agent that stood still for this long did not make the call that it was to make."""
MIN_SENT_RATIO: Final = 0.95
"""Fewer of the packets that were due is loss that we made."""


def overload(health: Health, media_ms: float) -> str | None:
    """What was wrong with the agent while a leg's media ran for `media_ms`; None: nothing that was measured.

    A figure that is None was not measured, which is no overload. Any datagram dropped at our own sockets is one: it
    would be counted as the path's loss.
    """
    troubles: list[str] = []
    if health.throttled_ms is not None and health.throttled_ms > MAX_THROTTLED_SHARE * media_ms:
        troubles.append(f"CPU-throttled for {health.throttled_ms:.0f} of {media_ms:.0f} ms")
    if _late_ms(health) > MAX_STALL_MS:
        troubles.append(f"up to {_late_ms(health):.0f} ms late (at most {MAX_STALL_MS:.0f})")
    if health.socket_drops:
        troubles.append(f"{health.socket_drops} datagrams dropped at its own sockets")
    if health.sent_ratio is not None and health.sent_ratio < MIN_SENT_RATIO:
        troubles.append(f"sent {health.sent_ratio:.0%} of the RTP that was due (at least {MIN_SENT_RATIO:.0%})")
    return "; ".join(troubles) or None


def excuse(health: Health, media_ms: float) -> str | None:
    """What an agent may have broken a check with: `overload`, or lateness that makes what held no less true."""
    trouble = overload(health, media_ms)
    if trouble is None and _late_ms(health) > MAX_LATENESS_MS:
        return f"up to {_late_ms(health):.0f} ms late (at most {MAX_LATENESS_MS:.0f})"
    return trouble


def _late_ms(health: Health) -> float:
    """Of its process or its own RTP, whichever was worse."""
    return max(health.lateness_ms or 0.0, health.rtp_lateness_ms or 0.0)
