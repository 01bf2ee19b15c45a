"""Run the items one after the other in this process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from hepflow.execution.outcome import Outcome
from hepflow.execution.progress import ProgressFactory, no_progress
from hepflow.execution.worker import attempt


class InProcessExecutor:
    """A plain loop: for small work, debuggers and tests.

    Parameters
    ----------
    progress : callable, optional
        ``progress(label, total)`` gives a context manager with ``advance(n)``.
    """

    workers = 1

    def __init__(self, *, progress: ProgressFactory | None = None) -> None:
        self.progress = progress or no_progress

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        label: str,
        ahead: bool = False,  # noqa: ARG002 - a permission, of which no use is made
        probe: bool = False,
    ) -> Iterator[Outcome]:
        """Yield the outcome of each item, in order."""
        everything = list(items)
        display = no_progress if probe else self.progress
        with display(label, len(everything)) as bar:
            for index, item in enumerate(everything):
                value, failure, seconds = attempt(functools.partial(function, item))
                bar.advance(1)
                yield Outcome(index, item, value, failure, seconds)

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        """Return the executor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing to close."""
