"""The cluster with our images in it (`make cluster`), and the operator as it is shipped, one per namespace."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.kube import CLUSTER, ROOT, Namespace, namespace

Served = Callable[[str], Namespace]


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    """These tests need the development cluster; they do not start one themselves."""
    status = subprocess.run([CLUSTER, "status"], capture_output=True, text=True, timeout=60, check=False)
    if status.returncode:
        pytest.exit(f"no development cluster: run `make cluster` first\n{status.stdout}{status.stderr}", returncode=3)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Makes namespaces that the operator serves from inside, with the shipped Role."""
    with ExitStack() as stack:

        def make(name: str) -> Namespace:
            made = stack.enter_context(namespace(f"e2e-{name}"))
            made.apply_folder(ROOT / "deploy", tmp_path)
            return made

        yield make
