"""What `calltest` costs before it does anything: which modules a command loads."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.controller.captures import back, call, pcap

LOADED = "import sys; from controller.cli.app import app\ntry: app()\nfinally: print(*sys.modules, file=sys.stderr)"
OF_THE_CLUSTER = {"kubernetes", "kopf", "aiohttp", "prometheus_client", "urllib3", "requests"}
OF_RUNS = {"yaml", "cronsim", "controller.cli.run.local", "agent.judge", "agent.contract.plan", "agent.run"}
OF_SOUND = {"av", "agent.trace.audio.codecs", "agent.trace.audio.tones", "agent.trace.audio.track"}
NEVER = {"pydantic", "scapy", "http", "unittest", "pjsua2", "importlib.metadata", "jinja2"}
FOR_PEOPLE = {"rich"}
UNASKED = {"tempfile", "controller.cli.trace.expectations", "agent.trace.file.pcapng"}
READERS = {"numpy", "msgspec", "zstandard", "agent.trace"}


def loaded(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captures") / "call.pcap"
    path.write_bytes(pcap([*call("12#"), *back("")]))
    return path


@pytest.mark.parametrize(
    "command", [(), ("run",), ("trace",), ("report",), ("detail",), ("convert",), ("convert", "pjsua")]
)
def test_help_loads_what_prints_it_and_nothing_of_what_the_commands_do(command: tuple[str, ...]) -> None:
    found = loaded(*command, "--help")
    assert not found & (OF_THE_CLUSTER | OF_RUNS | OF_SOUND | NEVER | FOR_PEOPLE | READERS)
    assert {name for name in found if name.split(".")[0] in ("agent", "controller")} == {
        *("controller", "controller.cli", "controller.cli.app", "controller.cli.exits", "controller.cli.output"),
        *("controller.cli.saying", "controller.faults"),
        *("controller.cli.convert", "controller.cli.convert.command"),
        *("controller.cli.detail", "controller.cli.detail.command"),
        *("controller.cli.report", "controller.cli.report.command"),
        *("controller.cli.run", "controller.cli.run.command"),
        *("controller.cli.trace", "controller.cli.trace.command"),
    }


def test_a_capture_is_read_without_what_tells_people_and_without_what_listens(capture: Path) -> None:
    found = loaded("trace", str(capture), "--json")
    assert "agent.trace.read" in found
    assert not found & (OF_THE_CLUSTER | OF_RUNS | OF_SOUND | NEVER | FOR_PEOPLE | UNASKED | {"zstandard"})


def test_its_table_loads_rich_and_no_more(capture: Path) -> None:
    found = loaded("trace", str(capture))
    assert "rich.table" in found
    assert not found & (
        OF_THE_CLUSTER | OF_RUNS | OF_SOUND | NEVER | UNASKED | {"rich.progress", "rich.markdown", "zstandard"}
    )
