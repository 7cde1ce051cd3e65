"""What SRTP came to, section by section: packets by what it made of them, keys, and the handshake that they came of."""

from dataclasses import replace

import pytest

from agent.contract.srtp import Dtls, DtlsEnd, DtlsRole, Keying, SdpKeys, SectionKeys, SrtpSection, SrtpWay
from agent.observe.encryption import FINGERPRINT_DIFFERS, MAX_SAID, encryption, keyed_s
from agent.observe.media import sent_ratio
from agent.observe.sources import place
from agent.tap.model import Fate, TapGuard
from tests.unit.agent.observe.test_sources import ANSWERED_S, OTHER, agreed, row

SUITE = "AES_CM_128_HMAC_SHA1_80"
USED = {"active": True, "sent_suite": SUITE, "received_suite": SUITE}
SAVP, SHAKEN = {"protocol": "RTP/SAVP"}, {"protocol": "UDP/TLS/RTP/SAVP"}


def sdes(epoch=2, keyed_s=ANSWERED_S):
    return TapGuard(epoch=epoch, keying=Keying.SDES, keyed_s=keyed_s, **USED)


def dtls(epoch=2, keyed_s=ANSWERED_S + 0.2, **changes):
    crossed = {"dtls_sent": 2, "dtls_received": 3, "hellos_received": 1, "done": True}
    return TapGuard(epoch=epoch, keying=Keying.DTLS, keyed_s=keyed_s, **(USED | crossed | changes))


def seen(rows=(), guards=(), sections=None):
    sections = [agreed(**SAVP)] if sections is None else sections
    return encryption(place(rows, sections, ()), guards, sections)


def test_a_leg_without_srtp_has_nothing_to_say_of_it():
    plain = [row(fates={Fate.PLAIN: 90}), row(sent=True, fates={Fate.PLAIN: 90})]
    assert seen(plain, [TapGuard(epoch=2)], [agreed(protocol="RTP/AVP")]) == ()
    assert seen((), (), []) == ()
    assert seen((), [sdes()], []) == ()


def test_packets_are_told_by_what_srtp_made_of_them():
    mixed = {Fate.PASSED: 80, Fate.UNAUTHENTIC: 4, Fate.REPLAYED: 3, Fate.KEYLESS: 2, Fate.PLAIN: 1, Fate.FAILED: 1}
    (told,) = seen([row(fates=mixed), row(sent=True, fates={Fate.PASSED: 90})], [sdes()])
    assert told == SrtpSection(
        section=0,
        active=True,
        keying=Keying.SDES,
        sent_suite=SUITE,
        received_suite=SUITE,
        sent=SrtpWay(packets=90, passed=90),
        received=SrtpWay(packets=91, passed=80, plain=1, unauthentic=4, replayed=3, keyless=2, failed=1),
    )


def test_what_strangers_send_is_not_told():
    (told,) = seen([row(fates={Fate.PASSED: 90}), row(OTHER, fates={Fate.PLAIN: 7})], [sdes()])
    assert told.received == SrtpWay(packets=90, passed=90)


@pytest.mark.parametrize("fates", [{Fate.PASSED: 1}, {Fate.KEYLESS: 1}])
@pytest.mark.parametrize("sent", [False, True])
def test_srtp_under_rtp_avp_is_srtp(fates, sent):
    """RFC 8643."""
    (told,) = seen([row(sent=sent, fates=fates)], (), [agreed(protocol="RTP/AVP")])
    assert (told.active, told.keying, told.sent_suite, told.dtls) == (False, None, None, None)
    assert seen((), [sdes()], [agreed(protocol="RTP/AVP")]) != ()


def test_keys_are_those_in_use_as_the_section_ends_and_go_on_to_the_next():
    sections = [agreed(**SAVP), agreed(epoch=4, begin_s=20.0, **SAVP), agreed(epoch=6, begin_s=30.0, **SAVP)]
    weaker = TapGuard(epoch=3, active=True, keying=Keying.SDES, sent_suite="weak", received_suite="weak")
    none = TapGuard(epoch=7)
    told = seen((), [sdes(), weaker, none], sections)
    assert [one.active for one in told] == [True, True, False]
    assert [one.received_suite for one in told] == ["weak", "weak", None]
    assert [one.section for one in told] == [0, 1, 2]


