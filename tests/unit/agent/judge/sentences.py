"""Every sentence that the judge says, by what crossed the wire: read sentences.golden.txt as whoever is woken by one.

`dev/uv run python -m tests.unit.agent.judge.sentences --write` writes it anew, after a change that was meant.
"""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.contract.call import Behaviour, Play, Tone
from agent.contract.expect import Audio, ExpectDtmf, ExpectLeg
from agent.contract.verdict import Role
from agent.judge.reasons import result_of
from agent.phone.protocol import PortClosed, Unparsed
from agent.sound.identity import Samples, encode
from controller.run.wording import sentence
from tests.unit.agent.judge import behaving
from tests.unit.agent.judge.codec_wire import codec_sdp
from tests.unit.agent.judge.test_reasons import BY_INFO, NO_DIGITS, NO_EVENTS, WIRE, both_streams, info, registering
from tests.unit.agent.judge.wire import (
    CODE,
    DIGITS,
    EXPECT,
    OURS,
    RELAY,
    SIGNAL,
    Case,
    callee,
    caller,
    noise,
    rtp,
    silence,
    tone,
    troubled,
    verdict,
)
from tests.unit.builders import call_group, change
from tests.unit.sip_messages import sdp
from tests.unit.taps import tap_digit

GOLDEN: Final = Path(__file__).parent / "sentences.golden.txt"
ROUTE: Final = "Route: <sip:10.0.0.1;lr>\r\n"
LOST: Final = {"packets": 100, "expected": 200, "lost": 100, "media_ms": 2000.0, "lost_ms": 2000.0}
CLOSED: Final = PortClosed(at_s=16.5, sip_call_id="c1", times=6, over_s=5.0)
EXPECTS_INFO: Final = change(EXPECT, dtmf=ExpectDtmf(digits="12", method="INFO"))
NOTHING: Final[dict[str, Any]] = NO_DIGITS | {
    "group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg()
}  # fmt: skip


TONE: Final[dict[str, Any]] = NOTHING | {"group__expect__callee": ExpectLeg(tone_hertz=1000)}
AT_CALLER: Final[dict[str, Any]] = NOTHING | {
    "group__expect__caller": ExpectLeg(tone_hertz=1000), "group__caller__play": Play(tone=Tone(frequency_hertz=1000)),
}  # fmt: skip


def refused(code: int, *, reached: bool = False, **changes: Any) -> Case:
    """The caller's INVITE, refused by the SUT or, `reached`, by our callee."""
    other = callee(code=code, bye_sent=None) if reached else None
    return lambda: verdict(caller(code=code, **changes), other)


def challenge(realm: str) -> dict[str, str]:
    return {"Proxy-Authenticate": f'Digest realm="{realm}", nonce="n"'}


