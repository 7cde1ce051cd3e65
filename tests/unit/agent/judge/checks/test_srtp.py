"""The check `srtp`: what offer and answer say, what crossed below SRTP, and what the test asks."""

from dataclasses import replace

import pytest

from agent.contract.media import MAX_SECTIONS
from agent.contract.srtp import DtlsEnd, Keying, SrtpSignalling, SrtpUse, SrtpWay
from agent.contract.verdict import Check, Reason, Result, Role
from agent.tap.model import Fate, TapGuard
from tests.unit.agent.judge.srtp_wire import (
    BOTH_MANDATORY,
    CALLEE_MANDATORY,
    CALLER_MANDATORY,
    ENCRYPTED,
    OSRTP,
    TLS_CARRIER,
    again,
    below,
    crypto,
    dtls_caller,
    dtls_sdp,
    media,
    rows,
    sdes_callee,
    sdes_caller,
    secure,
    shaken,
    turned_away,
    unkeyed_caller,
)
from tests.unit.agent.judge.wire import KEY, OURS, RELAY, callee, caller, carrier, troubled, verdict
from tests.unit.builders import call_group, change
from tests.unit.sip_messages import message, response, sdp, with_sdp

OPTIONAL = {"group__caller__media": media(use=SrtpUse.OPTIONAL)}
PLAIN_ASKED = {"group__callee__media": media(use=SrtpUse.DISABLED)}


def found(*args, **changes):
    return [(one.leg, one.reason) for one in verdict(*args, **changes).findings if one.check is Check.SRTP]


def passes(*args, **changes):
    return verdict(*args, **changes).result is Result.PASSED


# What holds


@pytest.mark.covers("<party>.media.srtp.use")
@pytest.mark.covers("calls[].<party>.media.srtp.use")
def test_a_call_that_was_encrypted_both_ways_at_both_ends_passes():
    assert passes(sdes_caller(), sdes_callee(), **BOTH_MANDATORY)


@pytest.mark.parametrize("setup", ["active", "passive"])
def test_dtls_passes_whoever_began_the_handshake(setup):
    assert passes(dtls_caller(answer=dtls_sdp(RELAY, setup)), **CALLER_MANDATORY)


def test_a_callee_that_was_offered_dtls_passes():
    offered = callee(offer=dtls_sdp(RELAY, "actpass"), answer=dtls_sdp(OURS, "active"), srtp=shaken())
    assert passes(callee=offered, **CALLEE_MANDATORY)


def test_a_media_anchor_may_send_plain_rtp_on_to_a_callee_that_asks_for_nothing():
    assert passes(sdes_caller(), **CALLER_MANDATORY)


@pytest.mark.parametrize(
    ("answer", "facts"), [(sdp(RELAY), None), (secure(RELAY, protocol="RTP/AVP"), below())], ids=["plain", "SRTP"]
)
def test_optional_srtp_passes_however_it_ends(answer, facts):
    assert passes(caller(offer=OSRTP, answer=answer, srtp=facts), **OPTIONAL)


@pytest.mark.covers("calls[].expect.<leg>.encrypted")
def test_optional_srtp_that_is_to_be_encrypted_must_end_so():
    taken = caller(offer=OSRTP, answer=secure(RELAY, protocol="RTP/AVP"), srtp=below())
    assert passes(taken, **OPTIONAL | ENCRYPTED)
    assert found(caller(offer=OSRTP, answer=sdp(RELAY)), **OPTIONAL | ENCRYPTED) == [
        (Role.CALLER, Reason.NOT_ENCRYPTED)
    ]
    assert found(**OPTIONAL | ENCRYPTED) == [(Role.CALLER, Reason.NOT_ENCRYPTED)]


# Offer and answer


