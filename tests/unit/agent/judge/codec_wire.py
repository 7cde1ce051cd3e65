"""Calls in several codecs as they crossed the wire: see wire.py."""

from typing import Any, Final

from agent.contract.codecs import Codec, Media
from agent.contract.verdict import Reason, Role
from tests.unit.agent.judge.wire import EXPECT, OURS, RELAY, Case, callee, caller, rtp, verdict
from tests.unit.builders import change
from tests.unit.sip_messages import sdp

MU_LAW, A_LAW = "0 PCMU/8000", "8 PCMA/8000"
BOTH_LAWS: Final = (MU_LAW, A_LAW)


def codec_sdp(place: str, *formats: str) -> str:
    """SDP of these, each `number name/clock`, and of telephone-events."""
    types = " ".join([*(one.partition(" ")[0] for one in formats), "101"])
    return sdp(place, *(f"a=rtpmap:{one}" for one in formats), types=types)


def takes(role: Role, *codecs: Codec) -> dict[str, Any]:
    """That end's media."""
    return {f"group__{role.lower()}__media": Media(codecs=codecs)}


def asks(role: Role, codec: Codec, *, media: Media | None = None) -> dict[str, Any]:
    """That leg is to be of the codec, which its end takes beside G.711."""
    own = media or Media(codecs=tuple(dict.fromkeys((Codec.PCMU, Codec.PCMA, codec))))
    return {
        f"group__{role.lower()}__media": own,
        f"group__expect__{role.lower()}": change(EXPECT, codec=codec),
    }


CODECS: Final[dict[Reason, Case]] = {
    Reason.CODEC_REFUSED: lambda: verdict(caller(code=488), None, **asks(Role.CALLER, Codec.PCMU)),
    Reason.CODEC_NOT_OFFERED: lambda: verdict(**asks(Role.CALLEE, Codec.G722)),
    Reason.CODEC_MISMATCH: lambda: verdict(caller(offer=codec_sdp(OURS, *BOTH_LAWS)), **asks(Role.CALLER, Codec.PCMA)),
    Reason.UNEXPECTED_CODEC: lambda: verdict(
        callee=callee(
            offer=codec_sdp(RELAY, *BOTH_LAWS),
            answer=codec_sdp(OURS, *BOTH_LAWS),
            streams=(rtp(payload_types={0: 100, 8: 84, 101: 16}), rtp(sent=True)),
        ),
        **asks(Role.CALLEE, Codec.PCMU),
    ),
}
"""The worst reason of a call, by the codecs on its wire."""
