"""Knows Kubernetes, and nothing of SIP: turns a CallTest and a snapshot of the cluster into plans and a verdict."""
