"""CallTest: what people write. Every field has a description and an example that a test parses."""

from typing import Annotated

from msgspec import Meta

from agent.contract.call import Call
from agent.contract.document import Document
from agent.contract.field import SUBDOMAIN_PATTERN, about, rule
from agent.contract.plan import Keep
from controller.api.field import Labels
from controller.api.parties import Callee, Caller
from controller.api.target import Target
from controller.api.trigger import ConcurrencyPolicy, Trigger

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?$"
MAX_NAME = 45
"""Of a CallTest: leaves room in the names of its runs (57) and of their pods (63)."""

QuantityText = Annotated[str, Meta(max_length=20, pattern=QUANTITY_PATTERN)]
Quantity = Annotated[int, Meta(ge=0)] | QuantityText


class Toleration(Document, frozen=True, kw_only=True):
    """A toleration of the agent pods, as in a Pod."""

    key: Annotated[str, about("Taint key.", example="dedicated", max_length=317)] | None = None
    operator: (
        Annotated[
            str, about("Exists or Equal (the default).", example="Exists", max_length=6, pattern="^(Exists|Equal)$")
        ]
        | None
    ) = None
    value: Annotated[str, about("Taint value.", example="voice", max_length=63)] | None = None
    effect: (
        Annotated[
            str,
            about(
                "NoSchedule, PreferNoSchedule or NoExecute; default: all.",
                example="NoSchedule",
                max_length=16,
                pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$",
            ),
        ]
        | None
    ) = None


class Resources(Document, frozen=True, kw_only=True):
    """Compute resources of an agent, as in a Pod."""

    requests: (
        Annotated[
            dict[Annotated[str, Meta(max_length=63)], Quantity],
            about("What is reserved.", example={"cpu": "500m", "memory": "128Mi"}, max_length=8),
        ]
        | None
    ) = None
    limits: (
        Annotated[
            dict[Annotated[str, Meta(max_length=63)], Quantity],
            about(
                "What is not exceeded. A CPU limit throttles the agent: its media checks become"
                " Inconclusive/AgentOverloaded when that happens.",
                example={"memory": "512Mi"},
                max_length=8,
            ),
        ]
        | None
    ) = None


