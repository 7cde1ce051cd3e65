"""CallTest.spec.caller and callee: who calls, and whom."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from agent.contract.call import WHAT_IT_DOES, Acting, Behaviour
from agent.contract.codecs import Media
from agent.contract.document import Document
from agent.contract.field import MAX_URI, SUBDOMAIN_PATTERN, URI_PATTERN, about
from agent.contract.headers import MAX_SENT, CalleeHeader, CallerHeader
from agent.contract.registering import Registration


class Route(StrEnum):
    """How the SUT finds the callee agent."""

    REGISTER = "Register"
    CALLEE_SERVICE = "CalleeService"
    REQUEST_URI = "RequestURI"


class RegisterAt(StrEnum):
    """At which endpoint the callee registers."""

    SAME_ENDPOINT = "SameEndpoint"
    NEXT_ENDPOINT = "NextEndpoint"


KEYS_OF_IT: Final = "Keys: username, password and, where more than one realm may ask, realm (default: any)."


class SecretReference(Document, frozen=True, kw_only=True):
    """A Secret in the CallTest's namespace, mounted by the agent alone."""

    secret_name: Annotated[
        str,
        about(
            f"Name of the Secret, in the CallTest's namespace. {KEYS_OF_IT}",
            example="sip-account",
            min_length=1,
            max_length=253,
            pattern=SUBDOMAIN_PATTERN,
        ),
    ]


def _uri(example: str) -> Meta:
    return about(
        "SIP URI; sips: needs target.transport TLS. {endpoint} stands for the endpoint's index, from 0.",
        example=example,
        max_length=MAX_URI,
        pattern=URI_PATTERN,
    )


def _registration(role: str) -> Meta:
    return about(
        f"How the {role} registers, and what must come of it.",
        example={"expiresSeconds": 120, "expect": {"auth": "Required"}},
    )


class Caller(Document, frozen=True, kw_only=True):
    """Who calls."""

    uri: Annotated[str, _uri("sip:alice@example.com")]
    credentials: Annotated[
        SecretReference | None,
        about(f"Digest credentials of the caller: a Secret. {KEYS_OF_IT}", example={"secretName": "sip-alice"}),
    ] = None
    register: (
        Annotated[
            bool,
            about("Register the caller before it calls; default: true when credentials are given.", example=True),
        ]
        | None
    ) = None
    registration: Annotated[Registration | None, _registration("caller")] = None
    media: Annotated[
        Media | None,
        about(
            "What the caller's media is, where a call says nothing else; default: RTP without SRTP.",
            example={"srtp": {"use": "Mandatory"}},
        ),
    ] = None
    headers: Annotated[
        tuple[CallerHeader, ...],
        about(
            "Headers that the caller sends, in all calls and as it registers.",
            example=[{"name": "X-Tenant", "value": "blue", "messages": ["INVITE", "REGISTER"]}],
            max_length=MAX_SENT,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()

    @property
    def registers(self) -> bool:
        """As the test says, by default where it has credentials."""
        return self.credentials is not None if self.register is None else self.register


class Callee(Acting, frozen=True, kw_only=True):
    """Who is called."""

    uri: Annotated[str, _uri("sip:bob@example.com")]
    credentials: Annotated[
        SecretReference | None,
        about(f"Digest credentials of the callee: a Secret. {KEYS_OF_IT}", example={"secretName": "sip-bob"}),
    ] = None
    route: Annotated[
        Route,
        about(
            "How the SUT finds the callee agent. Register: the callee registers its URI at the SUT. CalleeService: the"
            " SUT dials the Service <calltest>-callee on port 5060. RequestURI: the caller puts the callee's own"
            " address into the Request-URI and uses the SUT as outbound proxy.",
            example="Register",
        ),
    ] = Route.REGISTER
    behaviour: Annotated[
        Behaviour,
        about(
            f"What the callee does. {WHAT_IT_DOES} Calls that differ in this are told apart by their X-Calltest-Call:"
            " where a SUT takes that away, they are not measured.",
            example="Busy",
        ),
    ] = Behaviour.PARROT
    registration: Annotated[Registration | None, _registration("callee")] = None
    media: Annotated[
        Media | None,
        about(
            "What the callee's media is, where a call says nothing else; default: RTP without SRTP, and what is offered"
            " otherwise is refused with 488.",
            example={"srtp": {"use": "Optional"}},
        ),
    ] = None
    headers: Annotated[
        tuple[CalleeHeader, ...],
        about(
            "Headers that the callee sends, in all calls that it takes and as it registers. A call that it refuses at"
            " once gets none.",
            example=[{"name": "X-Answered-By", "value": "calltest"}],
            max_length=MAX_SENT,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    register_at: Annotated[
        RegisterAt,
        about(
            "At which endpoint the callee registers. NextEndpoint: at the one after that which is called, the first"
            " after the last: registered at one replica, called through another. Of one endpoint, the run is"
            " Inconclusive/TooFewEndpoints.",
            example="NextEndpoint",
        ),
    ] = RegisterAt.SAME_ENDPOINT

    @property
    def registers(self) -> bool:
        """By its route."""
        return self.route is Route.REGISTER
