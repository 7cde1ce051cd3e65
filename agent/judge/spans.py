"""Arithmetic of stretches of time: sorted, disjoint, and none of them empty. Pure."""

from collections.abc import Iterable
from itertools import pairwise

Span = tuple[float, float]
"""Begin and end; in one unit and from one zero within a sum."""


def union(spans: Iterable[Span]) -> list[Span]:
    """What any of them covers."""
    covered: list[Span] = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if covered and begin <= covered[-1][1]:
            covered[-1] = (covered[-1][0], max(end, covered[-1][1]))
        else:
            covered.append((begin, end))
    return covered


def meet(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What both cover."""
    theirs = union(others)
    return union((max(a, c), min(b, d)) for a, b in union(some) for c, d in theirs)


def minus(some: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What the first cover and the others do not."""
    edges = [(float("-inf"), float("-inf")), *union(holes), (float("inf"), float("inf"))]
    return meet(some, ((before[1], after[0]) for before, after in pairwise(edges)))


def length(spans: Iterable[Span]) -> float:
    """How much they cover."""
    return sum(end - begin for begin, end in union(spans))
