"""Histograms of an earlier run, read back where they fit the configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hepflow.analysis.filling import parts_left
from hepflow.analysis.filling_keys import STAGE, filling_keys, joined_key
from hepflow.analysis.shares import table_digest
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.steps import file_facts, files_known, ledger_of
from hepflow.datasets import luminosity_by_year
from hepflow.errors import MissingArtifact, StorageError
from hepflow.execution.isolation import Range
from hepflow.histograms import LOSSLESS_FILE, read_histograms
from hepflow.keys import Key, changed_parts, make_key
from hepflow.records import HistogramSet, Ledger
from hepflow.schema import Config, General
from hepflow.skimming import AnyPart, Skim
from hepflow.skimming.losses import ItemKey, admit
from hepflow.stamps import read_key

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

_log = logging.getLogger(__name__)
FILLED_STAMP = ".filled.key.json"  # what the histograms of the last run were filled from


def normalised_key(
    config: Config, spec: AnalysisSpec, filled: Key, ledger: Ledger, shares: Mapping[str, float]
) -> Key:
    """Key of normalised histograms.

    Parameters
    ----------
    filled
        Key of the raw histograms.
    ledger
        What was processed and lost.
    shares
        Fractions of the luminosity, where it is scaled to what was processed.
    """
    return make_key(
        "normalised",
        filled=filled.digest,
        datasets=list(spec.datasets.values()),
        luminosity=luminosity_by_year(config),
        # what the fit makes of them is no part of the histograms
        sources=[replace(o, smooth=False, group="") for o in spec.sources if o.makes_templates],
        estimates=list(spec.estimates),
        labels=[(key, axis.label) for key, axis in spec.axes().items()],
        binning=[(key, axis.edges) for key, axis in spec.axes().items()],
        ledger=ledger.to_json(),
        on_missing=config.execution.on_missing if ledger.losses else "",
        lumi_table=table_digest(config) if shares else None,
    )


def stored_histograms(
    analysis: Analysis, skims: Mapping[str, Skim]
) -> tuple[HistogramSet, Key | None]:
    """Histograms of an earlier run, and their key.

    Raises
    ------
    MissingArtifact
        If they are not there.
    IncompleteInput
        If a dataset lost more than ``execution.missing_limit`` admits by now.
    StorageError
        If they do not fit the configuration or the skims.
    """
    why = why_not(analysis.config.general, "run_histogramming")
    folder = analysis.output_manager.get_histograms_dir()
    path = folder / LOSSLESS_FILE
    if not path.exists():
        raise MissingArtifact(f"{why}, but {path} is not there. Fill histograms first.")
    stored = read_key(folder)
    found = read_histograms(path)
    admit(found.ledger.losses, found.ledger, analysis.config.execution)
    if stored is None:
        _log.warning("histograms: %s does not say what it was made from", path)
        return found, None
    changed = _changed_since(analysis, skims, found, stored, read_key(folder, FILLED_STAMP))
    if changed:
        raise StorageError(
            f"{why}, but the stored histograms in {path} were made from something else (changed: "
            f"{', '.join(changed)}). Fill them again."
        )
    axes = analysis.spec.axes()
    labelled = {key: replace(axis, label=axes[key].label) for key, axis in found.axes.items()}
    return replace(found, axes=labelled), stored


def _changed_since(
    analysis: Analysis,
    skims: Mapping[str, Skim],
    found: HistogramSet,
    normalised: Key,
    filled: Key | None,
) -> list[str]:
    """What changed since histograms were stored; a label does not make them others."""
    config, spec = analysis.config, analysis.spec
    parts = [part for name in sorted(skims) for part in skims[name].parts]
    # What could not be filled is known from the stored histograms only.
    unfilled = [loss for loss in found.ledger.losses if loss.stage == STAGE]
    pieces = pieces_of(parts, found.ledger)
    if pieces:
        parts = parts_left(analysis, parts, pieces, unfilled)
    today = joined_key(filling_keys(analysis, parts))
    harmless = {"labels"} if parts else {"labels", "filled", "ledger", "skim"}
    losses = [loss for name in sorted(skims) for loss in skims[name].lost]
    counted = _counted(parts, found.ledger) if parts else found.ledger
    ledger = counted.with_losses([*losses, *unfilled]) + files_known(skims.values())
    key = normalised_key(config, spec, today, ledger, found.rescaled)
    changed = set(changed_parts(normalised, key))
    if filled is not None and ("filled" in changed):
        changed = (changed - {"filled"}) | set(changed_parts(filled, today))
    return sorted(changed - harmless)


def pieces_of(parts: Sequence[AnyPart], ledger: Ledger) -> dict[ItemKey, tuple[Range, ...]]:
    """Entry ranges of a ledger that stand for parts which it does not hold as a whole."""
    ranges: dict[tuple[str, str], list[Range]] = {}
    for dataset, file, start, stop in sorted(ledger.parts):
        ranges.setdefault((dataset, file), []).append((start, stop))
    return {
        (dataset, file, first, end): tuple(
            one for one in ranges.get((dataset, file), ()) if first <= one[0] and one[1] <= end
        )
        for dataset, file, first, end in (part.item.item_key for part in parts)
        if (dataset, file, first, end) not in ledger.parts
    }


def _counted(parts: Sequence[AnyPart], stored: Ledger) -> Ledger:
    """Counts of parts; of those that are read live as they were when they were filled."""
    counted = [part for part in parts if "part_sum_weights" in part.metadata]
    live = [part.item.item_key for part in parts if "part_sum_weights" not in part.metadata]
    facts = file_facts(part.metadata for part in parts)
    there = Ledger(parts={key: stored.parts[key] for key in live if key in stored.parts})
    return ledger_of(part.metadata for part in counted) + there + facts


def why_not(general: General, switch: str) -> str:
    """Which switch keeps a stage from running."""
    if general.run_plots_only:
        return "general.run_plots_only is on"
    return f"general.{switch} is off"
