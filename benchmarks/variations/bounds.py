"""What is asked for, against what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.variations.cases import FEW, MANY, OPENING, REFERENCE, Case, kind_of
from benchmarks.variations.sample import EVENTS, SampleFile

_GIB = 2.0  # of a worker
_SAME = 1.1  # largest ratio of memory that counts as independent


@dataclass(frozen=True)
class Bound:
    """One line: a measured number must not be above, or not below, another."""

    text: str
    asked: float
    measured: float | None  # None where it was not measured
    at_least: bool

    @property
    def reached(self) -> bool | None:
        """Whether it holds; None where it was not measured."""
        if self.measured is None:
            return None
        if self.at_least:
            return self.measured >= self.asked
        return self.measured <= self.asked


class Figures:
    """Medians by case, and ratios of them; None where a part is missing."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.medians: Mapping[str, Any] = results["medians"]
        self.best: Mapping[str, int] = results["best_chunk"]
        self.events: int = results["events"]

    def file(self, codec: str = "zlib", branches: int = MANY, events: int | None = None) -> Any:
        """File of the sample."""
        return SampleFile(codec, branches, events or self.events)

    def get(self, case: Case, *path: str) -> float | None:
        """One figure of a case."""
        found = self.medians.get(case.name)
        for step in path:
            found = None if found is None else found.get(step)
        return found

    def cpu(self, peer: str, file: Any, *, variations: bool, **more: Any) -> float | None:
        """CPU time [s] of a case."""
        return self.get(Case(peer, file, variations, **more), "cpu")

    def coffea(self, file: Any, *, variations: bool, chunk: int | None = None) -> float | None:
        """CPU time [s] of coffea, default with its best chunks."""
        best = self.best.get(kind_of(Case("coffea", file, variations)))
        size = chunk or best
        return self.cpu("coffea", file, variations=variations, chunk=size) if size else None


def ratio(over: float | None, under: float | None) -> float | None:
    """One over the other; None where one is missing."""
    return None if over is None or not under else over / under


def bounds(results: Mapping[str, Any]) -> tuple[Bound, ...]:
    """All lines."""
    figures = Figures(results)
    return (
        *_added(figures),
        *_against_coffea(figures),
        *_against_root(figures),
        *_reading(figures),
        *_memory(figures),
    )


def _added(figures: Figures) -> list[Bound]:
    found = []
    for branches in (FEW, MANY):
        file = figures.file(branches=branches)
        base = figures.cpu("hepflow", file, variations=False)
        varied = figures.cpu("hepflow", file, variations=True)
        standard = figures.get(Case("reading", file), "decompression", "standard library")
        added = None if base is None or varied is None else varied - base
        text = (
            f"101 variations add to nominal, over the decompression by standard zlib "
            f"({branches} branches)"
        )
        found.append(Bound(text, 1.2, ratio(added, standard), at_least=False))
    return found


def _against_coffea(figures: Figures) -> list[Bound]:
    found = []
    for branches in (MANY, FEW):
        file = figures.file(branches=branches)
        varied, nominal = (figures.cpu("hepflow", file, variations=v) for v in (True, False))
        reference = figures.coffea(file, variations=True, chunk=REFERENCE)
        best, simple = (figures.coffea(file, variations=v) for v in (True, False))
        lines = (
            ("chunks of 128 000) over hepflow, 101 variations", 12.0, ratio(reference, varied)),
            ("best chunks) over hepflow, 101 variations", 6.0, ratio(best, varied)),
            ("best chunks) over hepflow, nominal", 2.0, ratio(simple, nominal)),
        )
        found += [
            Bound(f"coffea ({text} ({branches} branches)", asked, value, at_least=True)
            for text, asked, value in lines
        ]
    return [*found, *_from_skim(figures)]


def _from_skim(figures: Figures) -> list[Bound]:
    many, found = figures.file(), []
    reference = figures.coffea(many, variations=True, chunk=REFERENCE)
    for name, asked, code in (("ordinary", 20.0, "awkward"), ("numba", 100.0, "numba")):
        spent = figures.cpu("hepflow-skim", many, variations=True, code=code)
        text = f"coffea (chunks of 128 000) over hepflow from the skim, 101 variations, {name} code"
        found.append(Bound(text, asked, ratio(reference, spent), at_least=True))
    return found


def _against_root(figures: Figures) -> list[Bound]:
    found = []
    for branches in (MANY, FEW):
        file = figures.file(branches=branches)
        varied = [figures.cpu(p, file, variations=True) for p in ("root", "hepflow")]
        text = f"RDataFrame over hepflow, 101 variations, zlib ({branches} branches)"
        found.append(Bound(text, 2.3, ratio(*varied), at_least=True))
        for codec, asked in (("zlib", 1.0), ("zstd", 1.5), ("lzma", 1.4)):
            file = figures.file(codec, branches)
            nominal = [figures.cpu(p, file, variations=False) for p in ("hepflow", "root")]
            text = f"hepflow over RDataFrame, nominal, {codec} ({branches} branches)"
            found.append(Bound(text, asked, ratio(*nominal), at_least=False))
    return found


def _reading(figures: Figures) -> list[Bound]:
    case = Case("reading", figures.file())
    fast = figures.get(case, "decompression", "libdeflate")
    text = "reading over the decompression by libdeflate"
    return [Bound(text, 2.0, ratio(figures.get(case, "reading"), fast), at_least=False)]


def _memory(figures: Figures) -> list[Bound]:
    large = figures.file(events=max(1, figures.events * OPENING[1] // EVENTS))
    most = figures.get(Case("hepflow", large, variations=True), "memory")
    usual = figures.get(Case("hepflow", figures.file(), variations=True), "memory")
    share = ratio(most, usual)
    return [
        Bound("memory of a worker [GiB], 101 variations", _GIB, most or usual, at_least=False),
        Bound("memory for twice the events over that for once", _SAME, share, at_least=False),
    ]
