"""YAML text → documents that know their lines. What a few bytes unfold to is weighed before it is built."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from controller.faults import UnusableInputError

MAX_WEIGHT: Final = 50_000
"""Nodes of all documents with their aliases followed, and one more per TEXT_WEIGHT characters: half a second, 50 MB."""
TEXT_WEIGHT: Final = 100
MAX_DEPTH: Final = 64
"""Lists and mappings in each other; a CallTest has some 10."""
_STEP = re.compile(r"[^.\[\]]+|\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document, and where its parts stand in the text."""

    value: Any
    node: yaml.Node | None
    """None: an item that was found in another way than by its line."""

    def line(self, path: str) -> int | None:
        """The line, from 1, of a field such as `spec.calls[0].count`, or of the nearest one around it."""
        if self.node is None:
            return None
        at = self.node
        line = at.start_mark.line
        for step in _STEP.finditer(path):
            found = _child(at, step)
            if found is None:
                break
            key, at = found
            line = key.start_mark.line
        return int(line) + 1

    def item(self, list_field: str, index: int) -> "Document":
        """An entry of one of its lists."""
        items = None if self.node is None else _child(self.node, _STEP.match(list_field))
        node = items[1].value[index] if items else None
        return Document(value=self.value[list_field][index], node=node)


def read_documents(where: str, raw: bytes) -> list[Document]:
    """All documents of a text, empty ones left out; UnusableInputError where it is no YAML, or unfolds to too much."""
    try:
        _weigh(where, raw)
        return list(_built(where, raw))
    except yaml.MarkedYAMLError as error:
        raise UnusableInputError(_marked(where, raw, error)) from error
    except (yaml.reader.ReaderError, UnicodeDecodeError) as error:
        raise UnusableInputError(f"{where}: not YAML: {error.reason} at byte {_place(error)}: is it text?") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnusableInputError(f"{where}: not YAML: {' '.join(str(error).split())}") from error


def _place(error: yaml.reader.ReaderError | UnicodeDecodeError) -> int:
    return error.start if isinstance(error, UnicodeDecodeError) else error.position


def _marked(where: str, raw: bytes, error: yaml.MarkedYAMLError) -> str:
    """With its line, and the word for what editors do unasked: a tab, where YAML has spaces only."""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{where}: not YAML: {said}"
    line = raw.split(b"\n")[mark.line : mark.line + 1]
    tabs = ": there is a tab: indent with spaces" if line and b"\t" in line[0] else ""
    return f"{where}:{mark.line + 1}: not YAML: {said}{tabs}"


def _weigh(where: str, raw: bytes) -> None:
    """Reads the text's events, which takes no room, and counts what they would be built to."""
    anchored: dict[str, int] = {}
    open_at: list[tuple[str | None, int]] = []
    weight = 0
    for event in yaml.parse(raw, Loader=yaml.CSafeLoader):
        match event:
            case yaml.AliasEvent():
                if event.anchor not in anchored:
                    raise UnusableInputError(f"{where}, {_at(event)}: *{event.anchor} stands for nothing or itself")
                weight += anchored[event.anchor]
            case yaml.ScalarEvent():
                own = 1 + len(event.value) // TEXT_WEIGHT
                weight += own
                _note(anchored, event.anchor, own)
            case yaml.CollectionStartEvent():
                open_at.append((event.anchor, weight))
                weight += 1
                if len(open_at) > MAX_DEPTH:
                    raise UnusableInputError(f"{where}, {_at(event)}: nested more than {MAX_DEPTH} deep")
            case yaml.CollectionEndEvent():
                anchor, before = open_at.pop()
                _note(anchored, anchor, weight - before)
        if weight > MAX_WEIGHT:
            raise UnusableInputError(
                f"{where}, {_at(event)}: unfolds to more than {MAX_WEIGHT} values: split the file, or use fewer aliases"
            )


def _note(anchored: dict[str, int], anchor: str | None, weight: int) -> None:
    if anchor is not None:
        anchored[anchor] = weight


def _at(event: yaml.Event) -> str:
    mark = event.start_mark
    assert mark is not None  # libyaml says so of each
    return f"line {mark.line + 1}"


def _built(where: str, raw: bytes) -> Iterator[Document]:
    loader = yaml.CSafeLoader(raw)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            _require_plain_keys(where, node)
            value = loader.construct_document(node)
            if value is not None:
                yield Document(value=value, node=node)
    finally:
        loader.dispose()


def _require_plain_keys(where: str, node: yaml.Node) -> None:
    """Each key is text and there once, as the API server wants it; YAML's readers take the last of two in silence."""
    left, seen = [node], {id(node)}
    while left:
        at = left.pop()
        inside = at.value if isinstance(at, yaml.SequenceNode | yaml.MappingNode) else []
        if isinstance(at, yaml.MappingNode):
            _require_keys(where, at)
            inside = [value for _, value in inside]
        fresh = [each for each in inside if id(each) not in seen]
        seen.update(id(each) for each in fresh)
        left += fresh


def _require_keys(where: str, mapping: yaml.MappingNode) -> None:
    keys: set[str] = set()
    for key, _ in mapping.value:
        line = f"{where}, line {key.start_mark.line + 1}"
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if key.tag != "tag:yaml.org,2002:str":
            given = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise UnusableInputError(f"{line}: {given} is no text to YAML, and a key must be: put it in quotes")
        if key.value in keys:
            raise UnusableInputError(f"{line}: {key.value} is there twice: remove one")
        keys.add(key.value)


def _child(node: yaml.Node, step: re.Match[str] | None) -> tuple[yaml.Node, yaml.Node] | None:
    """Where a part begins, and the part."""
    assert step is not None
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step[0]), None)
    if isinstance(node, yaml.SequenceNode) and step[1] and int(step[1]) < len(node.value):
        return node.value[int(step[1])], node.value[int(step[1])]
    return None
