"""When an agent's own troubles make what it measured worthless, and what they may have broken (truth rules 3, 11)."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from agent.contract.observation import Health, Trouble
from agent.judge.words import many

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
"""Less of the media time that was due is loss that we made."""
MAX_UNSENT_MS: Final = 200.0
"""A late beginning and a packet under way at the end: more than a twentieth of a call of a second, and what held
all the same did hold."""


class Excuse(StrEnum):
    """What an agent's trouble may bring about by itself: a reason's row names those that bring it about."""

    LATE = "Late"
    """It read, sent or answered later than it should have."""
    LATE_MEDIA = "Late media"
    """It sent its RTP later than the timestamps in it say; where that was not measured, it was late."""
    DROPPED = "Dropped"
    """Datagrams that came were not seen: the kernel dropped them at its own sockets."""
    UNSENT = "Unsent"
    """It sent less media than was due."""


def overload(health: Health, media_ms: float) -> str | None:
    """What was wrong with the agent while a leg's media ran for `media_ms`; None: nothing that was measured.

    A figure that is None was not measured, which is no overload. Any datagram dropped at the leg's own sockets is one:
    it would be counted as the path's loss.
    """
    stalled = _late(health, health.media, MAX_STALL_MS)
    unsent = None if _is_short(health, media_ms) else _unsent(health)
    found = (_throttled(health.media, media_ms), stalled, _dropped(health.rtp_drops), unsent)
    return "; ".join(trouble for trouble in found if trouble is not None) or None


def media_troubles(health: Health, media_ms: float) -> Mapping[Excuse, str]:
    """What the agent may have broken of a leg's media, also where it was not overloaded."""
    throttled, late = _throttled(health.media, media_ms), _late(Health(), health.media, MAX_LATENESS_MS)
    sent_late = late if health.rtp_lateness_ms is None else _late(health, Trouble(), MAX_LATENESS_MS)
    return _by_kind(
        {
            Excuse.LATE: (throttled, late),
            Excuse.LATE_MEDIA: (throttled, sent_late),
            Excuse.DROPPED: (_dropped(health.rtp_drops),),
            Excuse.UNSENT: (_unsent(health),),
        }
    )


def call_troubles(health: Health, media_ms: float) -> Mapping[Excuse, str]:
    """What it may have broken of a call's signalling, from the INVITE on: what its sockets for RTP dropped was none."""
    whole = _both(health.setup, health.media)
    late = (_throttled(whole, whole.over_ms or media_ms), _late(health, whole, MAX_LATENESS_MS))
    return _by_kind({Excuse.LATE: late, Excuse.DROPPED: (_dropped(whole.socket_drops),)})


def register_troubles(waiting: Trouble) -> Mapping[Excuse, str]:
    """What it may have broken of a REGISTER, while that waited for its response."""
    return call_troubles(Health(setup=waiting), 0.0)


def _by_kind(troubles: Mapping[Excuse, Iterable[str | None]]) -> dict[Excuse, str]:
    texts = {kind: "; ".join(text for text in found if text is not None) for kind, found in troubles.items()}
    return {kind: text for kind, text in texts.items() if text}


def _both(setup: Trouble, media: Trouble) -> Trouble:
    """Two windows, one after the other."""
    return Trouble(
        over_ms=_sum(setup.over_ms, media.over_ms),
        throttled_ms=_sum(setup.throttled_ms, media.throttled_ms),
        lateness_ms=_worst(setup.lateness_ms, media.lateness_ms),
        loop_ms=_worst(setup.loop_ms, media.loop_ms),
        stack_ms=_worst(setup.stack_ms, media.stack_ms),
        socket_drops=int(_sum(setup.socket_drops, media.socket_drops) or 0),
    )


def _sum(*figures: float | None) -> float | None:
    measured = [figure for figure in figures if figure is not None]
    return sum(measured) if measured else None


def _worst(*figures: float | None) -> float | None:
    return max((figure for figure in figures if figure is not None), default=None)


def _throttled(trouble: Trouble, over_ms: float) -> str | None:
    if trouble.throttled_ms is None or trouble.throttled_ms <= MAX_THROTTLED_SHARE * over_ms:
        return None
    return f"CPU-throttled for {trouble.throttled_ms:.0f} of {over_ms:.0f} ms"


def _late(health: Health, trouble: Trouble, at_most_ms: float) -> str | None:
    """Its process, its event loop, its SIP stack's thread or its own RTP, whichever was worst."""
    late_ms = _worst(trouble.lateness_ms, trouble.loop_ms, trouble.stack_ms, health.rtp_lateness_ms) or 0.0
    return f"up to {late_ms:.0f} ms late, where {at_most_ms:.0f} are allowed" if late_ms > at_most_ms else None


def _dropped(datagrams: int | None) -> str | None:
    return f"{many(datagrams, 'datagram')} dropped at its own sockets" if datagrams else None


def _is_short(health: Health, media_ms: float) -> bool:
    """What was not sent is so little that what held in spite of it did hold."""
    return health.sent_ratio is not None and (1 - health.sent_ratio) * media_ms <= MAX_UNSENT_MS


def _unsent(health: Health) -> str | None:
    if health.sent_ratio is None or health.sent_ratio >= MIN_SENT_RATIO:
        return None
    sent, needed = 100 * health.sent_ratio, 100 * MIN_SENT_RATIO
    return f"it sent {sent:.0f} % of the RTP that was due, where {needed:.0f} % are needed"
