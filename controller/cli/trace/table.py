"""What is in a capture, as people read it: fits 80 columns. Pure: values in, text out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.contract.expect import DtmfMethod
from agent.sip.text import printable
from agent.trace.model import Digit, File, Stream, Trace
from controller.cli.output import NOT_MEASURED
from controller.cli.trace.keys import KEYS, METHODS

_TEXTS: Final = {"FROM\n→ TO": 23, "CODEC\nSSRC": 10, "DIGITS": 8}
"""Columns that are folded where the terminal is narrow, and the least that they get."""
_COLUMNS: Final = (
    *("FROM\n→ TO", "CODEC\nSSRC", "PACKETS\nseconds", "LOST\n%", "DUP", "REORD", "JITTER\nmax ms", "GAP\nms"),
    "DIGITS",
)
Row = list[Text]
_UNSEEN_END: Final = "?"
"""Behind a digit whose end was not seen."""


def as_table(trace: Trace, *, width: int, color: bool, digits: bool) -> str:
    """Files and streams; with `digits` each digit instead."""
    cells = [_cells(stream) for stream in trace.streams]
    widths = _widths(cells, width)
    console = Console(
        file=StringIO(),
        # Wider than the terminal, rather than numbers cut.
        width=max(width, sum(widths) + len(widths) - 1),
        force_terminal=color,
        no_color=not color,
        highlight=False,
        markup=False,
    )
    with console.capture() as capture:
        for file in trace.files:
            console.print(_file(file))
        for part in _digit_tables(trace) if digits else _stream_tables(trace, cells, widths):
            console.print()
            console.print(part)
        if wavs := list(dict.fromkeys(stream.wav for stream in trace.streams if stream.wav is not None)):
            console.print(Text("\n" + "\n".join(f"wrote {printable(path)}" for path in wavs), overflow="fold"))
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())


def _file(file: File) -> Text:
    text = Text(f"{printable(file.path)}: {file.format}, {file.packets:,} packets, {file.bytes:,} bytes")
    if file.skipped:
        skipped = ", ".join(f"{reason} {count:,}" for reason, count in file.skipped.items())
        text.append(f"; skipped: {skipped}", "yellow")
    return text


def _stream_tables(trace: Trace, cells: Sequence[Row], widths: Sequence[int]) -> Iterator[Table | Text]:
    if not trace.streams:
        yield Text("no RTP streams")
    calls: dict[str | None, list[Row]] = {}
    for stream, row in zip(trace.streams, cells, strict=True):
        calls.setdefault(_call(stream), []).append(row)
    for number, (call, rows) in enumerate(calls.items()):
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", show_header=number == 0)
        if call is not None:
            table.title, table.title_justify, table.title_style = Text(call), "left", "bold"
        for name, width in zip(_COLUMNS, widths, strict=True):
            table.add_column(name, justify="left" if name in _TEXTS else "right", overflow="fold", width=width)
        for row in rows:
            table.add_row(*row)
        yield table
    if trace.digits:
        yield Text(f"digits of calls whose media was not captured: {_dialled(trace.digits)}")


def _call(stream: Stream) -> str | None:
    """Where it is told; a call whose hops have media of their own has a part for each."""
    if not stream.calls:
        return None
    first = stream.calls[0]
    return f"Call-ID {printable(first.call_id)}" + (f", leg {first.leg}" if first.leg > 1 else "")


def _widths(cells: Sequence[Row], width: int) -> list[int]:
    """Of the columns: numbers whole, texts folded where they must be, the last one least."""
    widths = [
        max(cell_len(line) for text in (name, *(row[number].plain for row in cells)) for line in text.split("\n"))
        for number, name in enumerate(_COLUMNS)
    ]
    for number, name in enumerate(_COLUMNS):
        surplus = sum(widths) + len(widths) - 1 - width
        if name in _TEXTS and surplus > 0:
            widths[number] = max(widths[number] - surplus, min(widths[number], _TEXTS[name]))
    return widths


def _cells(stream: Stream) -> Row:
    lost = f"{100 * stream.lost / stream.expected:.2f}"
    codec = Text(printable(stream.codec) if stream.codec else f"PT {_types(stream)}")
    if stream.encrypted is not False:
        codec.append(" SRTP" if stream.encrypted else " SRTP?", "yellow")
    codec.append(f"\n{stream.ssrc}")
    digits = Text(_dialled(stream.digits), "bold")
    if stream.encrypted is not False:
        digits.append(f" {NOT_MEASURED}" if stream.digits else NOT_MEASURED, "yellow")
    return [
        Text(f"{_side(stream)}{stream.src}\n→ {stream.dst}"),
        codec,
        Text(f"{stream.packets}\n{stream.end - stream.start:.1f}"),
        Text(f"{stream.lost}\n{lost}", "bold red" if stream.lost else ""),
        Text(str(stream.duplicates)),
        Text(str(stream.reordered)),
        Text(f"{_ms(stream.jitter_ms)}\n{_ms(stream.max_jitter_ms)}"),
        Text(_ms(stream.max_delta_ms)),
        digits,
    ]


def _side(stream: Stream) -> str:
    """As wide as the arrow below it."""
    return f"{stream.calls[0].side} " if stream.calls else ""


def _types(stream: Stream) -> str:
    return ",".join(map(str, stream.payload_types))


def _dialled(digits: Sequence[Digit]) -> str:
    """`1234#`, after the method where it is not RFC 4733; events that are no keys stand in brackets."""
    methods = sorted({digit.method for digit in digits}, key=list(DtmfMethod).index)
    parts = []
    for method in methods:
        row = "".join(
            (digit.digit if digit.digit in KEYS else f"[{digit.digit}]") + ("" if digit.complete else _UNSEEN_END)
            for digit in digits
            if digit.method is method
        )
        parts.append(row if method is DtmfMethod.RFC4733 else f"{METHODS[method]} {row}")
    return ", ".join(parts)


def _digit_tables(trace: Trace) -> Iterator[Table | Text]:
    rows = [(f"{s.src} → {s.dst}  {s.ssrc}", s.digits) for s in trace.streams if s.digits]
    if trace.digits:
        rows.append(("calls whose media was not captured", trace.digits))
    if not rows:
        yield Text("no digits")
    for title, digits in rows:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.title, table.title_justify, table.title_style = Text(title), "left", "bold"
        for name in ("START (UTC)", "DIGIT", "METHOD"):
            table.add_column(name, no_wrap=True)
        for name in ("MS", "DBM0", "PACKETS", "ENDS"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("COMPLETE")
        for digit in digits:
            table.add_row(
                f"{datetime.fromtimestamp(digit.start, UTC):%H:%M:%S.%f}"[:-3],
                printable(digit.digit),
                METHODS[digit.method],
                _ms(digit.duration_ms),
                NOT_MEASURED if digit.volume_dbm0 is None else str(digit.volume_dbm0),
                str(digit.packets),
                str(digit.end_packets),
                "yes" if digit.complete else Text("no", "bold red"),
            )
        yield table


def _ms(value: float | None) -> str:
    """One decimal where it fits, none where nobody would read it."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"
