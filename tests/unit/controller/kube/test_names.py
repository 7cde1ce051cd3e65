"""Names that are slow, dead, or change, and that nobody waits for."""

from collections.abc import Callable

from controller.kube import names
from controller.kube.names import MAX_LOOKUPS, Names, Resolved, look_up

ANSWER = Resolved(addresses=("192.0.2.1",))


class Bureau:
    """Lookups that are answered when the test says so."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.asked: list[str] = []
        self.under_way: list[Callable[[], None]] = []
        self.answer = ANSWER
        self.names = Names(now=lambda: self.time_s, look_up=self.look_up, start=self.under_way.append)

    def look_up(self, host: str) -> Resolved:
        self.asked.append(host)
        return self.answer

    def finish(self) -> None:
        works, self.under_way[:] = list(self.under_way), []
        for work in works:
            work()


def test_a_name_is_looked_up_once_and_its_answer_holds_for_a_while() -> None:
    bureau = Bureau()
    assert bureau.names.resolve("sbc").fault == "the name server has not answered yet"
    assert bureau.names.resolve("sbc").addresses == ()
    bureau.finish()
    assert bureau.names.resolve("sbc") == ANSWER
    assert bureau.asked == ["sbc"]
    bureau.time_s += names.KEPT_S + 1
    assert bureau.names.resolve("sbc") == ANSWER, "the older answer holds while it is asked for again"
    bureau.answer = Resolved(addresses=("192.0.2.2",))
    bureau.finish()
    assert bureau.names.resolve("sbc").addresses == ("192.0.2.2",)


def test_a_fault_is_asked_for_again_sooner() -> None:
    bureau = Bureau()
    bureau.answer = Resolved(fault="Name or service not known")
    bureau.names.resolve("sbc")
    bureau.finish()
    assert bureau.names.resolve("sbc").fault == "Name or service not known"
    bureau.time_s += names.FAULT_KEPT_S + 1
    bureau.answer = ANSWER
    bureau.names.resolve("sbc")
    bureau.finish()
    assert bureau.names.resolve("sbc") == ANSWER


def test_a_name_server_that_does_not_answer_is_said_and_an_answer_that_comes_late_is_taken() -> None:
    bureau = Bureau()
    bureau.names.resolve("dead")
    bureau.time_s += 20
    assert bureau.names.resolve("dead").fault == "no answer from the name server for 20 s"
    assert len(bureau.under_way) == 1
    bureau.finish()
    assert bureau.names.resolve("dead") == ANSWER


def test_dead_names_slow_no_other_one_and_take_a_bounded_number_of_threads() -> None:
    bureau = Bureau()
    for number in range(MAX_LOOKUPS + 5):
        bureau.names.resolve(f"dead{number}")
    assert len(bureau.under_way) == MAX_LOOKUPS
    assert "other names are being looked up" in bureau.names.resolve("one more").fault
    bureau.finish()
    bureau.names.resolve("one more")
    bureau.finish()
    assert bureau.names.resolve("one more") == ANSWER


def test_names_that_nobody_asks_for_are_forgotten() -> None:
    bureau = Bureau()
    bureau.names.resolve("old")
    bureau.finish()
    bureau.time_s += 11 * names.KEPT_S
    bureau.names.resolve("new")
    bureau.finish()
    assert list(bureau.names._names) == ["new"]


def test_the_systems_resolver_gives_addresses_or_a_reason() -> None:
    assert look_up("127.0.0.1") == Resolved(addresses=("127.0.0.1",))
    assert look_up("a" * 64 + ".example").fault.startswith("no name of a host")
    assert look_up("256.1.1.1.invalid").fault
