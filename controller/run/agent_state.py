"""Where an agent is in its life, pod or process. Pure."""

from enum import StrEnum


class AgentState(StrEnum):
    """Where an agent is in its life."""

    ABSENT = "Absent"
    """There is no pod."""
    PENDING = "Pending"
    """There is a pod, and nothing runs in it yet."""
    RUNNING = "Running"
    ENDED = "Ended"
    """It terminated; its message and log can be read."""
    LOST = "Lost"
    """Nothing more can be expected of it."""
