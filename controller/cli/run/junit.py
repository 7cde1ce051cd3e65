"""A finished run as JUnit XML, for pipelines: a test case per call. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from msgspec import UNSET

from agent.contract.verdict import Result
from agent.judge.verdicts import CallVerdict, RunVerdict
from controller.api.run import CallTestRunStatus
from controller.run.wording import reference, sentence
from controller.text import plain

MAX_TEXT = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One run."""

    name: str
    """Of the CallTest."""
    status: CallTestRunStatus
    verdict: RunVerdict | None
    """None: it could not be planned; the suite then has one case, the run itself."""


def junit(suites: Sequence[Suite]) -> str:
    """The runs as JUnit XML: Failed is a failure, Inconclusive an error, with the reason as their type."""
    root = ET.Element("testsuites", name="calltest")
    for suite in suites:
        root.append(_suite(suite))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(suite: Suite) -> ET.Element:
    element = ET.Element("testsuite", name=suite.name)
    if suite.status.start_time is not UNSET:
        element.set("timestamp", suite.status.start_time.isoformat())
    if suite.verdict is None:
        cases = [_run_case(suite)]
    else:
        names = {endpoint.endpoint: endpoint.name for endpoint in suite.verdict.endpoints}
        cases = [_call_case(suite.name, names[call.endpoint], call) for call in suite.verdict.items]
    element.extend(cases)
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", str(sum(case.find("error") is not None for case in cases)))
    return element


def _run_case(suite: Suite) -> ET.Element:
    case = ET.Element("testcase", classname=suite.name, name="run")
    reason = suite.status.reason if suite.status.reason is not UNSET else "Unknown"
    message = suite.status.message if suite.status.message is not UNSET else ""
    fault = ET.SubElement(case, "error", type=reason, message=plain(message, MAX_TEXT))
    fault.text = f"see {reference(reason)}"
    return case


def _call_case(test: str, endpoint: str, call: CallVerdict) -> ET.Element:
    case = ET.Element("testcase", classname=f"{test}.{endpoint}", name=f"{call.call} #{call.number}")
    if call.caller is not None and call.caller.progress.ended_ms is not None:
        case.set("time", f"{call.caller.progress.ended_ms / 1000:.3f}")
    if call.notes:
        ET.SubElement(case, "system-out").text = "\n".join(plain(note, MAX_TEXT) for note in call.notes)
    if call.result is Result.PASSED:
        return case
    kind = "failure" if call.result is Result.FAILED else "error"
    lines = [plain(f"{finding.reason}: {sentence(finding)}", MAX_TEXT) for finding in call.findings]
    kept = [leg.evidence for leg in (call.caller, call.callee) if leg is not None and leg.evidence is not None]
    lines += [plain(f"evidence: {folder}", MAX_TEXT) for folder in kept]
    lines.append(f"see {reference(call.findings[0].reason)}")
    # A call that has not passed has a finding, the worst one first.
    fault = ET.SubElement(case, kind, type=call.findings[0].reason, message=lines[0])
    fault.text = "\n".join(lines)
    return case
