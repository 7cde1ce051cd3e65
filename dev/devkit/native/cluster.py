"""up, down, status and load of the native cluster: level-triggered, so each can follow whatever happened before."""

import functools
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from devkit import steps
from devkit.native import components, layout, node, pause, pki, processes
from devkit.native.layout import Node

READY_TIMEOUT_S = 60.0


def up(binaries: Mapping[str, Path], node_count: int) -> None:
    """Brings the cluster up, or whatever of it is missing, dead, or started differently."""
    with steps.lock(layout.LOCK, "cluster"):
        if processes.anchor(layout.CONTROL_PLANE) is None:
            with steps.step("sweeping up after an earlier cluster"):
                _remove_all()
        with steps.step("network namespace, mounts, cgroups"):
            layout.LOGS.mkdir(parents=True, exist_ok=True)
            for each in layout.NODES[:node_count]:
                node.ensure(each)
        with steps.step("certificates"):
            pki.ensure()
            _write_kubeconfig()
        for each in layout.NODES[:node_count]:
            _start_node(each, binaries)


def _start_node(each: Node, binaries: Mapping[str, Path]) -> None:
    for component in components.of_node(each, binaries):
        _ensure_component(each, component, binaries)
        if component.name == "containerd":
            with steps.step("pause image"):
                _ensure_pause(each)
    ready = functools.partial(_node_is_ready, binaries, each)
    with steps.step(f"{each.name} ready"):
        _await(each, "kubelet", f"{each.name} Ready", ready)
        if each == layout.CONTROL_PLANE:
            account = ["get", "serviceaccount", "default"]
            _await(each, "controller-manager", "service account default", lambda: bool(kubectl(binaries, account)))


def _ensure_component(each: Node, component: components.Component, binaries: Mapping[str, Path]) -> None:
    digest = component.digest()
    running = processes.component(each, component.name)
    if running is not None and running.digest == digest:
        return
    why = "starting" if running is None else "restarting (its settings changed)"
    with steps.step(f"{why} {component.name} on {each.name}"):
        if running is not None:
            processes.stop(running)
        for path, text in component.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o600)
        processes.log_path(each, component.name).unlink(missing_ok=True)
        processes.start(each, component.name, component.argv, digest)
        ready = {
            "containerd": lambda: "Server:" in _ctr(each, "version", check=False),
            "apiserver": lambda: kubectl(binaries, ["get", "--raw", "/readyz"]) == "ok",
            "coredns": _dns_is_ready,
        }.get(component.name, lambda: processes.component(each, component.name) is not None)
        _await(each, component.name, f"{component.name} ready", ready)


def _await(each: Node, name: str, what: str, ready: Callable[[], bool]) -> None:
    """Waits for a component; if it ended or took too long, the error shows its log."""
    log = processes.log_path(each, name)

    def look() -> bool:
        if ready():
            return True
        if starting and processes.component(each, name) is None:
            raise steps.StepError(f"{name} on {each.name} ended\n{steps.tail(log)}")
        return False

    starting = False
    try:
        steps.wait_until(f"{name} running", lambda: processes.component(each, name) is not None, timeout_s=5)
        starting = True
        steps.wait_until(what, look, timeout_s=READY_TIMEOUT_S)
    except steps.StepError as error:
        if str(log) in str(error):
            raise
        raise steps.StepError(f"{error}\n{steps.tail(log)}") from None


def down() -> None:
    """Ends the cluster and removes everything it left."""
    with steps.lock(layout.LOCK, "cluster"), steps.step("cluster down"):
        _remove_all()


def _remove_all() -> None:
    node.remove(tuple(reversed(layout.NODES)))
    node.remove_mount_points()
    node.remove_tree(layout.DATA)


def lose(name: str) -> None:
    """Ends a node as a power cut would: its kubelet says nothing any more, and its pods are gone."""
    each = node_named(name)
    if each == layout.CONTROL_PLANE:
        raise steps.StepError("node0 carries the API server: to end the cluster, say dev/cluster down")
    with steps.lock(layout.LOCK, "cluster"), steps.step(f"losing {name}"):
        node.remove([each])


