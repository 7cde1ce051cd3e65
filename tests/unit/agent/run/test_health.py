"""The agent knows its own troubles under both cgroup versions, and says nothing where it cannot know."""

import threading
import time

import pytest

from agent.contract.observation import Trouble
from agent.run.health import (
    HealthMonitor,
    Lateness,
    Sentinel,
    SocketDrops,
    UdpSocket,
    UdpSockets,
    health_of,
    throttled_ms,
)

UDP_HEADER = (
    "  sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops"
)


def put(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def v2_stat(usec):
    return f"usage_usec 100\nuser_usec 60\nsystem_usec 40\nnr_periods 9\nnr_throttled 3\nthrottled_usec {usec}\n"


def v1_stat(nanoseconds):
    return f"nr_periods 9\nnr_throttled 3\nthrottled_time {nanoseconds}\n"


def test_cgroup_v2_in_a_container(tmp_path):
    put(tmp_path, "proc/self/cgroup", "0::/\n")
    put(tmp_path, "sys/fs/cgroup/cpu.stat", v2_stat(12_500))
    assert throttled_ms(tmp_path) == 12.5


def test_cgroup_v2_with_a_quota_on_a_parent(tmp_path):
    put(tmp_path, "proc/self/cgroup", "0::/kubepods/pod1/agent\n")
    put(tmp_path, "sys/fs/cgroup/cpu.stat", "usage_usec 100\n")  # the root has no quota
    put(tmp_path, "sys/fs/cgroup/kubepods/pod1/cpu.stat", v2_stat(2_000))
    put(tmp_path, "sys/fs/cgroup/kubepods/pod1/agent/cpu.stat", v2_stat(1_000))
    assert throttled_ms(tmp_path) == 3.0


def test_cgroup_v1_on_a_host(tmp_path):
    put(tmp_path, "proc/self/cgroup", "12:pids:/x\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/docker/abc\n0::/x\n")
    put(tmp_path, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.stat", v1_stat(7_000_000))
    (tmp_path / "sys/fs/cgroup/cpu").symlink_to("cpu,cpuacct")
    assert throttled_ms(tmp_path) == 7.0


def test_cgroup_v1_in_a_container_whose_path_is_the_hosts(tmp_path):
    put(tmp_path, "proc/self/cgroup", "4:cpu:/docker/abc\n")
    put(tmp_path, "sys/fs/cgroup/cpu/cpu.stat", v1_stat(5_000_000))
    assert throttled_ms(tmp_path) == 5.0


@pytest.mark.parametrize("stat", ["", "throttled_usec many\n", "usage_usec 1\n", "\n \nthrottled_usec\n"])
def test_a_stat_without_the_figure_is_not_zero(tmp_path, stat):
    put(tmp_path, "proc/self/cgroup", "0::/\n")
    put(tmp_path, "sys/fs/cgroup/cpu.stat", stat)
    assert throttled_ms(tmp_path) is None


@pytest.mark.parametrize("cgroup", ["", "garbage\n", "4:cpu:/x\n", "3:pids:/x\n"])
def test_without_a_cpu_cgroup_nothing_is_known(tmp_path, cgroup):
    put(tmp_path, "proc/self/cgroup", cgroup)
    assert throttled_ms(tmp_path) is None


def test_without_proc_nothing_is_known(tmp_path):
    assert throttled_ms(tmp_path) is None
    assert UdpSockets(tmp_path).read() is None


def row(inode, drops, port=5060):
    local, rest = f"0100007F:{port:04X}", "00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0"
    return f"  1: {local} {rest} {inode} 2 0000000000 {drops}"


def sockets(root, *inodes):
    descriptors = root / "proc/self/fd"
    descriptors.mkdir(parents=True, exist_ok=True)
    for old in descriptors.iterdir():
        old.unlink()
    (descriptors / "0").symlink_to("/dev/null")
    (descriptors / "9").write_text("not a link")
    for number, inode in enumerate(inodes, start=10):
        (descriptors / str(number)).symlink_to(f"socket:[{inode}]")


def udp(root, *rows, table="udp"):
    put(root, f"proc/net/{table}", "\n".join([UDP_HEADER, *rows]) + "\n")


def test_drops_of_our_own_sockets_only_and_of_both_families(tmp_path):
    sockets(tmp_path, 100, 200)
    udp(tmp_path, row(100, 3), row(999, 50))
    udp(tmp_path, row(200, 4), table="udp6")
    assert UdpSockets(tmp_path).read() == [
        UdpSocket(inode="100", port=5060, drops=3),
        UdpSocket(inode="200", port=5060, drops=4),
    ]


def drops_of(*samples, sip_port=5060):
    """After these, a second apart: each of sockets, as (inode, port, drops)."""
    left = [
        None if sample is None else [UdpSocket(inode=inode, port=port, drops=drops) for inode, port, drops in sample]
        for sample in samples
    ]
    made = SocketDrops(lambda: left.pop(0), sip_port)
    for number in range(len(samples)):
        made.sample(float(number))
    return made


def test_a_call_has_the_drops_of_its_own_sockets_and_sip_has_its_own():
    drops = drops_of([("1", 5060, 2), ("2", 4000, 3), ("3", 4002, 50)])
    assert (drops.of_sip(), drops.of_rtp({4000}, 0.0), drops.of_rtp({4000, 4002}, 0.0)) == (2, 3, 53)


def test_what_is_dropped_before_somebody_listens_counts_and_after_its_end_too():
    drops = drops_of([("1", 5060, 0), ("2", 4000, 140)], [("1", 5060, 0), ("2", 4000, 142)], [("1", 5060, 0)])
    assert drops.of_rtp({4000}, 0.0) == 142


def test_of_a_port_that_another_call_had_before_those_drops_are_none_of_this_one():
    drops = drops_of([("2", 4000, 140)], [], [("9", 4000, 1)])
    assert drops.of_rtp({4000}, 2.0) == 1


def test_where_sip_goes_by_connections_its_socket_drops_nothing():
    assert drops_of([("2", 4000, 3)], sip_port=None).of_sip() == 0


def test_what_nobody_tells_is_not_known():
    drops = drops_of(None)
    assert (drops.of_sip(), drops.of_rtp({4000}, 0.0)) == (None, None)
    assert drops_of([("2", 4000, 3)]).of_rtp(set(), 0.0) is None


def test_malformed_rows_are_skipped(tmp_path):
    sockets(tmp_path, 100)
    udp(tmp_path, "short row", row(100, "many"), row(100, 6))
    assert [socket.drops for socket in UdpSockets(tmp_path).read()] == [6]


def test_no_table_is_not_zero_drops(tmp_path):
    sockets(tmp_path, 100)
    assert UdpSockets(tmp_path).read() is None


def test_the_worst_lateness_since_a_time():
    lateness = Lateness()
    for at_s, late_s in ((1, 0.5), (2, 0.1), (3, 0.3), (4, 0.2), (5, 0.2)):
        lateness.add(at_s, late_s)
    assert [lateness.worst_since(begin_s) for begin_s in (0, 1, 2, 3.5, 5, 6)] == [0.5, 0.5, 0.3, 0.2, 0.2, None]


def test_the_sentinel_runs_and_ends(monkeypatch):
    sentinel = Sentinel()
    assert sentinel.worst_ms(0.0) is None
    ran = threading.Event()
    add = sentinel._lateness.add
    monkeypatch.setattr(sentinel._lateness, "add", lambda *entry: (add(*entry), ran.set()))
    sentinel.start()
    assert ran.wait(60)
    sentinel.stop()
    worst_ms = sentinel.worst_ms(0.0)
    assert worst_ms is not None
    assert worst_ms >= 0


def test_what_is_late_still_counts():
    """Who asks may wake before the sentinel, after all stood still."""
    sentinel = Sentinel()
    sentinel._due_s = time.monotonic() - 5.0
    assert sentinel.worst_ms(0.0) >= 5000.0
    sentinel._due_s = time.monotonic() + 5.0
    assert sentinel.worst_ms(0.0) is None


class Counters:
    """What the system would say."""

    def __init__(self):
        self.throttled, self.drops, self.reads = 10.0, 2, 0

    def read_throttled(self):
        self.reads += 1
        return self.throttled

    def monitor(self):
        return HealthMonitor(
            throttled=self.read_throttled, drops=SocketDrops(self.read_sockets, 5060), worst_ms=lambda begin_s: begin_s
        )

    def read_sockets(self):
        return [UdpSocket(inode="1", port=5060, drops=self.drops)]


def test_a_window_holds_what_changed_in_it():
    counters = Counters()
    monitor = counters.monitor()
    window = monitor.begin(5.0)
    counters.throttled, counters.drops = 13.5, 6
    assert monitor.end(window, 8.0) == Trouble(over_ms=3000, throttled_ms=3.5, lateness_ms=5.0, socket_drops=4), (
        "how late loop and stack were is not known"
    )


def test_a_window_may_begin_before_it_is_known_of():
    """By what was read last: what was dropped since is within it."""
    counters = Counters()
    monitor = counters.monitor()
    monitor.sample(1.0)
    counters.drops = 6
    assert monitor.end(monitor.began(1.1), 3.0) == Trouble(
        over_ms=1900, throttled_ms=0.0, lateness_ms=1.1, socket_drops=4
    )


def test_the_agents_loop_and_the_stacks_thread_are_watched_too():
    monitor = Counters().monitor()
    monitor.loop_was_late(1.0, 9.0)
    window = monitor.begin(2.0)
    monitor.loop_was_late(2.5, 0.25)
    monitor.stack_was_late(2.5, 0.001)
    monitor.stack_was_late(2.6, 1.5)
    found = monitor.end(window, 3.0)
    assert (found.loop_ms, found.stack_ms) == (250.0, 1500.0)


def test_a_legs_health_is_that_of_its_media_or_of_its_setup_where_it_had_none():
    setup, media = Trouble(throttled_ms=1.0, lateness_ms=2.0, socket_drops=3), Trouble(throttled_ms=9.0)
    unanswered = health_of(setup, None)
    assert (unanswered.throttled_ms, unanswered.lateness_ms, unanswered.socket_drops) == (1.0, 2.0, 3)
    assert (unanswered.setup, unanswered.media) == (setup, Trouble())
    answered = health_of(setup, media, 7)
    assert (answered.throttled_ms, answered.socket_drops, answered.setup, answered.media) == (9.0, None, setup, media)
    assert (answered.rtp_drops, unanswered.rtp_drops) == (7, None)


def test_windows_overlap():
    counters = Counters()
    monitor = counters.monitor()
    first = monitor.begin(1.0)
    counters.drops = 3
    second = monitor.begin(2.0)
    counters.drops = 7
    assert (monitor.end(first, 3.0).socket_drops, monitor.end(second, 3.0).socket_drops) == (5, 4)


def test_counters_are_not_read_more_often_than_they_can_change():
    counters = Counters()
    monitor = counters.monitor()
    for now_s in (1.0, 1.05, 1.09, 1.2):
        monitor.sample(now_s)
    assert counters.reads == 2


@pytest.mark.parametrize(("before", "after"), [(None, 5.0), (5.0, None), (5.0, 1.0), (None, None)])
def test_what_was_not_read_at_both_ends_is_not_known(before, after):
    counters = Counters()
    monitor = counters.monitor()
    counters.throttled = before
    window = monitor.begin(1.0)
    counters.throttled = after
    assert monitor.end(window, 2.0).throttled_ms is None