def test_what_the_stack_did_about_a_downgrade_is_not_the_suts():
    """It hangs up at once; the callee has that BYE from the path, and it was the agent's."""
    broken_off = caller(offer=secure(OURS), answer=sdp(RELAY), bye_s=10.13, streams=())
    call = verdict(broken_off, callee(bye_s=10.14, streams=()), **CALLER_MANDATORY)
    assert (call.result, [one.reason for one in call.findings]) == (Result.FAILED, [Reason.SRTP_DOWNGRADED])


def test_an_offer_of_dtls_that_is_answered_by_plain_rtp_is_a_downgrade():
    assert found(dtls_caller(answer=sdp(RELAY))) == [(Role.CALLER, Reason.SRTP_DOWNGRADED)]


def test_an_answer_that_refuses_the_medium_is_no_downgrade():
    assert found(sdes_caller(answer=sdp("10.0.0.1:0"), streams=())) == []


def test_a_downgrade_says_no_other_thing_of_the_same_answer():
    assert [one.check for one in verdict(sdes_caller(answer=sdp(RELAY))).findings] == [Check.SRTP]


def test_a_callee_that_is_to_have_srtp_and_is_offered_less_was_downgraded():
    call = verdict(caller(code=488, ringing=False), turned_away(), **CALLEE_MANDATORY)
    assert [(one.leg, one.reason) for one in call.findings] == [
        (Role.CALLEE, Reason.SRTP_DOWNGRADED), (Role.CALLER, Reason.SIP_CODE_MISMATCH),
    ]  # fmt: skip
    assert "the callee agent itself answered 488" in str(call.findings[1].note)


def test_a_callee_whose_call_was_not_named_did_as_all_of_its_calls_or_is_not_judged():
    """The SUT strips X- headers: the agent took plain RTP, as its account has it."""
    taken, refused = callee(offer=OSRTP, key=None), turned_away(key=None)
    alike = {"calls": (call_group(callee__media=media(), name="pin"),)}
    other = {"calls": (*alike["calls"], call_group(name="other"))}
    assert found(callee=taken, **alike) == [(Role.CALLEE, Reason.NOT_ENCRYPTED)]
    assert found(callee=taken, **other) == [(Role.CALLEE, Reason.NOT_MEASURED)]
    assert found(callee=change_end(taken, key=KEY), **other) == [(Role.CALLEE, Reason.NOT_ENCRYPTED)]
    assert found(callee=sdes_callee(key=None), **other) == [], "what is shown is shown"
    ends = (caller(code=488, ringing=False), refused)
    assert found(*ends, **alike) == [(Role.CALLEE, Reason.SRTP_DOWNGRADED)]
    call = verdict(*ends, **other)
    assert (call.result, call.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)
    plain = call_group(callee__media=media(use=SrtpUse.DISABLED), name="pin")
    kept_out = (sdes_caller(code=488, ringing=False), turned_away(offer=secure(RELAY), key=None))
    assert verdict(*kept_out, calls=(plain,)).reason is Reason.SRTP_REFUSED
    both = (plain, call_group(name="other", callee__media=media()))
    assert verdict(*kept_out, calls=both).reason is Reason.AGENT_ERROR


def test_a_callee_that_is_offered_keys_by_another_way_says_so():
    offered = turned_away(offer=secure(RELAY))
    asked = {"group__callee__media": media(keying=(Keying.DTLS,))}
    assert found(caller(code=488, ringing=False), offered, **asked) == [(Role.CALLEE, Reason.SRTP_KEYING_MISMATCH)]


def test_a_callee_that_was_offered_what_it_takes_refused_it_for_another_reason():
    for offer in (secure(RELAY), dtls_sdp(RELAY, "actpass"), sdp(RELAY, protocol="RTP/SAVP")):
        asked = {"group__callee__media": media(keying=(Keying.SDES, Keying.DTLS))}
        assert found(caller(code=488, ringing=False), turned_away(offer=offer), **asked) == []


