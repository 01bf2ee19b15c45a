"""What differs between two runs: configuration, histograms, fit, limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.cli.differences import Row, Section, absent_section, missing, number
from hepflow.logging.config_tree import ABSENT, Node, compare
from hepflow.records import FitResult, HistogramSet, LimitResult, Significance

Floats = NDArray[np.float64]
NUMBERS: Final = ("yields", "templates", "fit", "limits", "significance")  # sections
_INDEX: Final = re.compile(r"\[\d+\] (.+)")
_TINY: Final = 1e-12  # of the sum of a template: what rounding leaves in an empty bin


@dataclass(frozen=True)
class RunContents:
    """What a run left that is compared; None where it left none of the kind."""

    config: Mapping[str, Any] | None = None
    histograms: HistogramSet | None = None
    fit: FitResult | None = None
    limit: LimitResult | None = None
    significance: Significance | None = None


@dataclass(frozen=True)
class Tolerances:
    """Relative differences that count as equal, by section."""

    default: float = 1e-6
    own: Mapping[str, float] = field(default_factory=dict)

    def of(self, section: str) -> float:
        """Tolerance of one section."""
        return self.own.get(section, self.default)


def compare_runs(
    first: RunContents,
    second: RunContents,
    tolerances: Tolerances,
    ignore: Sequence[str] = (),
) -> tuple[Section, ...]:
    """Compare two runs.

    Parameters
    ----------
    first, second : RunContents
    tolerances : Tolerances
    ignore : sequence of str
        Patterns of paths in the configuration that may differ.

    Returns
    -------
    tuple of Section
        Configuration, yields, templates, fit, limits and significance.
    """
    numbers = {name: tolerances.of(name) for name in NUMBERS}
    return (
        _configuration(first.config, second.config, ignore),
        _yields(first.histograms, second.histograms, numbers["yields"]),
        _templates(first.histograms, second.histograms, numbers["templates"]),
        _fit(first.fit, second.fit, numbers["fit"]),
        _limits(first.limit, second.limit, numbers["limits"]),
        _significance(first.significance, second.significance, numbers["significance"]),
    )


# -- configuration ----------------------------------------------------------------------------


def _configuration(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None, ignore: Sequence[str]
) -> Section:
    columns = ("value",)
    if first is None or second is None:
        return absent_section("configuration", columns, first, second, None)
    tree = compare("", dict(second), dict(first))
    rows = tuple(
        _setting(path, leaf)
        for path, leaf in _leaves(tree, "")
        if not any(fnmatchcase(path, pattern) for pattern in ignore)
    )
    return Section("configuration", columns, rows)


def _leaves(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    named = _INDEX.fullmatch(node.label)
    if named:
        path = f"{path}[{named[1]}]"
    elif node.label:
        joint = "." if path and not node.label.startswith("[") else ""
        path = f"{path}{joint}{node.label}"
    if not node.children:
        yield path, node
    for child in node.children:
        yield from _leaves(child, path)


def _setting(path: str, leaf: Node) -> Row:
    from hepflow.logging.values import value_text

    if ABSENT in (leaf.value, leaf.before):
        there = leaf.before if leaf.value is ABSENT else leaf.value
        return missing((path,), int(leaf.value is ABSENT), value_text(there, leaf.key))
    first, second = (value_text(one, leaf.key) for one in (leaf.before, leaf.value))
    return Row((path,), first, second, leaf.differs)


# -- histograms -------------------------------------------------------------------------------


def _yields(first: HistogramSet | None, second: HistogramSet | None, tolerance: float) -> Section:
    columns = ("region", "process")
    if first is None or second is None:
        return absent_section("yields", columns, first, second, tolerance)
    sums = [_sums(one) for one in (first, second)]
    rows = tuple(
        number(place, sums[0].get(place), sums[1].get(place), tolerance) for place in _union(*sums)
    )
    return Section("yields", columns, rows, tolerance)


def _sums(histograms: HistogramSet) -> dict[tuple[str, ...], float]:
    """Events by region and process, under- and overflow included."""
    found: dict[tuple[str, ...], float] = {}
    for (channel, _, process), block in histograms.blocks.items():
        found.setdefault((channel, process), float(block.template().sumw.sum()))
    return found


def _union(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys((*one, *other)))


def _templates(
    first: HistogramSet | None, second: HistogramSet | None, tolerance: float
) -> Section:
    columns = ("region", "observable", "process", "variation", "bin")
    if first is None or second is None:
        return absent_section("templates", columns, first, second, tolerance)
    rows: list[Row] = []
    for place in _union(first.axes, second.axes):
        absent = [place not in one.axes for one in (first, second)]
        if any(absent):
            rows.append(missing((*place, "", "", ""), absent.index(True)))
        elif first.axes[place].edges != second.axes[place].edges:
            one, other = (_text(it.axes[place].edges) for it in (first, second))
            rows.append(Row((*place, "", "", "edges"), one, other, different=True))
        else:
            rows += _blocks(place, first, second, tolerance)
    return Section("templates", columns, tuple(rows), tolerance)


def _text(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _blocks(
    place: tuple[str, str], first: HistogramSet, second: HistogramSet, tolerance: float
) -> Iterator[Row]:
    processes = [one.processes(*place) for one in (first, second)]
    for process in _union(*processes):
        absent = [process not in one for one in processes]
        if any(absent):
            yield missing((*place, process, "", ""), absent.index(True))
            continue
        blocks = [one.blocks[(*place, process)] for one in (first, second)]
        for variation in _union(blocks[0].variations, blocks[1].variations):
            where = (*place, process, variation)
            absent = [variation not in block.variations for block in blocks]
            if any(absent):
                yield missing((*where, ""), absent.index(True))
                continue
            one, other = (block.template(variation) for block in blocks)
            row = _bins(where, one.sumw, other.sumw, tolerance, "")
            squares = _bins(where, one.sumw2, other.sumw2, tolerance, " (squares)")
            yield squares if squares.different and not row.different else row


def _bins(where: tuple[str, ...], one: Floats, other: Floats, tolerance: float, kind: str) -> Row:
    """The bin that differs most, of sums of weights with under- and overflow."""
    scale = np.maximum(np.abs(one), np.abs(other))
    floor = _TINY * float(np.nansum(np.where(np.isfinite(scale), scale, 0.0)))
    rows = [
        number((*where, f"{_bin(at, len(one))}{kind}"), a, b, tolerance, floor)
        for at, (a, b) in enumerate(zip(one, other, strict=True))
    ]
    differing = [row for row in rows if row.different]
    worst = max(
        differing or rows, key=lambda row: math.inf if row.relative is None else row.relative
    )
    note = f"{len(differing)} of {len(rows)} bins" if differing else ""
    return Row(worst.where, worst.first, worst.second, worst.different, worst.relative, note)


def _bin(at: int, n_flow: int) -> str:
    return {0: "underflow", n_flow - 1: "overflow"}.get(at, str(at - 1))


# -- fit, limits, significance ----------------------------------------------------------------


def _fit(first: FitResult | None, second: FitResult | None, tolerance: float) -> Section:
    columns = ("parameter", "what")
    if first is None or second is None:
        return absent_section("fit", columns, first, second, tolerance)
    fits = (first, second)
    rows = [
        Row(("all", "POI"), first.poi, second.poi, first.poi != second.poi),
        Row(
            ("all", "converged"),
            first.converged,
            second.converged,
            first.converged != second.converged,
        ),
        number(("all", "-2 ln L"), first.twice_nll, second.twice_nll, tolerance, 1.0),
        number(
            ("all", "goodness of fit"), first.goodness_of_fit, second.goodness_of_fit, tolerance
        ),
    ]
    for label in _union(first.labels, second.labels):
        absent = [label not in one.labels for one in fits]
        if any(absent):
            rows.append(missing((label, ""), absent.index(True)))
            continue
        (value, width), (other, other_width) = (one.value(label) for one in fits)
        floor = max(width, other_width)  # a pull of 1e-15 is none
        rows += [
            number((label, "best fit"), value, other, tolerance, floor),
            number((label, "uncertainty"), width, other_width, tolerance),
        ]
    return Section("fit", columns, tuple(rows), tolerance)


def _limits(first: LimitResult | None, second: LimitResult | None, tolerance: float) -> Section:
    columns = ("what",)
    if first is None or second is None:
        return absent_section("limits", columns, first, second, tolerance)
    limits = (first, second)
    kinds = [f"{one.poi}, {one.confidence_level:g}, {one.expected_kind}" for one in limits]
    names = [f"expected {side:+d} sigma" if side else "expected" for side in range(-2, 3)]
    rows = [
        Row(("kind",), kinds[0], kinds[1], kinds[0] != kinds[1]),
        number(("observed",), first.observed, second.observed, tolerance),
        *(
            number((name,), one, other, tolerance)
            for name, one, other in zip(names, first.expected, second.expected, strict=True)
        ),
    ]
    return Section("limits", columns, tuple(rows), tolerance)


def _significance(
    first: Significance | None, second: Significance | None, tolerance: float
) -> Section:
    columns = ("what",)
    if first is None or second is None:
        return absent_section("significance", columns, first, second, tolerance)
    rows = tuple(
        number((name.replace("_", " "),), getattr(first, name), getattr(second, name), tolerance)
        for name in ("observed_z", "observed_p", "expected_z", "expected_p")
    )
    return Section("significance", columns, rows, tolerance)
