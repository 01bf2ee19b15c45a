"""What was measured, beside what is asked."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, float]  # of one process, by what was measured

# What is asked of hepflow: method and figure -> least and largest value, None where free.
ASKED: Mapping[tuple[str, str], tuple[float | None, float | None]] = {
    ("sally", "error of the score, C_LL"): (None, 0.005),
    ("sally", "error of the score, C_RR"): (None, 0.07),
    ("sally", "information, smaller eigenvalue"): (0.9, 1.1),
    ("sally", "information, larger eigenvalue"): (0.9, 1.1),
    ("alice", "error of the log ratio"): (None, 0.016),
    ("alice", "mean ratio, distance from 1"): (None, 0.01),
    ("alices", "error of the log ratio"): (None, 0.0095),
    ("alices", "mean ratio, distance from 1"): (None, 0.01),
}
# Times as fast as madminer, at least.
FASTER: Mapping[str, float] = {"training, CPU [s]": 3.0, "grid, CPU [s]": 10.0}


@dataclass(frozen=True)
class Line:
    """One figure of one method, of both."""

    method: str
    figure: str
    ours: float | None  # median of the seeds
    theirs: float | None  # None where madminer was left out
    least: float | None  # asked of ours, or of the ratio where it is a time
    largest: float | None

    @property
    def ratio(self) -> float | None:
        """Theirs over ours: times as fast, or as accurate."""
        if self.theirs is None or not self.ours:
            return None
        return self.theirs / self.ours

    @property
    def reached(self) -> bool | None:
        """Whether what is asked is reached; None where nothing is asked or it was not measured."""
        judged = self.ratio if self.figure in FASTER else self.ours
        if judged is None or (self.least is None and self.largest is None):
            return None
        low = -float("inf") if self.least is None else self.least
        return low <= judged <= (float("inf") if self.largest is None else self.largest)

    @property
    def asked(self) -> str:
        """What is asked, in words."""
        if self.figure in FASTER:
            return f"{self.least:g} times as fast"
        if self.least is not None:
            return f"{self.least:g} to {self.largest:g}"
        return "" if self.largest is None else f"at most {self.largest:g}"


def medians(runs: Sequence[Figures]) -> dict[str, float]:
    """Median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def lines(results: Mapping[str, Any]) -> Iterator[Line]:
    """Compare all methods.

    Parameters
    ----------
    results
        ``hepflow`` and ``madminer``: method -> figures of each seed.
    """
    for method, runs in results["hepflow"].items():
        ours = medians(runs)
        others = results["madminer"].get(method)
        theirs = medians(others) if others else {}
        for figure, value in ours.items():
            least, largest = ASKED.get((method, figure), (FASTER.get(figure), None))
            yield Line(method, figure, value, theirs.get(figure), least, largest)
