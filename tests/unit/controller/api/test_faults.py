"""What is wrong with a test, in the words of its YAML."""

from typing import Annotated, Any, Literal

import msgspec
import pytest

from controller.api.faults import MAX_SHOWN, schema_faults, shown
from controller.api.parse import SpecError, parse_test
from tests.unit.controller.objects import PIN, changed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spec.calls.0.count": 0}, "spec.calls[0].count: 0: a whole number from 1 to 1000 is expected"),
        ({"spec.calls.0.count": 2.5}, "spec.calls[0].count: 2.5: a whole number from 1 to 1000 is expected"),
        ({"spec.calls.0.count": True}, "spec.calls[0].count: true: a whole number from 1 to 1000 is expected"),
        (
            {"spec.calls.0.count": "8"},
            'spec.calls[0].count: "8": a whole number from 1 to 1000 is expected, without quotes',
        ),
        ({"spec.calls.0.cuont": 1}, "spec.calls[0].cuont: is no field: did you mean count?"),
        ({"spec.calls.0.holdseconds": 1}, "spec.calls[0].holdseconds: is no field: did you mean holdSeconds?"),
        (
            {"spec.caller.zzz": 1},
            "spec.caller.zzz: is no field: there are credentials, headers, media, register, registration, uri",
        ),
        (
            {"spec.caller": None},
            (
                "spec.caller: is missing: a mapping with uri, credentials, register, registration, media, headers is"
                " needed"
            ),
        ),
        ({"spec.caller.uri": None}, 'spec.caller.uri: is missing: text such as "sip:alice@example.com" is needed'),
        ({"spec.caller.uri": 7}, "spec.caller.uri: 7: text is expected: put it in quotes"),
        ({"spec.caller.uri": []}, "spec.caller.uri: a list: text is expected"),
        (
            {"spec.caller.uri": "tel:+49"},
            'spec.caller.uri: "tel:+49": text such as "sip:alice@example.com" is expected, by the pattern ^sips?:',
        ),
        ({"spec.caller.register": "true"}, 'spec.caller.register: "true": true or false is expected, without quotes'),
        (
            {"spec.callee.behaviour": "parot"},
            'behaviour: "parot": Parrot or Absorber or Busy or Refuse or RingOnly is expected; did you mean',
        ),
        ({"spec.target.port": 70000}, "spec.target.port: 70000: a whole number from 1 to 65535 or text is expected"),
        ({"spec.calls": {"name": "a"}}, "spec.calls: a mapping: a list is expected"),
        ({"spec.calls": [{"name": "a"}] * 17}, "spec.calls: a list of 17: at most 16 entries are expected"),
        (
            {"spec.caller": "alice"},
            'spec.caller: "alice": a mapping with uri, credentials, register, registration, media, headers is expected',
        ),
        ({"spec.agents": {"nodeSelector": ["a"]}}, "spec.agents.nodeSelector: a list: a mapping is expected"),
        ({"spec.agents": {"nodeSelector": {"a": 1}}}, "spec.agents.nodeSelector.a: 1: text is expected: put it in"),
        ({"spec": []}, "spec: a list: a mapping is expected"),
        ({"spec.calls.0.name": "x" * 64}, "of 64 characters: "),
    ],
)
def test_a_fault_says_field_what_was_given_and_what_is_allowed(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_test(changed(PIN, changes))
    assert said in str(caught.value)


def test_all_faults_are_said_at_once() -> None:
    changes = {"spec.calls.0.count": 0, "spec.calls.0.cuont": 1, "spec.target.minEndpoints": 0, "spec.caller.uri": None}
    with pytest.raises(SpecError) as caught:
        parse_test(changed(PIN, changes))
    assert {fault.field for fault in caught.value.faults} == {
        "spec.calls[0].count",
        "spec.calls[0].cuont",
        "spec.target.minEndpoints",
        "spec.caller.uri",
    }


def test_all_broken_rules_are_said_at_once() -> None:
    changes = {"spec.calls.0.caller.play": {}, "spec.readyDeadlineSeconds": 600}
    with pytest.raises(SpecError) as caught:
        parse_test(changed(PIN, changes))
    assert [fault.field for fault in caught.value.faults] == ["spec.calls[0].caller.play", "spec.readyDeadlineSeconds"]


class Odd(msgspec.Struct, forbid_unknown_fields=True):
    """Bounds that the API has on few fields or none."""

    least: Annotated[int, msgspec.Meta(ge=3)] = 3
    most: Annotated[int, msgspec.Meta(le=3)] = 3
    any_number: int = 3
    word: Literal["A"] = "A"
    many: Annotated[list[int], msgspec.Meta(min_length=1)] = msgspec.field(default_factory=lambda: [1])
    plain: Annotated[str, msgspec.Meta(pattern="^a$")] = "a"
    mixed: int | bool = 3
    share: float = 0.5
    one_or_more: int | list[int] = 3
    one_or_named: int | dict[str, int] = 3


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"least": 2}, "x.least: 2: a whole number 3 or more is expected"),
        ({"most": 4}, "x.most: 4: a whole number at most 3 is expected"),
        ({"any_number": "a"}, 'x.any_number: "a": a whole number is expected'),
        ({"word": "B"}, 'x.word: "B": A is expected'),
        ({"many": []}, "x.many: a list of 0: 1 or more entries are expected"),
        ({"many": [1, "a"]}, 'x.many[1]: "a": a whole number is expected'),
        ({"plain": "b"}, 'x.plain: "b": other text is expected, by the pattern ^a$'),
        ({"one_or_more": "a"}, 'x.one_or_more: "a": a whole number or a list is expected'),
        ({"one_or_named": "a"}, 'x.one_or_named: "a": a whole number or a mapping is expected'),
        ({"mixed": "a"}, 'x.mixed: "a": a whole number or true or false is expected'),
    ],
)
def test_bounds_are_said_as_they_are(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, Odd)
    assert [str(fault) for fault in schema_faults(raw, Odd, "x")] == [said]


def test_what_fits_has_no_fault() -> None:
    raw = {"least": 3, "most": 1, "word": "A", "many": [1], "plain": "a", "mixed": True, "share": 0.1}
    msgspec.convert(raw, Odd)
    assert list(schema_faults(raw, Odd, "x")) == []


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 1000)) == MAX_SHOWN


class Needed(msgspec.Struct):
    """What has no default."""

    word: Literal["A", "B"]
    mixed: int | bool


def test_what_is_missing_is_said_with_what_is_needed() -> None:
    assert [str(fault) for fault in schema_faults({}, Needed, "x")] == [
        "x.word: is missing: A or B is needed",
        "x.mixed: is missing: a whole number or true or false is needed",
    ]