def test_a_callee_that_is_to_be_plain_and_is_offered_srtp_is_the_paths_doing_where_the_test_says_so():
    ends = (sdes_caller(code=488, ringing=False), turned_away(offer=secure(RELAY)))
    said = verdict(*ends, **CALLER_MANDATORY | PLAIN_ASKED)
    assert (said.result, said.reason) == (Result.FAILED, Reason.SRTP_REFUSED)
    assert "its media.srtp.use is Disabled" in str(said.findings[0].note)
    silent = verdict(*ends, **CALLER_MANDATORY)
    assert (silent.result, silent.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)


def test_a_callee_that_is_to_be_plain_and_refuses_plain_rtp_did_so_for_another_reason():
    call = verdict(caller(code=488, ringing=False), turned_away(), **PLAIN_ASKED)
    assert (call.result, call.reason) == (Result.INCONCLUSIVE, Reason.AGENT_ERROR)


@pytest.mark.parametrize("code", [404, 503])
def test_other_refusals_are_not_of_srtp(code):
    assert verdict(sdes_caller(code=code), None).reason is Reason.SIP_CODE_MISMATCH


def test_a_refusal_of_plain_rtp_is_not_of_srtp():
    assert verdict(caller(code=488), None).reason is Reason.SIP_CODE_MISMATCH


def test_a_refusal_that_is_expected_is_none():
    assert found(sdes_caller(code=488), None, group__expect__sip_code=488) == []


def test_an_unanswered_call_is_not_of_srtp():
    assert found(sdes_caller(code=None, ended_s=40.1), None) == []


@pytest.mark.covers("<party>.media.srtp.signalling")
@pytest.mark.covers("calls[].<party>.media.srtp.signalling")
def test_keys_in_sdp_must_go_by_tls_where_that_is_asked():
    by_tls, each_hop = (
        {"group__callee__media": media(signalling=asked)} for asked in (SrtpSignalling.TLS, SrtpSignalling.SIPS)
    )
    over_tls = {"carriers": (TLS_CARRIER,)}
    hop = {"asks": "Via: SIP/2.0/TLS 10.0.0.1, SIP/2.0/UDP 10.0.0.5:5060\r\n"}
    assert found(callee=sdes_callee(**over_tls | hop), **by_tls) == []
    assert found(callee=sdes_callee(**over_tls), **each_hop) == []
    assert found(callee=sdes_callee(**over_tls | hop), **each_hop) == [(Role.CALLEE, Reason.SRTP_OVER_PLAIN_SIGNALLING)]
    over_tcp = sdes_callee(carriers=(carrier(outgoing=False),))
    assert found(callee=over_tcp, **by_tls) == [(Role.CALLEE, Reason.SRTP_OVER_PLAIN_SIGNALLING)]


def test_a_caller_that_asks_for_tls_at_each_hop_is_told_by_what_reached_the_callee():
    asked = {"group__caller__media": media(signalling=SrtpSignalling.SIPS)}
    over_tls = {"carriers": (TLS_CARRIER,)}
    hop = {"asks": "Via: SIP/2.0/TLS 10.0.0.1, SIP/2.0/UDP 10.0.0.5:5060\r\n"}
    said = [(Role.CALLER, Reason.SRTP_OVER_PLAIN_SIGNALLING)]
    assert found(sdes_caller(**over_tls), callee(**hop), **asked) == said
    assert found(sdes_caller(**over_tls), callee(), **asked) == []
    assert found(dtls_caller(**over_tls), callee(**hop), **asked) == []
    assert found(sdes_caller(**over_tls), callee(**hop), **CALLER_MANDATORY) == []


def test_keys_that_are_not_in_sdp_may_go_by_any_transport():
    asked = {"group__caller__media": media(keying=(Keying.DTLS, Keying.SDES), signalling=SrtpSignalling.TLS)}
    assert passes(dtls_caller(carriers=(carrier(),)), **asked)


# What crossed the wire


