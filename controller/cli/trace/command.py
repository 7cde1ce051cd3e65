"""`calltest trace FILE…`: its arguments and exit status. What it does is in controller/cli/trace/traces.py."""

from pathlib import Path
from typing import Annotated, Final

import typer

from controller.cli.exits import exit_status

BROKEN: Final = 1


def trace(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="pcap or pcapng, also gzip or zstd; - is stdin.")
    ],
    *,
    sut: Annotated[
        list[str] | None,
        typer.Option("--sut", metavar="IP", help="Keep streams from and to this address. Repeat it for several."),
    ] = None,
    call_id: Annotated[str | None, typer.Option(metavar="ID", help="Keep the streams of this SIP call.")] = None,
    digits: Annotated[bool, typer.Option("--digits", help="Show each digit instead of the streams.")] = False,
    wav: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write what was heard in here: a WAV file for each call.")
    ] = None,
    inband: Annotated[bool, typer.Option("--inband", help="Also find digits sent as tones in the audio.")] = False,
    decrypted: Annotated[
        bool,
        typer.Option("--decrypted", help="Media is in plain though SDP says SRTP."),
    ] = False,
    expect: Annotated[str | None, typer.Option(metavar="DIGITS", help="Digits that must have been sent.")] = None,
    max_loss_percent: Annotated[
        float | None, typer.Option(metavar="N", help="The share of its packets that a side of a call may lose.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document (docs/trace.schema.json).")] = False,
) -> None:
    """Show the RTP streams and DTMF digits of captures, read one after the other as if they were one.

    --expect DIGITS holds where each conversation (a call by its SDP, else what two addresses send each other) carried
    digits, and each side that dialled dialled exactly these, each digit to its end. Methods (RFC 4733, SIP INFO; with
    --inband, tones) are judged one by one. Narrow with --sut and --call-id what else is in the capture. It does not
    hold where digits could not be read: SRTP, damage in the file, with --inband audio that could not be decoded.

    --max-loss-percent N holds where there are streams, no side of a call lost more, and damage hides no packets.

    What could not be decoded, or is not all there, is said on stderr, with --json in the document.

    \b
    Exit status: 0, or 1 where an expectation does not hold, 2 unusable input,
    3 a fault of calltest.

    \b
    Examples:
      calltest trace call.pcap
      calltest trace a.pcap b.pcapng.gz --sut 10.0.0.5 --expect 1234#
      calltest trace call.pcap --call-id 6b750d48 --max-loss-percent 1
      calltest trace call.pcap --wav listen --inband --json
      tcpdump -i eth0 -w - -c 10000 udp | calltest trace - --digits
    """  # noqa: D301 - \b is click's mark for 'do not rewrap'
    with exit_status():
        from controller.cli.trace import traces  # noqa: PLC0415 - numpy and the readers are of no use to the other commands

        broken = traces.run(
            traces.Asked(
                files=tuple(files),
                suts=tuple(sut or ()),
                call_id=call_id,
                digits=digits,
                wav=wav,
                in_band=inband,
                decrypted=decrypted,
                expect=expect,
                max_loss_percent=max_loss_percent,
                json=json,
            )
        )
    raise typer.Exit(BROKEN if broken else 0)
