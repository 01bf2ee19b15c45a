"""CPU time and memory of one piece of work in this process."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path

from benchmarks.variations.records import Found


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended [s]."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


def peak_memory() -> float:
    """Largest resident memory of this process so far [GiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measured(work: Callable[[], Found], warm_up: Callable[[], object], output: Path) -> None:
    """Warm up, do the work, and write what it took and found.

    Parameters
    ----------
    work
        What is measured.
    warm_up
        Comes before, so that imports and compilation do not count.
    output
        Folder for ``figures.json`` and ``histograms.json``.
    """
    warm_up()
    before = peak_memory()
    start = cpu_seconds()
    found = work()
    spent = cpu_seconds() - start
    output.mkdir(parents=True, exist_ok=True)
    figures = {"cpu": spent, "memory": peak_memory(), "memory_before": before}
    (output / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    found.write(output / "histograms.json")