def test_what_comes_before_the_answer_is_of_the_first_section():
    begun = TapGuard(epoch=1, dtls_sent=2, hellos_sent=2)
    finished = dtls(epoch=2, dtls_sent=1, dtls_received=2, hellos_received=0)
    (told,) = seen((), [begun, finished], [agreed(**SHAKEN)])
    assert told.dtls == Dtls(role=DtlsRole.ACTIVE, sent=3, received=2, hellos_sent=2, end=DtlsEnd.DONE, took_ms=200.0)


@pytest.mark.parametrize(
    ("crossed", "role"),
    [
        ({"hellos_sent": 1}, DtlsRole.ACTIVE),
        ({"hellos_received": 1}, DtlsRole.PASSIVE),
        ({"hellos_sent": 1, "hellos_received": 1}, None),
        ({}, None),
    ],
)
def test_who_says_hello_is_the_active_side(crossed, role):
    (told,) = seen((), [TapGuard(epoch=2, **crossed)], [agreed(**SHAKEN)])
    assert told.dtls is not None
    assert (told.dtls.role, told.dtls.took_ms, told.dtls.end) == (role, None, None)


@pytest.mark.parametrize(
    ("guards", "end", "said"),
    [
        ([dtls()], DtlsEnd.DONE, None),
        ([dtls(done=False, alert=40)], DtlsEnd.ALERT, None),
        ([dtls(alert=40)], DtlsEnd.DONE, None),
        ([dtls(status=FINGERPRINT_DIFFERS, said="no match")], DtlsEnd.FINGERPRINT, "no match"),
        ([dtls(), dtls(3, status=1, said="x" * 99)], DtlsEnd.FAILED, "x" * MAX_SAID),
        ([dtls(status=1)], DtlsEnd.FAILED, None),
    ],
)
def test_how_a_handshake_ended(guards, end, said):
    (told,) = seen((), guards, [agreed(**SHAKEN)])
    assert told.dtls is not None
    assert (told.dtls.end, told.dtls.said) == (end, said)


def test_an_alert_is_told_by_its_name_and_whose_it_was():
    (told,) = seen((), [dtls(done=False, alert=40, alert_sent=True), dtls(3, done=False, alert=42)], [agreed(**SHAKEN)])
    assert told.dtls is not None
    assert (told.dtls.alert, told.dtls.alert_sent) == ("handshake_failure", True)


def test_a_handshake_under_rtp_avp_shows_in_what_crosses():
    (told,) = seen((), [TapGuard(epoch=2, dtls_received=1)], [agreed(protocol="RTP/AVP")])
    assert told.dtls == Dtls(received=1)
    (told,) = seen((), [TapGuard(epoch=2, dtls_sent=1)], [agreed(protocol="RTP/AVP")])
    assert told.dtls == Dtls(sent=1)


def test_what_crossed_in_which_section_is_not_known_where_a_row_goes_on_for_want_of_room():
    sections = [agreed(**SAVP), agreed(epoch=4, begin_s=20.0, **SAVP), agreed(epoch=6, begin_s=30.0, **SAVP)]
    first, goes_on = row(fates={Fate.PASSED: 90}), row(epoch=5, last_epoch=7, fates={Fate.PASSED: 90, Fate.PLAIN: 9})
    assert [one.section for one in seen([first, goes_on], [sdes()], sections)] == [0]
    within = replace(goes_on, epoch=4, last_epoch=5)
    assert [one.section for one in seen([first, within], [sdes()], sections)] == [0, 1, 2]
    assert [one.section for one in seen([first, replace(goes_on, remote=OTHER)], [sdes()], sections)] == [0, 1, 2]


# --- a handshake that a section before had ----------------------------------------------------------------------


def held(*guards, keys=(None, None)):
    """Of the second of two sections, after a good handshake in the first."""
    sections = [agreed(keys=keys[0], **SHAKEN), agreed(epoch=4, begin_s=20.0, keys=keys[1], **SHAKEN)]
    return seen((), [dtls(), *guards], sections)[1].dtls


def test_an_association_goes_on_where_no_handshake_begins():
    """RFC 5763 §6.6: SDP that is exchanged again is no reason for new keys."""
    in_use = TapGuard(epoch=4, keying=Keying.DTLS, keyed_s=20.1, **USED)
    assert held() == held(in_use) == Dtls(end=DtlsEnd.DONE)
    assert held(replace(in_use, dtls_received=1)) == Dtls(end=DtlsEnd.DONE, received=1), "a flight that is repeated"


