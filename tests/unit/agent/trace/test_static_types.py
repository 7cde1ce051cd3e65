"""RFC 3551's table of payload types is told twice, for the C and for SDP: they say the same."""

from agent.sip import sdp
from agent.trace.streams.formats import as_format, static


def test_both_tables_are_one():
    assert static() == {number: as_format(encoding) for number, encoding in sdp.STATIC.items()}
