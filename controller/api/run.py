"""CallTestRun: one execution of a CallTest, and its status."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from agent.contract.document import Document
from agent.contract.field import NAME_PATTERN, about
from agent.contract.verdict import Result, Role
from controller.api.field import Count, ReasonWord, StatusValue
from controller.api.revision import RevisionHash, Revisions
from controller.api.test import MAX_NAME, TEST_RULES, CallTestSpec

MAX_RUN_NAME = 57
MAX_ENDPOINTS = 200
MAX_FAILURES = 20
MAX_LEFT_OUT = 20
MAX_CONFIG_MAPS = 100
MAX_IMAGES = 5


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
    message: Annotated[
        str,
        about(
            "The status in a sentence.",
            example='callee received "124#", expected "1234#" (18 of 20 calls passed, 2 failed)',
            max_length=1024,
        ),
    ]
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
    progress: Annotated[str, about("Ended of planned; shown while running.", example="7/20", max_length=32)] | (
        UnsetType
    ) = UNSET
    summary: Annotated[str, about("Passed of planned; absent until finished.", example="18/20", max_length=32)] | (
        UnsetType
    ) = UNSET


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
        about("NotReady, Terminating, NoPort, NotIPv4, NotIPv6, NoAddress or NoPod.", example="NotReady"),
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
