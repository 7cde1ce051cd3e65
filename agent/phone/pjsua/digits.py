"""Sending digits with pjsua2, one at a time.

RFC 4733: pjsip queues 32 at most and leaves no pause between two. INFO: the next one when the one before is answered.
"""

import logging
import re
import time
from collections import deque

import pjsua2 as pj

from agent.contract.expect import DtmfMethod
from agent.contract.steps import SendDigits
from agent.phone.pjsua.facts import awaits_answer
from agent.phone.pjsua.objects import Leg
from agent.phone.protocol import DigitSent, Event, PhoneError
from agent.sip.info import info_body
from agent.sip.text import printable
from agent.timers import Timers

LOG = logging.getLogger(__name__)

PAUSE_S = 0.1
"""Between the end of a digit and the start of the next; pjsip repeats the end packet in its first 40 ms."""
ANSWER_POLL_S = 0.02
MIN_TONE_MS, MAX_TONE_MS = 40, 8000
"""Two packets, so that a receiver can tell equal digits apart; and what fits the 16 bits of a duration at 8 kHz."""
_DIGITS = re.compile(r"[0-9A-Da-d*#]+")


class DigitSender:
    """Sends digits on timers; reports each of RFC 4733 once the time for it has passed with the call up."""

    def __init__(self, timers: Timers, reports: deque[Event]) -> None:
        self._timers, self._reports = timers, reports

    def send(self, leg: Leg, action: SendDigits) -> None:
        """Queues digits behind those still to be sent. PhoneError for what cannot be a digit."""
        if not _DIGITS.fullmatch(action.digits):
            raise PhoneError(f"digits {action.digits!r}: only 0-9, A-D, * and # can be sent")
        if not MIN_TONE_MS <= action.tone_ms <= MAX_TONE_MS:
            raise PhoneError(f"digit duration {action.tone_ms} ms: {MIN_TONE_MS} to {MAX_TONE_MS} can be sent")
        leg.to_send.extend((digit, action) for digit in action.digits)
        if not leg.sending:
            self._next(leg)

    def _next(self, leg: Leg) -> None:
        leg.sending = bool(leg.to_send) and leg.over is None
        if not leg.sending or leg.call is None:
            return
        now_s = time.monotonic()
        if awaits_answer(leg.messages, now_s):
            self._timers.at(now_s + ANSWER_POLL_S, lambda: self._next(leg))
            return
        digit, action = leg.to_send.popleft()
        try:
            if action.method is DtmfMethod.INFO:
                leg.call.sendRequest(_info(digit, action))
            else:
                leg.call.sendDtmf(_event(digit, action))
        except pj.Error as error:  # no telephone-event in the peer's SDP, or the call has just ended
            LOG.warning("digit %s not sent: %s", digit, printable(error.reason))
            leg.to_send.clear()
            leg.sending = False
            return
        end_s = now_s + action.tone_ms / 1e3
        if action.method is DtmfMethod.RFC4733:
            self._timers.at(end_s, lambda: self._sent(leg, digit, action.tone_ms))
        self._timers.at(end_s + PAUSE_S, lambda: self._next(leg))

    def _sent(self, leg: Leg, digit: str, tone_ms: int) -> None:
        if leg.over is None:
            at_s = time.monotonic()
            self._reports.append(DigitSent(at_s=at_s, call=leg.handle, digit=digit, duration_ms=tone_ms))


def _event(digit: str, action: SendDigits) -> pj.CallSendDtmfParam:
    param = pj.CallSendDtmfParam()
    param.method, param.digits, param.duration = pj.PJSUA_DTMF_METHOD_RFC2833, digit, action.tone_ms
    return param


def _info(digit: str, action: SendDigits) -> pj.CallSendRequestParam:
    param = pj.CallSendRequestParam()
    param.method = "INFO"
    param.txOption.contentType = action.info_type.value
    param.txOption.msgBody = info_body(action.info_type, digit, action.tone_ms)
    return param