def node_named(name: str) -> Node:
    """The node of this name; raises StepError if there is none."""
    for each in layout.NODES:
        if each.name == name:
            return each
    raise steps.StepError(f"no node is called {name}: there are {', '.join(each.name for each in layout.NODES)}")


def status(binaries: Mapping[str, Path]) -> bool:
    """Prints each component; whether everything of each node that is there runs."""
    healthy = processes.anchor(layout.CONTROL_PLANE) is not None
    if not healthy:
        print("the cluster is down")
        return False
    for each in layout.NODES:
        if processes.anchor(each) is None:
            continue
        for component in components.of_node(each, binaries):
            running = processes.component(each, component.name)
            healthy &= running is not None
            state = f"pid {running.pid}, up {running.age_s():.0f} s" if running else "NOT RUNNING"
            print(f"{each.name}  {component.name:18} {state:26} log {processes.log_path(each, component.name)}")
    print(kubectl(binaries, ["get", "nodes"]) or "the API server does not answer")
    return healthy


def images(each: Node) -> set[str]:
    """Names of the images that the node has."""
    return set(_ctr(each, "images", "ls", "-q").split())


def nodes_up() -> list[Node]:
    """The nodes that are there."""
    return [each for each in layout.NODES if processes.anchor(each) is not None]


def load(archive: Path) -> None:
    """Gives an image archive (OCI or docker-archive) to every node."""
    there = nodes_up()
    if not there:
        raise steps.StepError("the cluster is down: run dev/cluster up")
    for each in there:
        with steps.step(f"{archive.name} to {each.name}"):
            _ctr(each, "images", "import", "--all-platforms", str(archive))


def load_image(archive: Path, reference: str, alias: str) -> None:
    """Gives an image to every node that lacks it; `alias` then means this one."""
    there = nodes_up()
    if not there:
        raise steps.StepError("the cluster is down: run dev/cluster up")
    for each in there:
        if reference not in images(each):
            with steps.step(f"{reference} to {each.name}"):
                _ctr(each, "images", "import", str(archive))
        _ctr(each, "images", "tag", "--force", reference, alias)


def _ensure_pause(each: Node) -> None:
    if layout.PAUSE_IMAGE not in images(each):
        _ctr(each, "images", "import", str(pause.archive()))


def _ctr(each: Node, *words: str, check: bool = True) -> str:
    argv = [components.program("ctr"), "--address", str(each.containerd_socket), "--timeout", "5s"]
    if words[0] == "images":
        argv = argv[:3]  # an import takes as long as it takes
    return steps.output([*argv, "--namespace", "k8s.io", *words], check=check)


def kubectl(binaries: Mapping[str, Path], words: list[str]) -> str:
    """What kubectl printed; nothing if it failed."""
    argv = [str(binaries["kubectl"]), f"--kubeconfig={layout.KUBECONFIG}", "--request-timeout=5s", *words]
    return steps.output(argv, check=False)


def _node_is_ready(binaries: Mapping[str, Path], each: Node) -> bool:
    """Ready, and its kubelet answers: the condition alone may be from before the kubelet died."""
    if kubectl(binaries, ["get", "--raw", f"/api/v1/nodes/{each.name}/proxy/healthz"]) != "ok":
        return False
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    return kubectl(binaries, ["get", "node", each.name, "-o", f"jsonpath={path}"]) == "True"


def _dns_is_ready() -> bool:
    url = f"http://{layout.CONTROL_PLANE.address}:{layout.DNS_READY_PORT}/ready"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _write_kubeconfig() -> None:
    """For people and programs of this machine; it belongs to whoever called sudo."""
    part = layout.KUBECONFIG.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(pki.kubeconfig("admin"))
    if "SUDO_UID" in os.environ:
        os.chown(part, int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1")))
    part.rename(layout.KUBECONFIG)
