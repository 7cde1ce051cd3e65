"""RTP flows, the SIP and SDP that explain them, digits."""
