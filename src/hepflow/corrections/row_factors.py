"""Factors of single variations of a dataset: what keeps a yield, and what moves nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import NormalisationError
from hepflow.records import Block, Cutflow, Dataset, Ledger, Source
from hepflow.records.kept_yield import KeptYield
from hepflow.records.theory import rows_of

Floats = NDArray[np.float64]
SUM_TOLERANCE = 1e-3  # relative difference of sums that means that files were skimmed before


@dataclass(frozen=True)
class RowFactors:
    """What the rows of a dataset's raw histograms are multiplied by, besides its scale."""

    kept: KeptYield | None = None  # sums with and without corrections that keep the yield
    members: Mapping[str, float] = field(default_factory=dict)  # row -> factor
    added: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # source -> row that is nominal times a factor

    def apply(self, block: Block, acting: Sequence[Source]) -> Block:
        """Block with its rows multiplied, and with those that are multiples of nominal.

        Parameters
        ----------
        acting
            Sources that act in the channel of the block.
        """
        if self.kept is not None or not self.members.keys().isdisjoint(block.variations):
            factors = np.array([self.members.get(name, 1.0) for name in block.variations])
            factors = factors * self._kept(block.variations)
            squares = factors[:, None] ** 2
            block = Block(block.variations, block.sumw * factors[:, None], block.sumw2 * squares)
        for source in acting:
            for name, factor in self.added.get(source.name, {}).items():
                block = block.with_row(name, block.template().scaled(factor))
        return block

    def apply_last(self, flow: Cutflow) -> Cutflow:
        """Cutflow whose last step, with all corrections, has the factors of nominal."""
        if self.kept is None:
            return flow
        varied = flow.varied
        if varied is not None:
            varied = {name: self._last(one, name) for name, one in varied.items()}
        return replace(self._last(flow, "nominal"), varied=varied)

    def _last(self, flow: Cutflow, variation: str) -> Cutflow:
        factors = np.ones(len(flow.names))
        factors[-1] = self._kept((variation,))[0]
        return replace(flow, sumw=flow.sumw * factors, sumw2=flow.sumw2 * factors**2)

    def _kept(self, names: tuple[str, ...]) -> Floats:
        return np.ones(len(names)) if self.kept is None else self.kept.factors(names)


def row_factors(
    dataset: Dataset,
    ledger: Ledger,
    kept: KeptYield | None,
    sources: Sequence[Source],
    weight_mode: str,
    denominator: float,
) -> RowFactors:
    """Find the factors of a dataset.

    Parameters
    ----------
    kept
        Sums with and without the corrections that keep the yield; None where none does.
    denominator
        Sum of weights that the dataset is normalised to.

    Raises
    ------
    NormalisationError
        If sums are zero, or not known for all events that were generated.
    """
    if kept is not None:
        bad = ~np.isfinite(kept.factors(kept.variations))
        if bad.any():
            name = kept.variations[int(np.argmax(bad))]
            raise NormalisationError(
                f"dataset {dataset.key!r}, {name}: with the corrections that keep the yield "
                "(keep_yield) the weights behind the baseline selection add up to zero, without "
                "them they do not. Look at the values of these corrections."
            )
    factors: dict[str, float] = {}
    added: dict[str, dict[str, float]] = {}
    for source in sources if not dataset.is_data and dataset.variation == "nominal" else ():
        only = source.theory is not None and source.theory.normalisation_only
        if only and dataset.process in source.processes:
            ratios = _ratios(dataset, ledger, source, weight_mode, denominator)
            added[source.name] = {row: 1.0 / ratio for row, ratio in ratios}
        elif dataset.key in source.keeps:
            factors |= dict(_ratios(dataset, ledger, source, weight_mode, denominator))
    return RowFactors(kept, factors, added)


def _ratios(
    dataset: Dataset, ledger: Ledger, source: Source, weight_mode: str, denominator: float
) -> Iterator[tuple[str, float]]:
    """Row of each member, and the sum of weights of nominal over its own, of all events."""
    declared = "" if source.theory is None else source.theory.source
    total = ledger.totals(dataset.key).sum_for(weight_mode)
    for members, sums in ledger.member_totals(dataset.key, declared, weight_mode).items():
        _check_all_generated(dataset, source, total, denominator)
        for row, one in zip(rows_of(members, source.name), sums, strict=True):
            if not one or not math.isfinite(one):
                raise NormalisationError(
                    f"dataset {dataset.key!r}: the theory weights {row!r} add up to {one:.6g} over "
                    "all events, so that they cannot keep its yield. Set keep_yield to False, or "
                    "leave them out (members)."
                )
            yield row, total / one


def _check_all_generated(
    dataset: Dataset, source: Source, total: float, denominator: float
) -> None:
    """Make sure that the events that were read are those that were generated.

    Raises
    ------
    NormalisationError
        If the Runs trees say that there were others.
    """
    if abs(total - denominator) > SUM_TOLERANCE * max(abs(total), abs(denominator)):
        raise NormalisationError(
            f"dataset {dataset.key!r}: its events add up to {total:.6g}, its Runs trees to "
            f"{denominator:.6g}, so that the sums of the theory weights of {source.name!r} over "
            "all events that were generated are not known. Set keep_yield to False, and do not "
            "use normalisation_only."
        )
