"""Hostile input gets little memory and little time: an explosion fails a test, not a machine."""

from __future__ import annotations

import contextlib
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

GIB = 1 << 30  # [byte]
SECONDS = 20


def _limit(more: int, highest: int) -> int:
    """Size that this process may reach [byte]; without /proc its size is not known."""
    sizes = Path("/proc/self/statm")
    if not sizes.exists():
        return highest
    pages = int(sizes.read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize() + more


@contextlib.contextmanager
def confined(more: int = GIB, seconds: int = SECONDS) -> Iterator[None]:
    """Let the block take at most `more` memory [byte] than there is, and `seconds` of time."""

    def too_long(*_: object) -> None:
        raise AssertionError(f"not done after {seconds} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, too_long)
    started = time.monotonic()
    resource.setrlimit(resource.RLIMIT_AS, (_limit(more, before[1]), before[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)
    assert time.monotonic() - started < seconds
