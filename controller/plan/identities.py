"""The URIs of a test: read and refused as agents read those that peers give them (agent/sip/dialling.py). Pure."""

from collections.abc import Iterator
from contextlib import contextmanager

from agent.contract.plan import Transport
from agent.sip import dialling
from agent.sip.dialling import DialError, SipUri
from controller.plan.cause import PlanningError
from controller.plan.limits import Limits


def parse_uri(text: str, field: str) -> SipUri:
    """A URI as RFC 3261 §19.1.1 writes it, but strict; PlanningError names the field."""
    with _refused(field):
        return dialling.parse_uri(text)


def check_transport(uri: SipUri, field: str, transport: Transport) -> None:
    """PlanningError where the URI says another transport than the test's."""
    with _refused(field):
        dialling.check_transport(uri, transport)


def parse_identity(text: str, field: str) -> SipUri:
    """The URI of a caller or callee: one with a user."""
    with _refused(field):
        return dialling.parse_identity(text)


def check_dial(text: str, field: str, limits: Limits) -> None:
    """PlanningError NUMBER_NOT_ALLOWED when the URI's user is a number that may not be dialled."""
    with _refused(field):
        dialling.check_dial(dialling.parse_uri(text), limits.allow_dial)


@contextmanager
def _refused(field: str) -> Iterator[None]:
    try:
        yield
    except DialError as error:
        raise PlanningError(error.reason, f"{field}: {error}") from error
