"""The CRDs: as committed, structural, bounded, and described with examples that parse."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
import yaml
from msgspec import UNSET, Meta

from controller.api import crd
from controller.api.calltest_status import CallTestStatus
from controller.api.run import CallTestRunStatus
from controller.api.test import CallTestSpec

CRD_FOLDER = Path(crd.__file__).parents[2] / "deploy" / "crd"


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def root(kind: str) -> dict[str, Any]:
    return crd.crds()[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def every_node() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{kind}{path}", node)
        for kind in crd.crds()
        for path, node in nodes(root(kind))
        if path.startswith((".spec", ".status"))
    ]


@pytest.mark.parametrize("name", crd.crds())
def test_the_committed_crd_is_the_generated_one(name):
    assert (CRD_FOLDER / name).read_text() == crd.render(crd.crds()[name])


def test_write_renews_the_folder_and_nothing_prints_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crd, "__file__", str(tmp_path / "controller" / "api" / "crd.py"))
    assert crd.main(["--write"]) == 0
    assert sorted(path.name for path in (tmp_path / "deploy" / "crd").iterdir()) == sorted(crd.crds())
    assert crd.main([]) == 0
    assert len(list(yaml.safe_load_all(capsys.readouterr().out))) == 2
    assert crd.main(["--help"]) == 2


def test_everything_is_bounded_so_that_cel_costs_little():
    for path, node in every_node():
        if node.get("type") == "string" and "enum" not in node and node.get("format") != "date-time":
            assert "maxLength" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
            assert "x-kubernetes-list-type" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


def test_everything_is_structural_and_described():
    for path, node in every_node():
        assert not {"$ref", "$defs", "title", "examples", "anyOf", "propertyNames"} & node.keys(), path
        assert node.get("additionalProperties") is not False, path
        assert ("type" in node) != ("x-kubernetes-int-or-string" in node), path
        if not path.endswith("[]"):
            assert node.get("description"), path


def fields(kind: type, path: str = "") -> Iterator[tuple[str, Any, Meta]]:
    """Every field of a type and of the types in it, with its own Meta."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for annotated in [hint, *get_args(hint)]:
            for meta in getattr(annotated, "__metadata__", ()):
                yield f"{path}.{name}", annotated, meta
            for inner in [annotated, *get_args(annotated)]:
                for struct in [inner, *get_args(inner)]:
                    if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
                        yield from fields(struct, f"{path}.{name}")


@pytest.mark.parametrize("kind", [CallTestSpec, CallTestRunStatus, CallTestStatus])
def test_every_field_has_an_example_that_it_accepts(kind):
    found = list(fields(kind))
    assert len(found) > 10
    for path, annotated, meta in found:
        assert meta.description or meta.examples is None, path
        for example in meta.examples or ():
            # Of these, in the status, an example shows only some fields.
            if not path.endswith((".calls", ".running", ".last_run", ".schedule", ".sut")):
                msgspec.convert(example, annotated)


def test_each_struct_field_is_described_in_the_schema_with_an_example():
    for path, node in every_node():
        name = path.rpartition(".")[2]
        if not path.endswith("[]") and name not in {"spec", "status", "conditions", "endpoints", "leftOut", "failures"}:
            assert "Example: " in node["description"], path


def test_what_explain_prints_of_a_field_has_its_bounds_and_default():
    """`kubectl explain` prints descriptions and enums, and nothing else of a schema."""
    bounded = defaulted = 0
    for path, node in ((path, node) for path, node in every_node() if ".yaml.spec." in path):
        if "minimum" in node and "maximum" in node:
            assert f"From {node['minimum']} to {node['maximum']}." in node["description"], path
            bounded += 1
        if isinstance(node.get("default"), str | int):
            assert f"Default: {json.dumps(node['default'])}." in node["description"], path
            defaulted += 1
    assert min(bounded, defaulted) > 20
    calls = root("calltests.yaml")["properties"]["spec"]["properties"]["calls"]
    count = calls["items"]["properties"]["count"]["description"]
    assert count == "How many calls, per endpoint. Example: 10. From 1 to 1000. Default: 1."


def test_a_list_is_described_once():
    """Of a list, `kubectl explain` prints the description of its items behind its own."""
    lists = [(path, node["items"]) for path, node in every_node() if "items" in node]
    assert len(lists) > 10
    assert [path for path, items in lists if "description" in items] == []


def test_caller_and_callee_have_examples_of_their_own():
    spec = root("calltests.yaml")["properties"]["spec"]["properties"]
    uris = [spec[party]["properties"]["uri"]["description"].split("Example: ")[1] for party in ("caller", "callee")]
    assert uris == ['"sip:alice@example.com".', '"sip:bob@example.com".']


def test_a_run_cannot_be_changed_and_an_unseen_object_says_so():
    for name in crd.crds():
        assert root(name)["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert root("calltestruns.yaml")["properties"]["spec"]["x-kubernetes-validations"][0]["rule"] == "self == oldSelf"


def test_calls_are_a_map_by_name():
    calls = root("calltests.yaml")["properties"]["spec"]["properties"]["calls"]
    assert calls["x-kubernetes-list-map-keys"] == ["name"]


def test_a_port_is_a_number_or_a_name():
    port = root("calltests.yaml")["properties"]["spec"]["properties"]["target"]["properties"]["port"]
    assert port["x-kubernetes-int-or-string"]
    assert "type" not in port
    assert (port["maxLength"], port["default"]) == (15, 5060)
    assert "65535" in port["x-kubernetes-validations"][0]["rule"]


@pytest.mark.parametrize("file", ["calltests.yaml", "calltestruns.yaml"])
def test_calls_are_counted_in_one_way_in_every_column(file):
    columns = crd.crds()[file]["spec"]["versions"][0]["additionalPrinterColumns"]
    path = {column["name"]: column["jsonPath"] for column in columns}
    assert (path["Running"].rpartition(".")[2], path["Calls"].rpartition(".")[2]) == ("progress", "summary")


def test_the_columns_are_those_people_ask_for():
    columns = crd.crds()["calltests.yaml"]["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"].upper() for column in columns if not column.get("priority")]
    assert shown == ["RESULT", "REASON", "RUNNING", "CALLS", "ENDPOINTS", "SUSPEND", "LAST RUN", "AGE"]
    assert UNSET not in columns


def test_no_word_that_people_write_means_something_else_to_yaml():
    """kubectl reads YAML 1.1, where on, off, yes, no, y and n are booleans: such a field could not be typed."""
    written = [node for path, node in every_node() if ".spec" in path]
    words = {word for node in written for word in (*node.get("properties", {}), *node.get("enum", ()))}
    assert {"onRollout", "Replacement"} <= words
    assert [word for word in sorted(words) if word in {"y", "n", "Y", "N"} or yaml.safe_load(word) != word] == []
