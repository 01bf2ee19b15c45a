"""The configuration of a preserved analysis with a new signal in the place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.errors import InputError
from hepflow.reinterpretation.signals import Signal, chosen_process

if TYPE_CHECKING:
    from hepflow.reinterpretation.bundle import PreservedAnalysis
    from hepflow.schema import Config, DatasetEntry

_NOT_ASKED: float = 1.0  # [pb] where no cross-section is needed: raw sums do not depend on it


def signal_config(
    analysis: PreservedAnalysis,
    signal: Signal,
    luminosity: Mapping[str, float],
    folder: Path,
    workers: int | None = None,
) -> Config:
    """Configuration that processes one signal and nothing else.

    Parameters
    ----------
    analysis
        Inside its `imported`.
    signal
        Its process keeps its name, and with it every source of uncertainty that acts on it.
    luminosity
        That of the preserved histograms [1/pb], by year.
    folder
        For metadata, skims and histograms.
    workers
        Processes; default as the machine has cores.

    Raises
    ------
    InputError
        The signal cannot take the place of the preserved one: another process, or years.
    """
    from hepflow.schema import Config

    tree = analysis.config.to_dict()
    process = chosen_process(signal.process, analysis.bundle.manifest.signals)
    entries = {one.name: one for one in analysis.config.datasets.datasets}
    own = [one for one in entries.values() if (one.process or one.name) == process]
    if not own:
        raise InputError(
            f"the preserved signal {process!r} is no simulated process of its configuration: only "
            "a signal that was filled from events can be replaced by another one."
        )
    names = {one.name for one in own}
    rest = [one for one in tree["datasets"]["datasets"] if one["name"] not in names]
    tree["datasets"] |= {
        "datasets": [*_entries(own, process, signal), *rest],
        "max_files": None,
        "prepare": None,
    }
    tree["general"] |= {
        "lumi": luminosity[""] if "" in luminosity else dict(luminosity),
        "lumi_table": None,
        "processes": [process],
        "max_files": None,
        "read_from_cache": True,
        "run_metadata_generation": True,
        "run_skimming": True,
        "run_plots_only": False,
        "output_dir": str(folder),
    }
    tree["execution"] |= {"on_missing": "fail", "workers": workers}
    return Config(**tree)


def _entries(own: list[DatasetEntry], process: str, signal: Signal) -> list[dict[str, Any]]:
    """Datasets of the signal: one, or one for each year."""
    from hepflow.datasets import NOMINAL, all_groups

    others = [one.name for one in own if one.variation != NOMINAL]
    if others:
        raise InputError(
            f"the preserved signal {process!r} has alternative samples ({', '.join(others)}), "
            "which a new signal would need as well: this cannot be reinterpreted from files."
        )
    by_year = {group.year or "": group for group in all_groups(own)}
    files = _files(signal, tuple(by_year))
    found = []
    for year, group in by_year.items():
        entry: dict[str, Any] = {**group.entry.to_dict(), "keep": group.keep}
        entry |= {
            "name": group.entry.name if len(by_year) == 1 else f"{process}_{year}",
            "process": process,
            "year": year or None,
            "files": list(files[year]),
            "cross_section": signal.cross_section or _NOT_ASKED,
            "k_factor": signal.k_factor,
            "filter_efficiency": signal.filter_efficiency,
            "sumw_source": signal.sum_of_weights,
            "tree_name": signal.tree or group.entry.tree_name,
            "branch_map": dict(signal.branch_map) or group.entry.branch_map,
            **dict.fromkeys(("directory", "slices", "replaces", "redirectors")),
            "file_pattern": "*.root",
        }
        found.append(entry)
    return found


def _files(signal: Signal, years: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Files by year of the analysis; one without a year may leave it out."""
    given = tuple(signal.files)
    if given == ("",) and len(years) == 1:
        return {years[0]: signal.files[""]}
    if set(given) == set(years):
        return signal.files
    if years == ("",):
        raise InputError(
            f"signal {signal.name!r}: files are given by year ({', '.join(given)}), but the "
            "preserved analysis names none. Give them without a year."
        )
    raise InputError(
        f"signal {signal.name!r}: files are given for {', '.join(given).strip() or 'no year'}, but "
        f"the preserved signal has the years {', '.join(years)}. Give files for each, as YEAR=FILE."
    )
