"""Try again, after a pause, what failed for a reason that may pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hepflow.execution.outcome import Outcome

if TYPE_CHECKING:
    from hepflow.execution.executor import Executor

_log = logging.getLogger(__name__)
_LONGEST = 60.0  # [s] of a pause


class RetryingExecutor:
    """An executor whose items are tried again where a network or a file system was in the way.

    The tries come after all other items are done, so that the pause costs nothing where there is
    other work. A failure that would repeat itself (a function that raises, a corrupted file) is
    not tried again.

    Parameters
    ----------
    inner : Executor
        What runs the items.
    max_retries : int
        Further tries of an item.
    retry_wait : float
        Pause before the first of them [s]; each one after it is twice as long.
    """

    def __init__(self, inner: Executor, max_retries: int, retry_wait: float) -> None:
        self.inner = inner
        self.max_retries = max_retries
        self.retry_wait = retry_wait

    @property
    def workers(self) -> int:
        """How many items are worked on at a time."""
        return self.inner.workers

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
        everything = list(items)
        first = self.inner.map(function, everything, label=label, ahead=ahead, probe=probe)
        return first if probe else self._tried(first, function, label)

    def _tried(
        self, outcomes: Iterator[Outcome], function: Callable[[Any], Any], label: str
    ) -> Iterator[Outcome]:
        for number in range(self.max_retries):
            again: list[Outcome] = []
            for outcome in outcomes:
                if outcome.error is not None and outcome.error.transient:
                    again.append(outcome)
                else:
                    yield outcome
            if not again:
                return
            outcomes = self._once_more(again, function, label, number)
        yield from outcomes

    def _once_more(
        self, failed: list[Outcome], function: Callable[[Any], Any], label: str, number: int
    ) -> Iterator[Outcome]:
        wait = min(self.retry_wait * 2**number, _LONGEST)
        _log.warning(
            "%s: %d failed in a way that may pass (%s); they are tried again in %g s (%d of %d)",
            label,
            len(failed),
            failed[0].error,
            wait,
            number + 1,
            self.max_retries,
        )
        time.sleep(wait)
        for outcome in self.inner.map(function, [one.item for one in failed], label=label):
            yield replace(outcome, index=failed[outcome.index].index)

    def close(self) -> None:
        """End the workers that are idle; `map` may be called again and starts new ones."""
        self.inner.close()

    def __enter__(self) -> Self:
        """Return the executor."""
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, or end the workers at once after an error."""
        self.inner.__exit__(kind, error, traceback)
