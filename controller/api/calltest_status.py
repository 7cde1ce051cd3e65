"""The status of a CallTest: its last run, the one under way, its schedule, what its SUT runs."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from agent.contract.field import about
from agent.contract.verdict import Result
from controller.api.field import Count, ReasonWord, StatusValue
from controller.api.revision import RevisionHash
from controller.api.run import CallCounts, Conditions

SpecHash = Annotated[str, Meta(max_length=16, pattern="^[0-9a-f]*$")]


class LastRun(StatusValue, frozen=True, kw_only=True):
    """The last finished run of a CallTest's present spec, in brief."""

    name: Annotated[str, about("Name of the CallTestRun.", example="pin-g3", max_length=253)]
    result: Annotated[Result, about("Its verdict.", example="Failed")]
    reason: Annotated[ReasonWord, about("Reason of the worst check.", example="DtmfMismatch")] | UnsetType = UNSET
    message: (
        Annotated[
            str,
            about(
                "The worst finding.",
                example='callee received "124#", expected "1234#" (18 of 20 calls passed, 2 failed)',
                max_length=1024,
            ),
        ]
        | UnsetType
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
    progress: Annotated[str, about("Calls ended of planned.", example="7/20", max_length=32)] | UnsetType = UNSET


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
        Annotated[Running, about("The run that is under way.", example={"name": "pin-g4", "progress": "7/20"})]
        | UnsetType
    ) = UNSET
    reason: (
        Annotated[
            str,
            about(
                "Of lastRun's worst check; without a lastRun, why there is none: InvalidTest, RunDeleted …",
                example="DtmfMismatch",
                max_length=64,
            ),
        ]
        | UnsetType
    ) = UNSET
    conditions: Conditions = ()
