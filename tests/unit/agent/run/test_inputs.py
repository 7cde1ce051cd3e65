"""The signal only moves forward; packets only go where they may."""

import pytest

from agent.contract.plan import Signal
from agent.run.inputs import SignalFile, is_allowed


def test_an_absent_or_empty_file_is_the_initial_signal(tmp_path):
    file = SignalFile(tmp_path / "go")
    assert file.poll() == Signal()
    (tmp_path / "go").write_bytes(b"\n")
    assert file.poll() == Signal()


def test_a_change_is_taken_and_never_taken_back(tmp_path):
    path, file = tmp_path / "go", SignalFile(tmp_path / "go")
    path.write_bytes(Signal(prepare=1, go=1, peer_address="1.2.3.4:5", stop=False).encode())
    assert file.poll().go == 1
    path.write_bytes(Signal(prepare=0, go=0).encode())
    assert file.poll() == Signal(prepare=1, go=1, peer_address="1.2.3.4:5")
    path.write_bytes(Signal(stop=True).encode())
    assert file.poll().stop
    path.unlink()
    assert file.poll() == Signal(prepare=1, go=1, peer_address="1.2.3.4:5", stop=True)


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"go": "x"}', b'{"unknown": 1}', b"\xff\xfe", b'{"go": 1} trailing'])
def test_what_cannot_be_read_is_ignored_until_it_can(tmp_path, raw):
    path, file = tmp_path / "go", SignalFile(tmp_path / "go")
    path.write_bytes(Signal(prepare=1).encode())
    file.poll()
    path.write_bytes(raw)
    assert file.poll() == Signal(prepare=1)
    path.write_bytes(Signal(prepare=2).encode())
    assert file.poll().prepare == 2


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3:5060", True),
        ("10.2.0.1:5060", False),
        ("[fd00::1]:5060", True),
        ("fd01::1:5060", False),
        ("10.1.2.3", False),
        ("10.1.2.3:", False),
        ("10.1.2.3:sip", False),
        ("kamailio.voice:5060", False),
        (":5060", False),
        ("", False),
    ],
)
def test_only_addresses_in_the_allowed_networks(address, allowed):
    assert is_allowed(address, ("10.1.0.0/16", "fd00::/64")) is allowed


@pytest.mark.parametrize("networks", [(), ("garbage",), ("10.1.0.0/16", "garbage")])
def test_without_readable_networks_nothing_is_allowed(networks):
    assert not is_allowed("10.1.2.3:5060", networks)


def test_what_is_to_be_kept_stands_once_it_is_said(tmp_path):
    path = tmp_path / "go"
    file = SignalFile(path)
    for said, kept in ((None, None), ((), ()), (((1, 2),), ()), (None, ())):
        path.write_bytes(Signal(prepare=1, keep=said).encode())
        assert file.poll().keep == kept
