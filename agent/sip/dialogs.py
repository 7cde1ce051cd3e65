"""Transactions → dialogs → what one leg's signalling, or a registration, came to. Pure.

A dialog is its Call-ID and both tags (RFC 3261 §12): what another dialog of the same Call-ID does, a fork that lost
or a stranger's BYE, is not done to the leg.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Final

from agent.sip.bindings import Binding, bindings, expires_s, has_more, kept
from agent.sip.transactions import Conversation, DialogId, Times, Transaction

CROSSED_S: Final = 1.0
"""BYEs that are further apart did not cross. Who sends one before the other's has come is heard of within a round trip,
for which T1 (0.5 s) is the estimate, or, where that was lost, after the retransmission at T1 (RFC 3261 §17.1.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """One side's BYE in the leg's dialog, with all its tries."""

    at_s: float
    tries: int
    """More than 1 where it was challenged."""
    code: int | None
    """The final response to the last try, on the wire. None: there was none."""
    answered_s: float | None
    requests: tuple[Times, ...] = field(compare=False)
    """Its tries. How often they crossed is not what the hanging up came to; likewise what follows."""
    final: Times | None = field(compare=False)
    """That response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A 2xx of the leg's dialog, and its ACK."""

    answers: int
    """How often the 2xx crossed: more than once where its ACK was late."""
    first_s: float
    last_s: float
    ack_s: float | None
    """When its ACK crossed first; None: none did."""
    ack: Times | None = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Another dialog of the leg's INVITE: another branch of a fork rang or answered (RFC 3261 §12.1)."""

    tag: str
    """Of the side that was called."""
    codes: tuple[int, ...]
    answered: bool
    acknowledged: bool
    bye: HangUp | None
    """Whoever sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A 3xx, and where it points."""

    at_s: float
    code: int
    contacts: tuple[str, ...]
    whole: bool = True
    """False: it has more contacts than are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalling:
    """What the messages of one leg come to."""

    tries: tuple[Transaction, ...]
    """The INVITEs that began it: more than one where it was challenged, or told how to ask (401, 407, 422)."""
    dialog: DialogId | None
    """Of its first 2xx; before one, the early one that was heard of last."""
    final: Times | None
    """The first final response to the last try."""
    first_response: Times | None
    ringing: Times | None
    """The first 18x before the final response, of any branch (RFC 6076 §4.3.1)."""
    acknowledgement: Acknowledgement | None
    """None: no 2xx."""
    bye_sent: HangUp | None
    """In the leg's dialog, as all that follow but for `forks` and `strangers`."""
    bye_received: HangUp | None
    cancel: Transaction | None
    """The first."""
    requests: tuple[Transaction, ...]
    """In the leg's dialog, re-INVITEs included, BYEs not."""
    forks: tuple[Fork, ...]
    redirects: tuple[Redirect, ...]
    followed: tuple[str, ...]
    """Request-URIs of the tries that came after one was redirected, or went to another contact of the same 3xx."""
    merged: tuple[Transaction, ...]
    """INVITEs that began no leg: the same request by another way (RFC 3261 §8.2.2.2), or after the answer."""
    strangers: tuple[Transaction, ...]
    """Requests in dialogs that this leg has none of: wrong tags."""

    @property
    def invite(self) -> Transaction | None:
        """The first try."""
        return self.tries[0] if self.tries else None

    @property
    def crossed(self) -> bool:
        """Both sides sent a BYE before they knew of the other's: a 481 is a right answer to either."""
        if self.bye_sent is None or self.bye_received is None:
            return False
        tries = product(self.bye_sent.requests, self.bye_received.requests)
        return any(abs(ours.at_s - theirs.at_s) <= CROSSED_S for ours, theirs in tries)

    @property
    def answered_when_over(self) -> bool:
        """The response to our BYE came after the other side's own BYE: by then it may know of no dialog (§15.1.2)."""
        sent, received = self.bye_sent, self.bye_received
        return bool(sent and received and sent.answered_s is not None and sent.answered_s > received.at_s)


def signalling(conversation: Conversation, *, outgoing: bool, branch: str | None = None) -> Signalling:
    """A leg among its Call-ID's transactions. `branch`: of the INVITE that it began with; None: the first one's."""
    all_of_it = conversation.transactions
    tries, merged = _tries(all_of_it, outgoing=outgoing, branch=branch)
    in_dialog = [t for t in all_of_it if t.request.first.head.in_dialog and t.method != "CANCEL"]
    responses = [response for t in tries for response in t.responses]
    dialog = _leg_dialog(tries[-1], outgoing=outgoing) if tries else None
    tags = dict.fromkeys(r.to_tag for r in responses if r.code > 100 and r.to_tag)
    ids = {tag: _dialog_id(tries[0], tag, outgoing=outgoing) for tag in tags}
    forks = [_fork(tries[-1], in_dialog, tag, ids[tag]) for tag in tags if ids[tag] != dialog]
    return Signalling(
        tries=tuple(tries),
        dialog=dialog,
        final=next(iter(tries[-1].finals), None) if tries else None,
        first_response=next(iter(responses), None),
        ringing=next((r for t in tries for r in t.provisionals if 180 <= r.code < 190), None),
        acknowledgement=_acknowledgement(tries[-1]) if tries else None,
        bye_sent=_hang_up(in_dialog, dialog, sent=True),
        bye_received=_hang_up(in_dialog, dialog, sent=False),
        cancel=next((t for t in all_of_it if t.method == "CANCEL"), None),
        requests=tuple(t for t in in_dialog if t.dialog == dialog and t.method != "BYE"),
        # A lone refusal makes no dialog beside the leg's (RFC 3261 §12.1).
        forks=tuple(fork for fork in forks if any(code < 300 for code in fork.codes)),
        redirects=tuple(_redirect(r) for r in responses if 300 <= r.code < 400),
        followed=tuple(
            after.request.first.head.uri
            for before, after in pairwise(tries)
            if before.request.first.head.uri != after.request.first.head.uri
        ),
        merged=tuple(merged),
        strangers=tuple(t for t in in_dialog if t.dialog not in ids.values()),
    )


def settled(conversation: Conversation, *, outgoing: bool, branch: str | None = None) -> bool:
    """Nothing more is due on the wire for a leg that is over (RFC 3261 §15).

    All that we asked is answered, and it was hung up if it was answered.
    """
    if any(t.sent and not t.finals for t in conversation.transactions):
        return False
    leg = signalling(conversation, outgoing=outgoing, branch=branch)
    return leg.acknowledgement is None or leg.bye_sent is not None or leg.bye_received is not None


def _tries(
    transactions: Sequence[Transaction], *, outgoing: bool, branch: str | None
) -> tuple[list[Transaction], list[Transaction]]:
    """The INVITEs that began the leg, up to the one that was answered with a 2xx; and those beside them."""
    initial = [
        t
        for t in transactions
        if t.method == "INVITE" and t.sent == outgoing and not t.request.first.head.in_dialog
    ]  # fmt: skip
    first = next((t for t in initial if branch is None or t.branch == branch), None)
    tries: list[Transaction] = []
    for t in initial:
        same = first is not None and t.request.first.head.from_tag == first.request.first.head.from_tag
        begins = t is first if not tries else same and t.cseq > tries[-1].cseq and not tries[-1].answers
        if begins:
            tries.append(t)
    return tries, [t for t in initial if t not in tries]


def _leg_dialog(last: Transaction, *, outgoing: bool) -> DialogId | None:
    early = [response for response in last.provisionals if response.to_tag and response.code > 100]
    made = last.answers[:1] or early[-1:]
    return _dialog_id(last, made[0].to_tag, outgoing=outgoing) if made else None


def _dialog_id(invite: Transaction, to_tag: str, *, outgoing: bool) -> DialogId:
    from_tag = invite.request.first.head.from_tag
    local, remote = (from_tag, to_tag) if outgoing else (to_tag, from_tag)
    return DialogId(local_tag=local, remote_tag=remote)


def _acknowledgement(last: Transaction) -> Acknowledgement | None:
    if not last.answers:
        return None
    answer = last.answers[0]
    ack = next((ack for ack in last.acks if ack.to_tag == answer.to_tag), None)
    return Acknowledgement(
        answers=answer.count, first_s=answer.at_s, last_s=answer.last_s, ack_s=ack.at_s if ack else None, ack=ack
    )


def _hang_up(in_dialog: Sequence[Transaction], dialog: DialogId | None, *, sent: bool | None) -> HangUp | None:
    """`sent` None: by either side."""
    byes = [t for t in in_dialog if t.method == "BYE" and t.dialog == dialog and sent in (None, t.sent)]
    if not byes:
        return None
    final = next(iter(byes[-1].finals), None)
    return HangUp(
        at_s=byes[0].at_s,
        tries=len(byes),
        code=final.code if final else None,
        answered_s=final.at_s if final else None,
        requests=tuple(bye.request for bye in byes),
        final=final,
    )


def _fork(last: Transaction, in_dialog: Sequence[Transaction], tag: str, identifier: DialogId) -> Fork:
    responses = [r for r in last.responses if r.to_tag == tag]
    return Fork(
        tag=tag,
        codes=tuple(r.code for r in responses),
        answered=any(200 <= r.code < 300 for r in responses),
        acknowledged=any(ack.to_tag == tag for ack in last.acks),
        bye=_hang_up(in_dialog, identifier, sent=None),
    )


def _redirect(response: Times) -> Redirect:
    text = response.first.text
    contacts = tuple(contact.uri for contact in bindings(text))
    return Redirect(at_s=response.at_s, code=response.code, contacts=contacts, whole=not has_more(text))


# --- a registration --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Registering:
    """One attempt to register: the REGISTER with all its tries."""

    began_s: float
    tries: tuple[Transaction, ...]
    final: Times | None
    """Of the last try: None where that was not answered, whatever was answered to the one before."""
    leaving: bool
    """It takes the binding back (`Expires: 0`, RFC 3261 §10.2.2)."""


def registrations(conversation: Conversation) -> tuple[Registering, ...]:
    """The attempts of one Call-ID: the first, each refresh, the leaving.

    What follows a refusal (401, 407, 423 …) is another try of the same; what follows a 2xx or silence is not.
    """
    attempts: list[list[Transaction]] = []
    for t in (t for t in conversation.transactions if t.method == "REGISTER" and t.sent):
        before = attempts[-1][-1] if attempts else None
        if before and before.finals and before.finals[0].code >= 300 and _is_leaving(before) == _is_leaving(t):
            attempts[-1].append(t)
        else:
            attempts.append([t])
    return tuple(
        Registering(
            began_s=tries[0].at_s,
            tries=tuple(tries),
            final=next(iter(tries[-1].finals), None),
            leaving=_is_leaving(tries[0]),
        )
        for tries in attempts
    )


def _is_leaving(register: Transaction) -> bool:
    """All that it names is taken back; one that takes a Contact back for another one registers that."""
    text = register.request.first.text
    is_taken_back = expires_s(text) == 0 or any(one.expires_s == 0 for one in bindings(text))
    return is_taken_back and not kept_contacts(register)


def kept_contacts(register: Transaction) -> tuple[Binding, ...]:
    """The Contacts that a REGISTER asks a binding for."""
    return kept(register.request.first.text)
