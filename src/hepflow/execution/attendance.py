"""Say when a cluster has no worker: its tasks wait then, and nothing else would tell."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def watched(count: Callable[[], int], where: str, every: float = 10.0) -> Iterator[None]:
    """Warn once each time that no worker is there.

    Parameters
    ----------
    count
        Number of workers; OSError and ValueError tell nothing.
    where
        Address of the scheduler.
    every
        How often to look [s].
    """
    over = threading.Event()

    def watch() -> None:
        there = True
        while not over.wait(every):
            with contextlib.suppress(OSError, ValueError):
                before, there = there, count() > 0
                if before and not there:
                    _log.warning(
                        "the cluster at %s has no worker: waiting for one. Start workers, or "
                        "interrupt with Ctrl-C; what has finished is kept.",
                        where,
                    )

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
