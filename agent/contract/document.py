"""What all documents between controller and agents, and the words in them, have in common."""

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A frozen value that decodes strictly and is camelCase on the wire. An optional field is None: absent or null."""
