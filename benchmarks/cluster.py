"""A Dask cluster of this machine, as somebody else runs it: ``python -m benchmarks.cluster N``.

Writes the address of its scheduler and goes on until its standard input is closed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = "HEPFLOW_BENCHMARK_CLUSTER"  # variable of all its processes: id of who started it
_PATIENCE = 15.0  # [s] for workers to come back by themselves


@contextmanager
def cluster_beside(workers: int = 2) -> Iterator[str]:
    """Run a cluster in processes of its own; the address of its scheduler."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cluster", str(workers)],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, MARK: str(os.getpid())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process.stdout.readline().strip() if process.stdout else ""
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # nobody needs it any more: no goodbyes
        process.communicate(timeout=60)


def main(workers: int) -> int:
    """Run the cluster."""
    import distributed

    make_cluster: Any = distributed.LocalCluster  # partly typed
    with make_cluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
        _keep_up(cluster, workers)
    return 0


def _keep_up(cluster: Any, workers: int) -> None:
    """Replace workers that do not come back, until standard input is closed.

    A worker that is killed while it starts is not started again by its nanny.
    """
    since = time.monotonic()
    while not select.select([sys.stdin], [], [], 1.0)[0]:  # it is closed
        if len(cluster.scheduler.workers) >= workers:
            since = time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            cluster.scale(0)
            time.sleep(1.0)
            cluster.scale(workers)
            since = time.monotonic()


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
