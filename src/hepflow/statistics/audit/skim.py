"""A skim that is as tight as the selection, on what a source moves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hepflow.records.inference import Finding
from hepflow.schema import Config, Correction, Selection, Systematic
from hepflow.sources import by_year
from hepflow.statistics.audit.codes import Where, finding
from hepflow.statistics.audit.thresholds import Requirement, requirements, result_of


def skim_findings(config: Config | Mapping[str, Any]) -> tuple[Finding, ...]:
    """Cuts of the skim that reject what a variation would let pass.

    An event that passes a cut only when an object is varied must be in the skim: a cut of the
    skim on a column that a source moves needs a margin to each later cut on it. What can be read
    off the text of the functions is judged: comparisons of columns with numbers, of fixed
    keyword arguments, and of ``thresholds`` of N-1 histograms.

    Parameters
    ----------
    config : Config or mapping

    Returns
    -------
    tuple of Finding
        None without sources that move objects.
    """
    valid = Config.of(config)
    skimming, moved = valid.preprocess.skimming, _moved(valid)
    if skimming.function is None or not moved:
        return ()
    kept = requirements(skimming.function, skimming.use, skimming.static_kwargs)
    found: dict[tuple[str, str], Finding] = {}
    for region, what, later in _later(valid):
        for one in kept:
            sources = _sources_of(one.expression, moved)
            if sources and one == later:
                found.setdefault((region, one.expression), _finding(region, what, one, sources))
    return tuple(found.values())


def _finding(region: str, what: str, cut: Requirement, sources: tuple[str, ...]) -> Finding:
    sign = ">" if cut.above else "<"
    told = (
        f"the skim and {what} ask for the same, {cut.expression} {sign} {cut.threshold:g}, but "
        f"{', '.join(sources)} move{'' if sources[1:] else 's'} it"
    )
    return finding("skim-threshold", told, Where(region, "", sources[0]))


def _later(config: Config) -> Iterator[tuple[str, str, Requirement]]:
    """Region, name of the step and requirement of everything that selects after corrections."""
    for mask in config.good_object_masks.analysis:
        for one in requirements(mask.function, mask.use):
            yield "", f"the mask of {mask.object}", one
    if config.baseline_selection is not None:
        for one in _of_selection(config.baseline_selection):
            yield "", "the baseline selection", one
    for channel in config.channels:
        if channel.selection is not None:
            for one in _of_selection(channel.selection):
                yield channel.name, "the selection", one


def _of_selection(selection: Selection) -> Iterator[Requirement]:
    if selection.function is not None:
        yield from requirements(selection.function, selection.use)
    for cut in selection.cuts:
        yield from requirements(cut.function, cut.use)
    for shown in selection.n_minus_1:
        expression = result_of(shown.function, shown.use)
        if expression is not None:
            # a threshold says where the cut is, not which side is kept
            for threshold in shown.thresholds:
                for above in (True, False):
                    yield Requirement(expression, above, threshold)


def _sources_of(expression: str, moved: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Sources that move a column of an expression."""
    found: dict[str, None] = {}
    for column, sources in moved.items():
        if re.search(rf"(?<![\w.]){re.escape(column)}(?!\w)", expression):
            found |= dict.fromkeys(sources)
    return tuple(found)


def _moved(config: Config) -> dict[str, tuple[str, ...]]:
    """Sources by the column that they move, such as ``Jet.pt``."""
    found: dict[str, dict[str, None]] = {}
    if not config.general.run_systematics:
        return {}
    for section in (config.corrections, config.systematics):
        for entries in by_year(section).values():
            for one in entries:
                names = _object_sources(one)
                for column in _columns(one) if names else ():
                    found.setdefault(column, {}).update(dict.fromkeys(names))
    return {column: tuple(names) for column, names in found.items()}


def _object_sources(one: Correction | Systematic) -> list[str]:
    if one.type != "object":
        return []
    if isinstance(one, Systematic):
        return [one.name]
    own = [one.name] if one.up_and_down_idx else []
    return [*own, *(source.name for source in one.uncertainty_sources)]


def _columns(one: Correction | Systematic) -> Iterator[str]:
    """Columns that an object source changes."""
    if one.target is None:
        return
    collection, field = one.target
    yield f"{collection}.{field}" if field else collection
    if field == "pt" and one.scale_mass:
        yield f"{collection}.mass"
    if one.op == "add_vector":
        yield f"{collection}.phi"
    if one.propagate_to_met:
        yield from (f"{one.propagate_to_met}.{part}" for part in ("pt", "phi"))
