"""Dask on a local pool of processes.

Dask's own process scheduler and its local cluster start workers by importing the main module
again, which fails for scripts without a main guard and for standard input. A loky pool does
not need the main module, and Dask runs on it.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self

from hepflow.errors import ConfigurationError, ExecutionError, Problem
from hepflow.execution.outcome import Failure, Outcome
from hepflow.execution.progress import ProgressFactory, no_progress
from hepflow.execution.receiving import to_outcome
from hepflow.execution.sending import make_payload, pickle_items
from hepflow.execution.worker import SINGLE_THREADED, Payload, Report, run_task, start_worker

_log = logging.getLogger(__name__)
_IDLE = 60.0  # [s] after which an unused worker ends; starting one costs much less
_HOPELESS = 3  # items lost one after the other without any success: the machine, not the item


_LAST = 999_999_999


def _key(index: int) -> str:
    # Dask starts independent tasks from the last key; the first item is to start first.
    return f"{_LAST - index:09d}"


def _index(key: str) -> int:
    return _LAST - int(key)


class _Stopped(Exception):
    """The consumer wants no more results."""


class _Stream:
    """One run of Dask's scheduler in a thread, its results handed over as they come.

    Only `depth` results wait to be taken; then the scheduler waits as well. 0 sets no bound.
    """

    def __init__(self, pool: Any, payload: Payload, items: Mapping[int, bytes], depth: int) -> None:
        self.pool = pool
        self.graph = {_key(i): (run_task, payload, item) for i, item in items.items()}
        self.results: queue.Queue[tuple[int, Report] | BaseException | None]
        self.results = queue.Queue(maxsize=depth)
        self.running: set[int] = set()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="hepflow-dask", daemon=True)

    def _put(self, entry: tuple[int, Report] | BaseException | None) -> None:
        while not self.stopped.is_set():
            try:
                return self.results.put(entry, timeout=0.1)
            except queue.Full:
                continue
        raise _Stopped

    def _started(self, key: str, _graph: Any, _state: Any) -> None:
        self.running.add(_index(key))

    def _finished(self, key: str, report: Report, _graph: Any, state: Any, _id: Any) -> None:
        # Dask keeps all results until the end; the consumer has this one, so let go of it.
        state["cache"][key] = None
        self.running.discard(_index(key))
        self._put((_index(key), report))

    def _run(self) -> None:
        from dask.multiprocessing import get

        # Workers are started from this thread and inherit what it blocks: Ctrl-C does not
        # reach them while they import, before `start_worker` has them ignore it. Starting the
        # tracker, which they need, would unblock it again.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        callbacks = [(None, None, self._started, self._finished, None)]
        end: BaseException | None = None
        try:
            get(
                self.graph,
                list(self.graph),
                pool=self.pool,
                optimize_graph=False,
                chunksize=1,
                callbacks=callbacks,
            )
        except _Stopped:
            return
        # Whatever ended the scheduler is raised again in the consumer's thread.
        except BaseException as error:  # noqa: BLE001
            end = error
        try:
            self._put(end)
        except _Stopped:
            return

    def start(self) -> None:
        """Start the work, unless it has been started."""
        if self.thread.ident is None:
            self.thread.start()

    def __iter__(self) -> Iterator[tuple[int, Report]]:
        self.start()
        while True:
            entry = self.results.get()
            if entry is None:
                return
            if isinstance(entry, BaseException):
                raise entry
            yield entry


class _Run:
    """The items of one `map` that are still to be done, and who is suspected of what."""

    def __init__(self, pending: dict[int, bytes], max_retries: int) -> None:
        self.pending = pending
        self.max_retries = max_retries
        self.deaths: Counter[int] = Counter()
        self.suspects: list[int] = []
        self.lost_in_a_row = 0

    def next_batch(self) -> dict[int, bytes]:
        """One suspect alone, so that it takes nobody with it; else all the rest."""
        if self.suspects:
            return {self.suspects[0]: self.pending[self.suspects[0]]}
        return dict(self.pending)

    def done(self, index: int) -> None:
        self.pending.pop(index)
        self.lost_in_a_row = 0
        if index in self.suspects:
            self.suspects.remove(index)

    def _give_up(self, index: int, why: str) -> tuple[int, Failure]:
        self.pending.pop(index)
        if index in self.suspects:
            self.suspects.remove(index)
        return index, Failure.worker_lost(why)

    def worker_died(self, running: set[int], *, alone: bool) -> list[tuple[int, Failure]]:
        """Note who was running; return who is given up."""
        self.deaths.update(running)
        self.suspects += sorted(running - set(self.suspects))
        lost = []
        for index in sorted(running) if alone else ():
            if self.deaths[index] > self.max_retries:
                self.lost_in_a_row += 1
                why = (
                    f"the worker process died {self.deaths[index]} times with this item "
                    "(killed, out of memory, or a crash in compiled code). "
                    "Try fewer workers or smaller chunks."
                )
                lost.append(self._give_up(index, why))
        if self.lost_in_a_row >= _HOPELESS:
            why = "not tried: worker processes keep dying on this machine whatever the item."
            lost += [self._give_up(index, why) for index in sorted(self.pending)]
        return lost


@dataclass(frozen=True)
class _Job:
    """What one `map` does, ready to be sent."""

    items: list[Any]
    payload: Payload
    run: _Run
    unsendable: dict[int, Failure]

    @classmethod
    def of(cls, function: Callable[[Any], Any], items: Iterable[Any], max_retries: int) -> Self:
        everything = list(items)
        payload = make_payload(function)
        pending, unsendable = pickle_items(everything)
        return cls(everything, payload, _Run(pending, max_retries), unsendable)


class PoolExecutor:
    """Dask tasks on a loky pool; works from a notebook, a script and standard input.

    The pool belongs to the thread and is shared by all executors of the same size, so that
    stages reuse its processes.

    Parameters
    ----------
    workers : int, optional
        Number of processes. Default: the cores that this process may use.
    max_retries : int, default 2
        How often an item whose worker died is tried again, alone.
    progress : callable, optional
        ``progress(label, total)`` gives a context manager with ``advance(n)``.

    Raises
    ------
    ConfigurationError
        Less than one worker.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        max_retries: int = 2,
        progress: ProgressFactory | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise ConfigurationError([Problem("execution.workers", f"{workers} is below 1.")])
        self._workers = workers
        self.max_retries = max_retries
        self.progress = progress or no_progress
        self._streams: set[_Stream] = set()  # that run
        self._pool: Any = None

    @property
    def workers(self) -> int:
        """Number of processes."""
        if self._workers is None:
            import loky

            self._workers = int(loky.cpu_count())
        return self._workers

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        label: str,
        ahead: bool = False,
        probe: bool = False,
    ) -> Iterator[Outcome]:
        """Yield the outcome of each item as it completes; see `Executor.map`."""
        if not ahead:
            return self._lazily(function, items, label, probe=probe)
        job = _Job.of(function, items, self.max_retries)
        # All results wait to be taken: whoever starts ahead comes for them much later.
        stream = self._stream(job.payload, job.run.next_batch(), depth=0)
        if job.run.pending:
            stream.start()
        return self._outcomes(job, label, stream, self.progress)

    def _lazily(
        self, function: Callable[[Any], Any], items: Iterable[Any], label: str, *, probe: bool
    ) -> Iterator[Outcome]:
        job = _Job.of(function, items, 0 if probe else self.max_retries)
        yield from self._outcomes(job, label, None, no_progress if probe else self.progress)

    def _outcomes(
        self, job: _Job, label: str, started: _Stream | None, progress: ProgressFactory
    ) -> Iterator[Outcome]:
        everything = job.items
        completed = False
        try:
            with progress(label, len(everything)) as bar:
                for index, failure in job.unsendable.items():
                    bar.advance(1)
                    yield Outcome(index, everything[index], error=failure)
                for index, result in self._run(job.payload, job.run, started):
                    bar.advance(1)
                    yield to_outcome(index, everything[index], result)
            completed = True
        finally:
            # Ctrl-C, an error or a consumer that has enough: don't let the workers go on.
            if not completed:
                self.terminate()

    def _run(
        self, payload: Payload, run: _Run, started: _Stream | None
    ) -> Iterator[tuple[int, Report | Failure]]:
        while run.pending:
            stream = started or self._stream(payload, run.next_batch(), depth=2 * self.workers)
            started = None
            try:
                for index, report in stream:
                    run.done(index)
                    yield index, report
            except BrokenProcessPool:
                running = stream.running & set(run.pending)
                _log.warning(
                    "a worker process died (killed, or out of memory); what it held is tried again"
                )
                yield from run.worker_died(running, alone=len(running) == 1)
            finally:
                stream.stopped.set()
                self._streams.discard(stream)

    def _stream(self, payload: Payload, items: Mapping[int, bytes], depth: int) -> _Stream:
        stream = _Stream(self._get_pool(), payload, items, depth)
        self._streams.add(stream)
        return stream

    def _get_pool(self) -> Any:
        import loky

        try:
            self._pool = loky.get_reusable_executor(
                max_workers=self.workers,
                timeout=_IDLE,
                initializer=start_worker,
                initargs=(os.getpid(),),
                env=SINGLE_THREADED,
            )
        except OSError as error:
            raise ExecutionError(
                f"cannot start {self.workers} worker processes: {error}. "
                "Lower execution.workers or set execution.backend to 'inprocess'."
            ) from error
        return self._pool

    def _shutdown(self, *, kill: bool) -> None:
        for stream in self._streams:
            stream.stopped.set()
        self._streams.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=kill)
            self._pool = None

    def terminate(self) -> None:
        """End the workers at once, whatever they do."""
        self._shutdown(kill=True)

    def close(self) -> None:
        """Let the workers finish and end; a later `map` starts new ones."""
        self._shutdown(kill=False)

    def __enter__(self) -> Self:
        """Return the executor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, or end the workers at once after an error."""
        self._shutdown(kill=kind is not None)
