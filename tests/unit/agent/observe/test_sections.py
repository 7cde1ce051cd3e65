"""Offers and answers of the leg's own dialog become sections, whoever makes them and in whatever message."""

import pytest

from agent.contract.srtp import Keying, SdpKeys, SectionKeys
from agent.observe.sections import agree
from agent.observe.signalling import read_leg
from tests.unit.sip_messages import message, request, response, sdp, with_sdp

OURS, THEIRS = "10.0.0.1:4000", "10.0.0.2:6000"
INVITE, OK, ACK = "INVITE", 200, "ACK"


class Talk:
    """Messages of a leg, one a second from 10.0 on; SDP-bearing ones are counted, as the tap does."""

    def __init__(self, *, outgoing=True):
        self.outgoing = outgoing
        self.messages = []
        self.epoch = 0

    def say(self, text, *, sent):
        self.epoch += "application/sdp" in text
        self.messages.append(message(10.0 + len(self.messages), text, sent=sent, epoch=self.epoch))
        return self

    def ask(self, method=INVITE, body=None, *, by_us=None, in_dialog=True, **fields):
        """A request. Ours has From tag f, theirs t, whoever called."""
        by_us = self.outgoing if by_us is None else by_us
        tags = {"from_tag": "f" if by_us else "t", "to_tag": ("t" if by_us else "f") if in_dialog else ""}
        return self.say(request(method, **(tags | fields), **(with_sdp(body) if body else {})), sent=by_us)

    def tell(self, code, body=None, *, to_us=None, method=INVITE, **fields):
        """A response to a request of that side's."""
        to_us = self.outgoing if to_us is None else to_us
        tags = {"from_tag": "f" if to_us else "t", "to_tag": "t" if to_us else "f"}
        text = response(code, method=method, **(tags | fields), **(with_sdp(body) if body else {}))
        return self.say(text, sent=not to_us)

    def call(self, offer=None, answer=None):
        """Answered at 11.0."""
        sides = (OURS, THEIRS) if self.outgoing else (THEIRS, OURS)
        self.ask(INVITE, offer or sdp(sides[0]), in_dialog=False)
        return self.tell(200, answer or sdp(sides[1])).ask(ACK)

    def agreement(self):
        leg = read_leg(self.messages, outgoing=self.outgoing)
        return agree(self.messages, leg.leg, answered_s=leg.answered_s)

    def sections(self):
        return [agreed.section for agreed in self.agreement().sections]


def ends(sections):
    return [(one.begin_ms, one.local, one.remote) for one in sections]


def test_an_invite_and_its_answer_are_a_section():
    agreement = Talk().call(answer=sdp(THEIRS, "a=ptime:30", types="8 0 96", rtpmap="a=rtpmap:96 telephone-event/8000"))
    (agreed,) = agreement.agreement().sections
    section = agreed.section
    assert (agreed.epoch, agreed.begin_s, section.begin_ms) == (2, 11.0, 0.0)
    assert (section.local, section.remote, section.protocol) == (OURS, THEIRS, "RTP/AVP")
    assert (section.receives, section.sends, section.ptime_ms) == (True, True, 30)
    assert (section.codec, section.clock_hz, section.telephone_event_payload_type) == ("PCMA", 8000, 96)
    assert section.types == {0: "PCMU/8000", 101: "telephone-event/8000"}, "what we said that we may receive"


def test_a_callee_answers():
    (section,) = Talk(outgoing=False).call().sections()
    assert (section.begin_ms, section.local, section.remote) == (0.0, OURS, THEIRS)


@pytest.mark.parametrize(
    ("ours", "theirs", "receives", "sends"),
    [
        ("a=sendonly", "a=recvonly", False, True),
        ("", "a=sendonly", True, False),
        ("", "a=inactive", False, False),
        ("a=recvonly", "", True, False),
    ],
)
def test_the_direction_is_what_both_sides_allow(ours, theirs, receives, sends):
    (section,) = Talk().call(sdp(OURS, ours), sdp(THEIRS, theirs)).sections()
    assert (section.receives, section.sends) == (receives, sends)


def test_hold_by_an_address_of_nowhere_is_for_the_peer_to_receive():
    (section,) = Talk().call(answer=sdp("0.0.0.0:6000")).sections()
    assert (section.remote, section.receives, section.sends) == (None, True, False)


