"""Normalisation, fit and figures before they run, from what is filled already."""

from __future__ import annotations

from dataclasses import dataclass

from hepflow.analysis import Analysis

# The keys and labels of the stages themselves.
from hepflow.analysis.results import _statistics_key, fit_is_expected_only
from hepflow.analysis.stored import normalised_key, stored_histograms, why_not
from hepflow.errors import HepflowError
from hepflow.histograms import LOSSLESS_FILE, read_histograms
from hepflow.keys import Key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.fills import FillsForecast
from hepflow.planning.looking import NothingRuns, WouldRun
from hepflow.planning.records import Piece, Reason, StageForecast, Status, changed
from hepflow.planning.skims import SkimsForecast
from hepflow.records import HistogramSet, Ledger
from hepflow.stamps import STAMP, read_key
from hepflow.statistics import StatisticsSpec, config_path, uses_own

NORMALISATION = "normalisation"
STATISTICS = "statistics"
_SCALE = "scale to cross-sections and luminosity"
_FIT = "fit, limit, significance"
_FROM_DATA = frozenset({"ledger", "on_missing", "lumi_table"})  # of a key: known after filling

_FROM_HISTOGRAMS = frozenset({"histograms", "expected_only"})


@dataclass(frozen=True)
class Normalised:
    """Histograms as the fit and the figures would see them."""

    stage: StageForecast | None  # None where the run has no such stage
    histograms: HistogramSet | None = None  # None where something must be filled first
    key: Key | None = None


def read_back(analysis: Analysis, skims: SkimsForecast) -> tuple[StageForecast, Normalised]:
    """Forecast where histograms of an earlier run are to be read back."""
    why = Reason(why_not(analysis.config.general, "run_histogramming"))
    what = f"fill {len(analysis.spec.channels)} channels"
    plots_only = analysis.config.general.run_plots_only
    if not plots_only and not (skims.complete and skims.skims is not None):
        reasons = (why, Reason("hangs on the skim", skims.stage.reasons))
        return StageForecast("histograms", what, "unknown", reasons), Normalised(None)
    given = {} if plots_only or skims.skims is None else skims.skims
    try:
        histograms, key = stored_histograms(analysis, given)
    except HepflowError as error:
        failed = StageForecast("histograms", what, "fails", (Reason(str(error)),))
        return failed, Normalised(None)
    stage = StageForecast("histograms", what, "read back", (why,))
    return stage, Normalised(None, histograms, key)


def forecast_normalisation(
    analysis: Analysis, fills: FillsForecast, folders: OutputDirectoryManager
) -> Normalised:
    """Compare the key of normalised histograms with the stored one."""
    stored = read_key(folders.get_histograms_dir())
    because = {"filled": fills.stage.reasons}
    histograms, today = _normalise(analysis, fills)
    unknown: frozenset[str] = frozenset()
    key = today
    if key is None:
        unknown = _FROM_DATA if fills.key is not None else _FROM_DATA | {"filled"}
        filled = fills.key or Key("histograms", {})
        key = normalised_key(analysis.config, analysis.spec, filled, Ledger(), {})
    reasons = changed(stored, key, because, unknown=unknown)
    if not analysis.config.general.read_from_cache:
        reasons = (Reason("general.read_from_cache is off"),)
    status: Status = "runs" if reasons else "reused"
    if not reasons and fills.key is None:
        status = "unknown"
        reasons = (Reason("hangs on the histograms", fills.stage.reasons),)
    stamp = folders.get_histograms_dir() / STAMP
    piece = Piece("histograms", status, reasons, key, stored, 0, 1, unknown, stamp)
    stage = StageForecast(NORMALISATION, _SCALE, status, reasons, (piece,))
    if today is None and status == "reused":
        return Normalised(stage, _stored_set(folders), stored)
    return Normalised(stage, histograms, today)


def _normalise(analysis: Analysis, fills: FillsForecast) -> tuple[HistogramSet | None, Key | None]:
    """Normalise what is filled, which takes no time; None where something must be read first."""
    if fills.raw is None or fills.key is None:
        return None, None
    try:
        shares = analysis._luminosity_shares(fills.raw.ledger, NothingRuns())  # noqa: SLF001 - as the run does
    except WouldRun:
        return None, None
    analysis._merged, analysis._merged_key = fills.raw, fills.key  # noqa: SLF001 - as if just filled
    analysis._shares = shares  # noqa: SLF001
    return analysis.histogram_set, analysis.histogram_key()


def _stored_set(folders: OutputDirectoryManager) -> HistogramSet | None:
    try:
        return read_histograms(folders.get_histograms_dir() / LOSSLESS_FILE)
    except HepflowError:
        return None


def forecast_statistics(
    analysis: Analysis, normalised: Normalised, folders: OutputDirectoryManager
) -> StageForecast:
    """Compare the key of the fit with the stored one."""
    config, general = analysis.config, analysis.config.general
    if not general.run_statistics and not general.run_plots_only:
        return _fitted("left out", (Reason(why_not(general, "run_statistics")),))
    try:
        spec = StatisticsSpec.from_config(config)
    except HepflowError as error:
        return _fitted("left out" if general.run_plots_only else "fails", (Reason(str(error)),))
    folder = folders.get_statistics_dir()
    own = uses_own(spec, config_path(spec, folder)) and not general.run_plots_only
    stored = read_key(folder)
    reasons, key, unknown = _fit_reasons(spec, normalised, stored)
    today = None if unknown else key
    if own:
        status: Status = "runs"
        reasons = (Reason("your own cabinetry file may name any files"),)
    elif general.run_plots_only:
        status = "read back" if today is not None and not reasons else "left out"
        reasons = (Reason("general.run_plots_only is on"), *reasons)
    elif not general.read_from_cache:
        status, reasons = "runs", (Reason("general.read_from_cache is off"),)
    elif today is None and not reasons:
        before = normalised.stage.reasons if normalised.stage else ()
        status, reasons = "unknown", (Reason("hangs on the histograms", before),)
    else:
        status = "runs" if reasons else "reused"
    piece = Piece(STATISTICS, status, reasons, key, stored, 0, 1, unknown, folder / STAMP)
    return StageForecast(STATISTICS, _FIT, status, reasons, (piece,), todo=int(status == "runs"))


def _fit_reasons(
    spec: StatisticsSpec, normalised: Normalised, stored: Key | None
) -> tuple[tuple[Reason, ...], Key | None, frozenset[str]]:
    """Why the fit is made anew, its key of today, and what of that is not known yet."""
    stage = normalised.stage
    before = stage.reasons if stage else ()
    if normalised.histograms is not None and normalised.key is not None:
        expected_only = fit_is_expected_only(normalised.histograms, spec)
        today = _statistics_key(spec, normalised.key, expected_only)
        return changed(stored, today, {"histograms": before}), today, frozenset()
    if normalised.histograms is not None:
        return (Reason("histograms without a key"),), None, frozenset()
    assumed = _statistics_key(spec, Key("normalised", {}), expected_only=False)
    own = changed(stored, assumed, unknown=_FROM_HISTOGRAMS)
    runs = stage is not None and stage.status == "runs" and stored is not None
    follows = runs and any(one.what != "labels changed" for one in before)
    chained = (Reason("histograms changed", before),) if follows else ()
    return (*own, *chained), assumed, _FROM_HISTOGRAMS


def _fitted(status: Status, reasons: tuple[Reason, ...]) -> StageForecast:
    return StageForecast(STATISTICS, _FIT, status, reasons)
