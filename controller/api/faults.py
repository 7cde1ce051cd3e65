"""What is wrong with an object that does not fit its type, in the words of the YAML that people write: all of it."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from msgspec import inspect

MAX_SHOWN: Final = 80
"""Characters of a given value."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    field: str
    """As written: `spec.calls[0].count`."""
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def schema_faults(raw: object, kind: type, field: str) -> Iterator[Fault]:
    """All places where a value, as it was read from YAML or JSON, is not what msgspec would make a `kind` of."""
    return _faults(raw, inspect.type_info(kind), field)


def _faults(raw: object, of: inspect.Type, field: str) -> Iterator[Fault]:  # noqa: PLR0911 - a row for each kind of type
    bare, example = _bare(of)
    match bare:
        case inspect.StructType():
            return _of_struct(raw, bare, field)
        case inspect.DictType():
            return _of_dict(raw, bare, field)
        case inspect.ListType() | inspect.VarTupleType():
            return _of_list(raw, bare, field)
        case inspect.UnionType():
            if any(not list(_faults(raw, each, field)) for each in bare.types):
                return iter(())
            wanted = " or ".join(_wanted(each) for each in bare.types)
            return iter((Fault(field, f"{shown(raw)}: {wanted} is expected"),))
        case inspect.StrType():
            return _of_text(raw, bare, field, example)
        case inspect.EnumType() | inspect.LiteralType():
            return _of_words(raw, _words(bare), field)
        case inspect.IntType() | inspect.BoolType():
            return _of_plain(raw, bare, field)
    return iter(())


def _bare(of: inspect.Type) -> tuple[inspect.Type, object]:
    """Without what may be absent and what is only told about it; and its example."""
    example = None
    while isinstance(of, inspect.Metadata | inspect.UnionType):
        if isinstance(of, inspect.Metadata):
            examples = (of.extra_json_schema or {}).get("examples") or [None]
            example = examples[0] if example is None else example
            of = of.type
            continue
        real = [each for each in of.types if not isinstance(each, inspect.NoneType)]
        if len(real) > 1:
            return inspect.UnionType(tuple(real)), example
        of = real[0]
    return of, example


def _of_struct(raw: object, of: inspect.StructType, field: str) -> Iterator[Fault]:
    if not isinstance(raw, dict):
        yield _wrong(raw, of, field)
        return
    known = {each.encode_name: each for each in of.fields}
    for name in raw:
        if of.forbid_unknown_fields and name not in known:
            yield Fault(f"{field}.{name}", _no_field(str(name), list(known)))
    for name, each in known.items():
        if name in raw:
            yield from _faults(raw[name], each.type, f"{field}.{name}")
        elif each.required:
            yield Fault(f"{field}.{name}", f"is missing: {_wanted(each.type)} is needed")


def _no_field(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), [each.lower() for each in known], n=1)
    if near:
        meant = next(each for each in known if each.lower() == near[0])
        return f"is no field: did you mean {meant}?"
    return f"is no field: there are {', '.join(sorted(known))}"


def _of_dict(raw: object, of: inspect.DictType, field: str) -> Iterator[Fault]:
    if not isinstance(raw, dict):
        yield _wrong(raw, of, field)
        return
    for key, value in raw.items():
        yield from _faults(key, of.key_type, f"{field} key")
        yield from _faults(value, of.value_type, f"{field}.{key}")


def _of_list(raw: object, of: inspect.ListType | inspect.VarTupleType, field: str) -> Iterator[Fault]:
    if not isinstance(raw, list):
        yield _wrong(raw, of, field)
        return
    if not _holds(len(raw), of.min_length, of.max_length):
        yield Fault(field, f"a list of {len(raw)}: {_range(of.min_length, of.max_length, 'entries')} are expected")
    for index, item in enumerate(raw):
        yield from _faults(item, of.item_type, f"{field}[{index}]")


