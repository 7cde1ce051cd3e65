"""A CallTest's status from its runs, and from what its SUT runs."""

from msgspec import UNSET

from agent.contract.verdict import Reason, Result
from controller.api.calltest_status import CallTestStatus, SutStatus
from controller.api.revision import Revision
from controller.api.run import CallTestRunStatus
from controller.plan.cause import Cause
from controller.plan.discovery import Discovery
from controller.run import status as statuses
from controller.run.calltest_status import Lost, NamedRun, Sut, of_test
from controller.run.conclude import Outcome, refused
from tests.unit.controller.objects import spec
from tests.unit.controller.run_statuses import FAILED, NEW, PASSED, at, kstatus, shown, under_way


def finished_run(outcome: Outcome = PASSED) -> NamedRun:
    return NamedRun(name="pin-g3", status=statuses.concluded(under_way(), outcome, at(60)))


EMPTY = CallTestStatus()
HASH = "9f86d081884c7d65"
DELETED = Lost(name="pin-g4", reason="RunDeleted")


def test_a_test_shows_its_last_run_in_brief():
    status = of_test(EMPTY, at(61, 3), spec_hash=HASH, active=None, last=finished_run(FAILED))
    assert (status.last_run.name, status.last_run.result, status.last_run.reason) == (
        "pin-g3",
        Result.FAILED,
        "DtmfMismatch",
    )
    assert (status.last_run.calls.summary, status.last_run.endpoints) == ("18/20", 2)
    assert status.last_run.completion_time == at(60).now
    assert status.running is UNSET
    assert shown(status) == {
        "Finished": ("True", "Failed"),
        "Succeeded": ("False", "DtmfMismatch"),
        "Reconciling": ("False", "Finished"),
        "Stalled": ("False", "Finished"),
    }
    message = next(item.message for item in status.conditions if item.type == "Succeeded")
    assert message == 'pin-g3: callee received "124#"'
    assert status.observed_generation == 3


def test_it_keeps_showing_it_while_the_next_one_runs():
    before = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=finished_run())
    status = of_test(
        before, at(70, 2), spec_hash=HASH, active=NamedRun(name="pin-g4", status=under_way()), last=finished_run()
    )
    assert status.last_run == before.last_run
    assert (status.running.name, status.running.progress) == ("pin-g4", "7/20")
    assert shown(status)["Finished"] == ("False", "Running")
    assert shown(status)["Succeeded"] == ("Unknown", "Running")
    assert kstatus(status) == "InProgress"


def test_it_keeps_showing_a_run_that_history_dropped():
    before = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=finished_run())
    status = of_test(before, at(70), spec_hash=HASH, active=None, last=None)
    assert status == before


def test_a_verdict_on_another_spec_is_not_shown():
    before = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=finished_run())
    status = of_test(before, at(70), spec_hash="0" * 16, active=None, last=None)
    assert status.last_run is UNSET
    assert shown(status)["Succeeded"] == ("Unknown", "Pending")


def test_after_a_deleted_run_nothing_is_known_until_the_next_one():
    before = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=finished_run())
    deleted = of_test(before, at(70), spec_hash=HASH, active=None, last=finished_run(), lost=DELETED)
    assert shown(deleted)["Succeeded"] == ("Unknown", "RunDeleted")
    assert kstatus(deleted) == "Current"
    later = of_test(deleted, at(80), spec_hash=HASH, active=None, last=finished_run())
    assert shown(later)["Succeeded"] == ("Unknown", "RunDeleted")
    newer = NamedRun(name="pin-g5", status=finished_run().status)
    assert shown(of_test(later, at(90), spec_hash=HASH, active=None, last=newer))["Succeeded"][0] == "True"


def test_after_a_run_that_cannot_be_read_nothing_is_known_until_the_next_one():
    before = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=finished_run())
    unread = Lost(name="pin-g4", reason="RunUnreadable")
    lost = of_test(before, at(70), spec_hash=HASH, active=None, last=finished_run(), lost=unread)
    later = of_test(lost, at(80), spec_hash=HASH, active=None, last=finished_run())
    assert shown(lost)["Succeeded"] == shown(later)["Succeeded"] == ("Unknown", "RunUnreadable")
    message = next(item.message for item in lost.conditions if item.type == "Succeeded")
    assert message.startswith("pin-g4 cannot be read")


def test_that_a_run_was_deleted_is_no_longer_said_as_the_next_one_begins():
    deleted = of_test(EMPTY, at(70), spec_hash=HASH, active=None, last=None, lost=DELETED)
    assert deleted.reason == "RunDeleted"
    begun = of_test(deleted, at(71), spec_hash=HASH, active=NamedRun(name="pin-g5", status=NEW), last=None)
    assert begun.reason is UNSET


def test_a_run_that_has_just_begun_counts_nothing():
    status = of_test(EMPTY, at(1), spec_hash=HASH, active=NamedRun(name="pin-g1", status=NEW), last=None)
    assert status.running.progress == "starting"


