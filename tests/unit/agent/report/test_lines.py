"""What an agent says is bounded, in order, and vouched for."""

import os
import subprocess
import sys

import pytest

from agent.contract.observation import LegObservation, SipMessage
from agent.contract.result import (
    RESULT_BYTES,
    KeptLine,
    ProgressLine,
    decode_line,
    decode_result,
    detail_digest,
)
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.report.lines import MAX_ERROR_NOTE, Report, open_result
from tests.unit.agent.world import group, plan


class Desk:
    """A report, and what it wrote."""

    def __init__(self, count=200):
        self.lines: list[bytes] = []
        self.results: list[bytes] = []
        self.report = Report(
            plan=plan(calls=(group(count=count),)),
            plan_sha256="d",
            write_line=self.lines.append,
            write_result=self.results.append,
        )

    @property
    def result(self):
        return decode_result(self.results[-1])


def finding(reason=Reason.SIP_CODE_MISMATCH, **fields):
    usual = {"call": "pin", "number": 0, "endpoint": 0, "leg": Role.CALLER, "check": Check.ANSWERED}
    return Finding(reason=reason, **(usual | fields))


def leg(*findings, number=0, text="x"):
    return LegObservation(
        role=Role.CALLER,
        endpoint=0,
        call="pin",
        number=number,
        call_key=None,
        sip_call_id=None,
        from_user=None,
        started_at=0.0,
        messages=(SipMessage(at_ms=0, sent=True, peer="p", text=text),),
        findings=findings,
    )


def test_what_was_kept_of_a_leg_later_is_a_line_that_is_vouched_for():
    desk = Desk()
    desk.report.leg(leg())
    desk.report.kept(KeptLine(role=Role.CALLER, endpoint=0, index=0, messages=leg().messages, evidence="a/b"))
    assert [type(decode_line(line)) for line in desk.lines] == [LegObservation, KeptLine]
    assert (desk.result.legs, desk.result.detail) == (1, detail_digest(desk.lines))


def test_each_result_vouches_for_the_lines_so_far():
    desk = Desk()
    for number in range(3):
        desk.report.leg(leg(finding(), number=number))
        assert desk.result.detail == detail_digest(desk.lines)
    assert (desk.result.legs, desk.report.failed) == (3, 3)
    assert all(len(raw) == RESULT_BYTES for raw in desk.results)


def test_failed_findings_come_first_and_the_result_never_grows():
    desk = Desk()
    for number in range(100):
        desk.report.leg(leg(finding(Reason.AGENT_OVERLOADED, number=number, note="x" * 300), number=number))
    desk.report.leg(leg(finding(Reason.DTMF_MISMATCH, number=107), number=107))
    assert desk.result.findings[0].reason is Reason.DTMF_MISMATCH
    assert (desk.report.ended, desk.report.failed) == (101, 1)
    assert len(desk.results[-1]) == RESULT_BYTES


def test_a_long_error_is_cut():
    desk = Desk()
    desk.report.write(final=True, error=finding(Reason.AGENT_ERROR, note="\0" * 100_000))
    assert desk.result.error is not None
    assert len(desk.result.error.note or "") == MAX_ERROR_NOTE


def test_an_error_may_have_no_note():
    desk = Desk()
    desk.report.write(final=True, error=finding(Reason.AGENT_ERROR))
    assert desk.result.error is not None


def test_progress_is_no_detail():
    desk = Desk()
    desk.report.progress(ready=1, done=0, active=2, address="a:1")
    desk.report.write()
    assert isinstance(decode_line(desk.lines[0]), ProgressLine)
    assert desk.result.detail.lines == 0


def test_the_result_file_is_written_in_place(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"z" * 10)
    inode = path.stat().st_ino
    write = open_result(path)
    for text in (b"first", b"other"):
        write(text.ljust(RESULT_BYTES))
    assert path.read_bytes() == b"other".ljust(RESULT_BYTES)
    assert path.stat().st_ino == inode


def test_a_result_file_that_cannot_be_opened_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="absent"):
        open_result(tmp_path / "absent" / "result")


def test_stdout_is_ours_alone():
    program = (
        "import os\nfrom agent.report.lines import claim_stdout\nwrite = claim_stdout()\n"
        "print('stray', flush=True)\nos.write(1, b'library')\nwrite(b'line\\n' * 50000)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=os.environ)
    assert done.stdout == b"line\n" * 50000
    assert done.stderr == b"stray\nlibrary"
