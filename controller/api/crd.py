"""The CRDs, generated from the API types: `python -m controller.api.crd --write` renews deploy/crd.

msgspec gives JSON schema 2020-12; an API server wants a structural schema. What differs: no `$ref`, no `title`,
int-or-string, no `null`, no `additionalProperties: false` beside properties (it prunes instead), no description of a
list's items (its own says what they are, and `kubectl explain` would print both), examples in the description.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import UNSET, UnsetType

from agent.contract.field import about, rule
from controller.api import API_VERSION, GROUP, VERSION
from controller.api.calltest_status import CallTestStatus
from controller.api.field import StatusValue, without_nulls
from controller.api.run import MAX_RUN_NAME, CallTestRunSpec, CallTestRunStatus
from controller.api.test import MAX_NAME, TEST_RULES, CallTestSpec

Schema = dict[str, Any]


class CallTest(StatusValue, frozen=True, kw_only=True):
    """A test of a SIP system: calls through it with real audio and DTMF, and what must come out."""

    spec: Annotated[
        CallTestSpec,
        about(
            "The test: whom to call through what, and what must be true.",
            example=UNSET,
            rules=TEST_RULES,
        ),
    ]
    status: Annotated[CallTestStatus, about("The last run, and the one under way.", example=UNSET)] | UnsetType = UNSET


class CallTestRun(StatusValue, frozen=True, kw_only=True):
    """One execution of a CallTest, against a fixed list of endpoints."""

    spec: Annotated[
        CallTestRunSpec,
        about(
            "The test as it was, and why it runs. It never changes.",
            example=UNSET,
            rules=(rule("self == oldSelf", "a run's spec cannot be changed; make another run"),),
        ),
    ]
    status: Annotated[CallTestRunStatus, about("Where it stands, and what came of it.", example=UNSET)] | UnsetType = (
        UNSET
    )


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False, about: str = "") -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path}
    if about:
        column["description"] = about
    return column | ({"priority": 1} if wide else {})


_AGE = _column("Age", ".metadata.creationTimestamp", "date")
TEST_COLUMNS = [
    _column("Result", ".status.lastRun.result", about="Verdict of the last finished run of its spec."),
    _column("Reason", ".status.reason", about="Of the worst check; without a result: what stands in the way."),
    _column("Running", ".status.running.progress", about="Calls ended of planned, of the run under way."),
    _column("Calls", ".status.lastRun.calls.summary", about="Calls passed of planned."),
    _column("Endpoints", ".status.lastRun.endpoints", "integer", about="Endpoints called."),
    _column("Suspend", ".spec.suspend", "boolean", about="No new runs are started."),
    _column("Last Run", ".status.lastRun.completionTime", "date", about="When the last run was finished."),
    _AGE,
    _column("Run", ".status.lastRun.name", wide=True),
    _column("Message", '.status.conditions[?(@.type=="Succeeded")].message', wide=True),
    _column("Schedule", ".spec.trigger.schedule", wide=True),
    _column("Next", ".status.schedule.nextScheduleTime", wide=True, about="When its schedule runs it next."),
]
RUN_COLUMNS = [
    _column("Test", ".spec.callTestName", about="The CallTest."),
    _column("Result", ".status.result", about="Verdict; empty until finished."),
    _column("Reason", ".status.reason", about="Reason of the worst check."),
    _column("Running", ".status.calls.progress", about="Calls ended of planned, while it is under way."),
    _column("Calls", ".status.calls.summary", about="Calls passed of planned."),
    _column("Started", ".status.startTime", "date"),
    _AGE,
    _column("Cause", ".spec.cause.type", wide=True),
    _column("Message", ".status.message", wide=True),
]


TEST_SELECTABLE = [".spec.suspend", ".status.lastRun.result", ".status.lastRun.reason"]
RUN_SELECTABLE = [".spec.callTestName", ".spec.cause.type", ".status.result", ".status.reason", ".status.revisionHash"]
"""For `kubectl get --field-selector` (Kubernetes 1.32; KEP-4358): plain fields outside lists, at most 8; one that is
absent is the empty text."""


def structural(schema: Schema) -> Schema:
    """A structural schema (apiextensions.k8s.io/v1) from a msgspec JSON schema."""
    return _convert(schema, schema.get("$defs", {}))


_DROPPED = frozenset({"$defs", "$ref", "title", "description", "examples", "propertyNames"})


def _convert(node: Schema, defs: dict[str, Schema]) -> Schema:
    node = _resolved(node, defs)
    if {item.get("type") for item in node.get("anyOf", ())} == {"integer", "string"}:
        return _describe(node) | _int_or_string(node)
    out: Schema = _describe(node) | {key: value for key, value in node.items() if key not in _DROPPED}
    if "default" in out:
        out["default"] = without_nulls(out["default"])
    if "properties" in out:
        out["properties"] = {name: _convert(item, defs) for name, item in out["properties"].items()}
    if out.get("additionalProperties") is False:
        del out["additionalProperties"]
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = _convert(out[key], defs)
    out.get("items", {}).pop("description", None)
    if not out.get("required", True):
        del out["required"]
    if "enum" in out:
        out["type"] = "string"
    return out


def _resolved(node: Schema, defs: dict[str, Schema]) -> Schema:
    """An optional field without its null (to an API server an absent field), a reference as what it refers to."""
    kinds = [item for item in node.get("anyOf", ()) if item != {"type": "null"}]
    if len(kinds) == 1:
        node = {key: value for key, value in node.items() if key not in {"anyOf", "default"}} | kinds[0]
    return defs[node["$ref"].removeprefix("#/$defs/")] | node if "$ref" in node else node


def _describe(node: Schema) -> Schema:
    text = node.get("description", "")
    for example in node.get("examples", ()):
        if example not in (UNSET, []):
            text += f" Example: {json.dumps(example, ensure_ascii=False)}."
    return {"description": text} if text else {}


def explained(node: Schema) -> Schema:
    """With bounds and defaults in the descriptions too: `kubectl explain` shows them nowhere else."""
    out = dict(node)
    if figures := " ".join(_figures(node)):
        out["description"] = f"{node['description']} {figures}"
    if "properties" in node:
        out["properties"] = {name: explained(item) for name, item in node["properties"].items()}
    if "items" in node:
        out["items"] = explained(node["items"])
    return out


def _figures(node: Schema) -> Iterator[str]:
    if "minimum" in node and "maximum" in node:
        yield f"From {node['minimum']} to {node['maximum']}."
    if not isinstance(node.get("default", {}), dict | list):
        yield f"Default: {json.dumps(node['default'])}."


def _int_or_string(node: Schema) -> Schema:
    kept = {key: value for key, value in node.items() if key == "default" or key.startswith("x-kubernetes")}
    strings = next(item for item in node["anyOf"] if item["type"] == "string")
    bounds = {key: strings[key] for key in ("maxLength", "pattern") if key in strings}
    return {"x-kubernetes-int-or-string": True} | bounds | kept


def _crd(kind: str, short: str, type_: type, *, columns: list[Schema], selectable: list[str], max_name: int) -> Schema:
    """One CRD; its status is a subresource, and `observedGeneration: -1` until the operator has seen it (kstatus)."""
    plural = kind.lower() + "s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "selectableFields": [{"jsonPath": path} for path in selectable],
                    "schema": {"openAPIV3Schema": _schema(kind, type_, max_name)},
                }
            ],
        },
    }


def _schema(kind: str, type_: type, max_name: int) -> Schema:
    root = structural(msgspec.json.schema(type_))
    root["properties"]["spec"] = explained(root["properties"]["spec"])
    root["properties"]["status"]["default"] = {"observedGeneration": -1}
    root["properties"] = {
        "apiVersion": {"type": "string", "description": f"{API_VERSION}."},
        "kind": {"type": "string", "description": f"{kind}."},
        "metadata": {"type": "object"},
    } | root["properties"]
    root["x-kubernetes-validations"] = [
        rule(f"size(self.metadata.name) <= {max_name}", f"metadata.name: at most {max_name} characters"),
        rule("!self.metadata.name.contains('.')", "metadata.name: no dots (pods and Services are named from it)"),
    ]
    return root


def crds() -> dict[str, Schema]:
    """File name → CRD."""
    return {
        "calltests.yaml": _crd(
            "CallTest", "ct", CallTest, columns=TEST_COLUMNS, selectable=TEST_SELECTABLE, max_name=MAX_NAME
        ),
        "calltestruns.yaml": _crd(
            "CallTestRun", "ctr", CallTestRun, columns=RUN_COLUMNS, selectable=RUN_SELECTABLE, max_name=MAX_RUN_NAME
        ),
    }


def render(crd: Schema) -> str:
    """YAML as committed in deploy/crd."""
    return "# Generated by `python -m controller.api.crd --write` from controller/api; do not edit.\n" + yaml.safe_dump(
        json.loads(json.dumps(crd)), sort_keys=False, width=120, allow_unicode=True
    )


def main(arguments: list[str]) -> int:
    """Prints the CRDs, or writes them to deploy/crd (--write)."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m controller.api.crd [--write]", file=sys.stderr)
        return 2
    if not arguments:
        print("---\n".join(map(render, crds().values())), end="")
        return 0
    folder = Path(__file__).parents[2] / "deploy" / "crd"
    folder.mkdir(parents=True, exist_ok=True)
    for name, crd in crds().items():
        (folder / name).write_text(render(crd))
    return 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
