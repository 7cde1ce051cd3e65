"""What starts runs of a CallTest, and what becomes of the one under way."""

from enum import StrEnum
from typing import Annotated

from agent.contract.document import Document
from agent.contract.field import about
from controller.api.target import PodSelector


class Replaced(StrEnum):
    """What of the SUT counts as new."""

    REVISION = "Revision"
    REPLACEMENT = "Replacement"


class ConcurrencyPolicy(StrEnum):
    """What becomes of a run that is under way when the next one is due."""

    FORBID = "Forbid"
    REPLACE = "Replace"


class AlsoSut(Document, frozen=True, kw_only=True):
    """Pods that are part of the system, and are not called."""

    pod_selector: Annotated[
        PodSelector, about("These pods, in the target's namespace.", example={"matchLabels": {"app": "rtpengine"}})
    ]


class OnRollout(Document, frozen=True, kw_only=True):
    """When what the SUT runs is tested: after it changed and has settled."""

    settle_seconds: Annotated[
        int,
        about("All replicas are ready, and the same ones, for so long.", example=20, ge=5, le=600),
    ] = 20
    deadline_seconds: Annotated[
        int,
        about(
            "What has not settled by then is tested all the same: Inconclusive/NotSettled where it still has not.",
            example=600,
            ge=30,
            le=3600,
        ),
    ] = 600
    change: Annotated[
        Replaced,
        about(
            "Revision: what runs and was not tested, by the workload's revision and the images; scaling and the loss of"
            " pods are no such change. Replacement: also new pods in the place of those of the last run that is kept"
            " (drain, restart); scaling is none of these.",
            example="Revision",
        ),
    ] = Replaced.REVISION
    also: Annotated[
        tuple[AlsoSut, ...],
        about(
            "Pods that are part of the system too, and are not called: media relays, application servers.",
            example=[{"podSelector": {"matchLabels": {"app": "rtpengine"}}}],
            max_length=8,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()


class Trigger(Document, frozen=True, kw_only=True):
    """What starts a run. One at a time, whatever the cause; what falls into a run is kept, but for a slot."""

    run_token: (
        Annotated[
            str,
            about("Any text; changing it runs the test again.", example="release-42", min_length=1, max_length=64),
        ]
        | None
    ) = None
    on_change: Annotated[
        bool,
        about(
            "Run when the test is created or what it tests is changed. false: only for the other causes.",
            example=False,
        ),
    ] = True
    schedule: (
        Annotated[
            str,
            about(
                "When to run: five fields as in a CronJob (minute, hour, day of month, month, day of week), or @hourly,"
                " @daily, @weekly, @monthly, @yearly. A slot that falls into a run is skipped.",
                example="*/15 * * * *",
                min_length=1,
                max_length=128,
                pattern=r"^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)"
                r"|([0-9A-Za-z*,/#?-]+ +){4}[0-9A-Za-z*,/#?-]+)$",
            ),
        ]
        | None
    ) = None
    time_zone: Annotated[
        str,
        about(
            "Zone of the schedule, by its IANA name. On the hour that is lost in spring a daily slot comes right after"
            " it, on the one that is doubled in autumn once.",
            example="Europe/Berlin",
            min_length=1,
            max_length=64,
            pattern=r"^[A-Za-z._0-9+-]{1,14}(/[A-Za-z._0-9+-]{1,14}){0,2}$",
        ),
    ] = "Etc/UTC"
    starting_deadline_seconds: Annotated[
        int, about("A slot that could not be started by then is skipped.", example=300, ge=10, le=86_400)
    ] = 300
    jitter_seconds: Annotated[
        int,
        about(
            "Starts are up to so much later than the slot: tests with one schedule do not all start at once, and each"
            " always at the same second.",
            example=60,
            ge=0,
            le=3600,
        ),
    ] = 0
    on_rollout: Annotated[
        OnRollout | None,
        about(
            "Run when the SUT runs something that was not tested yet. {} has all defaults.",
            example={"settleSeconds": 30},
        ),
    ] = None
