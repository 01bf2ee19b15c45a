"""Figures of the folder of a run, and of a file of histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hepflow.cli.plotting.found import FAILED, Drawn, Folder, Look
from hepflow.errors import InputError
from hepflow.plotting import (
    LOOK_FILE,
    PlottingSpec,
    all_variations,
    histogram_tasks,
    one_variation,
    result_tables,
    result_tasks,
    systematics_table,
)
from hepflow.records import HistogramSet


def of_run(run: Path, folder: Folder, look: Look) -> Drawn:
    """Find all that is stored of a run.

    Raises
    ------
    InputError
        It is not on record which data are blind.
    """
    from hepflow.histograms import LOSSLESS_FILE, read_histograms
    from hepflow.statistics import load_statistics

    if look.spec is None:
        raise InputError(
            f"{run} holds no plots/{LOOK_FILE}: what its figures look like, and which data are "
            "blind, is not on record. Name the output folder of a run that drew plots, or one of "
            "its files."
        )
    found, observables = Drawn(), {}
    if (run / "statistics" / "fit.json").is_file():
        result = load_statistics(run / "statistics")
        observables = {one.name: one.observable for one in result.prefit.channels}
        found += Drawn(
            tuple(result_tasks(result, look.spec, folder, remarks=look.remarks)),
            tuple(result_tables(result, look.spec, remarks=look.remarks)),
            () if result.fit.converged else (FAILED,),
        )
    stored = run / "histograms" / LOSSLESS_FILE
    if stored.is_file():
        found += _of_filled(read_histograms(stored), observables, folder, look.spec, look.remarks)
    return found


def of_histograms(path: Path, folder: Folder, look: Look) -> Drawn:
    """Find what histograms of a file, made here or elsewhere, give.

    Raises
    ------
    InputError
        A process that is to be the signal is not in the file.
    """
    from hepflow.statistics.histogram_reading import read_histogram_file

    histograms = read_histogram_file(path, data=look.options.data)
    processes = dict.fromkeys(process for _, _, process in histograms.blocks)
    unknown = [name for name in look.options.signal if name not in processes]
    if unknown:
        raise InputError(
            f"--signal {unknown[0]}: the histograms have no such process. They have "
            f"{', '.join(processes)}."
        )
    spec = look.spec or PlottingSpec(
        processes=tuple(name for name in processes if name not in histograms.data_processes)
    )
    if look.options.signal:
        spec = replace(spec, signals=tuple(look.options.signal))
    return _of_filled(histograms, {}, folder, spec, look.remarks)


def _of_filled(
    histograms: HistogramSet,
    observables: Mapping[str, str],
    folder: Folder,
    spec: PlottingSpec,
    remarks: tuple[str, ...],
) -> Drawn:
    """Data and simulation of all observables, and variations of those of the fit."""
    chosen = dict(observables) or {
        channel: histograms.observables(channel)[0] for channel in histograms.channels
    }
    there = {c: o for c, o in chosen.items() if (c, o) in histograms.axes}
    return Drawn(
        (
            *histogram_tasks(histograms, spec, folder, remarks=remarks),
            *(
                one_variation(one, spec, folder, remarks)
                for one in all_variations(histograms, there, spec)
            ),
        ),
        tuple(
            systematics_table(histograms, channel, observable, spec, remarks=remarks)
            for channel, observable in there.items()
        ),
    )
