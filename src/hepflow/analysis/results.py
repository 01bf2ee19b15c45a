"""From histograms to files, fit and figures; what is there with the same key is kept."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hepflow import rates
from hepflow.blinding import blinded_regions
from hepflow.errors import ConfigurationError, WorkspaceError
from hepflow.estimates import estimate_remarks, estimates_of_config, sideband_remarks
from hepflow.histograms import (
    ROOT_FILE,
    write_cutflows,
    write_histograms,
    write_root,
)
from hepflow.journal import tell, why_again
from hepflow.keys import Key, make_key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import Blinded, HistogramSet, Prediction, StatisticsResult, percent
from hepflow.schema import Config
from hepflow.stamps import is_current, read_key, remove_stamp, write_stamp
from hepflow.statistics import (
    CONFIG_FILE,
    TEMPLATE_FILE,
    StatisticsSpec,
    config_path,
    differs_from_filled,
    fit_templates,
    forget_results,
    is_own,
    keep_labels,
    load_statistics,
    regions_without_data,
    result_files,
    run_statistics,
    template_file,
    uses_own,
    write_cabinetry_config,
)
from hepflow.statistics.audit import audit_run
from hepflow.statistics.spec import source_remarks

_log = logging.getLogger(__name__)
_CACHE_OFF = "general.read_from_cache is off"
_TEMPLATE_STAMP = ".templates.key.json"


@dataclass(frozen=True)
class AnalysisResult:
    """What a chain of an analysis gave."""

    histograms: HistogramSet
    statistics: StatisticsResult | None  # None where statistics were switched off
    plots: tuple[Path, ...]  # all files


def incomplete_data(histograms: HistogramSet) -> dict[str, float]:
    """Datasets of collision data that were not processed in full, with the fraction that was.

    Those whose luminosity is scaled to what was processed are not among them.
    """
    return histograms.incomplete_data()


def remarks_on(histograms: HistogramSet, blind: Sequence[Blinded] = ()) -> tuple[str, ...]:
    """What every plot and table of these histograms must say."""
    ledger, missing = histograms.ledger, incomplete_data(histograms)
    data = {key for key, one in histograms.process_of.items() if one in histograms.data_processes}
    dropped = set(ledger.dropped())  # said by name
    shares = [share for key, share in missing.items() if key not in dropped]
    remarks = [f"{percent(min(shares))} of data"] if shares else []
    remarks += _luminosity_remarks(histograms.rescaled, data)
    simulation = [key for key in ledger.datasets() if key not in data]
    lost = sum(ledger.lost_events(key) for key in simulation)
    if lost:
        done = sum(ledger.totals(key).nevts for key in simulation)
        remarks.append(f"{percent(done / (done + lost))} of simulation")
    remarks += _without(histograms)
    there = [one.channel for one in blind if one.channel in histograms.channels]
    if there:
        remarks.append(f"blind: {', '.join(dict.fromkeys(there))}")
    return tuple(remarks)


def all_remarks(config: Config, histograms: HistogramSet) -> tuple[str, ...]:
    """Remarks on the input, on sources that are left out with it, and on estimates."""
    remarks = remarks_on(histograms, blinded_regions(config))
    estimates = estimate_remarks(histograms, estimates_of_config(config))
    return (*remarks, *source_remarks(config, histograms), *estimates)


def provenance_of(config: Config, histograms: HistogramSet) -> dict[str, Any]:
    """What every file that is made from these histograms says about their input."""
    accounts = [one.to_json() for one in histograms.ledger.accounts()]
    return {"remarks": list(all_remarks(config, histograms)), "input": accounts}


def _without(histograms: HistogramSet) -> list[str]:
    """Remark on datasets that were left out because something of them was lost."""
    dropped = [key.removesuffix("__nominal") for key in histograms.ledger.dropped()]
    return [f"without {', '.join(dropped)}"] if dropped else []


def _luminosity_remarks(rescaled: Mapping[str, float], data: set[str]) -> list[str]:
    """One remark for each fraction; it names the data where that is not of all of them."""
    names: dict[float, list[str]] = {}
    for key, share in rescaled.items():
        names.setdefault(share, []).append(key)
    return [
        f"{percent(share)} of the luminosity"
        + (f" of {', '.join(keys)}" if set(keys) != data else "")
        for share, keys in names.items()
    ]


def fit_is_expected_only(histograms: HistogramSet, spec: StatisticsSpec) -> bool:
    """Whether a fit may not be to observed data: incomplete, blind, or none in a region.

    The data of a cabinetry file that the user names come from where that file says.
    """
    if spec.blind or incomplete_data(histograms):
        return True
    return spec.cabinetry_config is None and bool(regions_without_data(histograms, spec))


def save_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    """Write ``histograms.root``, ``histograms.zip`` and the cabinetry configuration.

    Where the fit takes other contents than were filled (folded overflow), these are written to
    ``templates.root`` of the statistics folder, which the configuration names then.

    Parameters
    ----------
    key
        Key of the histograms; None writes in any case.
    """
    with saving_histograms(config, histograms, output_manager, key):
        pass


@contextlib.contextmanager
def saving_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> Iterator[None]:
    """Do what `save_histograms` does around a fit: what the fit does not read, after it.

    Figures of the fit can be drawn while histograms are written. They are written also where
    the fit fails.
    """
    folder = output_manager.get_histograms_dir()
    reuse = config.general.read_from_cache
    wanted = key is None or not (reuse and is_current(folder, key))
    if wanted:
        why = _CACHE_OFF
        if key is None or reuse:
            why = "filled part by part" if key is None else why_again(read_key(folder), key)
        tell("normalisation", "ran", why)
        remove_stamp(folder)  # a run that is killed from here on leaves nothing that seems current
    else:
        tell("normalisation", "reused", "nothing that it depends on has changed")
    if wanted and _fit_reads_files(config, output_manager):
        _write_files(config, histograms, folder, key)
        wanted = False
    try:
        _save_model(config, histograms, output_manager, key)
        yield
    finally:
        if wanted:
            _write_files(config, histograms, folder, key)


def _fit_reads_files(config: Config, output_manager: OutputDirectoryManager) -> bool:
    """Whether the fit is that of the user's own cabinetry file, which may name our histograms."""
    own = config.statistics.own_cabinetry_config
    folder = Path(output_manager.list_structure()["statistics"])  # not made where nothing is fit
    return own is not None or is_own(folder / CONFIG_FILE)


