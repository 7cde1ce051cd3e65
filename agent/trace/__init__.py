"""Captures read: RTP streams, their losses and jitter, and the digits that really went over the wire."""

import os

# OpenBLAS starts its threads when numpy is imported: that took half of the processor time of reading a small capture.
# Nothing here has matrices that are worth a second one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
