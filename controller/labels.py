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

MANAGED_BY: Final = "calltest-operator"
AGENT_NAME: Final = "calltest-agent"
AGENT_SELECTOR: Final = f"app.kubernetes.io/managed-by={MANAGED_BY},app.kubernetes.io/name={AGENT_NAME}"
