"""The commands of the pages, as they stand, in a clone: a first test, and what the kustomizations come to.

What is not committed is not in the clone.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.documents import AWAY, EXAMPLE, FIRST_TEST, IMAGES, INSTALL, LOOKING, block
from tests.e2e.calltests import Object
from tests.e2e.kube import ROOT, Namespace

KUBECTL = 'kubectl() { dev/cluster kubectl "$@"; }\n'
NAMESPACES = ("my-calltest", "my-sip", "calltest")
KUSTOMIZATIONS = sorted(
    str(path.parent.relative_to(ROOT))
    for path in (ROOT / "deploy").rglob("kustomization.yaml")
    if "examples" not in path.parts
)
"""Those of the examples are applied by their own tests."""


def typed(clone: Path, text: str, *, timeout_s: float = 240) -> str:
    """What a shell in the clone prints for it; each command must succeed."""
    done = subprocess.run(
        ["bash", "-eu", "-c", text], cwd=clone, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def gone(*names: str) -> None:
    """These namespaces, if they are there."""
    words = ("delete", "namespace", *names, "--ignore-not-found", "--timeout=90s")
    Namespace("default").kubectl(*words, timeout_s=100)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone that nothing was done in yet."""
    folder = tmp_path_factory.mktemp("clone") / "calltest"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True, timeout=60)
    gone(*NAMESPACES)
    yield folder
    gone(*NAMESPACES)


@pytest.mark.timeout(600)
def test_the_first_test_of_the_readme_as_it_is_typed(clone: Path) -> None:
    printed = typed(clone, "".join(block("README.md", start, clone) for start in FIRST_TEST), timeout_s=400)
    columns, row = (line.split() for line in printed.splitlines()[-2:])
    shown = (clone / "README.md").read_text().split("\n```\nNAME ")[1].splitlines()
    assert columns == ["NAME", *shown[0].split()]
    assert row[:4] == shown[1].split()[:4] == ["pin", "Passed", "4/4", "2"]

    for party in ("caller", "callee"):
        said = typed(clone, f"{KUBECTL}kubectl explain calltest.spec.{party}.credentials")
        assert all(key in said for key in ("username", "password", "realm")), said
    typed(clone, KUBECTL + block("docs/start.md", LOOKING, clone))
    in_its_namespace = 'kubectl() { dev/cluster kubectl --namespace my-calltest "$@"; }\n'
    typed(clone, in_its_namespace + block("deploy/examples/README.md", EXAMPLE, clone))
    assert Namespace("my-calltest").get("calltest", "basic")["status"]["lastRun"]["result"] == "Passed"
    typed(clone, KUBECTL + block("docs/start.md", AWAY, clone))


def test_the_operator_of_operator_md(clone: Path) -> None:
    typed(clone, KUBECTL + block("docs/operator.md", INSTALL, clone))


def test_the_images_of_start_md(clone: Path) -> None:
    printed = typed(clone, block("docs/start.md", IMAGES, clone))
    assert all(f"calltest-{name}" in printed for name in ("controller", "agent", "sut"))


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_each_kustomization_builds(folder: str) -> None:
    assert list(yaml.safe_load_all(Namespace("default").kubectl("kustomize", str(ROOT / folder))))


def test_a_namespace_of_one_s_own_leaves_no_other_in_the_objects(tmp_path: Path) -> None:
    found = built(tmp_path, "kind: Kustomization\nnamespace: mine\nresources: [deploy]\n")
    bindings = [one for one in found if one["kind"] == "RoleBinding"]
    assert [subject["namespace"] for one in bindings for subject in one["subjects"]] == ["mine"]
    assert [one["metadata"]["name"] for one in found if one["kind"] == "Namespace"] == ["mine"]
    placed = {one["metadata"].get("namespace") for one in found if one["kind"] in {"Deployment", "Role", "RoleBinding"}}
    assert placed == {"mine"}


def test_an_overlay_names_images_of_one_s_own(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "start.md").read_text()
    overlay = page.split("```yaml\n")[1].split("```")[0]
    (deployment,) = (one for one in built(tmp_path, overlay.replace("../", "")) if one["kind"] == "Deployment")
    (operator,) = deployment["spec"]["template"]["spec"]["containers"]
    assert operator["image"] == "registry.example/calltest-controller:1"
    assert operator["env"] == [{"name": "CALLTEST_AGENT_IMAGE", "value": "registry.example/calltest-agent:1"}]


def built(folder: Path, overlay: str) -> list[Object]:
    """The objects of an overlay beside deploy/."""
    (folder / "deploy").symlink_to(ROOT / "deploy")
    (folder / "kustomization.yaml").write_text(overlay)
    return list(yaml.safe_load_all(Namespace("default").kubectl("kustomize", str(folder))))
