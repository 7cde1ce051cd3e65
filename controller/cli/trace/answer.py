"""From captures to the answer of `calltest trace`: read, keep what was asked for, listen."""

import ipaddress
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

import msgspec

from agent.trace.audio.sound import Sound
from agent.trace.kernel import KernelError
from agent.trace.model import Progress, Stream, Trace, UnusableCaptureError, Warning  # noqa: A004  # the document's word
from agent.trace.read import rtp_packets, trace
from controller.faults import IncompleteInstallationError, UnusableInputError

STDIN: Final = "-"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Watch = Callable[[str], AbstractContextManager[Progress | None]]
"""Shows how far a pass over the files is, which is told what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user wants to know."""

    files: tuple[str, ...]
    suts: frozenset[Address] = frozenset()
    """Streams from and to these; empty: all."""
    call_id: str | None = None
    wav: Path | None = None
    in_band: bool = False
    decrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What there is to know."""

    trace: Trace
    unheard: frozenset[int]
    """Streams (indices) whose in-band digits were asked for and could not all be heard."""


def address(text: str) -> Address:
    """An IP address as typed; UnusableInputError."""
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError as error:
        raise UnusableInputError(f"--sut {text!r} is no IP address: give one without a port, like 10.0.0.5") from error


def answer(request: Request, stdin: BinaryIO, watch: Watch) -> Answer:
    """Reads the captures; UnusableInputError where one is none, or a WAV file cannot be written.

    IncompleteInstallationError where nothing can be read here.
    """
    if request.files.count(STDIN) > 1:
        raise UnusableInputError("- is given twice: standard input can be read once")
    try:
        with _readable(request, stdin) as paths:
            with watch("reading") as progress:
                found = trace(paths, decrypted=request.decrypted, progress=progress)
            kept = [index for index, stream in enumerate(found.streams) if _is_wanted(stream, request)]
            sound = Sound()
            if kept and (request.wav is not None or request.in_band):
                from agent.trace.audio.listen import listen  # noqa: PLC0415 - who does not listen need not load it

                with watch("decoding") as progress:
                    packets = rtp_packets(paths, found, progress=progress)
                    sound = listen(packets, found, kept, wav=request.wav, tones=request.in_band)
    except KernelError as error:
        raise IncompleteInstallationError(str(error)) from error
    except OSError as error:
        where = error.filename or request.wav or _folder()
        raise UnusableInputError(
            f"{where}: {error.strerror}: name a directory for --wav that can be written"
        ) from error
    names = [msgspec.structs.replace(file, path=name) for file, name in zip(found.files, request.files, strict=True)]
    found = msgspec.structs.replace(found, files=names)
    unheard = frozenset(place for place, index in enumerate(kept) if index in sound.unheard)
    return Answer(trace=_kept(found, kept, sound, request), unheard=unheard if request.in_band else frozenset())


@contextmanager
def _readable(request: Request, stdin: BinaryIO) -> Iterator[Sequence[str]]:
    """The files; what can be read only once, and must be read twice, as a copy."""
    with ExitStack() as copies:
        paths = list(request.files)
        for number, name in enumerate(request.files):
            if (request.wav or request.in_band) and (name == STDIN or _is_pipe(name)):
                copy = copies.enter_context(_temporary())
                with nullcontext(stdin) if name == STDIN else Path(name).open("rb") as file:
                    _keep(file, copy, "standard input" if name == STDIN else name)
                paths[number] = copy.name
        try:
            yield paths
        except UnusableCaptureError as error:
            text = str(error)
            for path, name in zip(paths, request.files, strict=True):
                text = text.replace(path, name)
            raise UnusableInputError(text) from error


def _temporary() -> AbstractContextManager[IO[bytes]]:
    from tempfile import NamedTemporaryFile  # noqa: PLC0415 - few read pipes twice, all would load it

    return NamedTemporaryFile(prefix="calltest-")


def _folder() -> str:
    from tempfile import gettempdir  # noqa: PLC0415 - as above

    return gettempdir()


def _is_pipe(name: str) -> bool:
    """A FIFO, a socket or a terminal: `<(zcat call.pcap.gz)` of a shell is one."""
    try:
        mode = Path(name).stat().st_mode
    except OSError:
        return False  # said when it is opened
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def _keep(file: BinaryIO, copy: IO[bytes], name: str) -> None:
    """Copies a pipe to its end; UnusableInputError where it takes more than half of what is free there."""
    folder = _folder()
    room = shutil.disk_usage(folder).free // 2
    try:
        while piece := file.read(1 << 20):
            room -= len(piece)
            if room < 0:
                raise UnusableInputError(
                    f"{name}: --wav and --inband read a capture twice, a copy would fill {folder}: write it to a file"
                )
            copy.write(piece)
        copy.flush()
    except OSError as error:
        raise UnusableInputError(
            f"{name}: cannot be kept in {folder}: {error.strerror}: write it to a file first"
        ) from error


def _is_wanted(stream: Stream, request: Request) -> bool:
    if request.call_id is not None and request.call_id not in (one.call_id for one in stream.calls):
        return False
    return not request.suts or not request.suts.isdisjoint((_host(stream.src), _host(stream.dst)))


def _host(place: str) -> Address:
    return ipaddress.ip_address(place.rpartition(":")[0].strip("[]"))


def _kept(found: Trace, kept: Collection[int], sound: Sound, request: Request) -> Trace:
    """The document: what was asked for, with what was heard of it."""
    streams = []
    for index in kept:
        stream = found.streams[index]
        digits = sorted([*stream.digits, *sound.digits.get(index, ())], key=lambda digit: digit.start)
        wav = sound.wavs.get(index)
        calls = stream.calls
        if request.call_id is not None:
            # A stream that another call has too is here as this one's.
            calls = [one for one in calls if one.call_id == request.call_id]
            digits = [one for one in digits if one.call_id in (None, request.call_id)]
        call_id = calls[0].call_id if calls else None
        wav_path = None if wav is None else str(wav)
        streams.append(msgspec.structs.replace(stream, call_id=call_id, calls=calls, digits=digits, wav=wav_path))
    warnings = [*found.warnings, *sound.warnings]
    digits = found.digits
    if request.call_id is not None:
        digits = [digit for digit in digits if digit.call_id == request.call_id]
    if digits and request.suts:
        # Where they went is not known: neither kept nor passed over in silence.
        message = f"{len(digits)} digits by SIP INFO belong to no stream: left out by --sut"
        warnings.append(Warning(code="DigitsLeftOut", message=message))
        digits = []
    if not streams and found.streams:
        message = f"none of the {len(found.streams)} RTP streams is kept by --sut and --call-id"
        warnings.append(Warning(code="NothingKept", message=message))
    return msgspec.structs.replace(found, streams=streams, digits=digits, warnings=warnings)
