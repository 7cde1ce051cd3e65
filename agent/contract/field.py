"""How a field that people write is declared: what it means, an example, its bounds, its CEL rules.

An optional field is None where it is absent: `Annotated[X | None, about(…)] = None`; one with bounds, which msgspec
takes for a single type only, `Annotated[X, about(…)] | None = None`.
"""

from typing import Any, Final

import msgspec

NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""A DNS label."""
SUBDOMAIN_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
DIGITS_PATTERN: Final = r"^[0-9A-D*#]+$"
URI_PATTERN: Final = r"^sips?:[!-~]+$"
"""Coarse: `parse_uri` in agent/sip/dialling.py reads strictly."""
TEXT_PATTERN: Final = r"^[^\x00-\x1f\x7f]+$"
"""One line of text."""
MAX_URI: Final = 255


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