class Agents(Document, frozen=True, kw_only=True):
    """Where the agent pods run, and with what."""

    resources: Annotated[
        Resources | None, about("Compute resources of each agent pod.", example={"requests": {"cpu": "500m"}})
    ] = None
    node_selector: (
        Annotated[Labels, about("Labels that a node must carry.", example={"pool": "voice"}, max_length=16)] | None
    ) = None
    tolerations: Annotated[
        tuple[Toleration, ...],
        about(
            "Taints that the agent pods tolerate.",
            example=[{"key": "dedicated", "operator": "Exists"}],
            max_length=16,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()


class Evidence(Document, frozen=True, kw_only=True):
    """What is kept of calls: a capture, the sound of both directions, the SIP messages."""

    keep: Annotated[
        Keep,
        about(
            "Of which legs. OnFailure: of both legs of every call that did not pass, Inconclusive included, and of any"
            " other leg at which a check broke.",
            example="OnFailure",
        ),
    ] = Keep.ON_FAILURE
    claim_name: (
        Annotated[
            str,
            about(
                "PersistentVolumeClaim in the CallTest's namespace; each leg gets a folder in it. ReadWriteMany, where"
                " agents may be on several nodes. `calltest run` keeps evidence in --evidence DIR instead.",
                example="evidence",
                min_length=1,
                max_length=253,
                pattern=SUBDOMAIN_PATTERN,
            ),
        ]
        | None
    ) = None


READY_DEADLINE_S = 120


class CallTestSpec(Document, frozen=True, kw_only=True):
    """A test: whom to call through what, and what must be true."""

    target: Annotated[
        Target,
        about(
            "The system under test (SUT): exactly one of service, podSelector, address.",
            example={"service": {"name": "kamailio"}, "port": "sip"},
            rules=(
                rule(
                    "[has(self.service), has(self.podSelector), has(self.address)].filter(x, x).size() == 1",
                    "exactly one of service, podSelector, address",
                ),
                rule("self.via != 'Service' || has(self.service)", "via: Service needs service"),
                rule("!has(self.address) || type(self.port) == int", "an address needs a port number"),
                rule("!has(self.address) || !has(self.__namespace__)", "an address has no namespace"),
            ),
        ),
    ]
    caller: Annotated[Caller, about("Who calls.", example={"uri": "sip:alice@example.com"})]
    callee: Annotated[
        Callee | None,
        about(
            "Who is called: an agent of ours. Without it, the SUT itself answers.",
            example={"uri": "sip:bob@example.com"},
        ),
    ] = None
    calls: Annotated[
        tuple[Call, ...],
        about(
            "The calls, made to each endpoint. [] where caller or callee registers: their registrations alone are the"
            " test.",
            example=[{"name": "pin"}],
            max_length=16,
            list_keys=("name",),
        ),
    ]
    trigger: Annotated[
        Trigger | None, about("What starts a run, beside a change of the spec.", example={"runToken": "release-42"})
    ] = None
    concurrency_policy: Annotated[
        ConcurrencyPolicy,
        about(
            "When a run is due while one of this test is under way, whatever the causes. Forbid: it comes after that"
            " one, and a slot of the schedule is skipped. Replace: the one under way is stopped, Inconclusive/Aborted"
            " where it is not done, and then the new one starts. A run made by hand is never stopped.",
            example="Forbid",
        ),
    ] = ConcurrencyPolicy.FORBID
    suspend: Annotated[bool, about("Start no new runs; one that is under way goes on.", example=False)] = False
    ready_deadline_seconds: (
        Annotated[
            int,
            about(
                "When endpoints are not found or agents not ready by then, the run ends Inconclusive with the reason."
                " At least 45 where an agent registers: a registrar that does not answer is found out after 32."
                " Default: 120, and less than activeDeadlineSeconds.",
                example=120,
                ge=5,
                le=3600,
            ),
        ]
        | None
    ) = None
    active_deadline_seconds: Annotated[
        int,
        about(
            "A run that takes longer, from its start, is stopped: Inconclusive/DeadlineExceeded.",
            example=600,
            ge=10,
            le=86_400,
        ),
    ] = 600
    successful_runs_history_limit: Annotated[int, about("How many Passed runs are kept.", example=3, ge=0, le=100)] = 3
    failed_runs_history_limit: Annotated[
        int, about("How many Failed and Inconclusive runs are kept, together.", example=3, ge=0, le=100)
    ] = 3
    evidence: Annotated[
        Evidence | None,
        about(
            "What is kept of calls, as files. Without it, only the SIP messages of calls that did not pass, in the"
            " run's detail.",
            example={"keep": "OnFailure", "claimName": "evidence"},
            rules=(rule("self.keep == 'Never' || has(self.claimName)", "keep needs claimName: where it goes"),),
        ),
    ] = None
    agents: Annotated[
        Agents | None, about("Where the agent pods run, and with what.", example={"nodeSelector": {"pool": "voice"}})
    ] = None

    @property
    def ready_deadline_s(self) -> int:
        """Within it, from the run's start, endpoints are found and agents ready."""
        if self.ready_deadline_seconds is not None:
            return self.ready_deadline_seconds
        return min(READY_DEADLINE_S, self.active_deadline_seconds - 1)


TEST_RULES = (
    rule(
        "!has(self.callee) || self.callee.registerAt == 'SameEndpoint'"
        " || (self.callee.route == 'Register' && self.target.via == 'EachEndpoint')",
        "callee.registerAt: NextEndpoint needs route: Register, and target.via: EachEndpoint",
    ),
    rule(
        "self.calls.size() > 0 || (has(self.caller.register) ? self.caller.register : has(self.caller.credentials))"
        " || (has(self.callee) && self.callee.route == 'Register')",
        "calls may be empty only where caller or callee registers",
    ),
    rule(
        "(has(self.caller.register) ? self.caller.register : has(self.caller.credentials))"
        " || !has(self.caller.headers) || !self.caller.headers.exists(h, 'REGISTER' in h.messages)",
        "caller.headers: a caller that does not register sends no REGISTER",
    ),
    rule(
        "!has(self.callee) || self.callee.route == 'Register'"
        " || !has(self.callee.headers) || !self.callee.headers.exists(h, 'REGISTER' in h.messages)",
        "callee.headers: a callee that does not register sends no REGISTER",
    ),
    rule(
        "has(self.callee) || self.calls.all(c, has(c.to))",
        "each call needs 'to' where there is no callee",
    ),
    rule(
        "self.target.endpointParallelism == 1 || (self.caller.uri.contains('{endpoint}')"
        " && (!has(self.callee) || self.callee.uri.contains('{endpoint}')))",
        "endpointParallelism above 1 needs {endpoint} in caller.uri and callee.uri",
    ),
    rule(
        "self.target.endpointParallelism == 1 || !has(self.callee)"
        " || self.calls.all(c, !has(c.to) || c.to.contains('{endpoint}'))",
        "endpointParallelism above 1 needs {endpoint} in each call's 'to'",
    ),
    rule(
        "self.target.endpointParallelism == 1 || !has(self.callee) || self.callee.route != 'CalleeService'",
        "route: CalleeService needs endpointParallelism 1",
    ),
    rule(
        "!has(self.readyDeadlineSeconds) || self.readyDeadlineSeconds < self.activeDeadlineSeconds",
        "readyDeadlineSeconds must be less than activeDeadlineSeconds",
    ),
)
"""Rules of a CallTestSpec, wherever it stands (CallTest.spec and CallTestRun.spec.test)."""
