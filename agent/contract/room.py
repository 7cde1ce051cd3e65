"""How much room an agent has, for what it keeps while calls are up and for what it tells of them. Pure.

The planner refuses a test that needs more; the agent keeps room for every planned call, whatever else comes.
"""

from collections.abc import Sequence
from typing import Final

from agent.contract.address import IpFamily
from agent.contract.call import Call
from agent.contract.outcome import OnRedirect
from agent.contract.plan import Transport, asked_of
from agent.contract.srtp import SrtpUse
from agent.contract.verdict import Role

SCRATCH_BYTES: Final = 4 * 1024**3
"""Of an agent: recordings and captures, until each is analysed at its call's end. A bound: files have holes where
nothing came."""
CAPTURES_BYTES: Final = 1024**3
"""All captures of calls that are up have so much of it (agent/report/evidence.py)."""
HELD_BYTES: Final = 1024**3
"""Beside it: captures of calls that are over, until it is known whether they passed (agent/report/evidence_held.py)."""
SPARE_SHARE: Final = 0.1
"""Of it, for calls that nobody planned."""
RECORDINGS: Final = 4
"""Of a call: one for each address that audio comes from (agent/tap)."""
RECORDED_BYTES_PER_S: Final = 16_000
"""8 kHz, 16 bit."""
CAPTURED_BYTES_PER_S: Final = 22_000
"""Of a call: 100 packets of G.711 with their headers, both ways."""

DETAIL_BYTES: Final = 4 * 1024**2
"""Of all detail lines of an agent."""
PROGRESS_BYTES: Final = 1024**2
"""Of all progress lines of an agent, with the time that a kubelet puts before each: in a run of a day, the longest
there is, at as many endpoints as there can be. With detail it stays under the 10 MiB after which a kubelet begins a new
file and shows the old one to nobody (containerLogMaxSize)."""
LEG_BYTES: Final = 3_800
REFUSED_LEG_BYTES: Final = 1_650
EVIDENCE_BYTES: Final = 200
DIGIT_BYTES: Final = 130
"""Of a detail line of two sections, a source each way in both, and some loss; of a call that is not to be answered; of
the evidence named in it, and of each digit in it, sent and received."""
LOOKED_BYTES: Final = 16
"""Of each thing that is asked of a message: a leg that does not know which call it is has looked for all of them."""
CONNECTIONS: Final = 2
"""Of a leg: the SUT may end one between two transactions."""
CONNECTION_BYTES: Final = {Transport.UDP: 0, Transport.TCP: 160, Transport.TLS: 600}
"""Of each, with a certificate for four names."""
FAMILY_BYTES: Final = {IpFamily.IPV4: 0, IpFamily.IPV6: 330}
"""Of a leg: its addresses are longer."""
SRTP_BYTES: Final = 1_600
"""What two sections tell of SRTP: offered and agreed, and what crossed below it."""
REDIRECTED_BYTES: Final = 1_000
"""Of the contacts of a 3xx, and those of them that were called."""
GUESTS: Final = 100
"""So many more legs than planned are told: calls that nobody placed, a call's further tries."""
GUESTS_BYTES: Final = 128 * 1024
"""Always there for them; they may have what the planned calls leave."""


def scratch_bytes(calls: Sequence[Call], *, keeps_evidence: bool) -> int:
    """What recordings, and captures where evidence is kept, take at most at a time: one group goes after the other."""
    seconds = max((call.at_once * call.hold_seconds for call in calls), default=0)
    captured = min(CAPTURES_BYTES, seconds * CAPTURED_BYTES_PER_S) if keeps_evidence else 0
    return seconds * RECORDED_BYTES_PER_S * RECORDINGS + captured


def line_bytes(call: Call, *, keeps_evidence: bool, transport: Transport, family: IpFamily = IpFamily.IPV4) -> int:
    """What a leg of that call takes to be told, if it goes as planned: without the messages of one that did not."""
    beside = (
        (EVIDENCE_BYTES if keeps_evidence else 0) + CONNECTIONS * CONNECTION_BYTES[transport] + FAMILY_BYTES[family]
    )
    beside += SRTP_BYTES if any(call.media(role).srtp.use is not SrtpUse.DISABLED for role in Role) else 0
    beside += 0 if call.caller.redirects is OnRedirect.STOP else REDIRECTED_BYTES
    if not call.expect.is_answer:
        return REFUSED_LEG_BYTES + beside
    digits = 0 if call.caller.dtmf is None else len(call.caller.dtmf.digits)
    return LEG_BYTES + DIGIT_BYTES * digits + beside


def legs_bytes(
    calls: Sequence[Call], *, keeps_evidence: bool, transport: Transport, family: IpFamily = IpFamily.IPV4
) -> int:
    """What all legs of one stage take to be told."""
    looked = looked_bytes(calls)
    return sum(
        call.count * (looked + line_bytes(call, keeps_evidence=keeps_evidence, transport=transport, family=family))
        for call in calls
    )


def looked_bytes(calls: Sequence[Call]) -> int:
    """What in a line, of whichever call, tells of what is asked of messages."""
    return LOOKED_BYTES * max(len(asked_of(calls, role)) for role in Role)
