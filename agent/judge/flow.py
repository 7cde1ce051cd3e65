"""One direction's packets, as both ends counted them."""

from agent.judge.call_leg import CallLeg
from agent.judge.media import received, sent
from agent.judge.verdicts import Flow


def flow(sender: CallLeg | None, receiver: CallLeg | None) -> Flow:
    """One direction's packets, as both ends counted them; copies made on the way make up for none that are lost."""
    went, came = sent(sender), None if receiver is None else received(receiver)
    return Flow(
        sent=None if went is None else went.packets,
        received=None if came is None else came.packets,
        lost=None if came is None or not came.packets else came.lost,
    )
