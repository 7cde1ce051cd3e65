"""Systems under test that we wrote ourselves, each of which does one thing that our phones do not: on loopback.

sip: messages · rtp: packets · uas: a peer that answers and plays back · b2bua: one between our two agents · trouble:
what a busy machine did to a peer · running: `calltest run` against one. A test subclasses a peer and overrides the hook
where it is odd.
"""
