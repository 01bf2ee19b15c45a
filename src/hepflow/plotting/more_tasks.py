"""Figures of inference beyond fit and limit, and of the templates that go into it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hepflow.plotting.numbers import prediction_numbers
from hepflow.plotting.ranking_numbers import group_numbers, ranking_numbers
from hepflow.plotting.run import TITLES, FigureTask, PlotFolders, fit_tasks
from hepflow.plotting.scan_numbers import goodness_numbers, likelihood_numbers
from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.variation_numbers import VariationNumbers, all_variations
from hepflow.records import HistogramSet
from hepflow.records.inference import GoodnessOfFit, LikelihoodScan, Ranking
from hepflow.records.prediction import Prediction
from hepflow.records.results import StatisticsResult
from hepflow.storage import file_name

logger = logging.getLogger(__name__)

MOST = 24  # figures of template variations that a run draws


def result_tasks(
    result: StatisticsResult,
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    remarks: Sequence[str] = (),
) -> list[FigureTask]:
    """Tasks of all figures of the statistics of a run, into ``plots/statistics``.

    A fit that did not converge has no figures, and what is derived from it has none either.

    Parameters
    ----------
    result : StatisticsResult
        As the run found it, or as it is stored.
    spec : PlottingSpec
        From `PlottingSpec.from_config`.
    output_manager : PlotFolders
        Gives the folder of the plots.
    remarks : sequence of str
        Written on every figure.
    """
    tasks = fit_tasks(
        spec,
        output_manager,
        fit=result.fit,
        predictions=(result.prefit, result.postfit),
        limit=result.limit,
        remarks=remarks,
    )
    good = result.fit.converged
    return tasks + inference_tasks(
        spec,
        output_manager,
        ranking=result.ranking if good else None,
        scans=result.scans if good else (),
        goodness=result.goodness if good else None,
        validation=[one for one in result.validation if good or one.kind == "prefit"],
        remarks=remarks,
    )


def inference_tasks(  # noqa: PLR0913 -- each input is a record that may be absent
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    ranking: Ranking | None = None,
    scans: Sequence[LikelihoodScan] = (),
    goodness: GoodnessOfFit | None = None,
    validation: Sequence[Prediction] = (),
    remarks: Sequence[str] = (),
) -> list[FigureTask]:
    """Tasks of the figures of ranking, scans, toys and validation regions.

    They go into ``plots/statistics``. Scans of the same parameter share a figure.

    Parameters
    ----------
    spec : PlottingSpec
        From `PlottingSpec.from_config`.
    output_manager : PlotFolders
        Gives the folder of the plots.
    ranking : Ranking, optional
        Of a converged fit; with groups it has a second figure.
    scans : sequence of LikelihoodScan
        In one or two parameters.
    goodness : GoodnessOfFit, optional
        Drawn if it has toys.
    validation : sequence of Prediction
        Regions that are predicted and not fitted.
    remarks : sequence of str
        Written on every figure.
    """
    named: dict[str, Any] = {}
    for prediction in validation:
        title = f"{TITLES[prediction.kind]}, validation region"
        for channel in prediction.channels:
            numbers = prediction_numbers(channel, spec, title)
            named[f"validation_{prediction.kind}_{channel.name}"] = numbers
    if ranking is not None and ranking.impacts:
        named["ranking"] = ranking_numbers(ranking)
        if ranking.groups:
            named["ranking_groups"] = group_numbers(ranking)
    named |= {name: likelihood_numbers(alike) for name, alike in scan_groups(scans).items()}
    if goodness is not None and goodness.toys:
        named["goodness_of_fit"] = goodness_numbers(goodness)
    folder, lines = output_manager.get_plots_dir("statistics"), tuple(remarks)
    return [FigureTask(content, spec, folder, name, lines) for name, content in named.items()]


def scan_groups(scans: Sequence[LikelihoodScan]) -> dict[str, list[LikelihoodScan]]:
    """Scans that share a figure, by its name: those of one parameter, observed and expected."""
    groups: dict[str, list[LikelihoodScan]] = {}
    for scan in scans:
        name = "_".join(("scan", *map(file_name, scan.parameters)))
        if len(scan.parameters) > 1 and name in groups:
            name = f"{name}_{scan.data}"
        groups.setdefault(name, []).append(scan)
    return groups


def variation_tasks(
    histograms: HistogramSet,
    observables: Mapping[str, str],
    spec: PlottingSpec,
    output_manager: PlotFolders,
    *,
    most: int = MOST,
    remarks: Sequence[str] = (),
) -> list[FigureTask]:
    """Tasks of the template variations, one figure a region and source.

    They go into ``plots/<channel>/variations``.

    Parameters
    ----------
    histograms : HistogramSet
        Normalised histograms with their variations.
    observables : mapping
        Region -> observable, such as those of the fit.
    spec : PlottingSpec
        From `PlottingSpec.from_config`.
    output_manager : PlotFolders
        Gives the folder of the plots.
    most : int
        How many figures at most: those with the largest effect on a region.
    remarks : sequence of str
        Written on every figure.
    """
    found = all_variations(histograms, observables, spec)
    if len(found) > most:
        logger.info(
            "template variations: the %d with the largest effect of %d are drawn; `hepflow plot` "
            "draws all of them",
            most,
            len(found),
        )
    return [one_variation(one, spec, output_manager, remarks) for one in found[:most]]


def one_variation(
    numbers: VariationNumbers,
    spec: PlottingSpec,
    output_manager: PlotFolders,
    remarks: Sequence[str] = (),
) -> FigureTask:
    """Task of one region and source."""
    folder = output_manager.get_plots_dir(f"{file_name(numbers.channel)}/variations")
    return FigureTask(numbers, spec, folder, file_name(numbers.source), tuple(remarks))
