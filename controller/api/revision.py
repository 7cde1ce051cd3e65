"""What the replicas of a SUT run, as statuses say it."""

from typing import Annotated

from msgspec import Meta

from agent.contract.field import about
from controller.api.field import Count, StatusValue

MAX_REVISIONS = 16
MAX_PODS = 200


class Container(StatusValue, frozen=True, kw_only=True):
    """What a container of a replica runs."""

    name: Annotated[str, about("Its name.", example="kamailio", max_length=63)]
    image: Annotated[str, about("The image, as its pod names it.", example="reg/kamailio:6.0.1", max_length=256)]
    image_id: Annotated[
        str,
        about("The image, as its node names it; nodes may differ.", example="reg/kamailio@sha256:0f…", max_length=256),
    ] = ""


class Revision(StatusValue, frozen=True, kw_only=True):
    """What some replicas of the SUT run."""

    workload: Annotated[
        str,
        about("Kind of their owner, and its name without the revision.", example="ReplicaSet/kamailio", max_length=320),
    ]
    revision: Annotated[
        str, about("Their label of it, else a hash of their images.", example="7d9f6c5b8", max_length=63)
    ]
    replicas: Annotated[Count, about("How many there were.", example=2)] = 0
    pods: Annotated[
        tuple[Annotated[str, Meta(max_length=8)], ...],
        about(
            "Which, by the first eight characters of their UIDs; at most 200.",
            example=["4c2a01bf", "9e07d511"],
            max_length=MAX_PODS,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    containers: Annotated[
        tuple[Container, ...],
        about(
            "Their containers; at most 5.",
            example=[{"name": "kamailio", "image": "reg/kamailio:6.0.1"}],
            max_length=5,
            list_keys=("name",),
        ),
    ] = ()


Revisions = Annotated[
    tuple[Revision, ...],
    about(
        "What the SUT ran when the endpoints were fixed.",
        example=[{"workload": "ReplicaSet/kamailio", "revision": "7d9f6c5b8", "replicas": 2}],
        max_length=MAX_REVISIONS,
        schema={"x-kubernetes-list-type": "atomic"},
    ),
]
RevisionHash = Annotated[str, Meta(max_length=8, pattern="^[0-9a-f]*$")]
