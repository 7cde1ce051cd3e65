"""What makes the answer less than complete, or must be known to read it."""

from collections.abc import Iterator, Mapping

from agent.trace.flow_facts import endpoints, formats
from agent.trace.model import Warning  # noqa: A004  # the document's word
from agent.trace.sealed import is_said
from agent.trace.streams.analysis import Analysis
from agent.trace.streams.digits import Digits


def notices(
    analysis: Analysis, numbers: list[int], events: Digits, encrypted: Mapping[int, bool | None]
) -> Iterator[Warning]:
    """Of the flows that are streams, then of the whole."""
    yield from _changes(analysis, numbers)
    for flow in numbers:
        yield from _stream_warnings(analysis, flow)
        yield from _encryption(analysis, flow, encrypted[flow])
        if encrypted[flow] is False:
            yield from _digit_warnings(analysis, flow, events)
    yield from _infos(analysis)
    for code, count, message in _beyond(analysis):
        if count:
            yield Warning(code=code, message=f"{count} {message}")


def _beyond(analysis: Analysis) -> tuple[tuple[str, int, str], ...]:
    """What was too much, cut or missing: code, how often, and what that means."""
    flows = analysis.streams.flows
    return (
        ("EventsCut", flows.cut_events, "packets of telephone events were cut before their payload (snap length)"),
        ("TooManyEvents", flows.refused_events, "packets of telephone events beyond a million digits are not shown"),
        ("TooManyAddresses", analysis.wire.addresses.refused, "packets of more addresses than are told apart"),
        ("TooManyFlows", flows.forgotten, "UDP flows that had not shown to be RTP were forgotten to save memory"),
        (
            "TooManyPayloadMaps",
            analysis.streams.meanings.refused,
            "SDPs with more different payload types than are remembered",
        ),
        (
            "FragmentsMissing",
            analysis.wire.internet.fragments.lost + analysis.wire.internet.fragments.open,
            "IP packets lacked fragments",
        ),
        ("TooManyCalls", analysis.sip.calls.forgotten, "calls were forgotten before they were over, to save memory"),
        (
            "CallsCut",
            analysis.sip.calls.cut,
            "times a call had more requests, forks, hops, addresses or legs than are remembered",
        ),
        (
            "TooManyAtAnAddress",
            analysis.streams.beyond,
            "times an SDP met more addresses, calls or streams there than are looked at: some may lack their call",
        ),
        (
            "TooManyHandshakes",
            analysis.dtls_left_out,
            "packets of DTLS handshakes beyond those that are remembered: their media may be encrypted",
        ),
        (
            "TooManyChannels",
            analysis.wire.internet.turn.forgotten,
            "TURN channels beyond those that are remembered: their media stands between client and server",
        ),
        ("TooManyInfos", analysis.sip.infos.left_out, "INFOs with digits beyond a hundred thousand are not shown"),
        ("SipOverTcpIncomplete", analysis.wire.tcp.lost, "times a piece of a SIP connection over TCP was missing"),
        (
            "SipBeganWithin",
            analysis.wire.tcp.begun_within,
            "SIP connections over TCP were captured from within a message: its rest is not read",
        ),
        ("SipUnreadable", analysis.sip.unreadable, "messages begin like SIP and cannot be read: no Call-ID or CSeq?"),
    )


def _stream_warnings(analysis: Analysis, flow: int) -> Iterator[Warning]:
    row = analysis.streams.flows.rows[flow]
    sequence = row["sequence"]
    name = " to ".join(endpoints(analysis, int(row["hosts"]), int(row["rest"])))
    if 0.9 * int(sequence["packets"]) < 2 * int(sequence["duplicates"]):
        yield Warning(
            code="CapturedTwice",
            message=f"{name}: nearly every packet is there more than once: captured on several interfaces, both ways "
            "of a mirrored port, or in a tunnel and outside? Capture in one place, duplicates, jitter and gaps then "
            "mean something",
        )
    if "red" in (one.name.lower() for one in formats(analysis, flow)):
        yield Warning(
            code="RedundantAudio",
            message=f"{name}: packets of RFC 2198 (red) are counted, the digits inside them are not read",
        )
    if restarts := int(sequence["restarts"]):
        often = "once" if restarts == 1 else f"{restarts} times"
        yield Warning(
            code="SourceRestarted",
            message=f"{name}: its source began its sequence numbers or timestamps anew {often}: from one life of it "
            "to the next nothing is counted as lost, but where its numbers went on",
        )
    if jumps := int(sequence["jumps"]):
        yield Warning(
            code="SequenceJump",
            message=f"{name}: {jumps} steps of more than 3,000 sequence numbers, and its timestamps went with them: "
            "the capture has a hole, or its path had",
        )
    if sequence["forgotten_holes"]:
        yield Warning(
            code="TooManyGaps",
            message=f"{name}: more gaps than are remembered; what filled the oldest counts as duplicates",
        )


