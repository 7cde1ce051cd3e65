"""What became of digits between two ends, in words, and how each one of a leg's came. Pure."""

from collections.abc import Sequence
from typing import Final

from agent.contract.expect import DtmfMethod
from agent.contract.media import GapKind
from agent.contract.observation import Digit
from agent.contract.verdict import Role
from agent.judge.call_leg import CallLeg, dialled
from agent.judge.ends import CallEnds, peer_of
from agent.judge.keyless import keyless, waited
from agent.judge.spans import Span, length, meet, union
from agent.judge.words import listed, quoted

UNDER_WAY_MS: Final = 200.0
"""A digit whose last packet is this close to the end of the call was cut by that, not by the path."""
AROUND_MS: Final = 200.0
"""How far the clocks of two ends, each since its answer, may be apart, and how long a digit's last packets take."""
MOST: Final = 0.5
"""Of what was lost: so much of it in digits, and they are what was lost."""
BY: Final = {DtmfMethod.RFC4733: "by RFC 4733", DtmfMethod.INFO: "by INFO", DtmfMethod.IN_BAND: "as in-band tones"}


def fate(sent: str, came: str, towards: str) -> str:
    """What happened to digits on the way to the caller or callee."""
    way = f"on the way to the {towards}"
    if came == sent:
        return "these came as they were sent, and the test expects others"
    if not came:
        return f"lost {way}"
    missing, added = _missing(sent, came), _missing(came, sent)
    if missing is not None:
        return f"{_places(sent, missing)} lost {way}"
    if added is not None:
        return f"{_places(came, added)} added {way}"
    return f"{_changes(sent, came)} {way}" if len(sent) == len(came) else f"changed {way}"


def is_within(some: str, all_: str) -> bool:
    """In the same order, with others between perhaps."""
    return _missing(all_, some) is not None


def _missing(all_: str, some: str) -> list[int] | None:
    """The places in `all_` that are not in `some`; None where `some` is not within it."""
    left, places = list(some), []
    for place, digit in enumerate(all_):
        if left and digit == left[0]:
            del left[0]
        else:
            places.append(place)
    return None if left else places


def _changes(sent: str, came: str) -> str:
    pairs = enumerate(zip(sent, came, strict=True), 1)
    return listed(
        f"digit {place} changed from {quoted(old)} to {quoted(new)}" for place, (old, new) in pairs if old != new
    )


def _places(digits: str, places: Sequence[int]) -> str:
    named = listed(f"{place + 1} ({quoted(digits[place])})" for place in places)
    return f"digit{'s' if len(places) > 1 else ''} {named}"


# How they came


def by_others(leg: CallLeg, expected: DtmfMethod) -> dict[DtmfMethod, str]:
    """What came by other methods than this one; tones only where nothing else came."""
    came = leg.leg.dtmf_received
    found = {
        method: dialled(came, method) for method in dict.fromkeys(digit.method for digit in came) if method != expected
    }
    return found if came or not leg.leg.dtmf_tones else {DtmfMethod.IN_BAND: leg.leg.dtmf_tones}


def by_method(leg: CallLeg, expected: DtmfMethod | None) -> str:
    """What came, naming the method where it is not the expected one."""
    own = "" if expected is None else dialled(leg.leg.dtmf_received, expected)
    others = by_others(leg, expected or DtmfMethod.RFC4733)
    if not others:
        return own or "no digits"
    told = [f"{quoted(digits)} {BY[method]}" for method, digits in others.items()]
    return listed([f"{quoted(own)} {BY[expected]}", *told] if expected and own else told)


def named(leg: CallLeg, digits: Sequence[Digit]) -> str:
    """Digits that came, each with its place among all of them."""
    places = {id(digit): place for place, digit in enumerate(leg.leg.dtmf_received, 1)}
    return listed(f"digit {places[id(digit)]} ({quoted(digit.digit)})" for digit in digits)


def length_ms(digit: Digit) -> float:
    """As its packets say; 0 where none does."""
    return digit.duration_ms or 0.0


