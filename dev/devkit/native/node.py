"""A node's surroundings: its namespaces, mounts, link and cgroups. Everything here can be repeated."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from devkit import steps
from devkit.native import layout, processes
from devkit.native.layout import Node

CGROUPS = Path("/sys/fs/cgroup")
GONE_TIMEOUT_S = 15.0


def ensure(node: Node) -> None:
    """The anchor, with mounts, link and cgroups of the node; whatever is there already is left as it is."""
    if processes.anchor(node) is None:
        remove([node])
        processes.start_anchor(node)
    _load_modules()
    processes.inside(node, ["hostname", node.name])
    _bind(node)
    _link(node)
    _make_cgroups(node)


def _load_modules() -> None:
    """Where the kernel has them as modules; where they are built in or missing, kubelet and kube-proxy tell."""
    if not Path("/proc/sys/net/bridge").exists():
        steps.output(["modprobe", "--all", "br_netfilter", "overlay", "veth", "iptable_nat"], check=False)


def _bind(node: Node) -> None:
    for target, source in node.binds().items():
        source.mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
    binds = node.binds()
    for name in layout.KERNEL_SETTINGS:
        target, source = Path("/proc/sys") / name, node.data / f"sysctl-{name.replace('/', '.')}"
        if target.exists():
            if not source.exists():
                source.write_text(target.read_text())
            binds[target] = source
    holder = processes.anchor(node)
    assert holder is not None
    mounts = [line.split() for line in Path(f"/proc/{holder.pid}/mountinfo").read_text().splitlines()]
    mounted = {(Path(root).name, point) for _id, _parent, _device, root, point, *_ in mounts}
    for target, source in binds.items():
        point = str(target.resolve())
        if (source.name, point) not in mounted:
            processes.inside(node, ["mount", "--bind", str(source), point])


def _link(node: Node) -> None:
    """The veth pair. The node routes into it without a gateway: ClusterIPs need some route to be sent at all."""
    holder = processes.anchor(node)
    assert holder is not None
    inner, outer = node.name, node.outside_interface
    if f" {inner}@" not in processes.inside(node, ["ip", "-o", "link"]):
        _outside(node, ["ip", "link", "delete", outer], check=False)
        peer = ["peer", "name", inner, "netns", str(holder.pid)]
        if node == layout.CONTROL_PLANE:
            steps.output(["ip", "link", "add", outer, "type", "veth", *peer])
        else:
            control = processes.anchor(layout.CONTROL_PLANE)
            assert control is not None
            steps.output(["ip", "link", "add", outer, "netns", str(control.pid), "type", "veth", *peer])
    _outside(node, ["ip", "address", "replace", f"{node.outside_address}/30", "dev", outer])
    # nodad: an address that is still being asked about cannot be bound to
    _outside(node, ["ip", "address", "replace", f"{node.outside_address6}/64", "dev", outer, "nodad"])
    _outside(node, ["ip", "link", "set", outer, "up"])
    processes.inside(node, ["ip", "link", "set", "lo", "up"])
    processes.inside(node, ["ip", "address", "replace", f"{node.address}/30", "dev", inner])
    processes.inside(node, ["ip", "address", "replace", f"{node.address6}/64", "dev", inner, "nodad"])
    processes.inside(node, ["ip", "link", "set", inner, "up"])
    here = node == layout.CONTROL_PLANE
    via, via6 = (["dev", inner],) * 2 if here else (["via", node.outside_address], ["via", node.outside_address6])
    processes.inside(node, ["ip", "route", "replace", "default", *via])
    processes.inside(node, ["ip", "-6", "route", "replace", "default", *via6])
    processes.inside(node, ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    if not here:
        _outside(node, ["ip", "route", "replace", node.pod_cidr, "via", node.address])
        _outside(node, ["ip", "-6", "route", "replace", node.pod_cidr6, "via", node.address6])


def _outside(node: Node, argv: Sequence[str], *, check: bool = True) -> None:
    """Runs a command at the other end of the node's link."""
    if node == layout.CONTROL_PLANE:
        steps.output(argv, check=check)
    else:
        processes.inside(layout.CONTROL_PLANE, argv, check=check)


def _hierarchies() -> list[Path]:
    """The roots of the cgroup hierarchies: one with cgroup v2, one per controller with v1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _make_cgroups(node: Node) -> None:
    """The kubelet wants its root cgroup to be there, with every controller it uses."""
    for root in _hierarchies():
        if root == CGROUPS:
            wanted = {"cpu", "cpuset", "memory", "pids", "hugetlb", "io"}
            there = wanted & set((root / "cgroup.controllers").read_text().split())
            (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(there)))
        elif root.name == "unified":
            continue
        folder = root / node.cgroup
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # v1: empty until set, and no process enters an empty one
            if (folder / name).exists() and root != CGROUPS and not (folder / name).read_text().strip():
                (folder / name).write_text((root / name).read_text())


def remove(nodes: Sequence[Node]) -> None:
    """Ends the nodes and removes all they left; it may be called at any time, any number of times."""
    processes.kill_all(nodes)
    for node in nodes:
        if node == layout.CONTROL_PLANE:
            _remove_interface(node.outside_interface)
        _remove_cgroups(node)
        remove_tree(node.data)


def _remove_interface(name: str) -> None:
    """By name: the kernel may take minutes to bury a network namespace (seen with many pods), and its veth with it."""
    path = Path("/sys/class/net") / name
    if path.exists():
        steps.output(["ip", "link", "delete", name], check=False)
    steps.wait_until(f"interface {name} gone", lambda: not path.exists(), timeout_s=GONE_TIMEOUT_S)


def remove_mount_points() -> None:
    """Removes the folders that mounts were made on, once no node is left: that would unmount them in a living one."""
    for target in layout.CONTROL_PLANE.binds():
        with contextlib.suppress(OSError):  # somebody else's as well, and not empty
            target.rmdir()


def _remove_cgroups(node: Node) -> None:
    for root in _hierarchies():
        for folder in _deepest_first(root / node.cgroup):
            deadline_s = time.monotonic() + GONE_TIMEOUT_S
            while folder.exists():  # busy until the kernel has buried its last process
                try:
                    folder.rmdir()
                except OSError as error:
                    if time.monotonic() > deadline_s:
                        raise steps.StepError(f"cgroup {folder} can't be removed: {error}") from None
                    time.sleep(0.05)


def _deepest_first(top: Path) -> Iterator[Path]:
    for path, _folders, _files in os.walk(top, topdown=False):
        yield Path(path)


def remove_tree(folder: Path) -> None:
    """Removes a folder, unless something is mounted below it: then it wouldn't be ours alone."""
    below = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mounts = [path for path in below if Path(path).is_relative_to(folder)]
    if mounts:
        raise steps.StepError(f"{folder} is not removed, since these are mounted in it: {', '.join(mounts)}")
    if folder.exists():
        shutil.rmtree(folder)