@pytest.mark.parametrize(
    ("place", "remote"), [("host.example.com:6", None), ("2001:db8::1:6", "[2001:db8::1]:6"), ("10.0.0.2:0", None)]
)
def test_the_place_of_the_peer(place, remote):
    (section,) = Talk().call(answer=sdp(place)).sections()
    assert section.remote == remote


def test_no_telephone_event_unless_both_have_it():
    (section,) = Talk().call(answer=sdp(THEIRS, types="0", rtpmap="")).sections()
    assert section.telephone_event_payload_type is None
    (section,) = Talk().call(sdp(OURS, types="0", rtpmap="")).sections()
    assert section.telephone_event_payload_type is None


def test_an_answer_without_audio_is_a_section_of_nothing():
    talk = Talk().call(answer="v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n")
    (section,) = talk.sections()
    assert (section.remote, section.receives, section.sends, section.codec) == (None, False, False, None)
    assert talk.agreement().faults == ("0 m= lines answer 1 of the offer (RFC 3264 §6)",)
    assert talk.agreement().no_media == "no m=audio of RTP in the answer"
    (section,) = Talk().call("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n").sections()
    assert (section.local, section.types) == (None, {})


def test_the_audio_of_one_place_belongs_together():
    offer = sdp("10.0.0.1:4000") + "m=audio 4002 RTP/AVP 0\r\n"
    answer = sdp("10.0.0.2:0") + "m=audio 6002 RTP/AVP 0\r\n"
    (section,) = Talk().call(offer, answer).sections()
    assert (section.local, section.remote) == ("10.0.0.1:4002", "10.0.0.2:6002")


def test_an_offer_in_the_answer_and_an_answer_in_the_ack():
    talk = Talk().ask(in_dialog=False).tell(200, sdp(THEIRS)).ask(ACK, sdp(OURS))
    assert ends(talk.sections()) == [(1000.0, OURS, THEIRS)]
    broken = Talk().ask(in_dialog=False).tell(200, sdp(THEIRS).replace("c=", "x=")).ask(ACK, sdp(OURS))
    assert broken.agreement().faults == ("line 6: m=audio without a c= line",)


def test_an_offer_in_a_reliable_response_is_answered_in_its_prack():
    talk = Talk().ask(in_dialog=False).tell(183, sdp(THEIRS)).ask("PRACK", sdp(OURS), cseq=2)
    talk.tell(200, method="PRACK", cseq=2).tell(200).ask(ACK)
    assert ends(talk.sections()) == [(-2000.0, OURS, THEIRS), (0.0, OURS, THEIRS)]
    assert talk.agreement().faults == ()


def test_an_early_answer_is_a_section_of_its_own_and_goes_on_with_the_2xx():
    early = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(183, sdp(THEIRS)).tell(200)
    assert ends(early.sections()) == [(-1000.0, OURS, THEIRS), (0.0, OURS, THEIRS)]
    assert early.agreement().no_media is None
    again = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(183, sdp(THEIRS)).tell(200, sdp("10.0.0.3:8"))
    assert ends(again.sections()) == [(-1000.0, OURS, THEIRS), (0.0, OURS, "10.0.0.3:8")]


def test_an_update_before_the_answer_overtakes_what_the_invite_offered():
    talk = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(183, sdp(THEIRS))
    talk.ask("UPDATE", sdp("10.0.0.1:4002"), cseq=2).tell(200, sdp("10.0.0.3:8"), method="UPDATE", cseq=2)
    talk.tell(200, sdp(THEIRS))
    assert ends(talk.sections()) == [
        (-3000.0, OURS, THEIRS),
        (-1000.0, "10.0.0.1:4002", "10.0.0.3:8"),
        (0.0, "10.0.0.1:4002", "10.0.0.3:8"),
    ]


def test_a_call_that_was_not_answered_has_early_sections_without_a_time():
    talk = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(183, sdp(THEIRS)).tell(486)
    assert ends(talk.sections()) == [(None, OURS, THEIRS)]


def test_a_reinvite_by_either_side_begins_a_section():
    talk = Talk().call().ask(INVITE, sdp("10.0.0.1:4002"), cseq=2).tell(200, sdp(THEIRS), cseq=2)
    talk.ask(INVITE, sdp(THEIRS, "a=sendonly"), by_us=False, cseq=7)
    talk.tell(200, sdp("10.0.0.1:4002", "a=recvonly"), to_us=False, cseq=7)
    assert [(one.begin_ms, one.local, one.sends) for one in talk.sections()] == [
        (0.0, OURS, True), (3000.0, "10.0.0.1:4002", True), (5000.0, "10.0.0.1:4002", False),
    ]  # fmt: skip


