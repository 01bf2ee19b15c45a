"""Sums of weights with and without corrections that must not change the yield of the baseline."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.members import member_weights
from hepflow.analysis.own_weights import checked_weights
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.stack import Prepared, Stack
from hepflow.histograms import Owners
from hepflow.records import NOMINAL, Dataset, Variation
from hepflow.records.kept_yield import KeptYield
from hepflow.sources import applies

if TYPE_CHECKING:
    from hepflow.analysis.event_loop import EventLoop

Floats = NDArray[np.float64]
Shifts = tuple[Variation, ...]


@dataclass(frozen=True)
class YieldRows:
    """Sums of some variations, for each part; `KeptYield` in the making."""

    names: tuple[str, ...]
    without: Floats  # shape (n_parts, n_names)
    weighted: Floats  # shape (n_parts, n_names)

    def of(self, part: int) -> KeptYield:
        """Sums of one part, once nominal is the first name."""
        return KeptYield(self.names, self.without[part], self.weighted[part])


def join_yields(parts: Sequence[YieldRows]) -> YieldRows:
    """Sums of several variations beside each other."""
    return YieldRows(
        tuple(name for one in parts for name in one.names),
        np.concatenate([one.without for one in parts], axis=1),
        np.concatenate([one.weighted for one in parts], axis=1),
    )


def without_kept(spec: AnalysisSpec, dataset: Dataset) -> AnalysisSpec | None:
    """The same without the corrections that keep the yield; None where a dataset has none."""

    def keeps(one: object) -> bool:
        return bool(getattr(one, "keep_yield", False))

    mine = [one for one in spec.corrections_of(dataset) if applies(one.applies_to, dataset)]
    if not any(keeps(one) for one in mine):
        return None
    left = {
        year: tuple(one for one in entries if not keeps(one))
        for year, entries in spec.corrections.items()
    }
    return replace(spec, corrections=left)


def yields_of(
    loop: EventLoop, prepared: Prepared, dataset: Dataset, weights: Shifts
) -> tuple[YieldRows, ...]:
    """Sums over prepared events, with and without the corrections that keep the yield.

    Parameters
    ----------
    weights
        Weight variations, that are evaluated where the first of the object variations is nominal.

    Returns
    -------
    tuple
        One element; none where no correction of the dataset keeps the yield.
    """
    spec = without_kept(loop.spec, dataset)
    if spec is None:
        return ()
    other = copy.copy(loop)
    other.spec = spec
    without = _sums(other, prepared, dataset, weights)
    weighted = _sums(loop, prepared, dataset, weights)
    names = tuple(weighted)
    rows = YieldRows(
        names,
        np.stack([without[name] for name in names], axis=1),
        np.stack([weighted[name] for name in names], axis=1),
    )
    return (rows,)


def _sums(
    loop: EventLoop, prepared: Prepared, dataset: Dataset, weights: Shifts
) -> dict[str, Floats]:
    """Sum of the weights of each variation, for each part, (n_parts,)."""
    shifts, stack = prepared.shifts, prepared.stack
    names = [one.name for one in shifts]
    if shifts[0] == NOMINAL:
        names[1:1] = [one.name for one in weights]
    if stack is None or not len(stack.base):
        return dict.fromkeys(names, np.zeros(prepared.n_parts))
    first = int((stack.shift == 0).sum()) if shifts[0] == NOMINAL else 0
    found: dict[str, Floats] = {}
    if shifts[0] == NOMINAL:
        owners = stack.owners.select(slice(first))
        found = {
            name: _by_part(values, owners)
            for name, values in _nominal(loop, stack, first, dataset, weights).items()
        }
    rest = stack.owners.select(slice(first, None))
    # What it does for linked sources is needed here as it is.
    moved = loop._shifted_weights(stack, first, dataset, shifts, _label(dataset))  # noqa: SLF001
    rows = stack.shift[first:]
    for i, one in enumerate(shifts):
        if one != NOMINAL:
            here = rows == i
            found[one.name] = _by_part(moved[here], rest.select(here))
    return found


def _nominal(
    loop: EventLoop, stack: Stack, first: int, dataset: Dataset, weights: Shifts
) -> dict[str, Floats]:
    """Weights of the events of nominal, of each weight variation and of each member."""
    events = stack.events[:first]
    if not first:
        return dict.fromkeys(("nominal", *(one.name for one in weights)), np.zeros(0))
    found = checked_weights(loop, events, dataset, weights, _label(dataset))
    return found | member_weights(loop.spec, stack.members, found, dataset, channel=None)


def _by_part(values: Floats, owners: Owners) -> Floats:
    sums = np.bincount(owners.index, values, minlength=owners.count)
    return np.asarray(sums, dtype=np.float64)


def _label(dataset: Dataset) -> str:
    return f"baseline selection, dataset {dataset.key!r}"
