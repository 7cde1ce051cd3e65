"""What a message carries: one body, or the parts of a multipart."""

from agent.sip.bodies import Body, bodies
from agent.sip.text import parse_head


def of(content_type: str, body: str) -> tuple[Body, ...]:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    text = f"INFO sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 INFO\r\n{kind}\r\n{body}"
    head = parse_head(text)
    assert head is not None
    return bodies(head, text)


def test_a_body_is_told_with_its_type_and_as_it_came() -> None:
    assert of("Application/SDP; x=y", "v=0\r\n") == (Body(kind="application/sdp", text="v=0\r\n"),)
    assert of("audio/telephone-event", "\r\n\x03\x20") == (Body(kind="audio/telephone-event", text="\r\n\x03\x20"),)
    assert of("", "v=0") == (Body(kind="", text="v=0"),)


def test_no_body_and_no_end_of_the_head_are_none() -> None:
    assert of("application/sdp", "") == ()
    text = "INFO sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 INFO"
    head = parse_head(text)
    assert head is not None
    assert bodies(head, text) == ()


def test_a_multipart_is_its_parts_up_to_its_end() -> None:
    body = "preamble\r\n--x\r\nc: text/plain\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--\r\nafter\r\n--x\r\n\r\nthree"
    parts = (Body(kind="text/plain", text="one"), Body(kind="", text="two"))
    assert of("multipart/mixed; boundary=x", body) == parts
    assert of('multipart/mixed;boundary="x"', body) == parts
    assert of("multipart/mixed; boundary=x", body.partition("--x--")[0] + "--x")[:2] == parts


def test_a_multipart_without_a_boundary_is_one_body() -> None:
    assert of("multipart/mixed", "--x") == (Body(kind="multipart/mixed", text="--x"),)