def _write_files(config: Config, histograms: HistogramSet, folder: Path, key: Key | None) -> None:
    cutflows = write_cutflows(histograms, folder, all_remarks(config, histograms))
    files = (*write_histograms(histograms, folder), cutflows)
    if key is not None:
        write_stamp(folder, key, files)


def _save_model(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    if not config.statistics.norm_factors:
        return
    try:
        _write_model(config, histograms, output_manager, key)
    except (ConfigurationError, WorkspaceError) as error:
        # Without the signal's process there is nothing to fit, but histograms may be wanted:
        # the fit itself says so again.
        if config.general.run_statistics and isinstance(error, WorkspaceError):
            for remark in _without(histograms):
                error.add_note(f"This run is {remark} (execution.on_missing).")
            raise
        _log.warning("no cabinetry configuration, so no fit: %s", error)


def _write_model(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> None:
    spec = StatisticsSpec.from_config(config)
    for remark in sideband_remarks(histograms, estimates_of_config(config)):
        _log.warning("estimates: %s", remark)
    folder = output_manager.get_statistics_dir()
    file = template_file(spec, folder, output_manager.get_histograms_dir() / ROOT_FILE)
    write_cabinetry_config(histograms, spec, config_path(spec, folder), file)
    reuse = config.general.read_from_cache
    _write_templates(spec, histograms, output_manager, key, reuse=reuse)


def _write_templates(
    spec: StatisticsSpec,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
    *,
    reuse: bool,
) -> None:
    """Write the file that a generated cabinetry configuration names in the filled one's place.

    Also for a configuration of the user's: it may be a generated one that was edited.
    """
    folder = output_manager.get_statistics_dir()
    if not differs_from_filled(spec):
        remove_stamp(folder, _TEMPLATE_STAMP)
        (folder / TEMPLATE_FILE).unlink(missing_ok=True)  # of an earlier configuration
        return
    full = None if key is None else make_key("templates", histograms=key.digest, model=spec)
    if full is not None and reuse and is_current(folder, full, _TEMPLATE_STAMP):
        return
    remove_stamp(folder, _TEMPLATE_STAMP)
    file = write_root(fit_templates(histograms, spec), folder / TEMPLATE_FILE)
    if full is not None:
        write_stamp(folder, full, [file], _TEMPLATE_STAMP)


def fit_histograms(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> StatisticsResult:
    """Fit, limit and significance; read back where nothing changed that they depend on."""
    spec = StatisticsSpec.from_config(config)
    folder = output_manager.get_statistics_dir()
    expected_only = fit_is_expected_only(histograms, spec)
    full = None if key is None else _statistics_key(spec, key, expected_only)
    why = "histograms filled part by part" if full is None else why_again(read_key(folder), full)
    own = uses_own(spec, config_path(spec, folder))
    if own:
        why = "your own cabinetry file may name any other files"
        full = None
    reuse = config.general.read_from_cache
    _write_templates(spec, histograms, output_manager, key, reuse=reuse)
    if full is not None and reuse and is_current(folder, full):
        tell("statistics", "reused", "nothing that they depend on has changed")
        found = _load(folder, spec)
        if keep_labels(folder, found):
            _stamp(folder, full)
        return found
    remove_stamp(folder)
    tell("statistics", "ran", why if reuse else _CACHE_OFF)
    began = time.process_time()
    result = run_statistics(
        spec,
        histograms,
        output_manager,
        expected_only=expected_only,
        provenance=provenance_of(config, histograms),
        findings=None if own else audit_run(histograms, spec, config, spec.audit),
    )
    rates.add("statistics", 1, time.process_time() - began)
    if full is not None:
        _stamp(folder, full)
    return result


def _stamp(folder: Path, key: Key) -> None:
    write_stamp(folder, key, result_files(folder))


def _statistics_key(spec: StatisticsSpec, key: Key, expected_only: bool) -> Key:
    """Key of the results; labels do not change them."""
    unlabelled = replace(
        spec, channels=tuple(replace(one, label="", axis_label="") for one in spec.channels)
    )
    model = {f"{one.name} of the model": getattr(unlabelled, one.name) for one in fields(spec)}
    # Labels are taken as they are today.
    histograms = key.without("labels").digest
    return make_key("statistics", histograms=histograms, expected_only=expected_only, **model)


def _load(folder: Path, spec: StatisticsSpec) -> StatisticsResult:
    """Results of an earlier fit, with the labels of today."""
    labels = {one.name: one.axis_label for one in spec.channels}
    found = load_statistics(folder)

    def labelled(prediction: Prediction) -> Prediction:
        channels = [replace(c, label=labels.get(c.name, c.label)) for c in prediction.channels]
        return replace(prediction, channels=tuple(channels))

    return replace(
        found,
        prefit=labelled(found.prefit),
        postfit=labelled(found.postfit),
        validation=tuple(map(labelled, found.validation)),
    )


def forget_other_statistics(output_manager: OutputDirectoryManager, key: Key | None) -> None:
    """Remove results of an earlier fit to other histograms than these.

    They would stand beside a report that says something else, such as that data are blind.
    """
    folder = output_manager.get_root_dir() / "statistics"
    if not folder.is_dir():
        return
    stored = read_key(folder)
    same = None if key is None else make_key("statistics", histograms=key.without("labels").digest)
    if stored and same and stored.parts.get("histograms") == same.parts["histograms"]:
        return
    there = result_files(folder)
    remove_stamp(folder)
    forget_results(folder)
    if there:
        _log.info("statistics: removed results of an earlier fit to other histograms")


def stored_statistics(
    config: Config,
    histograms: HistogramSet,
    output_manager: OutputDirectoryManager,
    key: Key | None,
) -> StatisticsResult | None:
    """Results of an earlier fit to the stored histograms; None where there are none."""
    if not config.statistics.norm_factors and config.statistics.own_cabinetry_config is None:
        tell("statistics", "left out", "the configuration has no model")
        return None
    spec = StatisticsSpec.from_config(config)
    folder = output_manager.get_statistics_dir()
    expected_only = fit_is_expected_only(histograms, spec)
    today = None if key is None else _statistics_key(spec, key, expected_only)
    if today is None or not is_current(folder, today):
        stored = read_key(folder)
        why = "no key to compare with" if today is None else why_again(stored, today)
        tell("statistics", "left out", f"general.run_plots_only is on, and {why}")
        return None
    tell("statistics", "read back", "general.run_plots_only is on")
    return _load(folder, spec)