def test_what_was_not_counted_below_srtp_was_not_measured():
    assert found(sdes_caller(srtp=None)) == [(Role.CALLER, Reason.NOT_MEASURED)]
    assert found(dtls_caller(srtp=below())) == [(Role.CALLER, Reason.NOT_MEASURED)]


@pytest.mark.parametrize("way", ["sent", "received"])
def test_encryption_that_is_asked_for_and_that_no_packet_shows_was_not_measured(way):
    facts = below(**{way: SrtpWay()})
    assert found(sdes_caller(srtp=facts), **CALLER_MANDATORY) == [(Role.CALLER, Reason.NOT_MEASURED)]
    assert found(sdes_caller(srtp=facts)) == []


def test_a_way_that_the_sdp_closes_shows_nothing():
    one_way = {"answer": secure(RELAY, crypto(), "a=sendonly"), "srtp": below(sent=SrtpWay())}
    assert found(sdes_caller(**one_way), **CALLER_MANDATORY) == []
    other_way = {"answer": secure(RELAY, crypto(), "a=recvonly"), "srtp": below(received=SrtpWay())}
    assert found(sdes_caller(**other_way), **CALLER_MANDATORY) == []


def test_encryption_of_media_that_may_not_run_was_not_measured():
    quiet = sdes_caller(answer=secure(RELAY, crypto(), "a=inactive"))
    assert found(quiet, **CALLER_MANDATORY) == [(Role.CALLER, Reason.NOT_MEASURED)]


def test_what_our_own_stack_sent_in_the_clear_is_no_fault_of_the_path():
    facts = below(sent=SrtpWay(packets=200, passed=199, plain=1))
    assert found(sdes_caller(srtp=facts)) == [(Role.CALLER, Reason.AGENT_ERROR)]


def test_copies_and_few_rejected_packets_are_no_fault():
    few = below(received=SrtpWay(packets=420, passed=200, replayed=200, unauthentic=2, keyless=18))
    assert passes(sdes_caller(srtp=few), **CALLER_MANDATORY)


@pytest.mark.parametrize("fate", ["keyless", "failed"])
def test_packets_that_nobody_could_read_and_that_outweigh_the_rest_show_nothing(fate):
    for unread, reasons in ((100, []), (101, [(Role.CALLER, Reason.NOT_MEASURED)])):
        mixed = below(received=SrtpWay(packets=100 + unread, passed=100, **{fate: unread}))
        assert found(sdes_caller(srtp=mixed), **CALLER_MANDATORY) == reasons
        assert found(sdes_caller(srtp=mixed)) == []


def early(plain, *, offer=None, answer=None, active=True):
    """A call with a 183 that answers its offer, and what comes then; after the 200 all is well."""
    said = {"offer": offer or secure(OURS), "answer": answer or secure(RELAY)}
    ringing = message(10.03, response(183, phrase="Session Progress", **with_sdp(said["answer"])), False, epoch=-2)
    keyed = TapGuard(epoch=-2, active=active, keying=Keying.SDES, keyed_s=10.03)
    before = rows(-2, first_s=10.04, last_s=10.09, mark=0, passed=1, plain=plain)[:1]
    after = rows(0, first_s=10.12, last_s=14.0, passed=200)
    guards = (keyed, TapGuard(epoch=0, active=True, keying=Keying.SDES, keyed_s=10.1))
    return caller(**said, guards=guards, streams=(*before, *after), extra=(ringing,))


