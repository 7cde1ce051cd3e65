"""What is given, and what is said of what cannot be used."""

import base64
import gzip
from pathlib import Path

import msgspec
import pytest

from agent.contract.result import encode_line
from agent.contract.verdict import Result
from controller.cli.run.record import record
from controller.cli.run.render import as_json, run_object
from controller.faults import IncompleteInstallationError, UnusableInputError
from controller.kube.cluster import CONFIG_MAPS, RUNS
from controller.page import sources
from controller.page.clusters import detail_lines, read_cluster
from controller.page.sources import Request, page_of
from tests.unit.builders import good_reports
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.finished import finished_run
from tests.unit.controller.page.test_evidence import evidence
from tests.unit.controller.page.world import TALK, capture, media, signalling


def page(*paths, **options):
    return page_of(Request(sources=tuple(Path(path) for path in paths), **options), lambda _: None)


def run_file(path, *results):
    path.write_text(as_json([finished_run(result) for result in results]))
    return path


@pytest.fixture
def folder(tmp_path):
    """The evidence of a call of run pin-1."""
    made = evidence(tmp_path / "evidence")
    capture(made / "capture.pcap", signalling(*TALK), media())
    return tmp_path / "evidence"


def test_captures_are_a_page(tmp_path):
    found = page(capture(tmp_path / "a.pcap", signalling(*TALK), media()))
    assert (found.title, found.result, len(found.calls)) == ("a.pcap", None, 1)


def test_a_run_alone_is_a_page(tmp_path):
    found = page(run_file(tmp_path / "run.json", Result.FAILED))
    assert (found.result, found.calls[0].tracks) == (Result.FAILED, ())


def test_evidence_alone_is_a_page_without_a_verdict(folder):
    found = page(folder)
    assert (found.result, found.calls[0].name, len(found.calls[0].tracks)) == (None, "pin/0", 2)


def test_a_run_and_its_evidence_are_one(tmp_path, folder):
    found = page(run_file(tmp_path / "run.json", Result.FAILED), folder)
    assert (found.result, len(found.calls[0].tracks), len(found.made_of)) == (Result.FAILED, 2, 2)


def test_what_the_run_left_beside_its_evidence_is_read(folder):
    record(folder, finished_run(Result.FAILED), good_reports())
    found = page(folder)
    assert (found.result, found.calls[0].name) == (Result.FAILED, "pin/0")
    assert "judged: packets" in {fact.name for fact in found.calls[0].tracks[0].facts}
    assert page(folder / "pin-1" / "ep0" / "pin-0").result is Result.FAILED


def test_a_run_that_kept_no_leg_is_a_page_by_what_it_left(tmp_path):
    record(tmp_path, finished_run(Result.PASSED), good_reports())
    for path in (tmp_path, tmp_path / "pin-1"):
        found = page(path)
        assert (found.result, len(found.calls)) == (Result.PASSED, 1)


def test_a_run_takes_the_lines_that_lie_beside_its_evidence(tmp_path, folder):
    record(folder, finished_run(Result.PASSED), good_reports())
    found = page(run_file(tmp_path / "run.json", Result.FAILED), folder)
    assert len(found.calls[0].tracks) == 4
    assert found.result is Result.FAILED


def test_of_several_runs_one_must_be_named(folder):
    (folder / "pin-1").rename(folder / "pin-2")
    capture(evidence(folder) / "capture.pcap", signalling(*TALK))
    with pytest.raises(UnusableInputError, match="several runs: name the folder of one: pin-1, pin-2"):
        page(folder)


def test_folders_beyond_the_most_are_said(monkeypatch, folder):
    capture(evidence(folder, role="Callee") / "capture.pcap", signalling(*TALK))
    monkeypatch.setattr(sources, "MAX_FOLDERS", 1)
    assert page(folder).left_out == ("1 folders of evidence that were not read",)


def refused(*paths, **options):
    with pytest.raises(UnusableInputError) as caught:
        page(*paths, **options)
    return str(caught.value)