def under_way(leg: CallLeg, digit: Digit) -> bool:
    """It had not come to its end when the call was over, or that is not known."""
    ends_ms = leg.media_end_ms
    return ends_ms is None or digit.last_ms is None or digit.last_ms > ends_ms - UNDER_WAY_MS


def overtaken(sender: CallLeg, came: str, wanted: str, receiver: CallLeg | None = None) -> str | None:
    """Why no more of the wanted digits came than did: the end of the call overtook the last that were sent, or might.

    An agent that stood still sends what it is behind with at once, and then hangs up. A SUT that is to end the call
    may end the receiver's side of it first. None: it is not that.
    """
    ends_ms = _over_ms(sender, receiver)
    if ends_ms is None or not wanted.startswith(came):
        return None
    before_ms = ends_ms - UNDER_WAY_MS
    sent = [digit for digit in sender.leg.dtmf_sent if _ended_ms(digit) is None or (_ended_ms(digit) or 0) <= before_ms]
    in_time = dialled(tuple(sent), sender.digits_go_by)
    if in_time == sender.digits_sent or len(came) < len(in_time):
        return None
    return f"the {sender.name} sent only {quoted(in_time)} until {UNDER_WAY_MS:.0f} ms before the call was over"


def _ended_ms(digit: Digit) -> float | None:
    """When the last of it crossed: an INFO is all of its digit."""
    return digit.at_ms if digit.method is DtmfMethod.INFO else digit.last_ms


def _over_ms(sender: CallLeg, receiver: CallLeg | None) -> float | None:
    """When what is sent came to nobody any more, since the answer."""
    if sender.call_ms is None or receiver is None or receiver.call_ms is None or not receiver.call.sut_ends_it:
        return sender.call_ms
    return min(sender.call_ms, receiver.call_ms - AROUND_MS) if receiver.ended_by_peer else sender.call_ms


def before_keys(sender: CallLeg, receiver: CallLeg, came: str, wanted: str) -> str | None:
    """Why less of the wanted digits came: an end had no keys of DTLS yet when they were due. None: it is not that.

    What the sender did not send is one; another is what crossed before the receiver had keys, or just then. An INFO
    needs none.
    """
    by_rtp, unheard = (method is DtmfMethod.RFC4733 for method in (sender.digits_go_by, receiver.digits_come_by))
    late = [(begin - AROUND_MS, end + AROUND_MS) for begin, end in keyless(receiver)] if unheard else []
    sent = [digit for digit in sender.leg.dtmf_sent if digit.method is sender.digits_go_by]
    certain = "".join(digit.digit for digit in sent if not meet(_crossed(digit), late))
    if not (is_within(certain, came) and is_within(came, sender.digits_sent)):
        return None
    if by_rtp and sender.digits_sent != wanted and keyless(sender) and wanted.endswith(sender.digits_sent):
        return f"the {sender.name} itself sent only {quoted(sender.digits_sent)}; {waited(sender)}"
    return waited(receiver) if late and came != sender.digits_sent == wanted else None


def _crossed(digit: Digit) -> list[Span]:
    at_ms = digit.at_ms or 0.0
    return [(at_ms, at_ms + max(1.0, length_ms(digit)))]


# Whether the lost packets are theirs


def are_what_was_lost(ends: CallEnds, role: Role) -> bool:
    """Most of the media that a leg lost is where its peer sent digits."""
    receiver, sender = ends.leg(role), ends.leg(peer_of(role))
    if receiver is None or sender is None or receiver.leg.gaps_left_out:
        return False
    lost = union(
        (gap.at_ms - gap.missing_ms, gap.at_ms)
        for gap in receiver.leg.gaps
        if gap.kind is GapKind.LOST and gap.at_ms is not None
    )
    events = [digit for digit in sender.leg.dtmf_sent if digit.method is DtmfMethod.RFC4733]
    digits = [_when(digit) for digit in events if digit.at_ms is not None]
    return bool(lost) and length(meet(lost, digits)) >= MOST * length(lost)


def _when(digit: Digit) -> Span:
    at_ms = digit.at_ms or 0.0
    return at_ms - AROUND_MS, at_ms + length_ms(digit) + AROUND_MS
