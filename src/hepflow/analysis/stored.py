"""Histograms of an earlier run, read back where they fit the configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hepflow.analysis.filling import parts_left
from hepflow.analysis.filling_keys import STAGE, filling_keys, joined_key
from hepflow.analysis.shares import table_digest
from hepflow.analysis.spec import AnalysisSpec
from hepflow.analysis.steps import ledger_of
from hepflow.datasets import luminosity_by_year
from hepflow.errors import MissingArtifact, StorageError
from hepflow.histograms import LOSSLESS_FILE, read_histograms
from hepflow.keys import Key, changed_parts, make_key
from hepflow.records import HistogramSet, Ledger
from hepflow.schema import Config, General
from hepflow.skimming import Skim
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
        sources=[one for one in spec.sources if one.makes_templates],
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
    if parts and unfilled:
        parts = parts_left(unfilled, parts, spec.datasets, config.execution.on_missing)
    today = joined_key(filling_keys(analysis, parts))
    harmless = {"labels"} if parts else {"labels", "filled", "ledger", "skim"}
    losses = [loss for name in sorted(skims) for loss in skims[name].lost]
    counted = ledger_of(part.metadata for part in parts) if parts else found.ledger
    ledger = counted.with_losses([*losses, *unfilled])
    key = normalised_key(config, spec, today, ledger, found.rescaled)
    changed = set(changed_parts(normalised, key))
    if filled is not None and ("filled" in changed):
        changed = (changed - {"filled"}) | set(changed_parts(filled, today))
    return sorted(changed - harmless)


def why_not(general: General, switch: str) -> str:
    """Which switch keeps a stage from running."""
    if general.run_plots_only:
        return "general.run_plots_only is on"
    return f"general.{switch} is off"
