"""What a leg takes to be told is no more than is planned for, and what it takes on the disk no less."""

import pytest

from agent.contract.address import IpFamily
from agent.contract.codecs import Media
from agent.contract.connection import Certificate, Connection, Ending, Secured
from agent.contract.expect import DtmfMethod, ExpectLeg
from agent.contract.media import Gap, GapKind, Heard, Origin, Section, Source, Stretch
from agent.contract.messages import ExpectHeader, Looked, Message
from agent.contract.observation import (
    Action,
    Asked,
    Bye,
    Dialog,
    Digit,
    Health,
    Progress,
    Side,
    Target,
    Trouble,
)
from agent.contract.outcome import OnRedirect
from agent.contract.plan import Transport
from agent.contract.result import encode_line
from agent.contract.room import (
    CAPTURES_BYTES,
    CONNECTION_BYTES,
    CONNECTIONS,
    DIGIT_BYTES,
    EVIDENCE_BYTES,
    FAMILY_BYTES,
    LEG_BYTES,
    LOOKED_BYTES,
    RECORDINGS,
    REDIRECTED_BYTES,
    REFUSED_LEG_BYTES,
    SRTP_BYTES,
    legs_bytes,
    line_bytes,
    looked_bytes,
    scratch_bytes,
)
from agent.contract.srtp import (
    Dtls,
    DtlsEnd,
    DtlsRole,
    Keying,
    SdpKeys,
    SectionKeys,
    Srtp,
    SrtpSection,
    SrtpUse,
    SrtpWay,
    Suite,
)
from agent.report.evidence import SCRATCH_BYTES as EVIDENCE_SCRATCH_BYTES
from agent.tap import MAX_RECORDINGS
from tests.unit.builders import SECTION, call_group, caller_leg, change

STEPS = ("Place", "SendDigits", "HangUp", "Answer", "PlayBack")
TARGET = Target(
    peer="255.255.255.255:65535", uri="sip:bob-0123456789@255.255.255.255:65535;transport=udp;ob",
    routes=("<sip:255.255.255.255;lr;ftag=0123456789>",),
)  # fmt: skip
TROUBLE = Trouble(
    over_ms=3_600_000.1, throttled_ms=1000.1, lateness_ms=1000.1, loop_ms=1000.1, stack_ms=1000.1, socket_drops=0
)


