"""The one interface of all executors, and where they are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from hepflow.errors import ConfigurationError, Problem, did_you_mean
from hepflow.execution.cluster import ClusterExecutor
from hepflow.execution.inprocess import InProcessExecutor
from hepflow.execution.outcome import Outcome
from hepflow.execution.pool import PoolExecutor
from hepflow.execution.progress import ProgressFactory
from hepflow.execution.retrying import RetryingExecutor
from hepflow.logging import progress as show_progress

_RETRIES, _WAIT = 2, 1.0  # further tries of an item, and the pause before the first [s]


class Executor(Protocol):
    """Runs a function over items. Use it as a context manager: an error ends its workers."""

    @property
    def workers(self) -> int:
        """How many items are worked on at a time."""
        ...

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        label: str,
        ahead: bool = False,
        probe: bool = False,
    ) -> Iterator[Outcome]:
        """Yield one `Outcome` an item, in the order of completion.

        Work starts with the first outcome that is asked for. An exception in `function`
        becomes the outcome of its item and does not disturb the others.

        Parameters
        ----------
        function : callable
            Takes one item. Its specification travels with it (a partial, a bound method).
        items : iterable
        label : str
            What is being done, for the progress display: ``"skimming"``.
        ahead : bool, default False
            Work may start at once, beside what the caller does before it asks for outcomes.
            Small results only: all of them may wait in memory.
        probe : bool, default False
            See whether the items work: each is tried only once, without a display.
        """
        ...

    def close(self) -> None:
        """End the workers that are idle; `map` may be called again and starts new ones."""
        ...

    def __enter__(self) -> Self:
        """Return the executor."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, or end the workers at once after an error."""
        ...


def _make_inprocess(
    *,
    workers: int | None,  # noqa: ARG001 - the same arguments for every backend
    scheduler: str | None,  # noqa: ARG001
    max_retries: int,  # noqa: ARG001
    progress: ProgressFactory | None,
) -> Executor:
    return InProcessExecutor(progress=progress)


def _make_loky(
    *,
    workers: int | None,
    scheduler: str | None,  # noqa: ARG001
    max_retries: int,
    progress: ProgressFactory | None,
) -> Executor:
    return PoolExecutor(workers, max_retries=max_retries, progress=progress)


def _make_dask(
    *,
    workers: int | None,  # noqa: ARG001 - the cluster knows its size
    scheduler: str | None,
    max_retries: int,  # noqa: ARG001 - the cluster's allowed-failures
    progress: ProgressFactory | None,
) -> Executor:
    return ClusterExecutor(scheduler, progress=progress)


EXECUTORS: dict[str, Callable[..., Executor]] = {
    "inprocess": _make_inprocess,
    "loky": _make_loky,
    "dask": _make_dask,
}


def make_executor(
    backend: str = "loky",
    workers: int | None = None,
    scheduler: str | None = None,
    *,
    max_retries: int = _RETRIES,
    retry_wait: float = _WAIT,  # noqa: ARG001 - of the tries above the executor
    progress: ProgressFactory | None = None,
) -> Executor:
    """Return the executor that the configuration's section ``execution`` names.

    Parameters
    ----------
    backend : str, default "loky"
        A key of `EXECUTORS`: ``inprocess`` is a loop, ``loky`` Dask on a local pool of
        processes, ``dask`` an existing cluster.
    workers : int, optional
        Processes of the local pool. Default: the cores that this process may use.
    scheduler : str, optional
        Address of the cluster's scheduler, ``tcp://host:8786``. Needed by ``dask``.
    max_retries : int, default 2
        How often an item whose worker died is tried again.
    retry_wait : float, default 1
        Pause before what failed for a reason that may pass is tried again [s]; see
        `configured_executor`, which adds these tries.
    progress : callable, optional
        ``progress(label, total)`` gives a context manager with ``advance(n)``.

    Raises
    ------
    ConfigurationError
        An unknown backend, less than one worker, or no address for ``dask``.
    """
    if backend not in EXECUTORS:
        hint = did_you_mean(backend, EXECUTORS)
        raise ConfigurationError(
            [Problem("execution.backend", f"{backend!r} is not an executor.", hint)]
        )
    return EXECUTORS[backend](
        workers=workers, scheduler=scheduler, max_retries=max_retries, progress=progress
    )


def configured_executor(arguments: Mapping[str, Any]) -> Executor:
    """Executor of a configuration, with retries, and progress shown on the console.

    Parameters
    ----------
    arguments : mapping
        ``config.datasets.execution_args``.
    """
    inner = make_executor(**arguments, progress=show_progress)
    retries, wait = arguments.get("max_retries", _RETRIES), arguments.get("retry_wait", _WAIT)
    return RetryingExecutor(inner, retries, wait)
