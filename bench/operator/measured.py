"""The operator, measured from within: how its memory grows by part, and how long each reconcile takes.

`python measured.py FILE ARGUMENT…`: `python -m controller ARGUMENT…` that writes what it knows to FILE every second.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any


def rss_mb() -> float:
    """Resident now, of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


START = rss_mb()


def main() -> None:
    """Runs the operator."""
    from controller import __main__ as program  # noqa: PLC0415 - what it adds is measured
    from controller.operator.metrics import Metrics  # noqa: PLC0415

    memory = {"Python": START, "imports": rss_mb()}
    took_s: dict[str, list[float]] = {"CallTest": [], "CallTestRun": []}
    connect, observe = program.connect, Metrics.observe_reconcile

    def connecting() -> Any:
        cluster = connect()
        memory["client"] = rss_mb()
        return cluster

    def observed(self: Metrics, key: Any, duration_s: float, succeeded: bool) -> None:  # noqa: FBT001
        took_s[key.kind].append(duration_s)
        observe(self, key, duration_s, succeeded)

    def tell(path: Path) -> None:
        while True:
            now = {"memory_mb": memory, "rss_mb": rss_mb(), "cpu_s": time.process_time(), "took_s": took_s}
            path.with_suffix(".new").write_text(json.dumps(now))
            path.with_suffix(".new").replace(path)
            time.sleep(1)

    program.connect, Metrics.observe_reconcile = connecting, observed  # type: ignore[method-assign]
    path, sys.argv = Path(sys.argv[1]), ["controller", *sys.argv[2:]]
    threading.Thread(target=tell, args=(path,), daemon=True).start()
    program.main()


if __name__ == "__main__":
    main()
