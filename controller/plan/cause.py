"""Why something is so: the one type for it, from a pod that cannot start to a test that cannot be run."""

import msgspec

from agent.contract.verdict import Reason


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason of the closed list, and a sentence. As JSON it is the annotation that says why an agent was stopped."""

    reason: Reason
    message: str
    is_final: bool = False
    """Waiting cannot help: the test, the operator's settings or the cluster must change."""
    explains_stop: bool = False
    """An agent that stopped in good order, before its plan was done, did so because of this."""


class PlanningError(ValueError):
    """A test that is not run: Inconclusive with the cause's reason; its message names field, fault and what to do."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.cause = Cause(reason=reason, message=message, is_final=True)
