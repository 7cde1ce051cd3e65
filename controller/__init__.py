"""Knows Kubernetes, and nothing of SIP: turns a CallTest and a snapshot of the cluster into plans and a verdict."""

from typing import Final

VERSION: Final = "0.1.0"
"""As in pyproject.toml, which images do not have."""