def test_what_cannot_be_used_is_said_with_its_name(tmp_path, folder):
    empty, noise, pod = tmp_path / "empty", tmp_path / "noise", tmp_path / "pod.json"
    empty.write_bytes(b"")
    noise.write_bytes(b"hello world, this is no capture")
    pod.write_text('{"kind": "Pod"}')
    run = run_file(tmp_path / "run.json", Result.FAILED)
    two = run_file(tmp_path / "two.json", Result.FAILED, Result.FAILED)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "broken.json").write_text("{")
    assert "no such file" in refused(tmp_path / "missing")
    assert "empty: name evidence" in refused(empty)
    assert "neither pcap nor pcapng" in refused(noise)
    assert "kind is 'Pod'" in refused(pod)
    assert "no JSON" in refused(tmp_path / "broken.json")
    assert "holds 2 runs (pin-1, pin-1)" in refused(two)
    assert "no evidence is in it" in refused(tmp_path / "nothing")
    assert "several runs are given" in refused(run, two)
    assert "give captures alone" in refused(noise, run)
    (folder / "pin-1").rename(folder / "other-1")
    assert "no evidence of run pin-1 is in it, but of: other-1" in refused(run, folder)


def test_a_missing_kernel_is_a_fault_of_ours(monkeypatch, tmp_path):
    from agent.trace.kernel import KernelError  # noqa: PLC0415

    def broken(*_args, **_options):
        raise KernelError("not built")

    monkeypatch.setattr(sources, "read", broken)
    with pytest.raises(IncompleteInstallationError, match="not built"):
        page(capture(tmp_path / "a.pcap", signalling(*TALK)))


def test_a_file_that_cannot_be_read_is_said(monkeypatch, tmp_path):
    def broken(*_args, **_options):
        raise PermissionError(13, "Permission denied", "x.pcap")

    monkeypatch.setattr(sources, "read", broken)
    assert refused(capture(tmp_path / "a.pcap", signalling(*TALK))) == "x.pcap: Permission denied"


# A run of the cluster


def held(lines):
    packed = gzip.compress(b"".join(map(encode_line, lines)))
    return {"metadata": {"name": "pin-1-0"}, "binaryData": {"detail.jsonl.gz": base64.b64encode(packed).decode()}}


@pytest.fixture
def cluster():
    made = FakeCluster()
    raw = run_object(finished_run(Result.FAILED))
    raw["status"]["detail"] = {"configMaps": ["pin-1-0", "pin-1-1"], "lines": 2, "complete": False}
    made.objects[RUNS, "default", "pin-1"] = {**raw, "kind": None}
    legs = [leg for report in good_reports() for leg in report.legs]
    made.objects[CONFIG_MAPS, "default", "pin-1-0"] = held(legs)
    return made


def test_a_run_of_the_cluster_has_its_legs(cluster):
    known = read_cluster(cluster, "pin-1", "default")
    assert known.facts is not None
    assert (known.facts.result, len(known.seen), known.made_of) == (Result.FAILED, 2, ("CallTestRun default/pin-1",))
    assert known.left_out == (
        "the detail lines of ConfigMap pin-1-1: it is gone, or cannot be read",
        "some detail lines: not all of them came from the agents",
    )


def test_a_run_that_is_not_there_or_none_is_said(cluster):
    with pytest.raises(UnusableInputError, match="no CallTestRun of this name in namespace voice"):
        read_cluster(cluster, "pin-1", "voice")
    cluster.objects[RUNS, "default", "bad"] = {"metadata": {"name": 3}}
    with pytest.raises(UnusableInputError, match=r"^bad: not as"):
        read_cluster(cluster, "bad", "default")


def test_a_run_without_detail_has_no_legs(cluster):
    del cluster.objects[RUNS, "default", "pin-1"]["status"]["detail"]
    assert read_cluster(cluster, "pin-1", "default").seen == ()


@pytest.mark.parametrize(
    "data", [None, {}, {"detail.jsonl.gz": "!"}, {"detail.jsonl.gz": "AAAA"}, {"detail.jsonl.gz": 3}]
)
def test_lines_that_cannot_be_read_are_none(data):
    assert detail_lines({"binaryData": data}) is None


def test_lines_are_bounded(monkeypatch):
    monkeypatch.setattr("controller.page.clusters.MAX_DETAIL_BYTES", 10)
    assert len(detail_lines(held([msgspec.structs.replace(good_reports()[0].legs[0])])) or b"") == 10
