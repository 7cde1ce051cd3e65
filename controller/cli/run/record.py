"""What `calltest run --evidence` leaves beside the folders of the legs, for `calltest report` to show all of it."""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.contract.observation import LegObservation
from agent.contract.result import encode_line
from agent.judge.verdicts import AgentReport
from controller.cli.run.render import FinishedRun, as_json
from controller.page.files import LEGS, RUN

LOG = logging.getLogger(__name__)


def record(directory: Path, finished: FinishedRun, reports: Sequence[AgentReport]) -> None:
    """Writes both into the run's folder; where that fails, it is said, and changes no verdict."""
    folder = directory / finished.run.name
    lines = [encode_line(_named(leg, finished)) for report in reports for leg in report.legs]
    lines += [encode_line(registration) for report in reports for registration in report.registrations]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN).write_text(as_json([finished]), encoding="utf-8")
        (folder / LEGS).write_bytes(b"".join(lines))
    except OSError as error:
        LOG.warning("%s: %s: the run is not recorded there", folder, error.strerror)


def _named(leg: LegObservation, finished: FinishedRun) -> LegObservation:
    """With the call that it was found to belong to, where no header named it."""
    if leg.call is not None:
        return leg
    its = next((call for call in finished.verdict.calls if call.callee == leg), None)
    return leg if its is None else msgspec.structs.replace(leg, call=its.call, number=its.number)