def test_early_media_is_encrypted_where_the_offer_allows_nothing_else():
    assert found(early(25), **CALLER_MANDATORY) == []
    call = verdict(early(26))
    (finding,) = [one for one in call.findings if one.check is Check.SRTP]
    assert (finding.reason, finding.observed) == (
        Reason.PLAIN_MEDIA, "26 of 27 packets in the clear, before the answer",
    )  # fmt: skip
    optional = {"offer": OSRTP, "answer": secure(RELAY, protocol="RTP/AVP")}
    assert found(early(99, **optional)) == [], "another fork may have answered that with plain RTP"
    assert found(early(99, active=False)) == [], "its keys were not in use"
    bare = secure(RELAY, crypto(more=" UNAUTHENTICATED_SRTP"))
    assert (Role.CALLER, Reason.PLAIN_MEDIA) not in found(early(99, answer=bare)), "what has no tag may be SRTP then"


def test_a_few_packets_of_which_none_is_authentic_show_nothing_yet():
    few = below(received=SrtpWay(packets=49, unauthentic=49))
    assert found(sdes_caller(srtp=few), **CALLER_MANDATORY) == [(Role.CALLER, Reason.NOT_MEASURED)]


def test_what_was_under_way_when_srtp_began_is_no_fault():
    early = {"answer": sdp(RELAY, "a=inactive"), "offer": sdp(OURS)}
    late = change(below()[0], section=1, received=SrtpWay(packets=200, passed=150, plain=25, unauthentic=25))
    assert found(caller(**early, srtp=(late,))) == []


def taken_to_srtp(*second, offer=None, answer=None, **before):
    """A call that a re-INVITE takes to SRTP at 12 s; its rows from there on."""
    by_sdes = TapGuard(epoch=2, active=True, keying=Keying.SDES, keyed_s=12.1)
    first = rows(0, first_s=10.1, last_s=11.9, **(before or {"plain": 95}))
    taken_up = again(12.0, secure("10.0.0.1:30002"), secure(OURS), epoch=2)
    said = {"offer": offer or sdp(OURS), "answer": answer or sdp(RELAY)}
    return caller(**said, guards=(by_sdes,), streams=(*first, *second), extra=taken_up)


@pytest.mark.parametrize(("plain", "reasons"), [(25, []), (26, [(Role.CALLER, Reason.AGENT_ERROR)])])
def test_what_this_end_sent_until_its_answer_was_out_is_no_error_of_it(plain, reasons):
    came, went = rows(2, first_s=12.1, last_s=14.0, passed=95)
    mixed = replace(went, fates={Fate.PASSED: 95 - plain, Fate.PLAIN: plain})
    assert found(taken_to_srtp(came, mixed)) == reasons


def test_nothing_is_in_the_clear_between_srtp_and_srtp():
    came, went = rows(2, first_s=12.1, last_s=14.0, passed=94, plain=1)
    encrypted = taken_to_srtp(came, went, offer=secure(OURS), answer=secure(RELAY), passed=95)
    assert found(encrypted) == [(Role.CALLER, Reason.PLAIN_MEDIA)]
    assert found(taken_to_srtp(came, went)) == []


@pytest.mark.parametrize(("former", "reasons"), [(25, []), (26, [(Role.CALLEE, Reason.SRTP_REJECTED_PACKETS)])])
def test_what_was_under_way_with_the_keys_of_before_is_no_fault(former, reasons):
    """The side that offered offers the same once more, but for its keys."""
    by_sdes = TapGuard(epoch=0, active=True, keying=Keying.SDES, keyed_s=10.1)
    seen = rows(0, first_s=10.1, last_s=14.0, passed=200 - former, unauthentic=former)
    offered = {"offer": secure(RELAY), "answer": secure(OURS), "guards": (by_sdes,), "streams": seen}
    rekeyed = again(12.0, secure(RELAY), secure(OURS), by_caller=True)
    assert found(callee=callee(**offered, extra=rekeyed)) == reasons
    assert found(callee=callee(**offered)) == [(Role.CALLEE, Reason.SRTP_REJECTED_PACKETS)]


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        ("|2^31|1:1", [Reason.NOT_MEASURED]),
        ("|1:4", [Reason.NOT_MEASURED]),
        (" KDR=24", [Reason.NOT_MEASURED]),
        (" WSH=128 FEC_ORDER=SRTP_FEC", [Reason.NOT_MEASURED]),
        ("|2^31", [Reason.SRTP_UNDECRYPTABLE]),
        (" WSH=128", [Reason.SRTP_UNDECRYPTABLE]),
    ],
)
def test_what_our_stack_does_not_heed_in_the_line_in_use_is_no_fault_of_the_peers(more, reasons):
    unread = below(received=SrtpWay(packets=200, unauthentic=200))
    said = found(sdes_caller(answer=secure(RELAY, crypto(more=more)), srtp=unread))
    assert said == [(Role.CALLER, reason) for reason in reasons]
    offers = secure(RELAY, crypto(1), crypto(2, more=more))
    for line, its in ((crypto(2), reasons), (crypto(1), [Reason.SRTP_UNDECRYPTABLE])):
        taken = sdes_callee(offer=offers, answer=secure(OURS, line), srtp=unread)
        assert found(callee=taken) == [(Role.CALLEE, reason) for reason in its], "the line that was taken"


