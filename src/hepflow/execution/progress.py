"""How an executor tells that it gets on; the console is drawn elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Progress(Protocol):
    """Something that counts finished items."""

    def advance(self, n: int) -> None:
        """Count `n` more finished items."""
        ...


class _Silent:
    def advance(self, n: int) -> None:
        """Show nothing."""


@contextlib.contextmanager
def no_progress(label: str, total: int) -> Iterator[Progress]:  # noqa: ARG001 - the protocol
    """Show nothing."""
    yield _Silent()


ProgressFactory = Callable[[str, int], AbstractContextManager[Progress]]
