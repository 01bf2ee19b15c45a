"""Branches that a skim would keep, but that nothing reads: live parts leave them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hepflow.analysis.early import changes_of
from hepflow.analysis.later import columns_behind, columns_of_change
from hepflow.analysis.spec import AnalysisSpec
from hepflow.events import EVENT, Branches
from hepflow.records import Dataset
from hepflow.schema import Correction, Systematic
from hepflow.skimming.parts import AnyPart, LivePart
from hepflow.skimming.spec import SkimSpec
from hepflow.variations import columns_read

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

Column = tuple[str, str | None]


def without_unread(analysis: Analysis, parts: Sequence[AnyPart]) -> list[AnyPart]:
    """The same parts; of objects, live ones read only columns that a configured function reads.

    They read all for an analysis with steps of its own, and all columns of an object that is
    taken as a whole.
    """
    if analysis.has_own_steps:
        return list(parts)
    known: dict[tuple[int, str], SkimSpec] = {}

    def reduced(part: LivePart) -> LivePart:
        key = (id(part.spec), part.item.dataset)
        if key not in known:  # parts that share a specification go on to share one
            known[key] = _reading(part.spec, part.spec.datasets[part.item.dataset], analysis)
        return replace(part, spec=known[key])

    return [reduced(part) if isinstance(part, LivePart) else part for part in parts]


def _reading(spec: SkimSpec, dataset: Dataset, analysis: Analysis) -> SkimSpec:
    kept = spec.asked_branches(dataset)  # what else data keeps is added anew
    read = read_columns(analysis.spec, dataset, kept, (*spec.use,))
    return replace(spec, branches=read, mc_branches={})


def read_columns(
    spec: AnalysisSpec, dataset: Dataset, kept: Branches, more: Sequence[Column] = ()
) -> dict[str, tuple[str, ...]]:
    """Those of the kept branches that something reads; all that belong to no object.

    Parameters
    ----------
    more
        What else is read.
    """
    read = {*_read(spec, dataset), *more}
    if (EVENT, None) in read:
        return {name: tuple(fields) for name, fields in kept.items()}
    found: dict[str, tuple[str, ...]] = {}
    for name, fields in kept.items():
        whole = name == EVENT or (name, None) in read
        found[name] = tuple(one for one in fields if whole or (name, one) in read)
    return {name: fields for name, fields in found.items() if fields}


def _read(spec: AnalysisSpec, dataset: Dataset) -> Iterator[Column]:
    yield from columns_behind(spec, dataset, range(len(spec.masks)))
    for one in changes_of(spec, dataset):
        yield from columns_of_change(one) if one.type == "object" else columns_read(one)
    for ghost in spec.ghosts:  # they are put beside what is there
        yield from ((name, None) for name, _ in ghost.columns if name != EVENT)
    # Objects that another dataset's changes sort are sorted here, too.
    both: tuple[Mapping[str, Sequence[Correction | Systematic]], ...]
    both = (spec.corrections, spec.systematics)
    for by_year in both:
        targets = (one.target for entries in by_year.values() for one in entries)
        yield from (target for target in targets if target is not None)
    keep = spec.keeps.get(dataset.key)
    yield from keep.use if keep is not None else ()
