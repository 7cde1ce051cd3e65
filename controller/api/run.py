"""CallTestRun: one execution of a CallTest, and the status of both kinds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from agent.contract.document import Document
from agent.contract.field import NAME_PATTERN, about
from agent.contract.verdict import Result, Role
from controller.api.field import StatusValue
from controller.api.test import MAX_NAME, TEST_RULES, CallTestSpec

MAX_RUN_NAME = 57
MAX_ENDPOINTS = 200
MAX_FAILURES = 20
MAX_LEFT_OUT = 20
MAX_CONFIG_MAPS = 100
MAX_IMAGES = 5
MAX_REVISIONS = 16

ReasonWord = Annotated[str, Meta(max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
"""Not an enum in the schema: an operator that knows one reason more must still be able to write it."""
Count = Annotated[int, Meta(ge=0)]


class CauseType(StrEnum):
    """What made a run."""

    GENERATION = "Generation"
    MANUAL = "Manual"
    SCHEDULE = "Schedule"
    ROLLOUT = "Rollout"


class RunCause(Document, frozen=True, kw_only=True):
    """Why a run exists."""

    type: Annotated[
        CauseType,
        about(
            "Generation: the CallTest was created or changed. Schedule: a slot of its schedule came. Rollout: the SUT"
            " runs something that was not tested. Manual: somebody asked for this run, by the annotation"
            " calltest.dev/requested-at of the CallTest, or created it.",
            example="Generation",
        ),
    ] = CauseType.MANUAL
    generation: Annotated[int, about("Generation of the CallTest that this run executes.", example=3, ge=1)] | None = (
        None
    )
    scheduled_time: (
        Annotated[datetime, about("The slot of the schedule.", example="2026-01-31T12:00:00Z", tz=True)] | None
    ) = None


class CallTestRunSpec(Document, frozen=True, kw_only=True):
    """One execution of a CallTest; never changes."""

    call_test_name: Annotated[
        str,
        about(
            "Name of the CallTest, as results and metrics say it.",
            example="pin",
            min_length=1,
            max_length=MAX_NAME,
            pattern=NAME_PATTERN,
        ),
    ]
    cause: Annotated[RunCause, about("Why this run exists.", example={"type": "Manual"})] = RunCause()
    test: Annotated[
        CallTestSpec,
        about(
            "The test as it was when the run was made; fields as in a CallTest's spec.",
            example={
                "target": {"service": {"name": "kamailio"}},
                "caller": {"uri": "sip:alice@example.com"},
                "calls": [{"name": "echo", "to": "sip:echo@example.com"}],
            },
            rules=TEST_RULES,
        ),
    ]


class Condition(StatusValue, frozen=True, kw_only=True):
    """A metav1.Condition."""

    type: Annotated[str, about("Name of the condition.", example="Finished", max_length=64)]
    status: Annotated[Literal["True", "False", "Unknown"], about("True, False or Unknown.", example="True")]
    reason: Annotated[ReasonWord, about("One word for the status.", example="CallsFailed")]
    message: Annotated[str, about("The status in a sentence.", example="2 of 20 calls failed", max_length=1024)]
    last_transition_time: Annotated[
        datetime, about("When the status last changed.", example="2026-01-31T12:00:00Z", tz=True)
    ]
    observed_generation: Annotated[int, about("metadata.generation that this was said of.", example=1)]


Conditions = Annotated[
    tuple[Condition, ...],
    about(
        "Finished, Succeeded (Unknown while running), Reconciling and Stalled (kstatus), and the steps of the run:"
        " TargetsResolved, AgentsReady, ResultsCollected; Queued while it waits for another run. VerdictCurrent of a"
        " CallTest: its verdict is about what the SUT runs now.",
        example=[],
        max_length=16,
        list_keys=("type",),
    ),
]


class CallCounts(StatusValue, frozen=True, kw_only=True):
    """How many calls, by verdict."""

    planned: Annotated[Count, about("Calls that the test asks for, at all endpoints.", example=20)]
    passed: Annotated[Count, about("Calls with every check measured and held.", example=18)] = 0
    failed: Annotated[Count, about("Calls with a check that was measured and broken.", example=2)] = 0
    inconclusive: Annotated[Count, about("Calls that could not be judged.", example=0)] = 0
    ended: Annotated[Count, about("Calls that have ended so far; shown while running.", example=7)] | UnsetType = UNSET
    summary: Annotated[str, about("Passed of planned; ended of planned while running.", example="18/20", max_length=32)]


class MediaPath(StrEnum):
    """Where the media of a call went, from both agents' SDP."""

    RELAYED = "Relayed"
    DIRECT = "Direct"
    MIXED = "Mixed"


class NodePath(StrEnum):
    """Whether SIP to an endpoint left the node."""

    SAME_NODE = "SameNode"
    OTHER_NODE = "OtherNode"


