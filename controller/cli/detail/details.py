"""What `calltest detail` does: reads a run's detail from the cluster, prints its lines or a call's messages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.contract.observation import LegObservation
from agent.contract.registration import RegistrationObservation
from agent.contract.result import encode_line
from agent.report.ladder import ladder
from controller.cli.saying import say, tell
from controller.faults import UnusableInputError
from controller.page.calls import Known
from controller.page.clusters import from_cluster

_CALL = re.compile(r"([a-z0-9][-a-z0-9]*)(?:/([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments as typed."""

    run: str
    namespace: str
    call: str | None


def run(asked: Asked) -> None:
    """Prints it. UnusableInputError."""
    known = from_cluster(asked.run, asked.namespace)
    text = printed(known, asked.run, asked.call)
    for what in known.left_out:
        say(f"calltest: {asked.run}: without {what}")
    tell(text)


def printed(known: Known, run: str, call: str | None) -> str:
    """The lines of the run, or what both ends saw of a call; UnusableInputError where there is nothing to print."""
    if not known.seen:
        raise UnusableInputError(
            f"{run}: has no detail that can be read{_why(known.left_out)}: it is kept when a run has finished"
        )
    if call is None:
        return b"".join(encode_line(line) for line in known.seen).decode()
    legs = [leg for leg in known.seen if isinstance(leg, LegObservation) and _is(leg, call)]
    if not legs:
        raise UnusableInputError(f"--call {call}: {run} has no such call: it has {_calls(known.seen)}")
    return "\n".join(ladder(leg) + _unkept(leg) for leg in legs)


def _is(leg: LegObservation, call: str) -> bool:
    found = _CALL.fullmatch(call)
    if found is None:
        raise UnusableInputError(f"--call {call}: give the call's name, or NAME/NUMBER")
    return leg.call == found[1] and (found[2] is None or leg.number == int(found[2]))


def _calls(seen: Sequence[LegObservation | RegistrationObservation]) -> str:
    names = dict.fromkeys(leg.call for leg in seen if isinstance(leg, LegObservation) and leg.call is not None)
    return ", ".join(names) or "none that has a name"


def _unkept(leg: LegObservation) -> str:
    return "" if leg.messages else "its messages were not kept: only those of calls that did not pass are\n"


def _why(left_out: Sequence[str]) -> str:
    return f" ({'; '.join(left_out)})" if left_out else ""
