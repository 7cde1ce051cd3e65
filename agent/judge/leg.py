"""What one agent can say of one of its legs, without its peer."""

from agent.contract.plan import Plan
from agent.contract.result import LegObservation
from agent.contract.verdict import Finding


def judge_leg(plan: Plan, leg: LegObservation) -> tuple[Finding, ...]:
    """The checks of one leg that did not pass, worst first.

    A callee leg that is not known to be a planned call has none: nothing is expected of it.
    """
    raise NotImplementedError
