"""One direction's packets, as both ends counted them."""

from agent.judge.call_leg import CallLeg
from agent.judge.verdicts import Flow


def flow(sender: CallLeg | None, receiver: CallLeg | None) -> Flow:
    """One direction's packets, as both ends counted them; copies made on the way make up for none that are lost."""
    sent = None if sender is None or sender.leg.rtp_sent is None else sender.leg.rtp_sent.packets
    received = None if receiver is None else receiver.leg.rtp_received
    return Flow(
        sent=sent,
        received=None if received is None else received.distinct,
        lost=None if received is None else received.lost,
    )