def long_media():
    """Of a call that was negotiated again: two sources each way, some loss, digits beside the sound."""
    section = Section(
        begin_ms=3_600_000.1, local="255.255.255.255:65535", remote="255.255.255.255:65535", receives=True, sends=True,
        codec="telephone", clock_hz=48000, ptime_ms=20, telephone_event_payload_type=101, protocol="RTP/SAVPF",
        types={0: "PCMU/8000", 8: "PCMA/8000", 101: "telephone-event/8000"},
        theirs={0: "PCMU/8000", 101: "telephone-event/8000"},
    )  # fmt: skip
    source = Source(
        section=1, remote="255.255.255.255:65535", ssrc=2**32 - 1, origin=Origin.SIGNALLED, packets=180_000, lost=1_000,
        media_ms=3_600_000.1, lost_ms=20_000.1, pause_ms=0.0, event_ms=20_000.1, first_ms=1_800_000.1,
        last_ms=3_600_000.1, max_gap_ms=1000.1, jitter_ms=10.125, max_jitter_ms=100.1, jitter_samples=180_000,
        payload_types={0: 180_000, 101: 1_000},
    )  # fmt: skip
    stretch = Stretch(begin_ms=3_600_000.1, end_ms=3_600_000.1, code=16_777_215)
    heard = Heard(
        duration_ms=3_600_000.125, level_dbfs=-120.1, active_ms=3_600_000.1, codes={"16777215": 7500},
        stretches=(stretch,) * 12,
    )  # fmt: skip
    gap = Gap(at_ms=3_600_000.1, missing_ms=3_600_000.1, kind=GapKind.RESTART)
    return {
        "sections": (section,) * 2, "received": (source,) * 2, "sent": (source,) * 2, "gaps": (gap,) * 4,
        "heard": heard,
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 64])
def test_a_leg_of_an_hour_tells_no_more_than_is_planned_for(count):
    """With figures of an hour and no finding: the messages of those have a bound of their own."""
    digit = Digit(
        digit="1", method=DtmfMethod.RFC4733, at_ms=3_600_000.1, duration_ms=2000.125,
        last_ms=3_600_000.1, volume_dbm0=-36, marker=False, packets=102, end_packets=3,
    )  # fmt: skip
    leg = caller_leg(
        call_key="c122e99a-7bbd-47dc-90a0-220516994899/99/a-name-of-32-characters-of-a-call/1999",
        sip_call_id="c122e99a-7bbd-47dc-90a0-220516994899", dtmf_sent=(digit,) * count, dtmf_received=(digit,) * count,
        **long_media(), health=Health(rtp_lateness_ms=1000.1, sent_ratio=0.999, setup=TROUBLE, media=TROUBLE),
        progress=Progress(**dict.fromkeys(
            ("first_response_ms", "ringing_ms", "answered_ms", "bye_ms", "ended_ms"), 3_600_000.1)),
        actions=tuple(Action(name=name, at_ms=3_600_000.1) for name in STEPS), local_reason="Normal call clearing",
        ended_by=Side.REMOTE, acknowledged=True, bye_answered=True, bye_code=200, rtt_ms=1000.125,
        dialog=Dialog(
            local_tag="c" * 36, remote_tag="c" * 36, answers=1, ack_ms=1000.1, acks=1, target=TARGET,
            bye=Bye(by=Side.LOCAL, at_ms=3_600_000.1, code=200, crossed=False, phrase="OK"),
        ),
        asked=Asked(
            peer="255.255.255.255:65535", times=1, provisional=(100, 180, 183), credentials=1,
            challenges=('407 for realm "sip.example.com"',),
        ),
    )  # fmt: skip
    told = encode_line(leg)
    assert 0.9 < len(told) / (LEG_BYTES + DIGIT_BYTES * count) <= 1
    by_ipv6 = told.replace(b"255.255.255.255", b"[2001:0db8:1111:2222:3333:4444:5555:6666]")
    assert 0.9 < (len(by_ipv6) - len(told)) / FAMILY_BYTES[IpFamily.IPV6] <= 1
    refused = change(leg, sections=(), received=(), sent=(), gaps=(), heard=None, dtmf_sent=(), dtmf_received=())
    assert 0.9 < len(encode_line(refused)) / REFUSED_LEG_BYTES <= 1


def test_what_is_planned_for_is_what_an_agent_writes():
    assert RECORDINGS == MAX_RECORDINGS
    assert CAPTURES_BYTES == EVIDENCE_SCRATCH_BYTES


def test_a_line_takes_more_with_digits_and_with_evidence_and_less_where_nothing_is_answered():
    plain = call_group(caller__dtmf=None)
    assert line_bytes(plain, keeps_evidence=False, transport=Transport.UDP) == LEG_BYTES
    assert line_bytes(call_group(), keeps_evidence=False, transport=Transport.UDP) == LEG_BYTES + 5 * DIGIT_BYTES
    assert line_bytes(plain, keeps_evidence=True, transport=Transport.UDP) == LEG_BYTES + EVIDENCE_BYTES
    refused = change(plain, expect__sip_code=404)
    assert line_bytes(refused, keeps_evidence=True, transport=Transport.UDP) == REFUSED_LEG_BYTES + EVIDENCE_BYTES
    redirected = change(plain, caller__redirects=OnRedirect.FOLLOW)
    assert line_bytes(redirected, keeps_evidence=False, transport=Transport.UDP) == LEG_BYTES + REDIRECTED_BYTES