def _of_text(raw: object, of: inspect.StrType, field: str, example: object) -> Iterator[Fault]:
    if not isinstance(raw, str):
        quotes = "" if isinstance(raw, dict | list) else ": put it in quotes"
        yield Fault(field, f"{shown(raw)}: text is expected{quotes}")
        return
    if not _holds(len(raw), of.min_length, of.max_length):
        bounds = _range(of.min_length, of.max_length, "characters")
        yield Fault(field, f"{shown(raw)}, of {len(raw)} characters: {bounds} are expected")
    elif of.pattern is not None and not re.search(of.pattern, raw):
        like = f"text such as {shown(example)}" if isinstance(example, str) else "other text"
        yield Fault(field, f"{shown(raw)}: {like} is expected, by the pattern {of.pattern}")


def _words(of: inspect.EnumType | inspect.LiteralType) -> list[str]:
    values = of.values if isinstance(of, inspect.LiteralType) else tuple(each.value for each in of.cls)
    return [str(value) for value in values]


def _of_words(raw: object, words: list[str], field: str) -> Iterator[Fault]:
    if isinstance(raw, str) and raw in words:
        return
    near = difflib.get_close_matches(str(raw).lower(), [word.lower() for word in words], n=1)
    meant = "".join(f"; did you mean {word}?" for word in words if near and len(words) > 1 and word.lower() == near[0])
    yield Fault(field, f"{shown(raw)}: {' or '.join(words)} is expected{meant}")


def _of_plain(raw: object, of: inspect.IntType | inspect.BoolType, field: str) -> Iterator[Fault]:
    if isinstance(of, inspect.BoolType):
        holds = isinstance(raw, bool)
    else:
        holds = isinstance(raw, int) and not isinstance(raw, bool) and _holds(raw, of.ge, of.le)
    if holds:
        return
    text = raw if isinstance(raw, str) else ""
    quotes = ", without quotes" if re.fullmatch(r"\d+|true|false", text) else ""
    yield Fault(field, f"{shown(raw)}: {_wanted(of)} is expected{quotes}")


def _wrong(raw: object, of: inspect.Type, field: str) -> Fault:
    return Fault(field, f"{shown(raw)}: {_wanted(of)} is expected")


def _wanted(of: inspect.Type) -> str:  # noqa: PLR0911 - a row for each kind of type
    """What fits, as the object of a sentence."""
    bare, example = _bare(of)
    match bare:
        case inspect.StructType() | inspect.DictType():
            names = [each.encode_name for each in bare.fields] if isinstance(bare, inspect.StructType) else []
            return "a mapping" + (f" with {', '.join(names)}" if names else "")
        case inspect.ListType() | inspect.VarTupleType():
            return "a list"
        case inspect.IntType():
            return "a whole number" if bare.ge is None and bare.le is None else _range(bare.ge, bare.le, "")
        case inspect.BoolType():
            return "true or false"
        case inspect.EnumType() | inspect.LiteralType():
            return " or ".join(_words(bare))
        case inspect.UnionType():
            return " or ".join(_wanted(each) for each in bare.types)
    return f"text such as {shown(example)}" if isinstance(example, str) else "text"


def _holds(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _range(least: float | None, most: float | None, what: str) -> str:
    """`a whole number from 1 to 5`, `1 to 5 entries`."""
    whole = "" if what else "a whole number "
    unit = f" {what}" if what else ""
    if most is None:
        return f"{whole}{least} or more{unit}"
    if least is None:
        return f"{whole}at most {most}{unit}"
    return f"{whole}{'' if what else 'from '}{least} to {most}{unit}"


def shown(raw: Any) -> str:
    """A value as it may have been written, in a few characters."""
    if isinstance(raw, dict):
        return "a mapping"
    if isinstance(raw, list):
        return "a list"
    text = json.dumps(raw, ensure_ascii=False) if isinstance(raw, bool | str) else str(raw)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
