"""What an object of ours says, or why that cannot be read, also where nobody foresaw it."""

import logging
from collections.abc import Callable
from typing import TypeVar

from controller.api.faults import Fault
from controller.api.parse import SpecError
from controller.kube.cluster import Raw

LOG = logging.getLogger(__name__)
T = TypeVar("T")


def read(parse: Callable[[Raw], T], raw: Raw) -> T:
    """SpecError, whatever is wrong: of what cannot be read, no verdict may stand as if nothing had changed.

    OSError and MemoryError are our own trouble, and no fault of the object: it is read again.
    """
    try:
        return parse(raw)
    except (SpecError, OSError, MemoryError):
        raise
    except Exception as error:
        what = str(raw.get("kind"))
        LOG.exception("%s %s/%s", what, raw["metadata"].get("namespace"), raw["metadata"].get("name"))
        raise SpecError(Fault(what, f"cannot be read: {type(error).__name__}: {error}")) from error
