"""From observations to a verdict: pure functions, values in, values out; no I/O, no clock.

`judge_leg` is what one agent can say of one of its legs alone; `judge_run` is what all agents' reports say together.
The truth rules they follow are numbered in docs/verdict.md, and the comments here refer to those numbers.

    legs, registrations ─► pairing (whose callee leg is whose) ─► leg checks ─► two-ended comparison ─► roll-up
"""
