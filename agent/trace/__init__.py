"""Captures read: RTP streams, their losses and jitter, and the digits that really went over the wire."""
