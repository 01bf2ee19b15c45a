"""Predicted yields before and after the fit, as plain arrays for drawing and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.records.results import FitResult
from hepflow.statistics.fitting import as_likelihood
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.spec import FitChannel
from hepflow.statistics.yields import rows_of_channel

Floats = NDArray[np.float64]


def predict(
    model: Any,
    data: Sequence[float] | Floats | None,
    result: FitResult | None = None,
    *,
    channels: Sequence[FitChannel] = (),
) -> Prediction:
    """Yields and their uncertainty, before the fit or after it.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float or None
        Observed events (auxiliary data may follow); None leaves them out.
    result : FitResult, optional
        Given: best fit, with its correlations, for parameters that the fit had. For others, and
        without it for all: nominal parameters, each constraint on its own.
    channels : sequence of FitChannel, optional
        Axis labels and edges; without them the axis counts bins.

    Returns
    -------
    Prediction
        The uncertainty is that of cabinetry: parameters moved up and down by their
        standard deviation, half the difference, combined with the correlations.
    """
    likelihood = as_likelihood(model)
    centre, width, correlation = _state(likelihood, result)
    shifts = _shifts(likelihood, centre, width)
    cells = likelihood.yields.cells(centre)
    known = {one.name: one for one in channels}
    found = []
    for name, bins in likelihood.channels.items():
        rows = list(rows_of_channel(likelihood.yields, name))
        moved = shifts[:, bins]
        axis_label, edges = _axis(known.get(name), bins.stop - bins.start)
        found.append(
            ChannelPrediction(
                name=name,
                observable=known[name].observable if name in known else "bin",
                label=axis_label,
                edges=edges,
                samples={sample: np.asarray(cells[where]) for sample, where in rows},
                uncertainty=_spread(moved, correlation),
                total_uncertainty=float(_spread(moved.sum(axis=1, keepdims=True), correlation)[0]),
                data=None if data is None else np.asarray(data[bins], dtype=np.float64),
            )
        )
    order = {name: position for position, name in enumerate(known)}
    found.sort(key=lambda one: order.get(one.name, len(order)))
    return Prediction(tuple(found), "prefit" if result is None else "postfit")


def _state(likelihood: Likelihood, result: FitResult | None) -> tuple[Floats, Floats, Floats]:
    """Parameters, their uncertainties and correlation, in the order of the likelihood."""
    centre, width = likelihood.nominal(), likelihood.prefit_uncertainty()
    correlation: Floats = np.eye(len(centre))
    if result is None:
        return centre, width, correlation
    found = {label: index for index, label in enumerate(result.labels)}
    here = [index for index, label in enumerate(likelihood.labels) if label in found]
    there = [found[likelihood.labels[index]] for index in here]
    centre[here], width[here] = result.bestfit[there], result.uncertainty[there]
    correlation[np.ix_(here, here)] = result.correlation[np.ix_(there, there)]
    return centre, width, correlation


def _shifts(likelihood: Likelihood, centre: Floats, width: Floats) -> Floats:
    """Half the change of each bin between a parameter up and down, (n_parameters, n_bins)."""
    shifts = np.zeros((len(centre), likelihood.yields.n_bins))
    for index in np.flatnonzero(width):
        up, down = centre.copy(), centre.copy()
        up[index] += width[index]
        down[index] -= width[index]
        shifts[index] = (likelihood.yields.bins(up) - likelihood.yields.bins(down)) / 2
    return shifts


def _spread(shifts: Floats, correlation: Floats) -> Floats:
    variance = np.einsum("ib,ij,jb->b", shifts, correlation, shifts, optimize=True)
    return np.asarray(np.sqrt(np.clip(variance, 0.0, None)))


def _axis(channel: FitChannel | None, n_bins: int) -> tuple[str, tuple[float, ...]]:
    if channel is not None and len(channel.edges) == n_bins + 1:
        return channel.axis_label, channel.edges
    return "bin", tuple(float(edge) for edge in range(n_bins + 1))