def test_a_stalled_last_run_stalls_the_test():
    last = NamedRun(
        name="pin-g3",
        status=statuses.concluded(NEW, refused(Cause(reason=Reason.INVALID_TEST, message="bad"), spec()), at(5)),
    )
    status = of_test(EMPTY, at(6), spec_hash=HASH, active=None, last=last)
    assert shown(status)["Stalled"] == ("True", "InvalidTest")
    assert status.last_run.endpoints == 0


def test_a_last_run_without_words_still_has_a_reason():
    bare = CallTestRunStatus(result=Result.PASSED, completion_time=at(1).now)
    status = of_test(EMPTY, at(6), spec_hash=HASH, active=None, last=NamedRun(name="by-hand", status=bare))
    assert shown(status)["Succeeded"] == ("True", "Passed")


def test_a_test_without_a_run_waits_or_is_suspended():
    waiting = of_test(EMPTY, at(1), spec_hash=HASH, active=None, last=None)
    assert shown(waiting)["Finished"] == ("False", "Pending")
    assert kstatus(waiting) == "InProgress"
    suspended = of_test(EMPTY, at(1), spec_hash=HASH, active=None, last=None, suspended=True)
    assert shown(suspended)["Finished"] == ("False", "Suspended")
    assert kstatus(suspended) == "Current"


def test_a_test_that_cannot_run_is_stalled():
    problem = Cause(reason=Reason.NAME_CONFLICT, message="a run of that name is somebody else's")
    status = of_test(EMPTY, at(1), spec_hash=HASH, active=None, last=finished_run(), problem=problem)
    assert shown(status)["Stalled"] == ("True", "NameConflict")
    assert shown(status)["Finished"] == ("False", "NameConflict")
    assert status.last_run.name == "pin-g3"


def test_the_reason_is_the_verdicts_and_without_one_what_stands_in_the_way():
    def reason(last: NamedRun | None, **more: object) -> object:
        return of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=last, **more).reason

    problem = Cause(reason=Reason.INVALID_TEST, message="spec.trigger.schedule: 61 is no minute")
    assert reason(finished_run(FAILED), problem=problem) == "DtmfMismatch"
    assert reason(finished_run()) is UNSET
    assert reason(None, problem=problem) == "InvalidTest"
    assert reason(None, lost=DELETED) == "RunDeleted"
    assert reason(None) is UNSET


REVISION = Revision(workload="ReplicaSet/sut", revision="7d9f6c5b8", replicas=2)


def sut(*untested: Revision, revision_hash: str = "3f9c51aa", message: str = "") -> Sut:
    status = SutStatus(revision_hash=revision_hash, since=at(0).now, settled=not message, message=message)
    return Sut(status=status, untested=untested)


def test_a_verdict_is_current_where_it_is_about_what_runs_now():
    def current(seen: Sut | None, last: NamedRun | None):
        status = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=last, sut=seen)
        return shown(status).get("VerdictCurrent")

    assert current(sut(), finished_run()) == ("True", "Tested")
    assert current(sut(REVISION), finished_run()) == ("False", "NewRevision")
    assert current(sut(REVISION), None) == ("False", "NoVerdict")
    assert current(sut(revision_hash="", message="no pods"), finished_run()) == ("Unknown", "NothingRuns")
    assert current(sut(revision_hash=""), finished_run()) == ("Unknown", "NothingRuns")
    assert current(None, finished_run()) is None


def test_where_nobody_looks_any_more_nothing_is_said_of_it():
    before = of_test(EMPTY, at(61), spec_hash=HASH, active=None, last=finished_run(), sut=sut())
    after = of_test(before, at(70), spec_hash=HASH, active=None, last=finished_run())
    assert after.sut is UNSET
    assert "VerdictCurrent" not in shown(after)


def test_it_says_at_once_what_its_run_waits_for():
    few = Cause(reason=Reason.TOO_FEW_ENDPOINTS, message="1 of 2 endpoints is ready")
    shared = Cause(reason=Reason.CALLEE_SHARED, message="ivr-g1 has sip:bob@x")
    begun = statuses.begun(CallTestRunStatus(), at(0))
    for status, said in (
        (CallTestRunStatus(), "pin-g4 is under way"),
        (under_way(), "pin-g4 is under way"),
        (
            statuses.unresolved(begun, few, Discovery(), at(1)),
            "pin-g4 waits for endpoints: TooFewEndpoints: 1 of 2 endpoints is ready",
        ),
        (statuses.queued(begun, shared, at(1)), "pin-g4 waits: CalleeShared: ivr-g1 has sip:bob@x"),
    ):
        test = of_test(EMPTY, at(2), spec_hash=HASH, active=NamedRun(name="pin-g4", status=status), last=None)
        assert next(item.message for item in test.conditions if item.type == "Reconciling") == said