def test_media_that_its_offer_leaves_in_the_clear_is_not_encrypted_by_our_stack_passing_over_it():
    offered = sdes_callee(offer=secure(RELAY, crypto(more=" UNENCRYPTED_SRTP")))
    assert found(callee=offered, **CALLEE_MANDATORY) == [(Role.CALLEE, Reason.NOT_MEASURED)]
    ours = sdes_caller(offer=secure(OURS, crypto(more=" KDR=24")))
    assert found(ours, **CALLER_MANDATORY) == [], "what this end says binds its own packets"


def test_packets_that_found_no_room_may_have_been_plain():
    assert found(sdes_caller(), **CALLER_MANDATORY) == []
    assert found(sdes_caller(uncounted=1)) == [(Role.CALLER, Reason.NOT_MEASURED)]
    assert found(caller(uncounted=1)) == []


def test_sections_beyond_those_that_are_told_may_have_been_plain():
    places = [f"10.0.0.1:{30000 + 2 * index}" for index in range(1, MAX_SECTIONS + 1)]
    each = [again(10.2 + index / 8, secure(place), secure(OURS), epoch=index, cseq=20 + index)
            for index, place in enumerate(places, 1)]  # fmt: skip
    by_sdes = TapGuard(epoch=0, active=True, keying=Keying.SDES, keyed_s=10.1)
    sound = rows(0, first_s=10.2, last_s=14.0, passed=200)
    many = sdes_caller(guards=(by_sdes,), extra=tuple(event for one in each for event in one), streams=sound)
    assert found(many) == []
    last = rows(MAX_SECTIONS, first_s=13.0, last_s=14.0, passed=2, plain=48)
    assert found(change_end(many, streams=(*sound, *last))) == [(Role.CALLER, Reason.NOT_MEASURED)]


# DTLS


def test_a_handshake_that_had_no_time_was_not_measured():
    assert found(unkeyed_caller(hellos_sent=4)) == [(Role.CALLER, Reason.NOT_MEASURED)]
    assert found(unkeyed_caller(answer="active", hellos_sent=0, sent=0)) == [(Role.CALLER, Reason.NOT_MEASURED)]


def test_one_that_the_stack_gave_up_was_not_measured():
    ended = unkeyed_caller(end=DtlsEnd.FAILED, said="no memory", received=2)
    (finding,) = [one for one in verdict(ended).findings if one.check is Check.SRTP]
    assert (finding.reason, finding.note) == (
        Reason.NOT_MEASURED, "this agent's stack gave it up: no memory",
    )  # fmt: skip


