"""What runs on a worker. Imported there, so it imports little."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hepflow.execution.outcome import Failure

# One thread a process: the processes together use the cores already.
SINGLE_THREADED = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
)

_KEPT = 8  # functions that a worker keeps
_functions: OrderedDict[str, Callable[[Any], Any]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Payload:
    """A function with its specification, serialised once."""

    digest: str
    content: bytes

    def load(self) -> Callable[[Any], Any]:
        """Return the function; the same one for every task with this digest."""
        function = _functions.get(self.digest)
        if function is None:
            function = pickle.loads(self.content)  # noqa: S301 - made by the client's own process
            _functions[self.digest] = function
            while len(_functions) > _KEPT:
                _functions.popitem(last=False)
        return function


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker sends back: the pickled value or the failure."""

    content: bytes | None
    failure: Failure | None
    seconds: float  # CPU time [s]


def _clock() -> Callable[[], float]:
    # A pool's worker has one task at a time, in its main thread: count the helper threads of
    # libraries too. A cluster's worker runs tasks in threads side by side.
    is_main = threading.current_thread() is threading.main_thread()
    return time.process_time if is_main else time.thread_time


def attempt(call: Callable[[], Any]) -> tuple[Any, Failure | None, float]:
    """Call a task; an exception of the task becomes a `Failure`.

    Returns
    -------
    tuple of value, failure or None, CPU time [s]
    """
    clock = _clock()
    start = clock()
    try:
        value = call()
    # The boundary between a task and the others: whatever a user's function raises concerns
    # its item alone and is reported in full.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return None, Failure.of(error), clock() - start
    return value, None, clock() - start


def run_task(payload: Payload, item: bytes) -> Report:
    """Run the function on one pickled item; the value comes back pickled."""

    def call() -> bytes:
        import cloudpickle

        value = payload.load()(pickle.loads(item))  # noqa: S301 - made by the client
        content: bytes = cloudpickle.dumps(value)
        return content

    content, failure, seconds = attempt(call)
    return Report(content, failure, seconds)


def _end_with(parent: int, poll: float) -> None:
    while os.getppid() == parent:
        time.sleep(poll)
    os._exit(1)


def collect_less_often() -> None:
    """Let Python look for cycles of garbage a hundred times less often.

    With the many objects of the libraries that are imported here, each look takes long: a tenth
    of the time of drawing a figure or writing histograms.
    """
    gc.set_threshold(100_000, 50, 100)


def start_worker(parent: int, poll: float = 1.0) -> None:
    """Prepare a process of the pool.

    Ctrl-C is the client's to handle: it ends the workers. A client that was killed can't, so
    the worker ends itself as soon as its parent is another process.

    Parameters
    ----------
    parent : int
        Process id of the client.
    poll : float
        Time between two looks at the parent [s].
    """
    collect_less_often()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while it started
    threading.Thread(target=_end_with, args=(parent, poll), daemon=True).start()
