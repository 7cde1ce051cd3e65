from agent.timers import Timers


def test_due_actions_run_in_order_and_once() -> None:
    timers, ran = Timers(), list[str]()
    timers.at(2.0, lambda: ran.append("late"))
    timers.at(1.0, lambda: ran.append("a"))
    timers.at(1.0, lambda: ran.append("b"))
    assert timers.next_s(9.0) == 1.0
    timers.run(1.5)
    assert ran == ["a", "b"]
    timers.run(2.0)
    timers.run(3.0)
    assert ran == ["a", "b", "late"]


def test_without_an_action_the_other_time_counts() -> None:
    timers = Timers()
    assert timers.next_s(9.0) == 9.0
    timers.at(10.0, lambda: None)
    assert timers.next_s(9.0) == 9.0
    timers.clear()
    timers.run(11.0)


def test_an_action_may_add_another() -> None:
    timers, ran = Timers(), list[str]()
    timers.at(1.0, lambda: timers.at(1.0, lambda: ran.append("second")))
    timers.run(1.0)
    assert ran == ["second"]