CASES: Final[dict[str, Case]] = {
    **{f"{reason}": case for reason, case in WIRE.items()},
    # registered
    "REGISTER challenged, credentials refused": lambda: verdict(
        caller(code=486), None, registrations=[registering(401, realm="pbx", credentials=True)]
    ),
    "REGISTER challenged for a realm that is not ours": lambda: verdict(
        caller(code=486), None, registrations=[registering(401, realm="pbx")]
    ),
    "REGISTER refused, and asked to come later": lambda: verdict(
        caller(code=486), None, registrations=[registering(503, headers={"Retry-After": "120"})]
    ),
    "REGISTER whose answer could not be read": lambda: verdict(
        caller(code=486), None, registrations=[registering(None, unread=unread("SIP/2.0 200 OK", 1.1))]
    ),
    "no REGISTER was reported": lambda: verdict(caller(code=404), None, registrations=[]),
    "REGISTER to a closed port": lambda: verdict(
        caller(code=486), None, registrations=[registering(None, closed=CLOSED)]
    ),
    # answered
    "the port is closed": lambda: verdict(
        caller(code=None, ringing=False, tries=4, ended_s=16.5, extra=(CLOSED,)), None
    ),
    "nothing at all": lambda: verdict(caller(code=None, ringing=False, tries=7, ended_s=42.0), None),
    "100 only": lambda: verdict(caller(code=None, ringing=False, trying=True, ended_s=40.1), None),
    "100 and 180, the callee never had it": lambda: verdict(caller(code=None, trying=True, ended_s=40.1), None),
    "180, the callee had it and gave it up": lambda: verdict(
        caller(code=None, trying=True, ended_s=40.1),
        callee(code=None, bye_sent=None, ended_s=12.0, own_reason="End of file (PJ_EEOF)"),
    ),
    "the agent gave up early": lambda: verdict(caller(code=None, ended_s=15.0, own_reason="transport error"), None),
    "a refusal that says why": refused(503, refusal={"Retry-After": "120", "Warning": '399 pbx "no route to +49"'}),
    "a refusal of an extension": refused(420, refusal={"Unsupported": "100rel"}),
    "a refusal with a Q.850 cause, after ringing": refused(
        480, trying=True, refusal={"Reason": 'Q.850;cause=19;text="No answer"'}
    ),
    "challenged, no credentials sent": refused(407, ringing=False, refusal=challenge("example.com")),
    "challenged, and the credentials refused": refused(
        407, ringing=False, asks="Proxy-Authorization: Digest x\r\n", refusal=challenge("example.com")
    ),
    "forbidden without a challenge": refused(403, ringing=False),
    "redirected": refused(302, ringing=False, refusal={"Contact": "<sip:bob@10.0.0.7>"}),
    "our callee's stack refused what it got": lambda: verdict(
        caller(code=488, ringing=False),
        callee(
            code=488,
            ringing=False,
            bye_sent=None,
            offer=NO_EVENTS.replace(" 0\r", " 8\r"),
            refusal={"Warning": '304 10.0.0.8 "Media type not available"'},
        ),
    ),
    "our callee's stack refused for no reason of the path": lambda: verdict(
        caller(code=488, ringing=False), callee(code=488, ringing=False, bye_sent=None)
    ),
    "answered by somebody else": lambda: verdict(callee=callee(code=487, bye_sent=None)),
    "an INVITE that could not be read": lambda: verdict(
        caller(code=None, ringing=False, ended_s=42.0, extra=(unread("SIP/2.0 abc\r\n"),)), None
    ),
    "answered, and too late": lambda: verdict(group__answer_timeout_seconds=0.05),
    "a refusal that is expected, and our callee's own": lambda: verdict(
        caller(code=500), callee(code=500, bye_sent=None), group__expect__sip_code=500
    ),
    # answer
    "an answer with port 0": lambda: verdict(caller(answer=sdp("10.0.0.1:0"))),
    "an answer without SDP": lambda: verdict(caller(answer=None)),
    # completed
    "a BYE that says why": lambda: verdict(
        caller(bye_s=12.0, bye_sent=False, farewell="Reason: Q.850;cause=102\r\n"), callee(bye_s=12.0)
    ),
    "a BYE to a Contact, by Record-Route, without response": lambda: verdict(
        caller(bye_code=None, route=ROUTE, ended_s=46.1), callee(bye_s=16.1, bye_sent=True)
    ),
    "a BYE whose answer could not be read": lambda: verdict(
        caller(bye_code=None, ended_s=46.1, extra=(unread("SIP/2.0 200 OK", 14.3),))
    ),
    "a BYE without an answer, and something unreadable before it": lambda: verdict(
        caller(bye_code=None, ended_s=46.1, extra=(unread("HTTP/1.1 400 Bad Request", 13.0),))
    ),
    "a BYE that was refused, with a reason": lambda: verdict(
        caller(bye_code=403, goodbye={"Warning": '399 pbx "not in dialog"'})
    ),
    "an ACK by Record-Route that did not arrive": lambda: verdict(
        caller(route=ROUTE), callee(acknowledged=False, answers=4)
    ),
    "no ACK, and the caller sent none": lambda: verdict(
        caller(acknowledged=False), callee(acknowledged=False, answers=4)
    ),
    "who ended it is not known": lambda: verdict(caller(bye_sent=None), callee(bye_sent=None)),
    # rtp
    "nothing came at either end of a test that asks for digits": lambda: verdict(
        caller(streams=(rtp(sent=True),)),
        callee(streams=(rtp(sent=True),)),
        group__expect__caller=ExpectLeg(),
        group__expect__callee=change(ExpectLeg(), dtmf=ExpectDtmf(digits="12")),
    ),
    "nothing came, nothing was asked": lambda: verdict(
        callee=callee(streams=(rtp(sent=True),), sound=silence()), **NOTHING
    ),
    "nothing came, and nothing was sent": lambda: verdict(
        caller(streams=(rtp(),)), callee(streams=(rtp(sent=True),), sound=silence()), **NO_DIGITS
    ),
    "only a stranger sent": lambda: verdict(
        callee=callee(streams=(rtp(remote="10.0.0.7:4000"), rtp(sent=True)), sound=silence()), **NO_DIGITS
    ),
    "a payload type that the peer's SDP has": lambda: verdict(
        callee=callee(
            offer=sdp(RELAY, types="0 8 101"), streams=both_streams(unnegotiated=100, payload_types={0: 84, 96: 100})
        )
    ),
    "loss that no number shows": lambda: verdict(
        callee=callee(streams=both_streams(packets=100, expected=100, media_ms=2000.0))
    ),
    "numbers are missing, and both ends' time is not": lambda: verdict(
        callee=callee(streams=both_streams(packets=180, lost=20))
    ),
    "loss, and digits in it": lambda: verdict(callee=callee(streams=both_streams(**LOST, digits=DIGITS[:1]))),
    # what our callee does
    "the SUT refuses a call that our callee was to refuse": lambda: verdict(
        behaving.refused(486), None, **behaving.BUSY
    ),
    "the SUT answers a call that our callee refused": lambda: verdict(
        caller(bye_s=10.13), behaving.refusing(486), **behaving.BUSY
    ),
    "the SUT makes another code of our callee's": lambda: behaving.refused_by_callee(486, got=503),
    "our callee did otherwise than it was to": lambda: behaving.refused_by_callee(480),
    "the callee was left ringing": lambda: behaving.given_up(behaving.ring_on()),
    "a 487 before the caller gave up": lambda: behaving.given_up(behaving.rang(), behaving.refused(487)),
    "a callee that could not tell which call it was": lambda: verdict(
        behaving.refused(486),
        behaving.refusing(486, key=None),
        others=(call_group(name="other"),),
        **behaving.BUSY,
    ),
    # audio
    "the callee heard another call as well": lambda: verdict(
        callee=callee(sound=np.concatenate([SIGNAL[:16000], encode(CODE ^ 0x5A5A5A, frames=4)]))
    ),
    "silence was asked, and nothing came": lambda: verdict(
        callee=callee(streams=(rtp(sent=True),), sound=silence()),
        **NO_DIGITS | {"group__expect__callee": ExpectLeg(audio=Audio.SILENCE)},
    ),
    "a tone, and it was another one with other sound around it": lambda: verdict(
        caller(sound=silence()),
        callee(sound=np.concatenate([tone(425, 1.0), noise(1.0), tone(480, 0.5), noise(1.5)])),
        **TONE,
    ),
    "a tone, and there was none in the sound": lambda: verdict(caller(sound=silence()), callee(sound=noise()), **TONE),
    "a tone, and silence came": lambda: verdict(caller(sound=silence()), callee(sound=silence()), **TONE),
    "a tone, and the parrot heard it": lambda: verdict(caller(sound=tone(425)), callee(sound=tone(1000)), **AT_CALLER),
    "a tone that may not come through the codec": lambda: verdict(
        caller(sound=silence()),
        callee(
            offer=codec_sdp(RELAY, "3 GSM/8000"),
            answer=codec_sdp(OURS, "3 GSM/8000"),
            streams=both_streams(payload_types={3: 200}),
            sound=noise(),
        ),
        **TONE | {"group__expect__callee": ExpectLeg(tone_hertz=3000)},
    ),
    "an absorber plays nothing back": lambda: verdict(caller(sound=silence()), behaviour=Behaviour.ABSORBER),
    # dtmf
    "no digit came": lambda: verdict(callee=callee(streams=both_streams(digits=()))),
    "a digit was doubled": lambda: verdict(
        callee=callee(streams=both_streams(digits=(DIGITS[0], tap_digit("1", 11.2), DIGITS[1])))
    ),
    "a digit was changed": lambda: verdict(
        callee=callee(streams=both_streams(digits=(DIGITS[0], tap_digit("5", 11.3))))
    ),
    "digits as tones": lambda: verdict(callee=callee(streams=both_streams(digits=()), tones="12")),
    "some digits as tones": lambda: verdict(callee=callee(streams=(ONE_CAME, rtp(sent=True)), tones="2")),
    "digits by INFO alone": lambda: verdict(
        callee=callee(
            streams=both_streams(digits=()),
            extra=(*info(12.5, "1", Role.CALLEE), *info(12.7, "2", Role.CALLEE, cseq=4)),
        )
    ),
    "a digit by INFO was refused, and another one": lambda: verdict(
        caller(
            extra=(
                *info(11.0, "1", Role.CALLER, code=415),
                *info(11.3, "2", Role.CALLER, cseq=4, code=407),
                *info(11.6, "3", Role.CALLER, cseq=5),
            )
        ),
        **BY_INFO,
    ),
    "a digit by INFO was sent as the call ended": lambda: verdict(
        caller(extra=info(13.0, "1", Role.CALLER)[:1]), **BY_INFO
    ),
    "digits by INFO that came as events": lambda: verdict(group__expect__callee=EXPECTS_INFO),
    "digits by INFO that did not come": lambda: verdict(
        callee=callee(streams=both_streams(digits=())), group__expect__callee=EXPECTS_INFO
    ),
    "digits by INFO that our agent refuses": lambda: verdict(
        callee=callee(streams=both_streams(digits=()), extra=info(12.5, "1", Role.CALLEE, code=415))
    ),
    "digits changed on the way back": lambda: verdict(caller(streams=(rtp(digits=(DIGITS[0],)), rtp(sent=True)))),
    # our own
    "an overloaded callee": lambda: verdict(
        callee=callee(streams=both_streams(**LOST), health=troubled(lateness_ms=900.0, over_ms=4000.0))
    ),
    "a throttled agent": lambda: verdict(
        callee=callee(streams=both_streams(**LOST), health=troubled(throttled_ms=800.0, over_ms=4000.0))
    ),
    "the callee is lost": lambda: verdict(callee=None, callee_lost=True),
    "the callee hung up early": lambda: verdict(
        caller(bye_s=12.0, bye_sent=False), callee(bye_s=12.0, bye_sent=True, own_reason="no memory")
    ),
    "the caller had sent half of its digits": lambda: verdict(
        caller(streams=(rtp(digits=DIGITS[:1]), rtp(sent=True, digits=DIGITS[:1]))),
        callee(streams=(rtp(digits=DIGITS[:1]), rtp(sent=True, digits=DIGITS[:1]))),
    ),
    "some other sound": lambda: verdict(callee=callee(sound=disturbed())),
    "a SUT that answers itself, and sends nothing": lambda: verdict(
        caller(streams=(rtp(sent=True),)),
        None,
        callee_declared=False,
        group__expect__caller=change(ExpectLeg(), dtmf=ExpectDtmf(digits="12")),
        group__expect__callee=ExpectLeg(),
    ),
    # notes
    "a few packets of a payload type that nobody agreed on": lambda: verdict(
        callee=callee(streams=both_streams(unnegotiated=1, payload_types={0: 183, 101: 16, 96: 1}))
    ),
    "pauses": lambda: verdict(callee=callee(streams=both_streams(pause_ms=500.0, media_ms=3180.0, packets=175))),
    "a stranger beside": lambda: verdict(
        callee=callee(streams=(rtp(), rtp(remote="10.0.0.7:4000", ssrc=9, packets=5, digits=()), rtp(sent=True)))
    ),
    "a source that began anew": lambda: verdict(callee=callee(streams=both_streams(restarts=1))),
    "a source from another port": lambda: verdict(callee=callee(streams=both_streams(remote="10.0.0.1:30002"))),
}
ONE_CAME = rtp(digits=DIGITS[:1])


def disturbed() -> Samples:
    """This call's signal, and noise for half a second in its midst."""
    noise = np.random.default_rng(1).integers(-8000, 8000, 6000).astype(SIGNAL.dtype)
    return np.concatenate([SIGNAL[:13000], noise, SIGNAL[19000:]])


def unread(text: str, at_s: float = 10.05) -> Unparsed:
    return Unparsed(at_s=at_s, peer=RELAY, local=OURS, protocol="UDP", text=text)


def told(name: str) -> str:
    """One case: what it is, what is said of it, and the notes beside it."""
    call = CASES[name]()
    said = [f"  {result_of(finding.reason)}/{finding.reason}: {sentence(finding)}" for finding in call.findings]
    said = said or ["  Passed"]
    notes = [f"  note: {note}" for note in call.notes]
    return "\n".join([name, *said, *notes, ""])


def all_of_them() -> str:
    return "\n".join(map(told, CASES))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.unit.agent.judge.sentences --write")
    GOLDEN.write_text(all_of_them())
