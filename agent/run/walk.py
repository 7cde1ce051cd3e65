"""Where one leg stands in its steps: what has happened, what is due, what is left. Time is passed in."""

from collections.abc import Iterator

from agent.contract.steps import On, Step, Steps


class Walk:
    """The steps of one leg, each done once; those that count from digits once for each time that digits came."""

    def __init__(self, steps: Steps, at_s: float) -> None:
        """A leg that began at `at_s`."""
        self._left = list(steps)
        self._times_s: dict[On, float] = {On.START: at_s}
        self._again = tuple(step for step in steps if step.on is On.DIGITS)

    def happened(self, on: On, at_s: float) -> None:
        """Takes note. The first time counts; of digits the last, which may be ahead: one that has begun is to end."""
        if on is On.DIGITS:
            self._times_s[on] = at_s
            self._left += [step for step in self._again if step not in self._left]
        else:
            self._times_s.setdefault(on, at_s)

    def has(self, on: On) -> bool:
        """It has happened."""
        return on in self._times_s

    def take(self, now_s: float) -> Iterator[Step]:
        """The steps that are due, in the order in which they are; a step that is taken may make others due."""
        while (due := self._next()) is not None and due[0] <= now_s:
            self._left.remove(due[1])
            yield due[1]

    @property
    def next_s(self) -> float | None:
        """When the next one is due; None: nothing is, until more happens."""
        due = self._next()
        return None if due is None else due[0]

    def end(self) -> Steps:
        """No more is done. Those that were planned and not done; precautions that were not needed are no such."""
        left = tuple(step for step in self._left if step.unless is None and step not in self._again)
        self._left, self._again = [], ()
        return left

    def _next(self) -> tuple[float, Step] | None:
        due = [
            (self._times_s[step.on] + step.after_ms / 1000, step)
            for step in self._left
            if step.on in self._times_s and (step.unless is None or step.unless not in self._times_s)
        ]
        return min(due, key=lambda item: item[0], default=None)
