"""What the types of the API have in common, beside `agent.contract.field`: labels, nulls, what the operator writes."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

LABEL_PATTERN = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"

Labels = dict[
    Annotated[str, msgspec.Meta(max_length=317)],
    Annotated[str, msgspec.Meta(max_length=63, pattern=LABEL_PATTERN)],
]
"""Label or nodeSelector pairs."""


def _field_name(name: str) -> str:
    """CamelCase with Kubernetes' capitals: pod_uid → podUID, image_ids → imageIDs."""
    head, *rest = name.split("_")
    return head + "".join({"id": "ID", "ids": "IDs", "uid": "UID"}.get(word, word.capitalize()) for word in rest)


def without_nulls(value: Any) -> Any:
    """As the API server does: a null field is an absent one."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    return value


class StatusValue(msgspec.Struct, frozen=True, kw_only=True, rename=_field_name):
    """What the operator writes. Fields of a newer version are ignored when read, so that an upgrade can be undone.

    Absent fields are UNSET: in a merge patch a null deletes what is there.
    """


ReasonWord = Annotated[str, Meta(max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
"""Not an enum in the schema: an operator that knows one reason more must still be able to write it."""
Count = Annotated[int, Meta(ge=0)]
