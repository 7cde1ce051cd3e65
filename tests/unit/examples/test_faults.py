"""The netfilter rules of the path faults, as text; that they do what they say is seen in tests/component."""

import pytest

from tests.sut.faults import Fault, Packets, Selector, Towards, cluster_selector, local_selector, rules

LOSS = Fault(towards=Towards.CALLEE, packets=Packets.RTP, drop_percent=10)
EVENTS = Fault(towards=Towards.CALLER, packets=Packets.TELEPHONE_EVENT, drop_percent=100)


@pytest.fixture
def selector() -> Selector:
    return local_selector(["127.0.0.11"], ["127.0.0.12"])


def test_no_faults_are_no_rules(selector: Selector) -> None:
    assert rules((), selector) == []
    assert rules((), cluster_selector(["10.244.0.5"])) == []


def test_loss_is_random_and_one_way(selector: Selector) -> None:
    (rule,) = rules((LOSS,), selector)
    words = " ".join(rule)
    assert "-s 127.0.0.12" in words
    assert "127.0.0.11" not in words
    assert "--probability 0.1000" in words


def test_all_telephone_events_and_nothing_longer(selector: Selector) -> None:
    (rule,) = rules((EVENTS,), selector)
    words = " ".join(rule)
    assert "--length 44" in words
    assert "statistic" not in words


def test_cluster_learns_the_sides_from_invites() -> None:
    made = [" ".join(rule) for rule in rules((LOSS,), cluster_selector(["10.244.0.5", "10.244.0.6"]))]
    assert [rule.count("INVITE sip:") for rule in made] == [1, 1, 1, 1, 0]
    assert "-d 10.244.0.5 -m recent --name calltest-Caller --set --rsource" in made[0]
    assert "-s 10.244.0.5 -m recent --name calltest-Callee --set --rdest" in made[1]
    assert "--name calltest-Callee --rcheck --rdest" in made[4]
