"""Reads what `calltest run` is given: YAML files with CallTests, and the Secrets and ConfigMaps that they name.

Everything a person can get wrong ends as UnusableInput, whose text names the file, the field and what to do.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from controller.cli.run.documents import Document, read_documents
from controller.faults import UnusableInputError

API_GROUP: Final = "calltest.dev"
TEST_KIND, RUN_KIND = "CallTest", "CallTestRun"
MAX_TOLD: Final = 8
"""Documents that are named where none of them is a test."""
_EXPECTED: Final = f"a Kubernetes object (kind: {TEST_KIND})"
_KINDS: Final = {list: "a list", int: "a number", float: "a number", bool: "true or false"}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One document and where it stands, for messages."""

    where: str
    file: str
    """In which `where` is."""
    text: Document

    @property
    def document(self) -> Mapping[str, Any]:
        """Its content."""
        return cast("Mapping[str, Any]", self.text.value)

    def place(self, field: str) -> str:
        """File and line of a field, for messages."""
        line = self.text.line(field)
        return self.where if line is None else f"{self.file}:{line}"

    @property
    def kind(self) -> str:
        """The document's kind, or '' where it has none."""
        kind = self.document.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def name(self) -> str:
        """Name from metadata; UnusableInputError where there is none that Kubernetes would take."""
        name = self._metadata.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            said = "is missing" if name is None else f"is {name!r}"
            raise UnusableInputError(
                f"{self.place('metadata.name')}: metadata.name {said}: "
                "give it a name of lower-case letters, digits, '-' and '.'"
            )
        return name

    @property
    def namespace(self) -> str:
        """Namespace from metadata, `default` where it says none."""
        namespace = self._metadata.get("namespace", "default")
        if not isinstance(namespace, str) or not NAME.fullmatch(namespace):
            raise UnusableInputError(f"{self.where}: metadata.namespace is {namespace!r}: leave it out or name one")
        return namespace

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata = self.document.get("metadata")
        return metadata if isinstance(metadata, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the files hold. Keys of the maps: (namespace, name)."""

    call_tests: tuple[Source, ...]
    secrets: Mapping[tuple[str, str], Mapping[str, bytes]] = field(default_factory=dict)
    config_maps: Mapping[tuple[str, str], Mapping[str, bytes]] = field(default_factory=dict)


def read_inputs(texts: Sequence[tuple[str, bytes]]) -> Inputs:
    """Picks the CallTests, Secrets and ConfigMaps out of (file name, bytes); other kinds are passed over."""
    sources = [source for where, raw in texts for source in _documents(where, raw)]
    if not sources:
        raise UnusableInputError(f"{', '.join(where for where, _ in texts)}: empty, expected {_EXPECTED}")
    tests = tuple(source for source in sources if source.kind == TEST_KIND)
    if not tests:
        raise UnusableInputError(_no_test(sources))
    for source in tests:
        version = source.document.get("apiVersion")
        if not isinstance(version, str) or version.partition("/")[0] != API_GROUP:
            said = "is missing" if version is None else f"is {version!r}"
            raise UnusableInputError(f"{source.place('apiVersion')}: apiVersion {said}, expected {API_GROUP}/v1alpha1")
    _require_distinct(tests)
    return Inputs(
        call_tests=tests,
        secrets=dict(_materials(sources, "Secret", text_field="stringData", base64_field="data")),
        config_maps=dict(_materials(sources, "ConfigMap", text_field="data", base64_field="binaryData")),
    )


def _no_test(sources: Sequence[Source]) -> str:
    """What there is in its place, and where; what was meant, where that can be told."""
    found = ", ".join(f"{source.kind or 'no kind'} ({source.place('kind')})" for source in sources[:MAX_TOLD])
    kinds = {source.kind.lower() for source in sources}
    advice = ""
    if RUN_KIND.lower() in kinds:
        advice = f": a {RUN_KIND} is what a cluster makes of a test: give the {TEST_KIND}"
    elif TEST_KIND.lower() in kinds:
        advice = f": kind is {TEST_KIND}, letter for letter"
    return f"no document of kind {TEST_KIND} to run; found: {found}{advice}"


def _documents(where: str, raw: bytes) -> Iterator[Source]:
    documents = read_documents(where, raw)
    for index, document in enumerate(documents):
        at = where if len(documents) == 1 else f"{where}, document {index + 1}"
        if not isinstance(document.value, dict):
            raise UnusableInputError(f"{at}: {_KINDS.get(type(document.value), 'text')}, expected {_EXPECTED}")
        yield from _flattened(Source(where=at, file=where, text=document))


def _flattened(source: Source) -> Iterator[Source]:
    """The documents of a `kind: List` (what `kubectl get -o yaml` prints), or the document itself."""
    items = source.document.get("items")
    if source.kind != "List" or not isinstance(items, list):
        yield source
        return
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise UnusableInputError(f"{source.where}: items[{index}] is no object")
        where = f"{source.where}, items[{index}]"
        yield Source(where=where, file=source.file, text=source.text.item("items", index))


def _require_distinct(tests: Sequence[Source]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for source in tests:
        key, place = (source.namespace, source.name), source.place("metadata.name")
        if key in seen:
            raise UnusableInputError(f"{place}: CallTest {source.name} is at {seen[key]} already: rename one")
        seen[key] = place


def _materials(
    sources: Iterable[Source], kind: str, *, text_field: str, base64_field: str
) -> Iterator[tuple[tuple[str, str], Mapping[str, bytes]]]:
    for source in sources:
        if source.kind != kind:
            continue
        files: dict[str, bytes] = {}
        for key, value in _entries(source, base64_field):
            try:
                # Folded over lines, as `base64` and `openssl` print it.
                files[key] = base64.b64decode("".join(value.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                place = source.place(f"{base64_field}.{key}")
                raise UnusableInputError(
                    f"{place}: {base64_field}.{key}: not base64 ({error}): what is no base64 goes into {text_field}"
                ) from error
        for key, value in _entries(source, text_field):
            files[key] = value.encode()
        yield (source.namespace, source.name), files


def _entries(source: Source, name: str) -> Iterator[tuple[str, str]]:
    entries = source.document.get(name) or {}
    if not isinstance(entries, dict):
        raise UnusableInputError(f"{source.where}: {name}: a map of key to text is expected")
    for key, value in entries.items():
        # A key becomes a file's name.
        if not isinstance(key, str) or not _KEY.fullmatch(key) or key in {".", ".."}:
            raise UnusableInputError(f"{source.where}: {name}: {key!r} is no key: letters, digits, '-', '_', '.'")
        if not isinstance(value, str):
            raise UnusableInputError(f"{source.where}: {name}.{key}: text is expected: put it in quotes")
        yield key, value
