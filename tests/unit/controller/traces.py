"""Answers of `agent.trace` as the command gets them."""

from agent.contract.expect import DtmfMethod
from agent.trace.model import Digit, File
from tests.unit.agent.trace.packets import START_NS


def digit(key, **changes):
    known = {
        "digit": key, "method": DtmfMethod.RFC4733, "start": START_NS / 1e9 + 1, "duration_ms": 100.0,
        "volume_dbm0": -10, "packets": 8, "end_packets": 3, "complete": True,
    }  # fmt: skip
    return Digit(**{**known, **changes})


def digits(keys, **changes):
    return [digit(key, **{"start": START_NS / 1e9 + number, **changes}) for number, key in enumerate(keys)]


def file(**changes):
    return File(**{"path": "call.pcap", "format": "pcap", "packets": 9, "bytes": 999, "skipped": {}, **changes})
