"""The queue: each key once at a time, and failed ones later and later."""

from controller.operator.workqueue import FIRST_RETRY_S, LAST_RETRY_S, Key, WorkQueue

A, B = Key("CallTest", "ns", "a"), Key("CallTestRun", "ns", "b")


def test_keys_come_out_when_they_are_due_in_order() -> None:
    queue = WorkQueue()
    queue.add(B, due_s=2)
    queue.add(A, due_s=1)
    assert queue.take(now_s=0) is None
    assert (queue.take(now_s=5), queue.take(now_s=5), queue.take(now_s=5)) == (A, B, None)


def test_a_key_added_twice_comes_once_at_the_earlier_time() -> None:
    queue = WorkQueue()
    queue.add(A, due_s=9)
    queue.add(A, due_s=1)
    queue.add(A, due_s=5)
    assert len(queue) == 1
    assert queue.take(now_s=1) == A
    queue.done(A, now_s=1)
    assert queue.take(now_s=100) is None


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    queue = WorkQueue()
    queue.add(A, due_s=0)
    assert queue.take(now_s=0) == A
    queue.add(A, due_s=0)
    assert queue.take(now_s=1) is None
    queue.done(A, now_s=1)
    assert queue.take(now_s=1) == A


def test_a_key_that_is_worked_on_does_not_hold_up_others() -> None:
    queue = WorkQueue()
    queue.add(A, due_s=0)
    queue.take(now_s=0)
    queue.add(A, due_s=0)
    queue.add(B, due_s=1)
    assert queue.take(now_s=1) == B


def test_a_key_can_ask_to_come_again() -> None:
    queue = WorkQueue()
    queue.add(A, due_s=0)
    queue.take(now_s=0)
    queue.done(A, now_s=10, again_s=5)
    assert queue.next_due_s() == 15
    assert queue.take(now_s=14) is None
    assert queue.take(now_s=15) == A


def test_a_failing_key_comes_later_and_later_and_no_later_than_that() -> None:
    queue, delays = WorkQueue(), []
    for _ in range(20):
        queue.add(A, due_s=0)
        queue.take(now_s=1e9)
        delays.append(queue.failed(A, now_s=0))
    assert delays[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert delays[-1] == LAST_RETRY_S


def test_a_wish_during_a_failing_work_does_not_defeat_the_delay() -> None:
    queue = WorkQueue()
    queue.add(A, due_s=0)
    queue.take(now_s=0)
    queue.add(A, due_s=0)
    queue.failed(A, now_s=0)
    assert queue.take(now_s=FIRST_RETRY_S / 2) is None
    assert queue.take(now_s=FIRST_RETRY_S) == A


def test_success_forgets_the_failures() -> None:
    queue = WorkQueue()
    for _ in range(5):
        queue.add(A, due_s=0)
        queue.take(now_s=1e9)
        queue.failed(A, now_s=0)
    queue.take(now_s=1e9)
    queue.done(A, now_s=0)
    queue.add(A, due_s=0)
    queue.take(now_s=0)
    assert queue.failed(A, now_s=0) == FIRST_RETRY_S
    assert WorkQueue().next_due_s() is None
