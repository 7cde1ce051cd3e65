"""Which of its legs an agent is to keep, as spans of their indexes: a thousand take little room in an annotation."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Final

import msgspec

Index = Annotated[int, msgspec.Meta(ge=0)]
Span = tuple[Index, Index]
"""The first leg and the last."""
MAX_SPANS: Final = 256
"""Some 3 KB; all annotations of a pod have 256 KiB together."""
Kept = Annotated[tuple[Span, ...], msgspec.Meta(max_length=MAX_SPANS)]


def spans(indexes: Iterable[int]) -> Kept:
    """These legs. Where they are too many spans, the nearest are joined: too much is kept then, never too little."""
    ordered = sorted(set(indexes))
    gaps = sorted(((after - before, before) for before, after in pairwise(ordered) if after - before > 1), reverse=True)
    lasts = sorted(before for _, before in gaps[: MAX_SPANS - 1])
    bounds = [*lasts, ordered[-1]] if ordered else []
    ends = {-1, *lasts}
    firsts = [index for before, index in pairwise([-1, *ordered]) if before in ends]
    return tuple(zip(firsts, bounds, strict=True))


def is_kept(kept: Sequence[Span], index: int) -> bool:
    """Whether it is one of them."""
    return any(first <= index <= last for first, last in kept)
