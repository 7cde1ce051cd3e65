"""Readiness: one OPTIONS over UDP to $ADDRESS:5060, answered with 200 within a second."""

import os
import socket
import sys
import uuid

address = os.environ["ADDRESS"]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect((address, 5060))
    sock.settimeout(1)
    host, port = sock.getsockname()
    call_id = uuid.uuid4().hex
    lines = (
        f"OPTIONS sip:parrot@{address} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call_id};rport",
        "Max-Forwards: 70",
        f"From: <sip:probe@{host}>;tag={call_id[:8]}",
        f"To: <sip:parrot@{address}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    sock.send("\r\n".join((*lines, "", "")).encode())
    try:
        answer = sock.recv(65535).decode(errors="replace")
    except OSError as error:
        sys.exit(f"OPTIONS: {error}")
if not answer.startswith("SIP/2.0 200 ") or call_id not in answer:
    sys.exit(f"OPTIONS: {answer.splitlines()[0]}")
