"""run: not one call's; and the reasons that any check may give, since they are not about what it checks."""

from collections.abc import Sequence
from typing import Final

from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.checks.check import CheckRule, Row
from agent.judge.ends import CallEnds, Gone


def _unreported(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """Planned calls without a leg: each is accounted for, as its agent's loss or as not measured."""
    if ends.caller is not None:
        return _refused_by_nobody(ends, findings)
    if any(finding.check in KEEPS_FROM_CALLING for finding in ends.registration):
        return []
    missing = []
    findings = [finding for finding in findings if finding not in ends.registration]
    if not any(finding.leg is Role.CALLER for finding in findings):
        gone = ends.caller_gone or Gone(reason=Reason.NOT_MEASURED, note="no leg of this call was reported")
        missing.append(lost(ends, Role.CALLER, gone))
    if ends.declared and ends.callee_died is not None and not any(f.leg is Role.CALLEE for f in findings):
        missing.append(lost(ends, Role.CALLEE, ends.callee_died))
    return missing


def _refused_by_nobody(ends: CallEnds, findings: Sequence[Finding]) -> list[Finding]:
    """A refusal that is expected and came: perhaps as our callee was gone. Of one that is not, the caller says so."""
    if ends.call.expects_answer or ends.callee_died is None or findings:
        return []
    return [lost(ends, Role.CALLEE, ends.callee_died)]


KEEPS_FROM_CALLING: Final = (Check.REGISTERED, Check.CONNECTION)
"""An agent that could not register places no calls, or gets none."""


def lost(ends: CallEnds, role: Role, gone: Gone) -> Finding:
    """A leg that its agent did not report."""
    return ends.call.finding(role, Check.COMPLETED, gone.reason, note=gone.note)


def _row(reason: Reason, meaning: str, *, seen: str, usually: str, look: str) -> Row:
    return Row(
        reason=reason, result=Result.INCONCLUSIVE, meaning=meaning, seen=seen, usually=usually, look=look
    )  # fmt: skip


BESIDE: Final = (Reason.ENDPOINT_REMOVED, Reason.ENDPOINT_RESTARTED)
"""Said beside another reason, never alone."""

RULE: Final = CheckRule(
    check=Check.RUN,
    ends=_unreported,
    # What a person must mend or has done, then our agents' own troubles, then what follows from those.
    rows=(
        _row(
            Reason.INVALID_TEST,
            "the test cannot be met by any SUT, or contradicts itself; the message names the field",
            seen="The test was read, and no call was placed.",
            usually="An expectation that nothing can meet: digits back from an Absorber, a hold that is too short for "
            "its digits, media of a call that is to be refused.",
            look="The field that the message names, in [calltest.md](calltest.md#fields).",
        ),
        _row(
            Reason.ACCESS_DENIED,
            "the operator lacks a permission that the run needs",
            seen="The API server answered 403 to the operator.",
            usually="A target in another namespace without the read-only Role there, or a Role of the operator that "
            "was cut down.",
            look="The verb and resource in the message; `deploy/target-access`.",
        ),
        _row(
            Reason.TARGET_NOT_ALLOWED,
            "the operator's `--allow-target` does not permit the address",
            seen="The address of an endpoint, as it was resolved, is none that the operator permits.",
            usually="A `target.address`, or endpoints of a Service that are not pods, without a flag that allows them.",
            look="The operator's `--allow-target`, and what the name resolves to.",
        ),
        _row(
            Reason.NUMBER_NOT_ALLOWED,
            "the operator's `--allow-dial` does not permit the number, or it is an emergency number",
            seen="The user part of a URI that is to be dialled looks like a phone number, and no flag allows it.",
            usually="A test against a trunk that has not been allowed yet. Emergency numbers are never dialled.",
            look="`calls[].to` and `callee.uri`; the operator's `--allow-dial`.",
        ),
        _row(
            Reason.LIMIT_EXCEEDED,
            "more calls or agents than the operator's caps",
            seen="The plan needs more calls, agents or results than one run may have.",
            usually="`count` or `concurrency` times the number of endpoints; more than one agent can tell of.",
            look="The figures in the message; fewer calls, or several tests.",
        ),
        _row(
            Reason.NAME_CONFLICT,
            "an object of somebody else has the name that the run needs",
            seen="A pod or Service of that name is there, and belongs to something else.",
            usually="A Service `<calltest>-callee` that was made by hand, or two CallTests whose names differ too "
            "late.",
            look="The object in the message, and its owner; rename the test.",
        ),
        _row(
            Reason.INPUT_MISSING,
            "a Secret, ConfigMap or PersistentVolumeClaim that the test names, or a key of it, is not there or "
            "cannot be used",
            seen="An agent was told of an input that was not mounted, or that has not the key it needs.",
            usually="A typing error, another namespace, a Secret without `username` and `password`, or a name outside "
            "the prefix that the operator allows.",
            look="The object and key in the message, in the CallTest's own namespace.",
        ),
        _row(
            Reason.NO_ENDPOINTS,
            "the target has no ready endpoint by `readyDeadlineSeconds`",
            seen="Discovery found nothing ready to call.",
            usually="A rollout that does not become ready, a selector that matches nothing, or a port name that no "
            "container has.",
            look="`kubectl get endpointslices` of the Service, or the pods of the selector, and their readiness "
            "probes.",
        ),
        _row(
            Reason.TOO_FEW_ENDPOINTS,
            "fewer ready endpoints than `minEndpoints` by `readyDeadlineSeconds`",
            seen="Fewer replicas were ready than the test insists on; none was called.",
            usually="A rollout that is under way or stuck, or a replica that crashes.",
            look="The pods that are not ready; `minEndpoints`.",
        ),
        _row(
            Reason.NOT_SETTLED,
            "the replicas of the target were not all ready, or not the same for long enough, or ran several revisions, "
            "by `readyDeadlineSeconds`",
            seen="The replicas went on changing until the run had to begin; none was called.",
            usually="A rollout that does not finish: a new replica that crashes or never becomes ready, or a "
            "canary that keeps two revisions up.",
            look="`kubectl rollout status` of the workload; `target.settleSeconds` and `target.revisions`.",
        ),
        _row(
            Reason.AGENT_NOT_CREATED,
            "the API server refused an agent's pod",
            seen="The API server's own words are in the message.",
            usually="A quota, an admission policy, or a namespace that is being deleted.",
            look="ResourceQuota and Pod Security of the namespace; `agents.resources`.",
        ),
        _row(
            Reason.AGENT_UNSCHEDULABLE,
            "no node takes an agent's pod",
            seen="The scheduler left the pod Pending until `readyDeadlineSeconds`; its words are in the message.",
            usually="Requests that no node has free, a nodeSelector without a node, or taints.",
            look="`agents.nodeSelector`, `agents.tolerations`, `agents.resources`; `kubectl describe pod` of the "
            "agent.",
        ),
        _row(
            Reason.AGENT_IMAGE_PULL_FAILED,
            "an agent's image cannot be pulled",
            seen="The kubelet's words are in the message.",
            usually="A registry that needs credentials, or an image that this node's registry mirror does not have.",
            look="The operator's `--agent-image`, and pull secrets.",
        ),
        _row(
            Reason.AGENT_START_TIMEOUT,
            "an agent was not ready by `readyDeadlineSeconds`",
            seen="The pod was there, and its agent was not ready: sockets bound, and every registration concluded, "
            "well or badly.",
            usually="A node that starts pods slowly, a volume that does not mount, or a registrar that takes 32 s to "
            "not answer.",
            look="The agent's log and events; at least 45 s where an agent registers.",
        ),
        _row(
            Reason.AGENT_LOST,
            "an agent died, or its result or log is incomplete",
            seen="No final result of an agent came. Calls that had ended before keep their verdict.",
            usually="Its pod was killed (OOMKilled, evicted), its node is gone, or its log was rotated away.",
            look="The pod's last state and exit code; memory limits in `agents.resources`; the node.",
        ),
        _row(
            Reason.AGENT_ERROR,
            "an agent could not do its part",
            seen="Our own agent, or its SIP stack, refused or failed; its words are in the message.",
            usually="A port that is in use, an account that the stack does not take, or an INVITE that our callee "
            "refused by itself.",
            look="The words in the message; the messages of the call in the detail.",
        ),
        _row(
            Reason.RESULT_REJECTED,
            "an agent's result is of another run, agent or plan, or malformed",
            seen="A result came, and cannot be believed.",
            usually="An agent image of another version than the operator, or somebody else wrote into the pod.",
            look="The image of the agent's pod against the operator's.",
        ),
        _row(
            Reason.ABORTED,
            "the run was stopped, by its deletion or its user, or an agent was told to end (SIGTERM)",
            seen="An agent was told to stop before its plan was done.",
            usually="The run or test was deleted, Ctrl-C, a node that was drained.",
            look="Events of the run and of the node at that time.",
        ),
        _row(
            Reason.AGENT_OVERLOADED,
            "an agent was throttled, late, or dropped packets itself; give agents more CPU or lower `concurrency`",
            seen="Something was broken that the agent may have broken itself, or was measured by an agent in trouble. "
            "The note says which trouble, and how much of it.",
            usually="A CPU limit, a node without a free processor, or more calls at once than one agent can carry.",
            look="`agents.resources` (no CPU limit), `concurrency`, the load of the node. [What excuses "
            "what](verdict.md#what-excuses-what).",
        ),
        _row(
            Reason.DEADLINE_EXCEEDED,
            "the run was not done by `activeDeadlineSeconds`",
            seen="The run was stopped; calls that had ended before keep their verdict.",
            usually="More calls than fit: count ÷ concurrency × (hold + set-up), times the endpoints; or calls that "
            "hang until their timeout.",
            look="How many calls were done; `activeDeadlineSeconds`, `concurrency`, `endpointParallelism`.",
        ),
        _row(
            Reason.PEER_LOST,
            "the agent of the other leg was lost or overloaded",
            seen="This leg did not get what it should have, and the other agent may be why: it is gone, was in "
            "trouble, sent nothing, or hung up early.",
            usually="What made the other agent lose its call: its own findings stand beside this one.",
            look="The finding of the other leg, and the state of that pod.",
        ),
        _row(
            Reason.NOT_MEASURED,
            "a fact that a check needs is not known",
            seen="The check could neither hold nor fail. The note says what is not known, and why.",
            usually="A call that ended before there was anything to measure, media of somebody that no SDP names, a "
            "codec that changed on the way, or an expectation beside which nothing was sent.",
            look="The note; a longer call, or an expectation that fits what the call does.",
        ),
        _row(
            Reason.ENDPOINT_REMOVED,
            "the endpoint was gone before the run was over",
            seen="The endpoint was there when the run began and not when it ended. Said beside another reason.",
            usually="A rollout or a scale-down during the test.",
            look="Whether the failures began when the pod went; run the test after the rollout.",
        ),
        _row(
            Reason.ENDPOINT_RESTARTED,
            "the endpoint was restarted during the run",
            seen="The pod has another UID, or its container another start, than when the run began. Said beside "
            "another reason.",
            usually="A crash, a failed liveness probe, or a rollout during the test.",
            look="The container's last state: if it crashed on these calls, that is the finding.",
        ),
    ),
    subject="call",
    sentence="{leg} agent saw {observed}, expected {expected}",
    on="the run",
    holds="the run could be done",
)