def test_one_goes_on_from_early_media_to_the_answer_and_beyond():
    sections = [
        agreed(epoch=1, begin_s=ANSWERED_S - 1, **SHAKEN), agreed(**SHAKEN), agreed(epoch=4, begin_s=20.0, **SHAKEN),
    ]  # fmt: skip
    told = seen((), [dtls(1)], sections)
    assert [one.dtls and one.dtls.end for one in told] == [DtlsEnd.DONE] * 3


@pytest.mark.parametrize(
    "guard",
    [
        TapGuard(epoch=4, keying=Keying.DTLS, hellos_received=1, dtls_received=1, **USED),
        TapGuard(epoch=4, keying=Keying.DTLS, hellos_sent=1, dtls_sent=1, **USED),
        TapGuard(epoch=4),
    ],
)
def test_a_handshake_that_began_anew_or_keys_that_were_thrown_away_end_it(guard):
    told = held(guard)
    assert told is not None
    assert told.end is None


def test_an_alert_ends_it():
    told = held(TapGuard(epoch=4, keying=Keying.DTLS, alert=10, dtls_received=1, **USED))
    assert told is not None
    assert told.end is DtlsEnd.ALERT


def test_what_was_not_done_before_is_not_done_later():
    sections = [agreed(**SHAKEN), agreed(epoch=4, begin_s=20.0, **SHAKEN)]
    told = seen((), [dtls(done=False)], sections)
    assert [one.dtls and one.dtls.end for one in told] == [None, None]
    plain = seen((), [sdes()], [agreed(**SAVP), agreed(epoch=4, begin_s=20.0, **SHAKEN)])
    assert [one.dtls and one.dtls.end for one in plain] == [None, None]
    over = seen((), [dtls()], [agreed(**SHAKEN), agreed(epoch=4, begin_s=20.0, protocol="RTP/AVP")])
    assert over[1].dtls is None


def test_another_certificate_needs_another_handshake():
    """RFC 8842 §4."""
    profile, offers = (
        SHAKEN["protocol"],
        [SdpKeys(profile=SHAKEN["protocol"], fingerprint=f"sha-256 {x}") for x in "ABC"],
    )
    said = [SectionKeys(offered=offers[0], answered=one, offered_here=True) for one in offers[1:]]
    again = SectionKeys(
        offered=offers[1], answered=SdpKeys(profile=profile, fingerprint="sha-256 A"), offered_here=False
    )
    assert held(keys=(said[0], again)) == Dtls(end=DtlsEnd.DONE)
    assert held(keys=(said[0], said[1])) == Dtls()


# --- from when on this end could send ---------------------------------------------------------------------------


def test_media_is_due_once_a_handshake_is_over():
    sections = [agreed(**SHAKEN)]
    assert keyed_s([dtls()], sections) == (ANSWERED_S + 0.2,)
    assert keyed_s([dtls(keyed_s=5.0)], sections) == (ANSWERED_S,), "it was over before the answer"
    assert keyed_s([dtls(keyed_s=None, active=False)], sections) == (None,)
    assert keyed_s((), sections) == (None,)
    assert keyed_s([sdes(keyed_s=ANSWERED_S + 3)], [agreed(**SAVP)]) == (ANSWERED_S,), "nothing is waited for"
    assert keyed_s((), ()) == ()


def test_keys_of_a_handshake_hold_in_the_sections_that_follow():
    sections = [agreed(**SHAKEN), agreed(epoch=4, begin_s=20.0, **SHAKEN), agreed(epoch=6, begin_s=30.0, **SHAKEN)]
    assert keyed_s([dtls()], sections) == (ANSWERED_S + 0.2, 20.0, 30.0)
    assert keyed_s([dtls(), dtls(4, keyed_s=20.5)], sections) == (ANSWERED_S + 0.2, 20.5, 30.0)


def test_what_a_handshake_held_up_was_not_due():
    sections = [agreed(sends=True, **SHAKEN)]
    late = [dtls(keyed_s=ANSWERED_S + 2)]
    assert sent_ratio(8000.0, sections, ANSWERED_S + 10, late) == 1.0
    assert sent_ratio(8000.0, sections, ANSWERED_S + 10, [dtls(keyed_s=None, active=False)]) is None
    assert sent_ratio(8000.0, [agreed(sends=True)], ANSWERED_S + 10) == 0.8