class Endpoint(StatusValue, frozen=True, kw_only=True):
    """One address of the SUT found by discovery, with what is behind it, and its result once the run is judged."""

    index: Annotated[Count, about("Position in this list; {endpoint} in URIs.", example=0)]
    address: Annotated[str, about("ip:port that SIP is sent to.", example="10.244.0.5:5060", max_length=64)]
    pod: Annotated[str, about("Name of the pod behind it.", example="kamailio-7d9f-k8", max_length=253)] | UnsetType = (
        UNSET
    )
    pod_uid: Annotated[str, about("UID of that pod.", example="4c2a…", max_length=64)] | UnsetType = UNSET
    restarts: Annotated[Count, about("Container restarts of that pod when the run started.", example=0)] | UnsetType = (
        UNSET
    )
    node: Annotated[str, about("Node of that pod.", example="node0", max_length=253)] | UnsetType = UNSET
    zone: Annotated[str, about("Zone, from the EndpointSlice.", example="eu-west-1a", max_length=253)] | UnsetType = (
        UNSET
    )
    image_ids: (
        Annotated[
            tuple[Annotated[str, Meta(max_length=256)], ...],
            about(
                "Images that its containers run, by digest.",
                example=["registry.example/kamailio@sha256:0f…"],
                max_length=MAX_IMAGES,
                schema={"x-kubernetes-list-type": "atomic"},
            ),
        ]
        | UnsetType
    ) = UNSET
    result: Annotated[Result, about("Verdict on this endpoint.", example="Passed")] | UnsetType = UNSET
    reason: Annotated[ReasonWord, about("Reason of its worst check.", example="DtmfMismatch")] | UnsetType = UNSET
    summary: Annotated[str, about("Calls passed of planned.", example="10/10", max_length=32)] | UnsetType = UNSET
    media: (
        Annotated[MediaPath, about("Relayed by the SUT, or Direct between the agents.", example="Relayed")] | UnsetType
    ) = UNSET
    path: (
        Annotated[
            NodePath,
            about(
                "Whether the calling agent ran on the endpoint's node, or on another one. Absent: one of the two nodes"
                " is not known.",
                example="OtherNode",
            ),
        ]
        | UnsetType
    ) = UNSET
    change: (
        Annotated[
            ReasonWord,
            about(
                "EndpointRemoved or EndpointRestarted, where that happened during the run.", example="EndpointRemoved"
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def name(self) -> str:
        """For people: the pod's name, or the address."""
        return self.pod if self.pod is not UNSET else self.address


class LeftOut(StatusValue, frozen=True, kw_only=True):
    """An address or pod of the target that was not called, and why."""

    name: Annotated[str, about("Pod, or address.", example="kamailio-7d9f-x2", max_length=253)]
    reason: Annotated[
        ReasonWord,
        about("NotReady, Terminating, NoPort, NotIPv4, NoAddress or NoPod.", example="NotReady"),
    ]
    message: Annotated[str, about("Why, in a sentence.", example="pod is not ready", max_length=512)]


class Failure(StatusValue, frozen=True, kw_only=True):
    """One check on one leg that did not pass."""

    call: Annotated[str, about("Name of the calls.", example="pin", max_length=64)]
    number: Annotated[int, about("Which of them, from 0.", example=4)]
    endpoint: Annotated[int, about("Index of the endpoint.", example=1)]
    leg: Annotated[Role, about("The leg that saw it.", example="Callee")]
    check: Annotated[str, about("The check.", example="dtmf", max_length=64)]
    result: Annotated[Result, about("Failed or Inconclusive.", example="Failed")]
    reason: Annotated[ReasonWord, about("Why it did not pass.", example="DtmfMismatch")]
    expected: Annotated[str, about("What was expected.", example="1234#", max_length=256)] | UnsetType = UNSET
    observed: Annotated[str, about("What was observed.", example="124#", max_length=256)] | UnsetType = UNSET
    call_id: Annotated[str, about("SIP Call-ID of the leg.", example="8f…@10.0.0.1", max_length=256)] | UnsetType = (
        UNSET
    )
    evidence: (
        Annotated[
            str,
            about(
                "Folder with capture, sound and SIP messages, in spec.evidence.claimName: of this leg or registration,"
                " else of the call's other leg. Absent: nothing was kept.",
                example="pin-g3-0f5b3c4e/ep1/pin-4/Callee",
                max_length=256,
            ),
        ]
        | UnsetType
    ) = UNSET
    peer_evidence: (
        Annotated[
            str,
            about(
                "The folder of the call's other leg, where both have one.",
                example="pin-g3-0f5b3c4e/ep1/pin-4/Caller",
                max_length=256,
            ),
        ]
        | UnsetType
    ) = UNSET
    note: (
        Annotated[str, about("What a reader needs beside it.", example="the peer received all", max_length=512)]
        | UnsetType
    ) = UNSET


class Detail(StatusValue, frozen=True, kw_only=True):
    """Where the details of every call are."""

    config_maps: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...],
        about(
            "ConfigMaps with gzip JSON lines (binaryData), one line per leg and registration.",
            example=["pin-g1-0"],
            max_length=MAX_CONFIG_MAPS,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    lines: Annotated[Count, about("Lines in them.", example=40)] = 0
    complete: Annotated[bool, about("True: every line that the agents wrote is there.", example=True)] = False


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
            max_length=MAX_ENDPOINTS,
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


class CallTestRunStatus(StatusValue, frozen=True, kw_only=True):
    """Where a run stands, and what came of it."""

    observed_generation: Annotated[
        int, about("metadata.generation that this status is about; -1: not seen yet.", example=1)
    ] = -1
    result: Annotated[Result, about("The verdict; absent until the run is finished.", example="Failed")] | UnsetType = (
        UNSET
    )
    reason: Annotated[ReasonWord, about("Reason of the worst check.", example="DtmfMismatch")] | UnsetType = UNSET
    message: (
        Annotated[
            str,
            about(
                "The worst finding: call, endpoint, expected, observed.",
                example='pin via kamailio-7d9f-x2 (10.244.1.7:5060): callee received "124#", expected "1234#"',
                max_length=1024,
            ),
        ]
        | UnsetType
    ) = UNSET
    start_time: (
        Annotated[datetime, about("When the run started.", example="2026-01-31T12:00:00Z", tz=True)] | UnsetType
    ) = UNSET
    completion_time: (
        Annotated[datetime, about("When the run was finished.", example="2026-01-31T12:01:00Z", tz=True)] | UnsetType
    ) = UNSET
    calls: Annotated[CallCounts, about("Calls by verdict.", example={"planned": 20, "summary": "18/20"})] | (
        UnsetType
    ) = UNSET
    endpoints: (
        Annotated[
            tuple[Endpoint, ...],
            about(
                "The endpoints called, fixed when the run starts.",
                example=[],
                max_length=MAX_ENDPOINTS,
                list_keys=("index",),
            ),
        ]
        | UnsetType
    ) = UNSET
    revisions: Revisions | UnsetType = UNSET
    revision_hash: Annotated[RevisionHash, about("Of these revisions.", example="3f9c51aa")] | UnsetType = UNSET
    left_out: (
        Annotated[
            tuple[LeftOut, ...],
            about(
                "Addresses and pods of the target that were not called, and why; the first 20.",
                example=[],
                max_length=MAX_LEFT_OUT,
                schema={"x-kubernetes-list-type": "atomic"},
            ),
        ]
        | UnsetType
    ) = UNSET
    failures: (
        Annotated[
            tuple[Failure, ...],
            about(
                "Checks that did not pass, Failed first; at most 20.",
                example=[],
                max_length=MAX_FAILURES,
                schema={"x-kubernetes-list-type": "atomic"},
            ),
        ]
        | UnsetType
    ) = UNSET
    agents: (
        Annotated[
            Count,
            about(
                "How many agents it has, once all their pods were created: one that is gone from then on was lost.",
                example=2,
            ),
        ]
        | UnsetType
    ) = UNSET
    stray_calls: (
        Annotated[Count, about("INVITEs at our callees that no caller of this run placed.", example=0)] | UnsetType
    ) = UNSET
    detail: Annotated[Detail, about("Where the details of every call are.", example={})] | UnsetType = UNSET
    conditions: Conditions = ()


SpecHash = Annotated[str, Meta(max_length=16, pattern="^[0-9a-f]*$")]


class LastRun(StatusValue, frozen=True, kw_only=True):
    """The last finished run of a CallTest's present spec, in brief."""

    name: Annotated[str, about("Name of the CallTestRun.", example="pin-g3", max_length=253)]
    result: Annotated[Result, about("Its verdict.", example="Failed")]
    reason: Annotated[ReasonWord, about("Reason of the worst check.", example="DtmfMismatch")] | UnsetType = UNSET
    message: (
        Annotated[str, about("The worst finding.", example="2 of 20 calls failed", max_length=1024)] | UnsetType
    ) = UNSET
    start_time: Annotated[datetime, about("When it started.", example="2026-01-31T12:00:00Z", tz=True)] | UnsetType = (
        UNSET
    )
    completion_time: Annotated[datetime, about("When it was finished.", example="2026-01-31T12:01:00Z", tz=True)]
    calls: Annotated[CallCounts, about("Calls by verdict.", example={"planned": 20, "summary": "18/20"})] | (
        UnsetType
    ) = UNSET
    endpoints: Annotated[Count, about("How many endpoints were called.", example=2)] = 0
    spec_hash: Annotated[SpecHash, about("Of the spec it tested.", example="9f86d081884c7d65")] = ""
    revision_hash: Annotated[RevisionHash, about("Of the revisions it tested.", example="3f9c51aa")] | UnsetType = UNSET


class Running(StatusValue, frozen=True, kw_only=True):
    """The run that is under way."""

    name: Annotated[str, about("Name of the CallTestRun.", example="pin-g4", max_length=253)]
    start_time: Annotated[datetime, about("When it started.", example="2026-01-31T12:00:00Z", tz=True)] | UnsetType = (
        UNSET
    )
    summary: Annotated[str, about("Calls ended of planned.", example="7/20", max_length=32)]


class SkipReason(StrEnum):
    """Why a slot was not run."""

    CONCURRENCY = "Concurrency"
    DEADLINE = "Deadline"
    SUSPENDED = "Suspended"


class ScheduleStatus(StatusValue, frozen=True, kw_only=True):
    """What a schedule did, and what comes."""

    expression: Annotated[
        str, about("The schedule and its zone, as they are followed.", example="*/15 * * * * Etc/UTC", max_length=200)
    ]
    since: Annotated[datetime, about("When it was first seen.", example="2026-01-31T11:00:00Z", tz=True)]
    last_schedule_time: (
        Annotated[datetime, about("The last slot that was run or skipped.", example="2026-01-31T12:00:00Z", tz=True)]
        | UnsetType
    ) = UNSET
    next_schedule_time: (
        Annotated[datetime, about("When the next run starts.", example="2026-01-31T12:15:00Z", tz=True)] | UnsetType
    ) = UNSET
    skipped: Annotated[Count, about("Slots that were not run.", example=0)] = 0
    last_skipped_time: (
        Annotated[datetime, about("The last one of them.", example="2026-01-31T11:45:00Z", tz=True)] | UnsetType
    ) = UNSET
    last_skip_reason: (
        Annotated[
            SkipReason,
            about(
                "Concurrency: a run was under way. Deadline: it was later than startingDeadlineSeconds. Suspended:"
                " suspend was true.",
                example="Concurrency",
            ),
        ]
        | UnsetType
    ) = UNSET


class SutStatus(StatusValue, frozen=True, kw_only=True):
    """What the SUT runs now; looked at where `trigger.onRollout` is set."""

    revision_hash: Annotated[RevisionHash, about("Of its revisions; empty: it has no replica.", example="5b8c44d1")]
    since: Annotated[datetime, about("Since when it runs them.", example="2026-01-31T12:00:00Z", tz=True)]
    started_for: Annotated[RevisionHash, about("Of the pods that a run was last started for.", example="9d2e11c0")] = ""
    settled: Annotated[bool, about("All replicas are ready, and the same for settleSeconds.", example=False)] = False
    message: Annotated[
        str,
        about(
            "Why it is not settled.", example="1 of 3 replicas are not ready, first kamailio-5b8c-x", max_length=1024
        ),
    ] = ""


class CallTestStatus(StatusValue, frozen=True, kw_only=True):
    """The last run of a CallTest, and the one under way."""

    observed_generation: Annotated[
        int, about("metadata.generation that this status is about; -1: not seen yet.", example=1)
    ] = -1
    tested_hash: Annotated[
        SpecHash,
        about("Of what was tested in the spec when a run was last made for a change.", example="60303ae22b998861"),
    ] = ""
    run_token: Annotated[str, about("The run token of that spec.", example="release-42", max_length=64)] = ""
    requested_at: Annotated[
        str,
        about("The annotation calltest.dev/requested-at that was last acted on.", example="2026-01-31", max_length=256),
    ] = ""
    schedule: (
        Annotated[ScheduleStatus, about("What its schedule did, and what comes.", example={"skipped": 0})] | UnsetType
    ) = UNSET
    sut: Annotated[SutStatus, about("What the SUT runs now.", example={"settled": True})] | UnsetType = UNSET
    last_successful_time: (
        Annotated[datetime, about("When a run last passed.", example="2026-01-31T12:01:00Z", tz=True)] | UnsetType
    ) = UNSET
    last_run: (
        Annotated[
            LastRun,
            about(
                "The last finished run that the operator made of the present spec; it stays while the next one is under"
                " way, and goes when the spec changes.",
                example={"name": "pin-g3", "result": "Passed", "completionTime": "2026-01-31T12:01:00Z"},
            ),
        ]
        | UnsetType
    ) = UNSET
    running: (
        Annotated[Running, about("The run that is under way.", example={"name": "pin-g4", "summary": "7/20"})]
        | UnsetType
    ) = UNSET
    conditions: Conditions = ()
