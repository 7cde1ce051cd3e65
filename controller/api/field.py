"""How a field of the API is declared: what it means, an example, its bounds, its CEL rules."""

from typing import Annotated, Any

import msgspec

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""A DNS label."""
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_PATTERN = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
URI_PATTERN = r"^sip:[!-~]+$"
"""Coarse: `controller.uri` parses strictly."""
MAX_URI = 255

Labels = dict[
    Annotated[str, msgspec.Meta(max_length=317)],
    Annotated[str, msgspec.Meta(max_length=63, pattern=LABEL_PATTERN)],
]
"""Label or nodeSelector pairs."""


class ApiValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What people write: camelCase, strict, absent fields are UNSET (never null)."""


def _field_name(name: str) -> str:
    """CamelCase with Kubernetes' capitals: pod_uid → podUID, image_ids → imageIDs."""
    head, *rest = name.split("_")
    return head + "".join({"id": "ID", "ids": "IDs", "uid": "UID"}.get(word, word.capitalize()) for word in rest)


class StatusValue(msgspec.Struct, frozen=True, kw_only=True, rename=_field_name):
    """What the operator writes. Fields of a newer version are ignored when read, so that an upgrade can be undone."""


def rule(cel: str, message: str) -> dict[str, str]:
    """A CEL rule of the CRD. The same rule is checked by `controller.api.parse` for tests that no API server saw."""
    return {"rule": cel, "message": message}


def about(
    description: str,
    *,
    example: object,
    rules: tuple[dict[str, str], ...] = (),
    list_keys: tuple[str, ...] = (),
    schema: dict[str, Any] | None = None,
    **bounds: Any,
) -> msgspec.Meta:
    """A field's description and a valid example; `bounds` are those of msgspec.Meta (ge, le, pattern, max_length …).

    `list_keys` makes a list a map keyed by these fields (unique, and merged by key in server-side apply).
    """
    extra: dict[str, Any] = dict(schema or {})
    if rules:
        extra["x-kubernetes-validations"] = list(rules)
    if list_keys:
        extra |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(list_keys)}
    return msgspec.Meta(description=description, examples=[example], extra_json_schema=extra or None, **bounds)
