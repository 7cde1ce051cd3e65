"""The labels and annotations on our objects: how runs, agents and their plans are found."""

from typing import Final

from controller.api import GROUP

TEST_LABEL: Final = f"{GROUP}/test"
RUN_LABEL: Final = f"{GROUP}/run"
ROLE_LABEL: Final = f"{GROUP}/role"
AGENT_LABEL: Final = f"{GROUP}/agent"

PLAN_ANNOTATION: Final = f"{GROUP}/plan"
"""The agent's plan, as bytes that its result's digest is about."""
GO_ANNOTATION: Final = f"{GROUP}/go"
"""The agent's signal."""
STOPPED_ANNOTATION: Final = f"{GROUP}/stopped"
"""Why the agent was told to stop: for the verdict, after a restart of the operator too."""

AGENT_CONTAINER: Final = "agent"
"""Of an agent's pod. There may be others in it, of admission webhooks: logs, states and readiness are this one's."""
MANAGED_BY: Final = "calltest-operator"
AGENT_NAME: Final = "calltest-agent"
AGENT_SELECTOR: Final = f"app.kubernetes.io/managed-by={MANAGED_BY},app.kubernetes.io/name={AGENT_NAME}"

ALONE_LABELS: Final = {"sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled"}
ALONE_ANNOTATIONS: Final = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
    "vault.hashicorp.com/agent-inject": "false",
}
"""What keeps meshes and vaults out of an agent's pod: a proxy takes no part in a call, and would be in its way."""
