"""Histograms as plain arrays: raw per dataset, and normalised per process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepflow.records.cutflow import Cutflow
from hepflow.records.kept_yield import KeptYield
from hepflow.records.ledger import Ledger
from hepflow.records.parts import check_apart

if TYPE_CHECKING:
    import hist

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """Binning of one observable in one channel."""

    name: str
    label: str  # for people, with unit: "m(tt) [GeV]"
    edges: tuple[float, ...]  # n_bins + 1, increasing

    @property
    def n_bins(self) -> int:
        """Number of bins without under- and overflow."""
        return len(self.edges) - 1

    @property
    def widths(self) -> Floats:
        """Bin widths, shape (n_bins,)."""
        return np.diff(np.asarray(self.edges, dtype=np.float64))


@dataclass(frozen=True)
class Template:
    """Sums of weights of one variation: ``[underflow, bins..., overflow]``."""

    sumw: Floats  # shape (n_bins + 2,)
    sumw2: Floats  # shape (n_bins + 2,)

    def folded(self) -> Template:
        """Under- and overflow added to the edge bins (and set to zero)."""
        return Template(fold_flow(self.sumw), fold_flow(self.sumw2))

    def scaled(self, factor: float) -> Template:
        """Weights times `factor`, squared weights times its square."""
        return Template(self.sumw * factor, self.sumw2 * factor**2)

    @property
    def values(self) -> Floats:
        """Sums of weights without flow, shape (n_bins,)."""
        return self.sumw[1:-1]

    @property
    def variances(self) -> Floats:
        """Sums of squared weights without flow, shape (n_bins,)."""
        return self.sumw2[1:-1]


def fold_flow(content: Floats) -> Floats:
    """Add the first and last entry along the last axis to their neighbours."""
    out = np.array(content, dtype=np.float64, copy=True)
    out[..., 1] += out[..., 0]
    out[..., -2] += out[..., -1]
    out[..., 0] = out[..., -1] = 0.0
    return out


@dataclass(frozen=True)
class Block:
    """All variations of one observable of one dataset or process.

    A variation that is absent reads as nominal, and is filled with this block's nominal
    before two blocks are added, so that addition is associative.
    """

    variations: tuple[str, ...]  # "nominal" first
    sumw: Floats  # shape (n_variations, n_bins + 2)
    sumw2: Floats  # shape (n_variations, n_bins + 2)

    def __post_init__(self) -> None:
        if not self.variations or self.variations[0] != "nominal":
            raise ValueError("the first variation of a block is 'nominal'")
        if self.sumw.shape != self.sumw2.shape or len(self.sumw) != len(self.variations):
            raise ValueError("sumw, sumw2 and variations differ in shape")

    def row(self, variation: str) -> int:
        """Row of this variation; that of nominal where it is absent."""
        return self.variations.index(variation) if variation in self.variations else 0

    def template(self, variation: str = "nominal") -> Template:
        """Template of one variation, nominal where it is absent."""
        row = self.row(variation)
        return Template(self.sumw[row], self.sumw2[row])

    def aligned(self, variations: tuple[str, ...]) -> Block:
        """The same block with these rows, absent ones filled with nominal."""
        if variations == self.variations:
            return self
        rows = [self.row(name) for name in variations]
        return Block(variations, self.sumw[rows], self.sumw2[rows])

    def with_row(self, variation: str, template: Template) -> Block:
        """The same block with one more variation, or another template for it."""
        if variation in self.variations:
            sumw, sumw2 = self.sumw.copy(), self.sumw2.copy()
            row = self.variations.index(variation)
            sumw[row], sumw2[row] = template.sumw, template.sumw2
            return Block(self.variations, sumw, sumw2)
        return Block(
            (*self.variations, variation),
            np.vstack([self.sumw, template.sumw]),
            np.vstack([self.sumw2, template.sumw2]),
        )

    def reflected(self, source: str) -> Block:
        """The side of a source that is missing, as the other one reflected about nominal.

        Its squared weights are those of the other side, whose statistics it has.
        """
        there = [side for side in ("up", "down") if f"{source}_{side}" in self.variations]
        if len(there) != 1:
            return self
        one, nominal = self.template(f"{source}_{there[0]}"), self.template()
        other = "down" if there[0] == "up" else "up"
        mirrored = Template(2.0 * nominal.sumw - one.sumw, one.sumw2)
        return self.with_row(f"{source}_{other}", mirrored)

    def __add__(self, other: Block) -> Block:
        """Sum over the union of the variations."""
        names = tuple(dict.fromkeys((*self.variations, *other.variations)))
        left, right = self.aligned(names), other.aligned(names)
        return Block(names, left.sumw + right.sumw, left.sumw2 + right.sumw2)

    def scaled(self, factor: float) -> Block:
        """Weights times `factor`, squared weights times its square."""
        return Block(self.variations, self.sumw * factor, self.sumw2 * factor**2)


AxisKey = tuple[str, str]  # (channel, observable)
BlockKey = tuple[str, str, str]  # (channel, observable, dataset or process)
CutflowKey = tuple[str, str]  # (channel, dataset or process)


def merge_sums(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> dict[Any, Any]:
    """Union of two mappings; values under the same key are added."""
    merged = dict(left)
    for key, value in right.items():
        merged[key] = merged[key] + value if key in merged else value
    return merged


def merge_axes(left: Mapping[AxisKey, Axis], right: Mapping[AxisKey, Axis]) -> dict[AxisKey, Axis]:
    """Union of the axes; the same observable with another binning is an error."""
    for key in left.keys() & right.keys():
        if left[key].edges != right[key].edges:
            raise ValueError(f"histograms of {'/'.join(key)} have different bin edges")
    return {**left, **right}


@dataclass(frozen=True)
class RawHistograms:
    """Filled with generator weight times corrections, per dataset, before normalisation.

    `+` is associative and commutative up to rounding; parts are merged in the order of
    their work items, so that a result does not depend on which worker was first.
    """

    axes: Mapping[AxisKey, Axis] = field(default_factory=dict)
    blocks: Mapping[BlockKey, Block] = field(default_factory=dict)  # by dataset key
    cutflows: Mapping[CutflowKey, Cutflow] = field(default_factory=dict)  # by dataset key
    ledger: Ledger = field(default_factory=Ledger)
    yields: Mapping[str, KeptYield] = field(default_factory=dict)  # by dataset key, where asked for

    def __add__(self, other: RawHistograms) -> RawHistograms:
        """Sum of disjoint parts; an entry that both hold would count twice and is an error."""
        check_apart(self.ledger.parts, other.ledger.parts)
        return RawHistograms(
            merge_axes(self.axes, other.axes),
            merge_sums(self.blocks, other.blocks),
            merge_sums(self.cutflows, other.cutflows),
            self.ledger + other.ledger,
            merge_sums(self.yields, other.yields),
        )

    def of_channel(self, channel: str) -> RawHistograms:
        """Only what belongs to one channel; the ledger and the yields are those of all."""
        return RawHistograms(
            {key: axis for key, axis in self.axes.items() if key[0] == channel},
            {key: block for key, block in self.blocks.items() if key[0] == channel},
            {key: flow for key, flow in self.cutflows.items() if key[0] == channel},
            self.ledger,
            self.yields,
        )


def merge_raw(parts: Sequence[RawHistograms], axes: Mapping[AxisKey, Axis]) -> RawHistograms:
    """Sum of disjoint parts, in their order, with one pass over their ledgers.

    Raises
    ------
    ValueError
        If entry ranges of two of them overlap: their events would count twice.
    """
    blocks: dict[BlockKey, Block] = {}
    cutflows: dict[CutflowKey, Cutflow] = {}
    yields: dict[str, KeptYield] = {}
    for part in parts:
        axes = merge_axes(axes, part.axes)
        for dataset, kept in part.yields.items():
            yields[dataset] = yields[dataset] + kept if dataset in yields else kept
        for key, block in part.blocks.items():
            blocks[key] = blocks[key] + block if key in blocks else block
        for place, flow in part.cutflows.items():
            cutflows[place] = cutflows[place] + flow if place in cutflows else flow
    ledger = Ledger.merged([part.ledger for part in parts])
    return RawHistograms(axes, blocks, cutflows, ledger, yields)


@dataclass(frozen=True)
class HistogramSet:
    """Normalised histograms per process, with what they were made of."""

    axes: Mapping[AxisKey, Axis]
    blocks: Mapping[BlockKey, Block]  # by process
    cutflows: Mapping[CutflowKey, Cutflow]  # by dataset key, normalised
    data_processes: frozenset[str]  # processes that hold collision data
    luminosity: Mapping[str, float]  # [1/pb] by year; key "" without years
    ledger: Ledger
    process_of: Mapping[str, str]  # dataset key -> process
    rescaled: Mapping[str, float] = field(default_factory=dict)
    # dataset key of incomplete data -> fraction of its year's luminosity that was processed;
    # simulation and `luminosity` are scaled to that

    def __add__(self, other: HistogramSet) -> HistogramSet:
        """Sum of two sets, such as two years; missing variations read as nominal."""
        check_apart(self.ledger.parts, other.ledger.parts)
        return HistogramSet(
            merge_axes(self.axes, other.axes),
            merge_sums(self.blocks, other.blocks),
            merge_sums(self.cutflows, other.cutflows),
            self.data_processes | other.data_processes,
            {**self.luminosity, **other.luminosity},
            self.ledger + other.ledger,
            {**self.process_of, **other.process_of},
            {**self.rescaled, **other.rescaled},
        )

    def incomplete_data(self) -> dict[str, float]:
        """Datasets of collision data that were not processed in full, with the fraction that was.

        Those whose luminosity is scaled to what was processed are not among them.
        """
        data = [
            key
            for key, process in self.process_of.items()
            if process in self.data_processes and key not in self.rescaled
        ]
        return self.ledger.incomplete(data)

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names in the order of the configuration."""
        return tuple(dict.fromkeys(channel for channel, _ in self.axes))

    def observables(self, channel: str) -> tuple[str, ...]:
        """Observables of one channel in the order of the configuration."""
        return tuple(name for where, name in self.axes if where == channel)

    def processes(self, channel: str, observable: str) -> tuple[str, ...]:
        """Processes filled in one histogram, data included."""
        return tuple(p for c, o, p in self.blocks if (c, o) == (channel, observable))

    def variations(self, channel: str, observable: str) -> tuple[str, ...]:
        """Names on the variation axis, nominal first."""
        found = self._blocks_of(channel, observable).values()
        return tuple(dict.fromkeys(name for block in found for name in block.variations))

    def template(
        self, channel: str, observable: str, process: str, variation: str = "nominal"
    ) -> Template:
        """Template of one process; an absent variation reads as nominal."""
        return self.blocks[channel, observable, process].template(variation)

    def total(
        self, channel: str, observable: str, processes: Iterable[str], variation: str = "nominal"
    ) -> Template:
        """Sum over `processes` for one variation."""
        n_flow = self.axes[channel, observable].n_bins + 2
        sumw, sumw2 = np.zeros(n_flow), np.zeros(n_flow)
        for process in processes:
            template = self.template(channel, observable, process, variation)
            sumw, sumw2 = sumw + template.sumw, sumw2 + template.sumw2
        return Template(sumw, sumw2)

    def hist(self, channel: str, observable: str) -> hist.Hist[Any]:
        """Histogram with axes observable, process, variation and weighted storage."""
        import hist

        axis = self.axes[channel, observable]
        blocks = self._blocks_of(channel, observable)
        names = self.variations(channel, observable)
        histogram = hist.Hist(
            hist.axis.Variable(axis.edges, name="observable", label=axis.label),
            hist.axis.StrCategory(list(blocks), name="process"),
            hist.axis.StrCategory(list(names), name="variation"),
            storage=hist.storage.Weight(),
        )
        view = histogram.view(flow=True)  # category axes keep an overflow bin behind the last
        for i, block in enumerate(blocks.values()):
            filled = block.aligned(names)
            view["value"][:, i, : len(names)] = filled.sumw.T
            view["variance"][:, i, : len(names)] = filled.sumw2.T
        return histogram

    def _blocks_of(self, channel: str, observable: str) -> dict[str, Block]:
        where = (channel, observable)
        return {key[2]: block for key, block in self.blocks.items() if key[:2] == where}
