"""The cluster provider `native`: a real Kubernetes on this machine, with nothing but Debian packages and Go binaries.

A node is one process, the *anchor*, with its own mount, PID, network and UTS namespace. Everything else of the node
(etcd, containerd, kubelet, pods, …) runs inside these. Whoever ends the anchor ends them all: the kernel kills every
process of its PID namespace, and mounts, interfaces and network namespaces go with the last of them. So a teardown
cannot be incomplete, wherever a start was interrupted. What stays are cgroups and one data folder, removed by name.

There are no pid files: a process is ours if its environment says so (`CALLTEST_PART`), which no reboot and no reuse of
a pid can make untrue.
"""
