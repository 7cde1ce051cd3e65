"""Connections of a leg: how each began and ended, and which request of ours it cut."""

import pytest

from agent.contract.connection import Connection, Ending
from agent.observe.connections import MAX_CONNECTIONS, MAX_KNOWN, Carriers, connections, ending
from agent.phone.protocol import ConnectionSeen, NotSent, PutOff
from agent.sip.text import parse_head
from agent.tap.model import TapConnection
from tests.unit.agent.judge.wire import SUT, carrier
from tests.unit.sip_messages import message, request, response

INVITE = request()
HEAD = parse_head(INVITE)


def seen(*events, carriers=(), began_s=10.0, over_s=20.0) -> tuple[Connection, ...]:
    return connections(events, carriers or (carrier(),), began_s=began_s, over_s=over_s)


def known(*made: TapConnection) -> Carriers:
    carriers = Carriers()
    for one in made:
        carriers.saw(ConnectionSeen(at_s=1.0, connection=one))
    return carriers


@pytest.mark.parametrize(
    ("status", "ours", "end"),
    [
        (70_016, False, Ending.PEER_CLOSED),
        (120_104, False, Ending.PEER_RESET),
        (120_032, False, Ending.PEER_RESET),
        (120_111, False, Ending.REFUSED),
        (120_110, False, Ending.TIMEOUT),
        (70_009, False, Ending.TIMEOUT),
        (120_113, False, Ending.UNREACHABLE),
        (70_014, False, Ending.WE_CLOSED),
        (0, True, Ending.WE_CLOSED),
        (120_104, True, Ending.WE_CLOSED),
        (120_024, False, Ending.FAILED),
        (495_070, False, Ending.ALERT),
    ],
)
def test_an_end_is_what_the_stacks_status_says(status, ours, end):
    assert ending(status, ours=ours) is end


def test_those_that_carried_a_message_or_were_to_are_the_legs_in_their_order():
    carriers = known(*(carrier(number=number) for number in (1, 2, 3, 4, 5)))
    events = [
        message(10.0, INVITE, sent=True, connection=3),
        PutOff(at_s=10.1, head=HEAD, connection=2),
        NotSent(at_s=10.2, peer=SUT, head=HEAD, reason="", connection=5),
        message(10.3, response(200), sent=False, connection=3),
        message(10.4, response(200), sent=False, connection=99),
        message(10.5, response(200), sent=False, connection=None),
        NotSent(at_s=10.6, peer=SUT, head=HEAD, reason=""),
    ]
    assert [one.number for one in carriers.of(events)] == [3, 2, 5]


def test_the_last_that_was_told_of_a_connection_stands_and_old_ones_are_forgotten():
    carriers = known(carrier(up_s=None), carrier(), *(carrier(number=number) for number in range(2, MAX_KNOWN + 1)))
    first = message(10.0, INVITE, sent=True, connection=1)
    assert [one.up_s for one in carriers.of([first])] == [9.99]
    carriers.saw(ConnectionSeen(at_s=1.0, connection=carrier(number=MAX_KNOWN + 1)))
    assert carriers.of([first]) == ()


def test_a_connection_that_stays_up_has_no_end():
    (told,) = seen(message(10.0, INVITE, sent=True), message(10.1, response(486), sent=False))
    assert told == Connection(protocol="TCP", peer=SUT, outgoing=True, opened_ms=-20.0, up_ms=-10.0)


def test_a_connection_was_up_when_its_first_message_crossed():
    (told,) = seen(
        message(10.0, INVITE, sent=True), message(10.1, response(486), sent=False), carriers=(carrier(up_s=10.0001),)
    )
    assert told.up_ms == 0.0


def test_a_request_without_an_answer_was_cut_by_the_end_of_its_connection():
    (told,) = seen(message(10.0, INVITE, sent=True), carriers=(carrier(closed_s=10.5, status=70_016),))
    assert (told.end, told.closed_ms, told.cut) == (Ending.PEER_CLOSED, 500.0, "INVITE")


@pytest.mark.parametrize(
    "events",
    [
        (message(10.0, INVITE, sent=True), message(10.1, response(486), sent=False)),
        (message(10.0, INVITE, sent=True), message(11.0, response(486), sent=False, connection=2)),
        (message(10.0, INVITE, sent=False),),
        (message(10.0, INVITE, sent=True, connection=2),),
        (message(10.6, INVITE, sent=True),),
        (message(10.0, request("ACK"), sent=True),),
    ],
    ids=["answered", "answered by another", "theirs", "of another", "after its end", "an ACK"],
)
def test_nothing_else_was(events):
    (told,) = seen(*events, carriers=(carrier(closed_s=10.5, status=70_016),))
    assert told.cut is None


def test_an_end_after_the_leg_is_none_of_it():
    (told,) = seen(message(10.0, INVITE, sent=True), carriers=(carrier(closed_s=21.0, status=70_016),))
    assert (told.end, told.closed_ms, told.cut) == (None, None, None)


def test_a_bye_crosses_when_the_call_is_over_and_can_be_cut_then():
    bye = message(20.001, request("BYE"), sent=True)
    (told,) = seen(bye, carriers=(carrier(closed_s=20.1, status=120_104),))
    assert (told.end, told.cut) == (Ending.PEER_RESET, "BYE")


def test_why_it_never_came_up_may_be_told_as_the_leg_is_over():
    (told,) = seen(carriers=(carrier(up_s=None, closed_s=20.001, status=120_111),))
    assert (told.end, told.waited_ms) == (Ending.REFUSED, None)


def test_what_could_not_be_sent_says_why_before_its_connection_does():
    unsent = NotSent(at_s=10.2, peer=SUT, head=HEAD, reason="refused", status=120_111, connection=1)
    (told,) = seen(unsent, carriers=(carrier(up_s=None),), began_s=None)
    assert (told.end, told.up_ms, told.closed_ms, told.opened_ms) == (Ending.REFUSED, None, 220.0, 0.0)
    assert (told.waited_ms, told.said) == (None, None)


def test_the_stacks_words_are_kept_where_nothing_else_tells():
    unsent = NotSent(at_s=10.2, peer=SUT, head=HEAD, reason="no descriptors left", status=120_024, connection=1)
    (told,) = seen(unsent, carriers=(carrier(up_s=None, closed_s=10.2, status=120_024),))
    assert (told.end, told.said) == (Ending.FAILED, "no descriptors left")


def test_a_broken_pipe_does_not_tell_why_a_connection_never_came_up():
    unsent = NotSent(at_s=10.2, peer=SUT, head=HEAD, reason="Broken pipe", status=120_032, connection=1)
    (told,) = seen(unsent, carriers=(carrier(up_s=None),))
    assert (told.end, told.said) == (Ending.FAILED, "Broken pipe")
    (told,) = seen(unsent, carriers=(carrier(up_s=None, closed_s=10.2, status=120_111),))
    assert told.end is Ending.REFUSED


@pytest.mark.parametrize(("over_s", "waited_ms"), [(20.0, 10_020.0), (None, None)])
def test_how_long_it_was_being_opened_is_told_where_it_never_came_up(over_s, waited_ms):
    (told,) = seen(PutOff(at_s=10.0, head=HEAD, connection=1), carriers=(carrier(up_s=None),), over_s=over_s)
    assert (told.up_ms, told.end, told.waited_ms) == (None, None, waited_ms)


def test_a_leg_has_sixteen_at_most():
    assert len(seen(carriers=tuple(carrier(number=number) for number in range(40)))) == MAX_CONNECTIONS
