"""What the operator's settings allow a test to do."""

import re
import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on what one run may do, and the destinations that the operator's administrator permits."""

    max_calls_per_second: float = 10.0
    """New calls, all agents of a run together."""
    max_concurrent_calls: int = 200
    """All agents of a run together."""
    max_calls: int = 10_000
    """In a run, at all endpoints."""
    max_agents: int = 20
    """Pods of a run."""
    max_active_runs: int = 5
    """Runs under way at once, of all tests; the others wait their turn."""
    allow_targets: tuple[str, ...] = ()
    """CIDRs that may be called without a pod behind the address."""
    target_namespaces: tuple[str, ...] | None = None
    """Namespaces, beside its own, that a test's target may be in. None: whichever the operator may read."""
    allow_dial: re.Pattern[str] | None = None
    """Users that look like phone numbers are refused unless this matches the whole user. Never emergency numbers."""
    secret_prefix: str = ""
    """Secrets that a test may name begin with this."""
    claim_prefix: str = ""
    """PersistentVolumeClaims that a test may name begin with this."""


UNLIMITED: Final = Limits(
    max_calls_per_second=1e9,
    max_concurrent_calls=sys.maxsize,
    max_calls=sys.maxsize,
    max_agents=sys.maxsize,
    max_active_runs=sys.maxsize,
    allow_dial=re.compile(".*"),
)
"""For what was allowed once: a run that is under way."""
