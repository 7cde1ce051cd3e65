"""A leg's steps are taken when they are due, once each."""

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.steps import Answer, HangUp, On, RepeatDigits, Ring, SendDigits, Step
from agent.run.walk import Walk

ANSWER = Step(after_ms=100, do=Answer())
HANG_UP = Step(on=On.ANSWERED, after_ms=2000, do=HangUp())
GIVE_UP = Step(after_ms=5000, do=HangUp(because="no answer"), unless=On.ANSWERED)
REPEAT = Step(on=On.DIGITS, after_ms=700, do=RepeatDigits(tone_ms=100))


def taken(walk: Walk, now_s: float) -> list[Step]:
    return list(walk.take(now_s))


def test_a_step_is_due_after_its_time_and_taken_once():
    walk = Walk((Step(do=Ring()), ANSWER), 10.0)
    assert taken(walk, 10.0) == [Step(do=Ring())]
    assert walk.next_s == 10.1
    assert taken(walk, 10.05) == []
    assert taken(walk, 10.1) == [ANSWER]
    assert walk.next_s is None


def test_what_counts_from_an_event_waits_for_it_and_the_first_time_counts():
    walk = Walk((HANG_UP,), 10.0)
    assert walk.next_s is None
    walk.happened(On.ANSWERED, 11.0)
    walk.happened(On.ANSWERED, 15.0)
    assert walk.next_s == 13.0


def test_a_precaution_is_not_taken_where_it_is_not_needed_and_not_missed_either():
    walk = Walk((GIVE_UP, HANG_UP), 10.0)
    walk.happened(On.ANSWERED, 11.0)
    assert taken(walk, 99.0) == [HANG_UP]
    walk = Walk((GIVE_UP, HANG_UP), 10.0)
    assert taken(walk, 15.0) == [GIVE_UP]


def test_each_digit_puts_off_what_counts_from_digits_and_later_ones_bring_it_again():
    walk = Walk((REPEAT,), 10.0)
    for at_s in (11.0, 11.2, 11.4):
        walk.happened(On.DIGITS, at_s)
    assert taken(walk, 12.0) == []
    assert taken(walk, 12.2) == [REPEAT]
    assert taken(walk, 99.0) == []
    walk.happened(On.DIGITS, 99.0)
    assert taken(walk, 99.7) == [REPEAT]


def test_at_the_end_what_was_planned_and_not_done_is_left():
    walk = Walk((Step(do=Ring()), GIVE_UP, HANG_UP, REPEAT), 10.0)
    assert taken(walk, 10.0) == [Step(do=Ring())]
    walk.happened(On.DIGITS, 11.0)
    assert walk.end() == (HANG_UP,)
    assert (taken(walk, 99.0), walk.next_s, walk.end()) == ([], None, ())
    walk.happened(On.DIGITS, 12.0)
    assert walk.next_s is None


STEPS = st.lists(
    st.builds(
        Step,
        on=st.sampled_from(On),
        after_ms=st.integers(0, 5000),
        do=st.builds(SendDigits, digits=st.just("1"), tone_ms=st.integers(40, 400)),
        unless=st.sampled_from([None, *On]),
    ),
    max_size=6,
)


@given(STEPS, st.lists(st.tuples(st.sampled_from(On), st.integers(0, 9)), max_size=8), st.integers(1, 30))
def test_nothing_is_taken_before_its_time_and_nothing_that_is_due_stays(steps, events, looks):
    walk = Walk(tuple(steps), 0.0)
    times: dict[On, float] = {On.START: 0.0}
    for on, at_s in sorted(events, key=lambda event: event[1]):
        walk.happened(on, float(at_s))
        times[on] = float(at_s) if on is On.DIGITS else times.get(on, float(at_s))
        for step in walk.take(float(at_s)):
            assert times[step.on] + step.after_ms / 1000 <= at_s
    for step in walk.take(float(looks)):
        assert times[step.on] + step.after_ms / 1000 <= looks
    assert walk.next_s is None or walk.next_s > looks
