"""Phones that end with their test, and calls that several tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.field import BUSY
from tests.component.peers.running import Case, Runs
from tests.component.phones import Make, PhoneProcess

MAX_OVERLOADED_SHARE = 0.05
"""Of all tests of a session: more than that is no busy moment."""
SHARED = ("talk", "relayed")
"""Calls that are made once for all tests that look at them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those tests go to one worker (`--dist loadgroup`): each other one would make the call again."""
    for item in items:
        for name in set(SHARED) & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Says how many cases nothing is known of, because the machine was too busy; too many of them are a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", ())]
    overloaded = sum(BUSY in why for why in skipped)
    if overloaded:
        reporter.write_line(f"{overloaded} cases were not judged: {BUSY} for our agents, or for the peer")
    if overloaded > MAX_OVERLOADED_SHARE * session.testscollected and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """The runs of all cases that the tests of this session ask for."""
    params = [getattr(item, "callspec", None) and item.callspec.params.get("case") for item in request.session.items]
    made = Runs(case for case in params if isinstance(case, Case))
    yield made
    made.close()


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Make]:
    """Makes phones that end with the test."""
    made: list[PhoneProcess] = []

    def make(**options: object) -> PhoneProcess:
        made.append(PhoneProcess(tmp_path / f"phone{len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.let_go()
    for each in made:
        each.close()
