"""What runs on a node: command lines and configuration files, with the reason for each odd setting.

The facts were found out on a machine with cgroup v1, without CAP_SYS_RESOURCE and without any registry.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from devkit import artefacts, steps
from devkit.native import layout, pki
from devkit.native.layout import Node

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A program of a node, with the files it reads."""

    name: str
    argv: tuple[str, ...]
    files: Mapping[Path, str] = dataclasses.field(default_factory=dict)

    def digest(self) -> str:
        """Changes when the component would be started differently."""
        files = [f"{path}\n{text}" for path, text in self.files.items()]
        return artefacts.key_of(*self.argv, *files)


def of_node(node: Node, binaries: Mapping[str, Path]) -> list[Component]:
    """The components of a node, in the order in which they are started."""
    build: list[Callable[[Node, Mapping[str, Path]], Component]] = [_containerd, _kubelet, _proxy]
    if node == layout.CONTROL_PLANE:
        build = [_etcd, _containerd, _apiserver, _controller_manager, _scheduler, _kubelet, _proxy, _coredns]
    return [each(node, binaries) for each in build]


def _etcd(node: Node, binaries: Mapping[str, Path]) -> Component:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    listen = [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
    # nothing here has to survive a power cut, and fsync on a shared disk is slow
    argv = [str(binaries["etcd"]), f"--data-dir={node.data / 'etcd'}", "--unsafe-no-fsync", *listen]
    return Component(name="etcd", argv=(*argv, "--log-level=warn"))


def _containerd(node: Node, _binaries: Mapping[str, Path]) -> Component:
    config = node.data / "containerd.toml"
    text = f"""version = 2
root = "{node.data / "containerd"}"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.PAUSE_IMAGE}"
  # without CAP_SYS_RESOURCE runc dies with "can't get final child's PID from pipe" otherwise
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_folder()}"
    conf_dir = "{node.data / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "{program("runc")}"
"""
    files = {config: text, node.data / "cni" / "10-bridge.conflist": _cni(node)}
    return Component(name="containerd", argv=(program("containerd"), "--config", str(config)), files=files)


def _cni(node: Node) -> str:
    """A bridge per node, without masquerading: no route leads out of the node, so nothing has to come back."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": node.pod_cidr}], [{"subnet": node.pod_cidr6}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipMasq": False, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": f"calltest-{node.name}", "plugins": [bridge, portmap]})


def _apiserver(node: Node, binaries: Mapping[str, Path]) -> Component:
    flags = {
        "etcd-servers": "http://127.0.0.1:2379",
        "advertise-address": node.address,
        "secure-port": str(layout.API_PORT),
        "tls-cert-file": f"{layout.PKI}/apiserver.crt",
        "tls-private-key-file": f"{layout.PKI}/apiserver.key",
        "client-ca-file": f"{layout.PKI}/ca.crt",
        "kubelet-client-certificate": f"{layout.PKI}/kubelet-client.crt",
        "kubelet-client-key": f"{layout.PKI}/kubelet-client.key",
        "kubelet-certificate-authority": f"{layout.PKI}/ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        # a test adds containers to pods as meshes' webhooks do, without a webhook to run
        "feature-gates": "MutatingAdmissionPolicy=true",
        "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
        "service-account-issuer": f"https://kubernetes.default.svc.{layout.CLUSTER_DOMAIN}",
        "service-account-signing-key-file": f"{layout.PKI}/sa.key",
        "service-account-key-file": f"{layout.PKI}/sa.pub",
        "service-cluster-ip-range": layout.SERVICE_CIDRS,
        "allow-privileged": "true",
    }
    return Component(name="apiserver", argv=(str(binaries["kube-apiserver"]), *_flags(flags)))


def _controller_manager(node: Node, binaries: Mapping[str, Path]) -> Component:
    config, files = _kubeconfig(node, "controller-manager")
    flags = {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "service-account-private-key-file": f"{layout.PKI}/sa.key",
        "root-ca-file": f"{layout.PKI}/ca.crt",
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "cluster-cidr": layout.CLUSTER_CIDRS,
        "allocate-node-cidrs": "false",
        # a lost node shows after 20 s instead of 50 s: tests wait for it
        "node-monitor-grace-period": "20s",
        "node-monitor-period": "2s",
    }
    return Component(
        name="controller-manager", argv=(str(binaries["kube-controller-manager"]), *_flags(flags)), files=files
    )


def _scheduler(node: Node, binaries: Mapping[str, Path]) -> Component:
    config, files = _kubeconfig(node, "scheduler")
    names = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    flags = dict.fromkeys(names, config) | {"leader-elect": "false"}
    return Component(name="scheduler", argv=(str(binaries["kube-scheduler"]), *_flags(flags)), files=files)


def _kubelet(node: Node, binaries: Mapping[str, Path]) -> Component:
    kubeconfig, files = _kubeconfig(node, node.name)
    config, resolv = node.data / "kubelet.json", node.data / "resolv.conf"
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",  # one name to remove at the end, and none of a kubelet of the machine's own
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.PKI / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.PKI / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(layout.PKI / f"{node.name}.key"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "clusterDomain": layout.CLUSTER_DOMAIN,
        "clusterDNS": [layout.CONTROL_PLANE.address],
        "resolvConf": str(resolv),  # empty: pods must not ask the name servers of this machine
        "volumePluginDir": str(node.data / "volume-plugins"),
        "podCIDR": node.pod_cidr,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # no image may go: there is no registry to get it from again
        "nodeStatusUpdateFrequency": "5s",
        "nodeLeaseDurationSeconds": 12,
        "syncFrequency": "10s",
    }
    files |= {config: json.dumps(settings, indent=1), resolv: ""}
    addresses = f"{node.address},{node.address6}"
    flags = {"config": str(config), "kubeconfig": kubeconfig, "node-ip": addresses, "hostname-override": node.name}
    return Component(name="kubelet", argv=(str(binaries["kubelet"]), *_flags(flags)), files=files)


def _proxy(node: Node, binaries: Mapping[str, Path]) -> Component:
    kubeconfig, files = _kubeconfig(node, "proxy")
    config = node.data / "proxy.json"
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "mode": "iptables",
        "clusterCIDR": layout.CLUSTER_CIDRS,  # all nodes': with the node's own, calls from another are masqueraded
        "hostnameOverride": node.name,
        # zero: there may be no right to raise them
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    files |= {config: json.dumps(settings, indent=1)}
    return Component(name="proxy", argv=(str(binaries["kube-proxy"]), f"--config={config}"), files=files)


def _coredns(node: Node, binaries: Mapping[str, Path]) -> Component:
    """DNS as a process of the node: a pod would need one more image."""
    corefile = node.data / "Corefile"
    text = f"""{layout.CLUSTER_DOMAIN}:53 in-addr.arpa:53 {{
  bind {node.address}
  errors
  ready {node.address}:{layout.DNS_READY_PORT}
  kubernetes {layout.CLUSTER_DOMAIN} in-addr.arpa {{
    kubeconfig {layout.KUBECONFIG} calltest
    pods insecure
    ttl 5
  }}
}}
"""
    return Component(name="coredns", argv=(str(binaries["coredns"]), "-conf", str(corefile)), files={corefile: text})


def _flags(flags: Mapping[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def _kubeconfig(node: Node, user: str) -> tuple[str, dict[Path, str]]:
    path = node.data / f"{user}.kubeconfig"
    return str(path), {path: pki.kubeconfig(user)}


def program(name: str) -> str:
    """The path of a program that a Debian package brings."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise steps.StepError(f"{name} is not installed: run dev/setup")
    return path


def cni_folder() -> Path:
    """Where the CNI plugins are."""
    for folder in CNI_FOLDERS:
        if (folder / "bridge").exists():
            return folder
    raise steps.StepError("the CNI plugins are not installed: run dev/setup")
