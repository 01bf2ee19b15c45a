"""Validation regions: predicted with what the fit has found, and not part of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hepflow.records.histograms import HistogramSet
from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.records.results import FitResult
from hepflow.statistics.binning import fit_channels
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.loading import load_likelihood
from hepflow.statistics.prediction import predict
from hepflow.statistics.spec import FitChannel, StatisticsSpec
from hepflow.statistics.templates import fit_templates
from hepflow.statistics.workspace import build_workspace

_log = logging.getLogger(__name__)


def predict_validation(
    histograms: HistogramSet,
    spec: StatisticsSpec,
    result: FitResult | None = None,
) -> Prediction:
    """Yields in the validation regions, before the fit or after it.

    Parameters
    ----------
    histograms : HistogramSet
        As filled.
    spec : StatisticsSpec
        Its model is the generated one.
    result : FitResult, optional
        Given: parameters that the fit had are where it found them, with their full covariance.
        Those that only a validation region has, such as the statistical uncertainties of its
        templates, keep the width of their constraint. Without it all parameters are nominal.

    Returns
    -------
    Prediction
        Of each validation region with simulated events; without channels where there is none.
        Observed data are there unless they are incomplete, or the region is blind, in whole or in
        part: that others are blind, so that the fit is to Asimov data, hides nothing here.

    Raises
    ------
    WorkspaceError
        A template that is not finite, or a variation that turns a yield around.
    """
    shown = _with_events(histograms, spec)
    if not shown:
        return Prediction((), "prefit" if result is None else "postfit")
    larger = replace(spec, channels=(*spec.channels, *shown))
    config = generate(histograms, larger, "", "")
    workspace = build_workspace(histograms, larger, config, asimov=True, check=False)
    for one in workspace["observations"]:
        one["data"] = [0.0] * len(one["data"])  # nothing is fitted
    likelihood, _ = load_likelihood(workspace)
    channels = fit_channels(histograms, spec, shown)
    found = predict(likelihood, None, result, channels=channels)
    templates = fit_templates(histograms, larger)
    incomplete = bool(histograms.incomplete_data())
    hidden = tuple(one.name for one in shown) if incomplete else spec.blind_validation
    return replace(
        found,
        channels=tuple(
            _with_data(found.channel(one.name), templates, spec, hidden) for one in channels
        ),
    )


def _with_events(histograms: HistogramSet, spec: StatisticsSpec) -> tuple[FitChannel, ...]:
    """Validation regions in which something is expected."""
    templates = fit_templates(histograms, replace(spec, channels=spec.validation))
    found = []
    for channel in spec.validation:
        keys = [(channel.name, channel.observable, process) for process in spec.processes]
        blocks = [templates.blocks[key] for key in keys if key in templates.blocks]
        if any(block.template().values.any() for block in blocks):
            found.append(channel)
        else:
            _log.warning("no simulated events in %s, which is not predicted", channel.name)
    return tuple(found)


def _with_data(
    predicted: ChannelPrediction,
    templates: HistogramSet,
    spec: StatisticsSpec,
    hidden: Sequence[str],
) -> ChannelPrediction:
    """The same with observed events, where these are there and may be seen."""
    keys = [(predicted.name, predicted.observable, name) for name in spec.data_processes]
    blocks = [templates.blocks[key] for key in keys if key in templates.blocks]
    if not blocks or predicted.name in hidden:
        return predicted
    return replace(predicted, data=np.sum([one.template().values for one in blocks], axis=0))
