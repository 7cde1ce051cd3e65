"""The JSON Schema of `calltest trace --json`, from the types of model.py and the text beside their fields."""

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.trace import model

PATH: Final = Path(__file__).parents[2] / "docs" / "trace.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of `Trace`."""
    definitions: dict[str, Any]
    (root,), definitions = msgspec.json.schema_components([model.Trace], ref_template="#/$defs/{name}")
    for kind, name, text in _field_texts():
        field = msgspec.structs.fields(getattr(model, kind))
        (encoded,) = (one.encode_name for one in field if one.name == name)
        properties = definitions[kind]["properties"]
        properties[encoded] = {"description": " ".join(text.split()), **properties[encoded]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://{model.SCHEMA}",
        "title": "The answer of `calltest trace --json`",
        **root,
        "$defs": definitions,
    }


def _field_texts() -> Iterator[tuple[str, str, str]]:
    """(type, field, the string under it)."""
    for kind in ast.parse(inspect.getsource(model)).body:
        if not isinstance(kind, ast.ClassDef) or not issubclass(getattr(model, kind.name), msgspec.Struct):
            continue
        for field, text in zip(kind.body, kind.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                yield kind.name, field.target.id, str(text.value.value)


def render() -> str:
    """As committed in docs/."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Prints the schema, or writes it to docs/ (--write)."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m agent.trace.schema [--write]", file=sys.stderr)
        return 2
    if arguments:
        PATH.write_text(render())
    else:
        print(render(), end="")
    return 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
