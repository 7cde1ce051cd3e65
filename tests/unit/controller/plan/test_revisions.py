"""What replicas run, whether they stand still, and what of it is new."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.plan.revisions import (
    Replica,
    of_pods,
    replicas,
    revision_hash,
    revisions,
    stands_still,
    unsettled,
    untested,
)
from tests.unit.controller.objects import Object, changed

LABELS = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash")


def pod(number: int = 0, revision: str = "7d9f6c5b8", changes: dict[str, Any] | None = None) -> Object:
    base: Object = {
        "metadata": {
            "name": f"sut-{revision}-{number}",
            "uid": f"{revision}-{number}",
            "labels": {"app": "sut", "pod-template-hash": revision},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"sut-{revision}", "controller": True}],
        },
        "spec": {"containers": [{"name": "kamailio", "image": "reg/kamailio:6"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "kamailio", "imageID": f"reg/kamailio@sha256:{revision}"}],
        },
    }
    return changed(base, changes or {})


def present(*pods: Object) -> tuple[Replica, ...]:
    return replicas(pods)


def test_a_replica_knows_its_workload_and_what_it_runs() -> None:
    (found,) = revisions(present(pod(1), pod(0)))
    assert (found.workload, found.revision, found.replicas) == ("ReplicaSet/sut", "7d9f6c5b8", 2)
    (container,) = found.containers
    assert (container.name, container.image, container.image_id) == (
        "kamailio",
        "reg/kamailio:6",
        "reg/kamailio@sha256:7d9f6c5b8",
    )


@pytest.mark.parametrize("label", LABELS)
def test_the_revision_is_that_of_the_workload_of_any_kind(label: str) -> None:
    found = present(pod(changes={"metadata.labels": {label: "v2"}, "metadata.ownerReferences.0.name": "edge"}))
    assert (found[0].workload, found[0].revision) == ("ReplicaSet/edge", "v2")


def test_a_bare_pods_revision_is_that_of_its_images() -> None:
    bare = {"metadata.ownerReferences": None, "metadata.labels": None}
    one, same, other = (
        present(pod(changes=bare | more))[0]
        for more in ({}, {"metadata.uid": "x"}, {"spec.containers.0.image": "reg/kamailio:7"})
    )
    assert one.workload == "Pod/sut-7d9f6c5b8-0"
    assert one.revision == same.revision != other.revision


@pytest.mark.parametrize(
    "changes",
    [{"metadata.deletionTimestamp": "2026-01-01T00:00:00Z"}, {"status.phase": "Failed"}, {"status.phase": "Succeeded"}],
)
def test_pods_that_are_going_or_over_are_none(changes: dict[str, Any]) -> None:
    assert present(pod(changes=changes)) == ()


def test_a_pod_that_says_nothing_yet_is_one_that_is_not_ready() -> None:
    (found,) = present({"metadata": {"name": "p", "uid": "1"}})
    assert (found.is_ready, found.containers) == (False, ())


def test_scaling_and_the_loss_of_pods_are_nothing_new() -> None:
    tested = revisions(present(pod(0), pod(1)))
    for now in (present(pod(0)), present(pod(0), pod(1), pod(2)), ()):
        assert untested(revisions(now), tested) == ()


def test_a_new_revision_a_rollback_and_a_new_image_of_one_tag_are_new() -> None:
    old, new = revisions(present(pod())), revisions(present(pod(revision="5b8c44d1")))
    assert untested(revisions(present(pod(), pod(revision="5b8c44d1"))), old) == new
    assert untested(old, new) == old
    moved = revisions(present(pod(changes={"status.containerStatuses.0.imageID": "reg/kamailio@sha256:ff"})))
    assert untested(moved, old) == moved


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), max_size=8))
def test_the_hash_is_of_what_runs_not_of_how_often_or_in_which_order(pods: list[tuple[int, str]]) -> None:
    found = revisions(present(*(pod(number, revision) for number, revision in pods)))
    once = revisions(
        present(*(pod(0, revision) for revision in sorted({revision for _, revision in pods}, reverse=True)))
    )
    assert revision_hash(found) == revision_hash(once)
    assert (revision_hash(found) == "") is (not pods)


@pytest.mark.covers("target.revisions")
def test_what_is_not_ready_or_mixed_or_too_few_has_not_settled() -> None:
    waiting = pod(1, changes={"status.conditions": []})
    assert unsettled(present(pod()), minimum=1, single=True) == ""
    assert unsettled(present(pod(), waiting), minimum=1, single=True) == (
        "1 of 2 replicas are not ready, first sut-7d9f6c5b8-1"
    )
    assert unsettled(present(pod()), minimum=2, single=False) == "1 replicas are there, minEndpoints is 2"
    mixed = present(pod(), pod(revision="5b8c44d1"))
    assert unsettled(mixed, minimum=1, single=False) == ""
    assert unsettled(mixed, minimum=1, single=True) == "ReplicaSet/sut runs several revisions: 5b8c44d1, 7d9f6c5b8"


def test_pods_stand_still_since_they_are_the_same() -> None:
    first = stands_still(None, present(pod(0)), 10.0)
    assert stands_still(first, present(pod(0)), 20.0) == first
    assert stands_still(first, present(pod(1)), 20.0).since == 20.0


def test_the_same_pods_have_one_name_and_another_when_they_had_not_settled() -> None:
    assert of_pods(present(pod(0), pod(1)), settled=True) == of_pods(present(pod(1), pod(0)), settled=True)
    assert of_pods(present(pod(0)), settled=True) != of_pods(present(pod(0)), settled=False)
