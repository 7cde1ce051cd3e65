"""The documents between the controller and its agents: plan, signal, detail lines, result; the words of a call.

Values only: no I/O, no clock, nothing of Kubernetes and nothing of pjsua2. Both sides import it; each decodes strictly
(unknown fields and versions are refused), so that two sides of different versions say so instead of guessing.
"""
