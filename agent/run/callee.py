"""The callee: takes every call that is for it, as far as it can; the others are refused."""

from collections.abc import Callable

from agent.contract import steps as contract
from agent.contract.headers import Headers, headers_on
from agent.contract.plan import Plan
from agent.contract.steps import BUSY_HERE, Steps, refusal, with_headers
from agent.observe.leg import read_invite
from agent.phone.protocol import CallHandle, IncomingCall
from agent.run.party import Party


class Callee:
    """Takes calls, at most `capacity` at a time; the next one is refused with 486."""

    def __init__(
        self,
        *,
        party: Party,
        steps: Callable[[IncomingCall], Steps],
        capacity: int,
        on_call: Callable[[IncomingCall], Headers | None],
    ) -> None:
        """`on_call`: told of each call before anything is answered; gives headers to refuse it, None to take it.

        `steps`: what it does in one that it takes on.
        """
        self._party = party
        self._steps = steps
        self._capacity = capacity
        self._on_call = on_call
        self._calls: set[CallHandle] = set()

    @property
    def idle(self) -> bool:
        """No call is up."""
        return not self._calls

    def take(self, event: IncomingCall) -> None:
        """A call came in."""
        headers = self._on_call(event)
        self._calls.add(event.call)
        if headers is not None:
            self._party.begin(event.call, refusal(480, headers))
        elif len(self._calls) > self._capacity:
            self._party.begin(event.call, refusal(BUSY_HERE))
        else:
            self._party.begin(event.call, self._steps(event))

    def over(self, call: CallHandle) -> None:
        """A call has ended, perhaps one of these."""
        self._calls.discard(call)

    def hang_up_all(self) -> list[CallHandle]:
        """Ends all calls; gives those that were not about to end."""
        return [call for call in sorted(self._calls) if self._party.hang_up(call)]


def callee_steps(plan: Plan, endpoint: int, invite: str) -> Steps:
    """What it does in a call that comes by that endpoint: as its own says, where the INVITE tells which call it is."""
    acting = plan.acting_in(read_invite(plan, invite).call)
    return with_headers(contract.callee_steps(acting, endpoint), headers_on(endpoint, plan.account.headers))
