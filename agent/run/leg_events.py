"""The events of one leg, within bounds that no peer can exceed; those that make its dialog are never crowded out."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, overload

from agent.phone.protocol import CallEnded, Event, MediaActive, MessageSeen
from agent.sip.text import SipHead

MAX_OF_A_KIND: Final = 128
"""Messages that make a dialog, of each kind: sent or received, method, request or provisional or final response."""
MAX_OTHERS: Final = 2000
"""All other events: more than any call of good faith brings."""
DIALOG_METHODS: Final = frozenset({"INVITE", "ACK", "BYE", "CANCEL"})

_Kind = tuple[bool, str, int]


class LegEvents(Sequence[Event]):
    """In the order in which they came. Of each kind the first ones are kept, the others counted; the end always is."""

    def __init__(self) -> None:
        self._kept: list[Event] = []
        self._of_kind: Counter[_Kind | None] = Counter()
        self.left_out = 0
        """Events for which there was no room."""
        self.ended: CallEnded | None = None

    def add(self, event: Event, head: SipHead | None = None) -> None:
        """Takes one more, where there is room. `head`: of a SIP message that could be read."""
        if isinstance(event, CallEnded):
            self.ended = event
            self._kept.append(event)
            return
        kind = _kind(event, head)
        if self._of_kind[kind] < (MAX_OTHERS if kind is None else MAX_OF_A_KIND):
            self._of_kind[kind] += 1
            self._kept.append(event)
        else:
            self.left_out += 1

    def go_on(self) -> CallEnded | None:
        """It had not ended: gives back what said so."""
        ended, self.ended = self.ended, None
        if ended is not None:
            self._kept.remove(ended)
        return ended

    @property
    def rtp_ports(self) -> set[int]:
        """Ours, of all that was negotiated."""
        places = (event.local_rtp for event in self._kept if isinstance(event, MediaActive))
        return {int(place.rpartition(":")[2]) for place in places if place is not None}

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        return self._kept[index]

    def __len__(self) -> int:
        return len(self._kept)


def _kind(event: Event, head: SipHead | None) -> _Kind | None:
    """None: no message that begins, answers or ends a dialog."""
    if not isinstance(event, MessageSeen) or head is None or head.method not in DIALOG_METHODS:
        return None
    return event.sent, head.method, 0 if head.code is None else min(head.code // 100, 2)
