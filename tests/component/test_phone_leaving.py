"""What the real phone leaves behind: nothing, also where the answer comes after it has left."""

import re
import threading

import pytest

from tests.component.phones import NOBODY, Make, Peer, peer, response, sdp
from tests.component.test_pjsua_phone import dial

pytest.importorskip("pjsua2")


@pytest.mark.parametrize(
    ("answer", "ends"), [("180 Ringing", "CANCEL"), ("200 OK", "BYE")], ids=["it rings", "it is answered"]
)
def test_a_call_that_was_left_and_is_heard_after_all_is_ended(phone: Make, answer: str, ends: str) -> None:
    """As a system that restarts: it hears the INVITE that is sent on until Timer B (RFC 3261 §17.1.1.2)."""
    back = threading.Event()

    def script(self: Peer, text: str) -> list[str]:
        if not text.startswith("INVITE "):
            return [] if text.startswith("ACK ") else [response(text, "200 OK")]
        return [response(text, answer, body=sdp(NOBODY), contact=self.address)] if back.is_set() else []

    with peer(script) as server:
        caller = phone()
        call = dial(caller, server)
        caller.wait("MessageSeen", sent=True)
        caller.do("hang_up", call=call, unheard=True)
        caller.wait("CallEnded")
        back.set()
        while not caller.wait("MessageSeen", sent=True)["text"].startswith(f"{ends} "):
            pass


def grants(text: str) -> list[str]:
    """A registrar's answer."""
    contact = re.findall(r"(?m)^Contact: (.*)\r$", text)[0]
    kept = "" if is_leaving(text) else f"Contact: {contact};expires=60"
    return [response(text, "200 OK", extra=kept)] if text.startswith("REGISTER ") else []


def is_leaving(register: str) -> bool:
    return "\r\nExpires: 0\r\n" in register


def test_a_registration_that_is_granted_after_it_was_left_is_taken_back(phone: Make) -> None:
    """A registrar that was away hears what is sent again for 32 s (RFC 3261 §17.1.2.2, Timer F)."""
    back = threading.Event()
    with peer(lambda _self, text: grants(text) if back.is_set() else []) as server:
        registering = phone()
        account = registering.account("sip:bob@example.com", server.address, register=True)
        registering.wait("MessageSeen", sent=True)
        registering.do("remove_account", account=account)
        back.set()
        assert registering.wait("RegistrationConcluded", account=account)["active"] is False
        assert [is_leaving(text) for text in (server.got[0], server.got[-1])] == [False, True]


def test_a_registration_that_is_left_while_it_is_refreshed_is_taken_back(phone: Make) -> None:
    """pjsip refreshes 5 s before the binding ends, and sends one REGISTER at a time."""
    back = threading.Event()

    def script(self: Peer, text: str) -> list[str]:
        first = sum(got.startswith("REGISTER ") for got in self.got) == 1
        return [answer.replace("expires=60", "expires=6") for answer in grants(text)] if first or back.is_set() else []

    with peer(script) as server:
        registering = phone()
        account = registering.account("sip:bob@example.com", server.address, register=True)
        assert registering.wait("RegistrationConcluded")["active"] is True
        registering.wait("MessageSeen", sent=True)
        registering.do("remove_account", account=account)
        back.set()
        assert registering.wait("RegistrationConcluded")["active"] is False
        assert is_leaving(server.got[-1])


def test_a_late_registration_is_kept_while_another_replica_has_the_same(phone: Make) -> None:
    """They may share their bindings: one that is taken back at the first would be gone at the second as well."""
    back = threading.Event()
    away = peer(lambda _self, text: grants(text) if back.is_set() else [])
    with away as late, peer(lambda _self, text: grants(text)) as now:
        registering = phone()
        account = registering.account("sip:bob@example.com", late.address, register=True)
        registering.wait("MessageSeen", sent=True)
        registering.do("remove_account", account=account)
        registering.account("sip:bob@example.com", now.address, register=True)
        assert registering.wait("RegistrationConcluded")["active"] is True
        back.set()
        registering.wait("MessageSeen", sent=False, peer=late.address)
        with pytest.raises(AssertionError, match="nothing more"):
            registering.wait("RegistrationConcluded", 0.5)
        assert not any(is_leaving(text) for text in late.got)
        registering.close()
        assert [is_leaving(server.got[-1]) for server in (late, now)] == [True, True]