def _digit_warnings(analysis: Analysis, flow: int, events: Digits) -> Iterator[Warning]:
    row = analysis.streams.flows.rows[flow]
    name = " to ".join(endpoints(analysis, int(row["hosts"]), int(row["rest"])))
    moved, again = events.odd(flow)
    if moved:
        yield Warning(
            code="DigitTimestampsMove",
            message=f"{name}: {moved} digits follow unmarked on packets of the same one, under another timestamp: one "
            "press that its sender tells as several? (RFC 4733 §2.5.1.2: an event's packets have one timestamp)",
        )
    if again:
        yield Warning(
            code="DigitTimestampsStand",
            message=f"{name}: {again} times a marker bit came after a digit's end, under its timestamp: further "
            "presses that cannot be told apart? (RFC 4733 §2.5.1.2: each event has a timestamp of its own)",
        )


def _encryption(analysis: Analysis, flow: int, encrypted: bool | None) -> Iterator[Warning]:  # noqa: FBT001
    row = analysis.streams.flows.rows[flow]
    name = " to ".join(endpoints(analysis, int(row["hosts"]), int(row["rest"])))
    if encrypted is None:
        yield Warning(
            code="EncryptionUnknown",
            message=f"{name}: the SDP that was captured leaves open whether this is SRTP (keys under RTP/AVP, and the "
            "answer to them was not seen, or ZRTP), and its packets do not show it: not taken for digits or sound",
        )
    elif encrypted and not is_said(analysis, flow):
        yield Warning(
            code="LooksEncrypted",
            message=f"{name}: its packets are longer than what they carry by what SRTP adds, though no SDP that was "
            "captured says SRTP: its digits cannot be read",
        )


def _infos(analysis: Analysis) -> Iterator[Warning]:
    infos = analysis.sip.infos
    for one in infos.refused():
        yield Warning(
            code="InfoRefused",
            message=f"call {one.call_id}: INFOs with the digits {one.digits} were refused"
            f" ({f'{one.code} {one.phrase}'.strip()}): nobody took them, they are no digits here",
        )
    if infos.kpml:
        told = f"told the digits {infos.kpml_digits}" if infos.kpml_digits else "told no digits that can be read"
        yield Warning(
            code="Kpml",
            message=f"{infos.kpml} KPML reports (RFC 4730) {told}: they are not among those of the calls",
        )
    for (method, kind), count in sorted(infos.unread.items()):
        yield Warning(
            code="BodiesNotRead",
            message=f"{count} {method}s with a body of {kind or 'a type that is not said'}: no digit that can be read",
        )


def _changes(analysis: Analysis, numbers: list[int]) -> Iterator[Warning]:
    """SSRCs that took over from others between the same addresses and ports."""
    flows = analysis.streams.flows
    last: dict[tuple[int, int], int] = {}
    changes: dict[tuple[int, int], int] = {}
    for flow in numbers:
        path = (int(flows.rows["hosts"][flow]), int(flows.rows["rest"][flow]) & 0xFFFFFFFF)
        before = last.get(path)
        if before is not None and _is_change(analysis, before, flow):
            changes[path] = changes.get(path, 0) + 1
        last[path] = flow
    for (hosts, ports), count in changes.items():
        source, destination = endpoints(analysis, hosts, ports)
        yield Warning(code="SsrcChanged", message=f"{source} to {destination}: {count} changes of SSRC")


def _is_change(analysis: Analysis, before: int, flow: int) -> bool:
    """Another SSRC in the same call, or where no call is known."""
    streams = analysis.streams
    calls, others = ({leg.call.call_id for leg, _ in streams.senders(one)} for one in (before, flow))
    same = streams.flows.rows["rest"][before] == streams.flows.rows["rest"][flow]
    return not same and (calls == others or not calls.isdisjoint(others))
