"""`calltest report --run` of a run that the operator made: its verdict and both legs, though no evidence was kept."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.calltests import call_test, deleted
from tests.e2e.kube import Namespace
from tests.e2e.test_evidence import WRONG


def test_a_report_of_a_run_of_the_cluster_shows_its_verdict_and_both_legs(voice: Namespace, tmp_path: Path) -> None:
    voice.apply(call_test("reported", call=WRONG))
    voice.finished("reported")
    run = voice.run_of("reported")
    assert run["status"]["reason"] == "DtmfMismatch", run["status"]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(voice.kubectl("config", "view", "--raw", "--flatten"))
    page = tmp_path / "page.html"
    name = run["metadata"]["name"]

    def report(run_name: str, output: Path) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "controller.cli",
            "report",
            "--run",
            run_name,
            "-n",
            voice.name,
            "-o",
            str(output),
        ]
        env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    done = report(name, page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert page.stat().st_size < 2_000_000
    assert f"CallTestRun {voice.name}/{name}" in text
    assert re.search(r'<h1><span class="badge failed">Failed</span>\s*reported</h1>', text)
    assert html.escape(run["status"]["message"], quote=False).split(":")[0] in html.unescape(text)
    # Both legs, from the detail lines alone: nothing was kept. Messages cross both sides of the SUT, media is measured.
    ladder = text[text.index('<div class="ladder">') :]
    assert "INVITE with SDP, caller agent to SUT" in ladder
    assert "INVITE with SDP, SUT to callee agent" in ladder
    assert {"sent by the caller", "received by the callee", "sent by the callee", "received by the caller"} <= set(
        re.findall(r"(?:sent|received) by the call(?:er|ee)", text)
    )
    assert "<code>1234#</code>" in text
    wrong = report("nobodys", tmp_path / "none.html")
    assert wrong.returncode == 2
    assert f"there is no CallTestRun of this name in namespace {voice.name}" in wrong.stderr
    deleted(voice, "reported")
