"""CallTest.spec.target: the system under test (SUT)."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from agent.contract.address import IpFamily
from agent.contract.document import Document
from agent.contract.field import NAME_PATTERN, SUBDOMAIN_PATTERN, about, rule
from agent.contract.plan import Transport
from controller.api.field import Labels

PortNumber = Annotated[int, Meta(ge=1, le=65535)]
PortName = Annotated[str, Meta(min_length=1, max_length=15)]


class Via(StrEnum):
    """Which way the calls enter the SUT."""

    EACH_ENDPOINT = "EachEndpoint"
    SERVICE = "Service"


class ServiceTarget(Document, frozen=True, kw_only=True):
    """A Service."""

    name: Annotated[
        str, about("Name of the Service.", example="kamailio", min_length=1, max_length=63, pattern=NAME_PATTERN)
    ]


class PodSelector(Document, frozen=True, kw_only=True):
    """Pods by their labels."""

    match_labels: Annotated[
        Labels,
        about("Labels that a pod must all carry.", example={"app": "kamailio"}, min_length=1, max_length=16),
    ]


class AddressTarget(Document, frozen=True, kw_only=True):
    """A host outside the cluster."""

    host: Annotated[
        str,
        about(
            "An address (of IPv6 without brackets), or a name that the operator resolves when a run starts: each of its"
            " addresses of target.ipFamily is an endpoint.",
            example="sbc.example.com",
            min_length=1,
            max_length=253,
            pattern=r"^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$",
        ),
    ]


SecretName = Annotated[str, Meta(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN)]


class TlsTarget(Document, frozen=True, kw_only=True):
    """How TLS is spoken with the SUT."""

    server_name: (
        Annotated[
            str,
            about(
                "The name that the SUT's certificate must be for (RFC 5922 §7: no wildcards), sent as SNI. Replicas are"
                " dialled by their addresses; without this, the address must be in the certificate.",
                example="sip.example.com",
                min_length=1,
                max_length=253,
                pattern=r"^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$",
            ),
        ]
        | None
    ) = None
    verify: Annotated[
        bool,
        about(
            "Hang up, and send nothing, where the SUT's certificate is not signed by a CA that is believed, is out of"
            " date, or for another name. false: take any; what is wrong with it is told in the legs' lines.",
            example=True,
        ),
    ] = True
    ca_secret_name: Annotated[
        SecretName | None,
        about(
            "Secret in the CallTest's namespace with the CAs to believe, PEM, in its key ca.crt; default: the public"
            " ones, as of the agent's image.",
            example="sut-ca",
        ),
    ] = None
    client_secret_name: Annotated[
        SecretName | None,
        about(
            "Secret of type kubernetes.io/tls (keys tls.crt, tls.key) in the CallTest's namespace: the certificate that"
            " both agents show to a SUT that asks for one, and to one that connects to them. Default: none is shown"
            " where they connect, and one that they sign themselves to who connects to them.",
            example="agent-tls",
        ),
    ] = None


class RevisionsWanted(StrEnum):
    """Which mixes of software a run may test."""

    ANY = "Any"
    SINGLE = "Single"


class Target(Document, frozen=True, kw_only=True):
    """The system under test (SUT)."""

    service: Annotated[ServiceTarget | None, about("The SUT is behind this Service.", example={"name": "kamailio"})] = (
        None
    )
    pod_selector: Annotated[
        PodSelector | None, about("The SUT is these pods.", example={"matchLabels": {"app": "kamailio"}})
    ] = None
    address: Annotated[
        AddressTarget | None,
        about(
            "The SUT is at this address. The operator must permit it (--allow-target).",
            example={"host": "sbc.example.com"},
        ),
    ] = None
    namespace: (
        Annotated[
            str,
            about(
                "Namespace of the Service or pods; default: the CallTest's own. For another one, the operator needs the"
                " read-only Role of deploy/target-access there.",
                example="voice",
                min_length=1,
                max_length=63,
                pattern=NAME_PATTERN,
            ),
        ]
        | None
    ) = None
    port: Annotated[
        PortNumber | PortName,
        about(
            "SIP port, by number or name: of the Service, or of the pods' containers. An address needs a number.",
            example="sip",
            rules=(
                rule(
                    "type(self) == int ? self >= 1 && self <= 65535 : size(self) >= 1 && size(self) <= 15",
                    "a port is a number from 1 to 65535, or a name of at most 15 characters",
                ),
            ),
        ),
    ] = 5060
    ip_family: Annotated[
        IpFamily,
        about(
            "Which of the SUT's addresses are called; SIP and media go by that family alone. A SUT with both needs a"
            " test for each.",
            example="IPv6",
        ),
    ] = IpFamily.IPV4
    transport: Annotated[
        Transport,
        about(
            "How SIP travels to the SUT, and from it to the callee. Over TCP and TLS an agent listens, and opens one"
            " connection to each endpoint; each that does not come up, or is cut, is Failed with its own reason.",
            example="TCP",
        ),
    ] = Transport.UDP
    tls: Annotated[
        TlsTarget | None,
        about(
            "Of transport TLS. Versions 1.2 and 1.3 are spoken; a handshake that fails is Failed with its own reason.",
            example={"serverName": "sip.example.com", "caSecretName": "sut-ca"},
        ),
    ] = None
    via: Annotated[
        Via,
        about(
            "EachEndpoint runs the whole test against each ready replica; Service runs it once, through the Service's"
            " ClusterIP.",
            example="EachEndpoint",
        ),
    ] = Via.EACH_ENDPOINT
    min_endpoints: Annotated[
        int,
        about(
            "Fewer ready endpoints than this make the run Inconclusive/TooFewEndpoints instead of Passed.",
            example=2,
            ge=1,
            le=200,
        ),
    ] = 1
    endpoint_parallelism: Annotated[
        int,
        about(
            "How many endpoints are called at the same time, each by its own pair of agents. Above 1, both URIs must"
            " contain {endpoint}: replicas that share a location table would fork the calls to each other's callees.",
            example=1,
            ge=1,
            le=50,
        ),
    ] = 1
    settle_seconds: Annotated[
        int,
        about(
            "The endpoints of a run are fixed once all replicas are ready and have been the same for so long; if that"
            " does not come by readyDeadlineSeconds: Inconclusive/NotSettled. 0: at once, with those that are ready.",
            example=10,
            ge=0,
            le=600,
        ),
    ] = 0
    revisions: Annotated[
        RevisionsWanted,
        about(
            "Single: a run waits until all replicas of a workload run one revision, else Inconclusive/NotSettled.",
            example="Single",
        ),
    ] = RevisionsWanted.ANY
