"""Names, addresses and paths of the native cluster. It is one per machine, whichever clone of the project starts it."""

import dataclasses
from pathlib import Path

DATA = Path("/var/lib/calltest")
LOCK = Path("/run/lock/calltest-cluster.lock")
LOGS = DATA / "log"
PKI = DATA / "pki"
KUBECONFIG = DATA / "admin.kubeconfig"

API_PORT = 6443
SERVICE_CIDRS = "10.96.0.0/16,fd77:96::/112"
API_SERVICE_ADDRESS = "10.96.0.1"
CLUSTER_CIDRS = "10.244.0.0/16,fd77:244::/48"
CLUSTER_DOMAIN = "cluster.local"
# kubelet sets these for the whole machine; in a node they are files of its own, and the machine keeps its values
KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
PAUSE_IMAGE = "localhost/calltest-pause:1"
DNS_READY_PORT = 8181


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, and the link that joins it to whoever is outside: this machine for node0, node0 for the others."""

    name: str
    address: str
    address6: str
    outside_address: str
    outside_address6: str
    outside_interface: str
    pod_cidr: str
    pod_cidr6: str

    @property
    def data(self) -> Path:
        """Everything the node writes."""
        return DATA / self.name

    @property
    def cgroup(self) -> str:
        """Name of the cgroup, in every hierarchy, under which kubelet puts the pods."""
        return f"calltest-{self.name}"

    @property
    def containerd_socket(self) -> Path:
        """As seen from outside the node."""
        return self.data / "run-containerd" / "containerd.sock"

    def binds(self) -> dict[Path, Path]:
        """Fixed paths that the node's programs insist on → the node's own folder, mounted there inside the node.

        The folders' names are not those of the paths: that tells our mount from one this machine has there itself.
        """
        return {
            Path("/run/containerd"): self.data / "run-containerd",
            Path("/run/netns"): self.data / "run-netns",
            Path("/var/lib/kubelet"): self.data / "var-kubelet",
            Path("/var/lib/cni"): self.data / "var-cni",
            Path("/var/log/pods"): self.data / "log-pods",
            Path("/var/log/containers"): self.data / "log-containers",
        }


CONTROL_PLANE = Node(
    name="node0",
    address="192.168.77.1",
    address6="fd77:77::1",
    outside_address="192.168.77.2",
    outside_address6="fd77:77::2",
    outside_interface="calltest0",
    pod_cidr="10.244.0.0/24",
    pod_cidr6="fd77:244::/64",
)
NODES = (
    CONTROL_PLANE,
    Node(
        name="node1",
        address="192.168.78.2",
        address6="fd77:78::2",
        outside_address="192.168.78.1",
        outside_address6="fd77:78::1",
        outside_interface="to-node1",
        pod_cidr="10.244.1.0/24",
        pod_cidr6="fd77:244:0:1::/64",
    ),
)
API_URL = f"https://{CONTROL_PLANE.address}:{API_PORT}"