def test_the_disk_holds_all_recordings_of_the_calls_that_are_up_and_captures_up_to_their_bound():
    calls = [call_group(count=9, concurrency=2, hold_seconds=8), call_group(count=3, concurrency=3, hold_seconds=5)]
    assert scratch_bytes(calls, keeps_evidence=False) == 16 * 4 * 16_000
    assert scratch_bytes(calls, keeps_evidence=True) == 16 * (4 * 16_000 + 22_000)
    long = [call_group(count=50, concurrency=50, hold_seconds=3600)]
    recorded = scratch_bytes(long, keeps_evidence=False)
    assert scratch_bytes(long, keeps_evidence=True) == recorded + CAPTURES_BYTES


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])
def test_a_line_takes_more_where_connections_are_told_in_it(transport):
    certificate = Certificate(
        subject="CN=kamailio-7d9f-x2.voice.svc.cluster.local", issuer="CN=An Issuing Authority X1,O=An Organisation",
        names=tuple(f"replica-{number}.sip.example.com" for number in range(4)), not_before="2026-01-01T00:00:00Z",
        not_after="2026-01-01T00:00:00Z",
    )  # fmt: skip
    secured = Secured(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", certificate=certificate, asked=True)
    connection = Connection(
        protocol=transport, peer="255.255.255.255:65535", outgoing=True, opened_ms=-3_600_000.1, up_ms=-3_600_000.1,
        closed_ms=3_600_000.1, end=Ending.PEER_CLOSED, secured=secured if transport is Transport.TLS else None,
    )  # fmt: skip
    leg = caller_leg()
    more = len(encode_line(change(leg, connections=(connection,) * CONNECTIONS))) - len(encode_line(leg))
    assert 0.85 < more / (CONNECTIONS * CONNECTION_BYTES[transport]) <= 1
    plain = call_group(caller__dtmf=None)
    asked = line_bytes(plain, keeps_evidence=False, transport=transport)
    assert asked == LEG_BYTES + CONNECTIONS * CONNECTION_BYTES[transport]


def test_a_line_takes_more_where_srtp_is_told_in_it():
    suites = tuple(Suite)
    keys = SectionKeys(
        offered=SdpKeys(profile="UDP/TLS/RTP/SAVP", fingerprint="sha-256 " + ":".join(["AB"] * 32), setup="actpass"),
        answered=SdpKeys(profile="UDP/TLS/RTP/SAVP", fingerprint="sha-256 " + ":".join(["AB"] * 32), setup="passive"),
        offered_here=True,
    )
    way = SrtpWay(packets=180_000, passed=180_000, plain=0, unauthentic=0, replayed=1000, keyless=10)
    dtls = Dtls(
        role=DtlsRole.PASSIVE, sent=10, received=10, hellos_sent=2, hellos_received=2, end=DtlsEnd.DONE, took_ms=1000.1
    )
    facts = SrtpSection(
        section=1, active=True, keying=Keying.DTLS, sent_suite=suites[0], received_suite=suites[0], sent=way,
        received=way, dtls=dtls,
    )  # fmt: skip
    leg = caller_leg(sections=(SECTION,) * 2)
    more = change(leg, srtp=(facts,) * 2, sections__keys=keys)
    assert 0.85 < (len(encode_line(more)) - len(encode_line(leg))) / SRTP_BYTES <= 1
    for role in ("caller", "callee"):
        asked = call_group(caller__dtmf=None, **{f"{role}__media": Media(srtp=Srtp(use=SrtpUse.OPTIONAL))})
        assert line_bytes(asked, keeps_evidence=False, transport=Transport.UDP) == LEG_BYTES + SRTP_BYTES


def test_a_line_takes_more_where_messages_are_looked_at():
    asked = tuple(ExpectHeader(message=Message.INVITE, name=f"X-{number}", present=True) for number in range(20))
    groups = [
        call_group(name=name, count=3, caller__dtmf=None, expect__callee=ExpectLeg(headers=headers))
        for name, headers in (("one", asked[:10]), ("two", asked[5:]))
    ]
    assert looked_bytes(groups) == 20 * LOOKED_BYTES, "a leg that knows no call is looked at for all"
    leg = caller_leg()
    told = change(leg, looked=tuple(Looked(asked=number) for number in range(100, 120)))
    assert 0.8 < (len(encode_line(told)) - len(encode_line(leg))) / (20 * LOOKED_BYTES) <= 1
    assert legs_bytes(groups, keeps_evidence=False, transport=Transport.UDP) == 6 * (LEG_BYTES + 20 * LOOKED_BYTES)