def test_a_reinvite_that_is_refused_or_still_rings_changes_nothing():
    talk = Talk().call().ask(INVITE, sdp("10.0.0.1:4002"), cseq=2).tell(183, sdp("10.0.0.3:8"), cseq=2)
    assert len(talk.sections()) == 1
    assert len(talk.tell(488, cseq=2).ask(ACK, cseq=2).sections()) == 1


def test_a_refresh_that_changes_nothing_begins_no_section():
    talk = Talk().call().ask("UPDATE", sdp(OURS), cseq=2).tell(200, sdp(THEIRS), method="UPDATE", cseq=2)
    assert len(talk.sections()) == 1


def test_retransmissions_are_said_once():
    talk = Talk().call().tell(200, sdp(THEIRS)).ask(ACK)
    assert [(agreed.epoch, agreed.begin_s) for agreed in talk.agreement().sections] == [(2, 11.0)]


def test_another_branch_of_a_fork_changes_nothing():
    talk = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(183, sdp("10.0.0.9:1"), to_tag="loser")
    talk.tell(200, sdp(THEIRS)).ask(ACK).tell(200, sdp("10.0.0.9:1"), to_tag="loser")
    talk.say(request("UPDATE", cseq=9, from_tag="loser", to_tag="f", **with_sdp(sdp("10.0.0.9:1"))), sent=False)
    talk.tell(200, sdp(OURS), method="UPDATE", to_us=False, cseq=9, from_tag="loser")
    assert ends(talk.sections()) == [(0.0, OURS, THEIRS)]


def test_what_was_offered_in_a_try_that_was_challenged_is_not_answered_by_the_next():
    talk = Talk().ask(INVITE, sdp(OURS), in_dialog=False, branch="one").tell(407, branch="one")
    talk.ask(INVITE, sdp("10.0.0.1:4002"), in_dialog=False, cseq=2, branch="two")
    talk.tell(200, sdp(THEIRS), cseq=2, branch="two")
    assert ends(talk.sections()) == [(0.0, "10.0.0.1:4002", THEIRS)]


def test_messages_that_cannot_be_read_and_other_requests_are_none_of_it():
    talk = Talk().call()
    talk.say("nonsense", sent=False)
    talk.ask("INFO", sdp("6.6.6.6:6"), cseq=3).tell(200, sdp("6.6.6.6:6"), method="INFO", cseq=3)
    talk.tell(200, sdp("6.6.6.6:6"), method="UPDATE", cseq=44)
    assert ends(talk.sections()) == [(0.0, OURS, THEIRS)]


def test_what_is_wrong_with_the_peers_answers_is_told_and_never_of_ours():
    assert Talk().call().tell(200, "v=0", cseq=1).agreement().faults[0] == "no o=, s=, t= line"
    theirs = Talk().call().ask(INVITE, sdp(OURS), cseq=2).tell(200, sdp(THEIRS, types="8", rtpmap=""), cseq=2)
    assert theirs.agreement().faults == (
        "line 6: m=audio: no codec of the offer among its own (PCMA/8000) (RFC 3264 §6.1)",
    )
    ours = Talk(outgoing=False).call(answer=sdp(OURS, types="8", rtpmap="")).agreement()
    assert (ours.faults, ours.no_media) == ((), None)
    early = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(183, "v=0").tell(200, sdp(THEIRS))
    assert early.agreement().faults == (), "only what a final response said"


def test_an_answer_that_lets_nothing_run_is_told():
    silent = Talk().ask(INVITE, sdp(OURS), in_dialog=False).tell(200)
    assert silent.agreement().no_media == "no SDP in the answer"
    assert silent.sections() == []
    assert Talk().call(answer=sdp(THEIRS, "a=inactive")).agreement().no_media == "line 6: a=inactive"


# --- SRTP ------------------------------------------------------------------------------------------------------

SUITE = "AES_CM_128_HMAC_SHA1_80"
CRYPTO = f"a=crypto:1 {SUITE} inline:{'k' * 40}"
HASH = "sha-256 " + ":".join(["AB"] * 32)


def keyed(place, *lines, protocol="RTP/SAVP"):
    return sdp(place, *lines, protocol=protocol)


def by_dtls(place, setup):
    return keyed(place, f"a=fingerprint:{HASH}", f"a=setup:{setup}", protocol="UDP/TLS/RTP/SAVP")


