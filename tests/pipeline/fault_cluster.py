"""A Dask cluster whose workers are killed, with permissions that count.

Started as a process of its own, which answers each line with the address and ends with its
standard input. A worker that is killed while it starts is not replaced by Dask: a cluster that
does not recover is given up for another.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tests.pipeline.fault_actions import drop_capabilities

if TYPE_CHECKING:
    from distributed import LocalCluster

WORKERS = 2
_PATIENCE = 20.0  # [s] for workers to be started again


def _registered(cluster: LocalCluster) -> int:
    """Workers that the scheduler knows."""
    return len(cluster.scheduler.workers) if cluster.scheduler else 0


def _is_whole(cluster: LocalCluster) -> bool:
    """Whether all workers are there, or come back."""
    from distributed import Status

    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        states = [one.status for one in (cluster.workers or {}).values()]
        if any(one in {Status.closed, Status.closing, Status.failed} for one in states):
            return False
        if states.count(Status.running) == _registered(cluster) == WORKERS:
            return True
        time.sleep(0.05)
    return False


def main() -> int:
    """Run clusters, one at a time."""
    from distributed import LocalCluster

    drop_capabilities()
    cluster: LocalCluster | None = None
    for _ in sys.stdin:
        if cluster is not None and not _is_whole(cluster):
            cluster.close()
            cluster = None
        cluster = cluster or LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
    if cluster is not None:
        cluster.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
