"""The reasons of the check srtp, and what is to be known of each; those of DTLS beside them."""

from typing import Final

from agent.contract.verdict import Reason
from agent.judge.checks import dtls
from agent.judge.checks.check import Row

ROWS: Final = (
    Row(
        reason=Reason.SRTP_DOWNGRADED,
        meaning="an offer of RTP/SAVP was answered by plain RTP (RFC 3264 §6), or an offer of plain RTP reached a "
        "callee whose `media.srtp.use` is Mandatory",
        seen="The profile of an `m=audio` was weaker than it was to be: in the answer to the agent's own offer of "
        "RTP/SAVP, or in the INVITE that reached a callee that is to have SRTP. `observed` has the profile and the "
        "attributes. The agent's stack ended, or refused, the call for it: no media went in the clear.",
        usually="A proxy or relay rewrites the SDP: `transport-protocol=RTP/AVP` of rtpengine towards the wrong side, "
        "a filter that strips `a=crypto`, a PBX whose peer has no media encryption.",
        look="The SDP of the INVITE and of the 200 on both sides of each hop; where SAVP becomes AVP.",
    ),
    Row(
        reason=Reason.SRTP_KEYING_MISMATCH,
        meaning="keys by another way (SDES, DTLS) than the one that was offered, or that the callee is to have",
        seen="The answer takes keys by a way that was not offered, or the INVITE that reached the callee offers none "
        "of those in its `media.srtp.keying`.",
        usually="The relay was not told what each side speaks: `SDES` and `DTLS` flags of rtpengine, `webrtc` or "
        "`media_encryption` of a PBX.",
        look="`a=crypto` and `a=fingerprint` of the SDP on both sides of the relay, and its flags for each.",
    ),
    Row(
        reason=Reason.SRTP_SUITE_MISMATCH,
        meaning="none of the crypto suites in the callee's `media.srtp.suites` was offered to it",
        seen="The INVITE that reached the callee offers other crypto suites than those that the test has it take.",
        usually="A relay or PBX offers its own list of suites, or took some out (`SDES-no-…` flags of rtpengine).",
        look="The `a=crypto` lines of that INVITE, against the caller's.",
    ),
    Row(
        reason=Reason.SRTP_ANSWER_INVALID,
        meaning="the keys in the answer do not answer the offer (RFC 4568 §5.1.3, RFC 5763 §5)",
        seen="The answer has no `a=crypto` or several, a tag or suite that was not offered, a key of the wrong length, "
        "a session parameter that weakens it, or no `a=fingerprint` where DTLS was agreed on. `observed` has the line.",
        usually="A relay or B2BUA that answers with the other side's lines, or with a list where one is to be chosen.",
        look="That line of the 200, and who wrote it: the same body before each hop.",
    ),
    Row(
        reason=Reason.DTLS_ROLE_CONFLICT,
        meaning="by `a=setup`, neither side or both sides begin the DTLS handshake (RFC 5763 §5, RFC 8842 §5.3)",
        seen="The answer's `a=setup` is `actpass`, or the same as the offer's.",
        usually="A relay or B2BUA passes the other side's `a=setup` on without doing what it says.",
        look="`a=setup` of offer and answer on both sides of it.",
    ),
    Row(
        reason=Reason.SRTP_OVER_PLAIN_SIGNALLING,
        meaning="keys of SDES went over a hop without TLS, and `media.srtp.signalling` forbids that",
        seen="SDES keys were agreed on, and the SDP that has them crossed a connection, or by the Via headers that "
        "reached the callee a hop, that is not TLS: whoever reads it can decipher the call.",
        usually="The SUT takes the call by TLS and sends it on by UDP: its route, or the next hop's record.",
        look="The Via headers that `observed` has.",
    ),
    Row(
        reason=Reason.SRTP_REFUSED,
        meaning="an offer of RTP/SAVP was refused with 415, 488 or 606",
        seen="The caller's INVITE offered RTP/SAVP, and its final response says that this cannot be taken.",
        usually="SRTP is not enabled for that account, trunk or relay, or its keying or suites have nothing in common "
        "with the offer. Where the call reached our callee, the note says what that one was offered.",
        look="The Warning that the note quotes; media encryption of that account or peer; `media.srtp` of both agents.",
    ),
    *dtls.ROWS,
    Row(
        reason=Reason.PLAIN_MEDIA,
        meaning="RTP came in the clear in a section whose offer and answer agree on SRTP",
        seen="Packets came whose payload is readable as it is, though keys had been agreed on. `observed` says how "
        "many. The agent played none of them.",
        usually="A relay that was told of SRTP in the SDP only, or music, announcements and digits of a PBX that are "
        "sent around its SRTP.",
        look="A capture at the agent (evidence): which packets are plain, from when on, and by which SSRC.",
    ),
    Row(
        reason=Reason.SRTP_UNDECRYPTABLE,
        meaning="50 packets or more came, and none could be authenticated with the keys that were agreed on",
        seen="SRTP packets came from the address in the SDP, and with the key in the peer's SDP, or of the handshake, "
        "not one of them is authentic.",
        usually="The key in the SDP is not the sender's: a relay passed `a=crypto` on and encrypts anew, or has the "
        "keys of a former offer; or offerer and answerer take each other's key.",
        look="Whose key the agent was given: `a=crypto` on both sides of the relay.",
    ),
    Row(
        reason=Reason.SRTP_REJECTED_PACKETS,
        meaning="more than 1 % of the packets could not be authenticated; copies are not counted",
        seen="Most packets are authentic, and some are not. `observed` says how many.",
        usually="Something on the way changes packets, two senders share one address with different keys, or the "
        "sender's rollover counter (RFC 3711 §3.3.1) went wrong.",
        look="SSRC and sequence numbers of those packets in the capture.",
    ),
    Row(
        reason=Reason.NOT_ENCRYPTED,
        meaning="offer and answer came to plain RTP, and the test asks for encryption",
        seen="`media.srtp.use` is Mandatory or `expect.<leg>.encrypted` is set, and the call was answered with an SDP "
        "under which media is plain RTP. `observed` has what was answered.",
        usually="The offer of optional SRTP (RFC 8643: RTP/AVP with `a=crypto`) was stripped or passed over.",
        look="`a=crypto` of the INVITE as the other side got it, and of the 200.",
    ),
)
