"""Keys of a telephone, and how they are sent, as people call it."""

from typing import Final

from agent.contract.expect import DtmfMethod

KEYS: Final = frozenset("0123456789*#ABCD")
"""Other events (flash, fax tones) are shown, and no part of what a person dials."""
METHODS: Final = {
    DtmfMethod.RFC4733: "RFC 4733",
    DtmfMethod.INFO: "SIP INFO",
    DtmfMethod.IN_BAND: "in band",
}