def test_a_peer_that_is_to_begin_and_does_not_is_waited_for():
    silent = {"hellos_sent": 0, "sent": 0}
    long = {"bye_s": 16.0, "ended_s": 16.1}
    assert found(change_end(unkeyed_caller(answer="active", **silent), **long)) == [(Role.CALLER, Reason.DTLS_TIMEOUT)]
    stuck = unkeyed_caller(answer="active", received=2, hellos_received=1)
    assert found(change_end(stuck, **long)) == [(Role.CALLER, Reason.DTLS_TIMEOUT)]
    assert found(stuck) == [(Role.CALLER, Reason.NOT_MEASURED)]


def change_end(end, **changes):
    return type(end)(**{name: getattr(end, name) for name in end.__dataclass_fields__} | changes)


def test_an_agent_that_dropped_datagrams_may_have_missed_the_answer():
    troubles = change_end(unkeyed_caller(), health=troubled(socket_drops=3))
    assert found(troubles) == [(Role.CALLER, Reason.AGENT_OVERLOADED)]


def test_a_handshake_holds_for_the_sections_behind_it():
    """RFC 5763 §6.6: held, and taken up again, by re-INVITEs; this end is passive in both."""
    shaken_hands = TapGuard(
        epoch=0,
        active=True,
        keying=Keying.DTLS,
        keyed_s=10.2,
        dtls_sent=2,
        dtls_received=3,
        hellos_received=1,
        done=True,
    )
    taken_up = again(12.0, dtls_sdp("10.0.0.1:30008", "actpass"), dtls_sdp(OURS, "passive"), epoch=2)
    its_rows = (*rows(0, first_s=10.2, last_s=11.9, passed=90), *rows(2, first_s=12.1, last_s=20.0, passed=390))
    long = {"bye_s": 20.1, "ended_s": 20.2}
    held = dtls_caller(guards=(shaken_hands,), streams=its_rows, extra=taken_up, **long)
    assert found(held, **CALLER_MANDATORY) == []
    anew = TapGuard(epoch=2, keying=Keying.DTLS, dtls_received=2, hellos_received=1)
    assert found(change_end(held, guards=(shaken_hands, anew))) == [(Role.CALLER, Reason.DTLS_TIMEOUT)]


def test_our_own_alert_is_told_as_ours():
    ours = unkeyed_caller(end=DtlsEnd.ALERT, alert="bad_certificate", alert_sent=True, received=2)
    (finding,) = [one for one in verdict(ours).findings if one.check is Check.SRTP]
    assert (finding.reason, finding.observed) == (Reason.DTLS_FAILED, "this agent's alert bad_certificate")


def test_a_certificate_may_be_that_of_any_of_the_fingerprints():
    """RFC 8122 §5."""
    first, second = dtls_sdp(RELAY, "passive"), f"a=fingerprint:sha-1 {':'.join(['CD'] * 20)}\r\n"
    ended = unkeyed_caller(end=DtlsEnd.FINGERPRINT, received=4)
    assert found(ended) == [(Role.CALLER, Reason.DTLS_FINGERPRINT_MISMATCH)]
    assert found(change_end(ended, answer=first + second)) == [(Role.CALLER, Reason.NOT_MEASURED)]
    assert found(change_end(ended, answer=first + "a=fingerprint:none\r\n")) == [(Role.CALLER, Reason.NOT_MEASURED)]
    twice = first + next(line for line in first.splitlines() if "fingerprint" in line) + "\r\n"
    assert found(change_end(ended, answer=twice)) == [(Role.CALLER, Reason.DTLS_FINGERPRINT_MISMATCH)]


def test_a_fingerprint_that_a_callee_was_offered_is_named():
    facts = change(shaken(end=DtlsEnd.FINGERPRINT)[0], sent=SrtpWay(), received=SrtpWay())
    offered = callee(
        offer=dtls_sdp(RELAY, "actpass"), answer=dtls_sdp(OURS, "active", print_of=":".join(["CD"] * 32)), srtp=(facts,)
    )
    (finding,) = [one for one in verdict(callee=offered).findings if one.check is Check.SRTP]
    assert "sha-256 AB:AB" in str(finding.observed)
