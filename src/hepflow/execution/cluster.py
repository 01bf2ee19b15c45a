"""Run the items on an existing Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from hepflow.errors import ConfigurationError, ExecutionError, Problem
from hepflow.execution.attendance import watched
from hepflow.execution.outcome import Failure, Outcome
from hepflow.execution.progress import ProgressFactory, no_progress
from hepflow.execution.receiving import to_outcome
from hepflow.execution.sending import make_payload, pickle_items
from hepflow.execution.worker import Payload, Report, run_task

_AHEAD = 2  # tasks on the cluster per thread: enough to keep it busy, few enough to hold


class ClusterExecutor:
    """Tasks on the workers of a Dask scheduler, which need hepflow but no user code.

    A worker that dies is replaced by the cluster and its task repeated there (setting
    ``distributed.scheduler.allowed-failures``); an item that used these up is tried once more
    alone.

    Parameters
    ----------
    scheduler : str
        Address such as ``tcp://host:8786``.
    progress : callable, optional
        ``progress(label, total)`` gives a context manager with ``advance(n)``.
    timeout : float, default 30
        How long to wait for the scheduler [s].

    Raises
    ------
    ConfigurationError
        No address.
    """

    def __init__(
        self,
        scheduler: str | None,
        *,
        progress: ProgressFactory | None = None,
        timeout: float = 30.0,
    ) -> None:
        if not scheduler:
            problem = Problem(
                "execution.scheduler",
                "the backend 'dask' needs the address of a running scheduler.",
                "Give one such as tcp://host:8786, or use the backend 'loky'.",
            )
            raise ConfigurationError([problem])
        self.scheduler = scheduler
        self.timeout = timeout
        self.progress = progress or no_progress
        self._client: Any = None

    def _connect(self) -> Any:
        import distributed

        make_client: Any = distributed.Client  # partly typed
        if self._client is None:
            try:
                self._client = make_client(
                    self.scheduler, timeout=self.timeout, set_as_default=False
                )
            except (OSError, ValueError) as error:
                raise ExecutionError(
                    f"no Dask scheduler answers at {self.scheduler}: {error}. "
                    "Check execution.scheduler and that the cluster runs."
                ) from error
        return self._client

    @property
    def workers(self) -> int:
        """Number of threads of the cluster, at least 1."""
        return max(1, int(sum(self._connect().nthreads().values())))

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        label: str,
        ahead: bool = False,  # noqa: ARG002 - a permission, of which no use is made
        probe: bool = False,
    ) -> Iterator[Outcome]:
        """Yield the outcome of each item as it completes; see `Executor.map`."""
        everything = list(items)
        payload = make_payload(function)
        pending, unsendable = pickle_items(everything)
        display = no_progress if probe else self.progress
        with display(label, len(everything)) as bar:
            for index, failure in unsendable.items():
                bar.advance(1)
                yield Outcome(index, everything[index], error=failure)
            with watched(self._count, self.scheduler):
                for index, result in self._run(payload, pending):
                    bar.advance(1)
                    yield to_outcome(index, everything[index], result)

    def _count(self) -> int:
        return len(self._connect().nthreads())

    def _run(
        self, payload: Payload, items: Mapping[int, bytes]
    ) -> Iterator[tuple[int, Report | Failure]]:
        lost = []
        for index, result in self._window(payload, items, _AHEAD * self.workers):
            if isinstance(result, Failure) and result.type_name == "WorkerLost":
                lost.append(index)
            else:
                yield index, result
        # Whoever shared a worker with a culprit is suspected too: alone, only the culprit fails.
        yield from self._window(payload, {index: items[index] for index in lost}, 1)

    def _window(
        self, payload: Payload, items: Mapping[int, bytes], width: int
    ) -> Iterator[tuple[int, Report | Failure]]:
        import distributed

        client = self._connect()
        waiting = iter(items.items())
        indices: dict[Any, int] = {}
        as_completed: Any = distributed.as_completed  # partly typed
        done = as_completed(loop=client.loop)

        def submit() -> None:
            for index, item in waiting:
                future = client.submit(run_task, payload, item, pure=False)
                indices[future] = index
                done.add(future)
                return

        try:
            for _ in range(width):
                submit()
            for future in done:
                result = _result(future)
                index = indices.pop(future)
                submit()
                yield index, result
        finally:
            if self._client is client:  # else the cluster was left, which forgets what was asked
                client.cancel(list(indices))

    def close(self) -> None:
        """Leave the cluster; it goes on running."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        """Return the executor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the cluster; what was running for us has been cancelled."""
        self.close()


def _result(future: Any) -> Report | Failure:
    from distributed import KilledWorker

    if future.status == "finished":
        report: Report = future.result()
        return report
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        return Failure.worker_lost(f"the cluster's workers died with this item: {error}")
    if error is None:
        return Failure.worker_lost(f"the cluster dropped the task (it is {future.status})")
    return Failure.of(error)
