"""The cluster with our images in it (`make cluster`), and the operator as it is shipped, one per namespace."""

import fcntl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.kube import CLUSTER, ROOT, KubectlError, Namespace, namespace
from tests.sut.base import EXAMPLES

Served = Callable[[str], Namespace]
HERE = Path(__file__).parent
BOUND_S = 300
"""Of a test: every wait in it is bounded too, and says what did not come."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/e2e/test_examples.py --times 10`: what comes out rarely, comes out."""
    parser.addoption("--times", type=int, default=1, metavar="N", help="run each example so often (default: 1)")


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    """How often each example is run."""
    return int(request.config.getoption("--times", 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """More time than a unit test has."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(BOUND_S * int(config.getoption("--times", 1))))


@pytest.fixture(scope="session", autouse=True)
def cluster() -> Iterator[None]:
    """These tests need the development cluster; they do not start one themselves."""
    status = subprocess.run([CLUSTER, "status"], capture_output=True, text=True, timeout=60, check=False)
    if status.returncode:
        pytest.exit(f"no development cluster: run `make cluster` first\n{status.stdout}{status.stderr}", returncode=3)
    with alone(), without_demo():
        yield


@contextmanager
def alone() -> Iterator[None]:
    """The cluster is the machine's, and namespaces have names: two clones' suites take turns."""
    with (Path(tempfile.gettempdir()) / "calltest-e2e.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def without_demo() -> Iterator[None]:
    """The demo's operator serves all namespaces, ours too: it rests meanwhile."""
    demo = Namespace("calltest-system")
    try:
        demo.kubectl("scale", "deployment/calltest-operator", "--replicas=0")
    except KubectlError:
        yield
        return
    yield
    demo.kubectl("scale", "deployment/calltest-operator", "--replicas=1")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Makes namespaces that the operator serves from inside, with the shipped Role."""
    with ExitStack() as stack:

        def make(name: str) -> Namespace:
            made = stack.enter_context(namespace(f"e2e-{name}"))
            made.apply_folder(ROOT / "deploy", tmp_path)
            return made

        yield make


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A namespace with the operator and a good SUT of two replicas, for tests that put both as they were."""
    scratch = tmp_path_factory.mktemp("voice")
    with namespace("e2e-voice") as made:
        made.apply_folder(EXAMPLES / "basic", scratch)
        made.apply_folder(ROOT / "deploy", scratch)
        made.rolled_out("calltest-operator", "kamailio")
        one = made.items("pods", "-l", "app=kamailio")[0]["metadata"]["name"]
        made.kubectl("label", "pod", one, "e2e=one")
        yield made