def test_what_both_sides_say_of_keys_is_the_sections():
    (section,) = Talk().call(keyed(OURS, CRYPTO), keyed(THEIRS, CRYPTO)).sections()
    side = SdpKeys(profile="RTP/SAVP", suites=(SUITE,))
    assert section.keys == SectionKeys(offered=side, answered=side, offered_here=True)
    assert (section.keys.keying, section.keys.suite, section.keys.role) == (Keying.SDES, SUITE, None)


@pytest.mark.parametrize(
    ("outgoing", "setup", "role"),
    [
        (True, "active", "Passive"),
        (True, "passive", "Active"),
        (False, "active", "Active"),
        (False, "passive", "Passive"),
    ],
)
def test_who_begins_the_handshake_is_known(outgoing, setup, role):
    ours, theirs = (OURS, THEIRS) if outgoing else (THEIRS, OURS)
    (section,) = Talk(outgoing=outgoing).call(by_dtls(ours, "actpass"), by_dtls(theirs, setup)).sections()
    assert (section.keys.keying, section.keys.suite, section.keys.role) == (Keying.DTLS, None, role)
    assert (section.keys.answered.fingerprint, section.keys.answered.setup) == (HASH, setup)


def test_what_is_wrong_with_the_peers_answer_is_told_and_with_ours_is_not():
    two = f"a=crypto:2 {SUITE} inline:{'k' * 40}"
    (section,) = Talk().call(keyed(OURS, CRYPTO), keyed(THEIRS, two)).sections()
    assert section.keys.faults[0].startswith("line 6: m=audio: a=crypto:2, a tag")
    (section,) = Talk(outgoing=False).call(keyed(THEIRS, CRYPTO), keyed(OURS, two)).sections()
    assert section.keys.faults == ()
    (section,) = Talk().call(by_dtls(OURS, "actpass"), by_dtls(THEIRS, "actpass")).sections()
    assert section.keys.roles == "a=setup:actpass in an answer"


def test_an_early_answer_is_held_against_nobody_until_it_is_the_last():
    talk = Talk().ask(INVITE, keyed(OURS, CRYPTO), in_dialog=False).tell(183, keyed(THEIRS, "a=crypto:9"))
    early, final = talk.tell(200, None).ask(ACK).sections()
    assert (early.keys.faults, len(final.keys.faults)) == ((), 1)


def test_keys_that_may_have_changed_are_counted_and_begin_no_section():
    talk = Talk().call(keyed(OURS, CRYPTO), keyed(THEIRS, CRYPTO))
    for cseq in (2, 3):
        talk.ask(INVITE, keyed(OURS, CRYPTO), cseq=cseq).tell(200, keyed(THEIRS, CRYPTO), cseq=cseq)
    assert [one.rekeyed for one in talk.sections()] == [2]
    plain = Talk().call().ask(INVITE, sdp(OURS), cseq=2).tell(200, sdp(THEIRS), cseq=2)
    plain.ask(INVITE, keyed(OURS, CRYPTO, protocol="RTP/AVP"), cseq=3).tell(200, sdp(THEIRS), cseq=3)
    plain.ask(INVITE, keyed(OURS, CRYPTO, protocol="RTP/AVP"), cseq=4).tell(200, sdp(THEIRS), cseq=4)
    assert [one.rekeyed for one in plain.sections()] == [0, 0]


def test_keys_of_a_medium_that_was_refused_are_none():
    (section,) = Talk().call(keyed(OURS, CRYPTO), sdp("10.0.0.2:0")).sections()
    assert section.keys is None


def test_keys_that_are_offered_and_passed_over_are_told():
    (section,) = Talk().call(keyed(OURS, CRYPTO, protocol="RTP/AVP"), sdp(THEIRS)).sections()
    assert (section.keys.offered.suites, section.keys.answered, section.keys.keying) == (
        (SUITE,), SdpKeys(profile="RTP/AVP"), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("offer", "offered"),
    [
        (keyed(OURS, CRYPTO), SdpKeys(profile="RTP/SAVP", suites=(SUITE,))),
        (sdp(OURS), SdpKeys(profile="RTP/AVP")),
        (sdp(OURS).partition("m=")[0], None),
    ],
)
def test_an_offer_that_nothing_answered_is_told(offer, offered):
    assert Talk().ask(INVITE, offer, in_dialog=False).tell(488).agreement().offered == offered


def test_one_that_was_answered_is_told_by_its_section():
    assert Talk().call().agreement().offered is None
    assert Talk().ask(INVITE, None, in_dialog=False).tell(488).agreement().offered is None
