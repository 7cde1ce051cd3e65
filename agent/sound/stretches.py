"""How a recording of many stretches is told in few, so that nothing is lost that a sum is made of. Pure."""

from collections.abc import Collection, Sequence

from agent.contract.media import Stretch


def in_few(stretches: Sequence[Stretch], limit: int) -> tuple[Stretch, ...]:
    """The same sound in at most `limit` stretches, or in as few as can be; none is changed where they are few.

    Stretches of one kind with only silence between become one; then those of one code around the shortest pieces of
    unknown sound, which a line that loses packets makes of the signal.
    """
    if len(stretches) <= limit:
        return tuple(stretches)
    told: list[Stretch] = []
    for stretch in stretches:
        if told and told[-1].code == stretch.code:
            told[-1] = _joined(told[-1], stretch)
        else:
            told.append(stretch)
    pieces = [
        place
        for place in range(1, len(told) - 1)
        if told[place].code is None and told[place - 1].code == told[place + 1].code
    ]
    pieces.sort(key=lambda place: told[place].own_ms)
    too_many = max(0, len(told) - limit)
    return _around(told, frozenset(pieces[: (too_many + 1) // 2]))


def _around(told: Sequence[Stretch], pieces: Collection[int]) -> tuple[Stretch, ...]:
    """Each piece with its neighbours as one."""
    kept: list[Stretch] = []
    for place, stretch in enumerate(told):
        if place in pieces:
            continue
        piece = told[place - 1].own_ms if place - 1 in pieces else None
        if piece is None:
            kept.append(stretch)
        else:
            kept[-1] = _joined(kept[-1], stretch, piece)
    return tuple(kept)


def _joined(one: Stretch, other: Stretch, between_ms: float = 0.0) -> Stretch:
    """Two of one kind; `between_ms`: of unknown sound, and what is left is silence."""
    other_ms = one.other_ms + other.other_ms + between_ms
    whole_ms = other.end_ms - one.begin_ms
    return Stretch(
        begin_ms=one.begin_ms,
        end_ms=other.end_ms,
        code=one.code,
        silent_ms=max(0.0, round(whole_ms - one.own_ms - other.own_ms - other_ms, 3)),
        other_ms=other_ms,
    )
