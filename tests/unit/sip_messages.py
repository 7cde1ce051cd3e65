"""SIP messages for tests, with just the headers that anybody looks at."""


def request(method="INVITE", call_id="c1", *, cseq=1, to_tag="", user="alice", key=None) -> str:
    return (
        f"{method} sip:bob@example.com SIP/2.0\r\n"
        f'From: "A" <sip:{user}@example.com>;tag=f\r\n'
        f"To: <sip:bob@example.com>{to_tag and ';tag=' + to_tag}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n" + (f"X-Calltest-Call: {key}\r\n" if key else "") + "\r\n"
    )


def response(code, call_id="c1", *, cseq=1, method="INVITE", phrase="Phrase", headers=()) -> str:
    more = "".join(f"{name}: {value}\r\n" for name, value in dict(headers).items())
    return (
        f"SIP/2.0 {code} {phrase}\r\nFrom: <sip:alice@example.com>;tag=f\r\nTo: <sip:bob@example.com>;tag=t\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{more}\r\n"
    )
