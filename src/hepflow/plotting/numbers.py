"""Numbers of the data/MC figures: errors of counts, bands, ratios. Nothing here draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hepflow.plotting.spec import NormalisationSource, PlottingSpec
from hepflow.plotting.style import pretty
from hepflow.records import Axis, HistogramSet, blind_bins, blind_ranges
from hepflow.records.prediction import ChannelPrediction, Floats

NARROW, USUAL, WIDE = 0.2, 0.5, 1.0  # reach of a ratio panel on both sides of 1
TOO_MANY = 0.25  # fraction of points outside at which the panel gets wider
ONE_SIGMA = 0.6826894921370859  # probability of a Gaussian within one standard deviation


@dataclass(frozen=True)
class Band:
    """Uncertainty of a total; both are distances from it and not negative."""

    up: Floats  # shape (n_bins,)
    down: Floats  # shape (n_bins,)


@dataclass(frozen=True)
class StackNumbers:
    """All numbers of one data/MC figure."""

    channel: str
    observable: str
    label: str  # axis title with unit
    edges: Floats  # shape (n_bins + 1,)
    stack: Mapping[str, Floats]  # by process from the bottom, each of shape (n_bins,)
    band: Band  # of the sum of the stack
    lines: Mapping[str, Floats]  # signals that are not in the stack, by process
    data: Floats | None  # observed events, shape (n_bins,)
    title: str = ""  # what kind of prediction: "Pre-fit"
    thresholds: tuple[float, ...] = ()  # where the cut is that is left out, marked on the axis
    # `poisson_interval` of data; computed here, so that who only draws need not import scipy
    interval: tuple[Floats, Floats] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.data is not None:
            object.__setattr__(self, "interval", poisson_interval(self.data))

    @property
    def total(self) -> Floats:
        """Sum of the stack, shape (n_bins,)."""
        nothing = np.zeros(len(self.edges) - 1)
        return np.asarray(np.sum([nothing, *self.stack.values()], axis=0), dtype=np.float64)


def poisson_interval(counts: Floats, probability: float = ONE_SIGMA) -> tuple[Floats, Floats]:
    """Central confidence interval of a Poisson mean for the counts observed.

    Parameters
    ----------
    counts : ndarray, shape (n_bins,)
        Observed events, not negative.
    probability : float
        Coverage of the interval.

    Returns
    -------
    low, high : ndarray, shape (n_bins,)
        Ends of the interval; `low` is 0 for 0 observed events.

    Notes
    -----
    F. Garwood, Biometrika 28 (1936) 437, with gamma instead of chi-squared quantiles.

    Examples
    --------
    >>> low, high = poisson_interval(np.array([0.0, 1.0]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.173], [1.841, 3.3])
    """
    from scipy.special import gammaincinv

    counts = np.maximum(np.asarray(counts, dtype=np.float64), 0.0)
    tail = (1.0 - probability) / 2.0
    low = np.where(counts > 0, gammaincinv(np.where(counts > 0, counts, 1.0), tail), 0.0)
    return low, np.asarray(gammaincinv(counts + 1.0, 1.0 - tail), dtype=np.float64)


def uncertainty_band(statistical_variance: Floats, shifts: Iterable[tuple[Floats, Floats]]) -> Band:
    """Add sources in quadrature, upward and downward deviations apart.

    Parameters
    ----------
    statistical_variance : ndarray, shape (n_bins,)
        Sum of squared weights of the total.
    shifts : iterable of (ndarray, ndarray)
        For each source, the total varied up and down, minus the nominal total.

    Returns
    -------
    Band
        A source whose variations lie on the same side counts there once, with the larger.
    """
    up = np.array(statistical_variance, dtype=np.float64, copy=True)
    down = up.copy()
    for first, second in shifts:
        up += np.maximum(np.maximum(first, second), 0.0) ** 2
        down += np.minimum(np.minimum(first, second), 0.0) ** 2
    return Band(np.sqrt(np.maximum(up, 0.0)), np.sqrt(np.maximum(down, 0.0)))


def source_names(variations: Iterable[str]) -> tuple[str, ...]:
    """Sources behind the names on a variation axis.

    Examples
    --------
    >>> source_names(["nominal", "jes_up", "jes_down", "pileup_up"])
    ('jes', 'pileup')
    """
    return tuple(dict.fromkeys(_source(name) for name in variations if name != "nominal"))


def _source(variation: str) -> str:
    """Take one direction away: a source itself may be called ``x_up`` or ``x_down``."""
    source = variation.removesuffix("_up")
    return source if source != variation else variation.removesuffix("_down")


def stack_order(
    yields: Mapping[str, float], first: Sequence[str] = (), last: Sequence[str] = ()
) -> tuple[str, ...]:
    """Order processes from the bottom: those in `first`, then by yield, then those in `last`."""
    head = [name for name in first if name in yields and name not in last]
    tail = [name for name in last if name in yields]
    rest = [name for name in yields if name not in head and name not in tail]
    return (*head, *sorted(rest, key=lambda name: (yields[name], name)), *tail)


def stack_numbers(
    histograms: HistogramSet, channel: str, observable: str, spec: PlottingSpec
) -> StackNumbers:
    """Collect the numbers of one figure before the fit.

    Parameters
    ----------
    histograms : HistogramSet
        Normalised histograms with their variations.
    channel, observable : str
        Which one.
    spec : PlottingSpec
        Order, signals, normalisation sources, treatment of the flow bins.

    Returns
    -------
    StackNumbers
        Data is None where the channel has none; the band holds the processes of the stack.
    """
    there = histograms.processes(channel, observable)
    observed = [name for name in there if name in histograms.data_processes]
    lines = [name for name in spec.signals if name in there]
    stacked = [name for name in there if name not in observed and name not in lines]

    def values(processes: Sequence[str], variation: str = "nominal") -> Floats:
        template = histograms.total(channel, observable, processes, variation)
        return (template.folded() if spec.fold_overflow else template).values

    axis = histograms.axes[channel, observable]
    left_out = spec.left_out.get((channel, observable))
    yields = {name: float(values([name]).sum()) for name in stacked}
    total = histograms.total(channel, observable, stacked)
    nominal = values(stacked)
    shifts = [
        (values(stacked, f"{source}_up") - nominal, values(stacked, f"{source}_down") - nominal)
        for source in source_names(histograms.variations(channel, observable))
    ]
    by_process = {name: values([name]) for name in stack_order(yields, spec.order)}
    here = [s for s in spec.normalisations if s.channels is None or channel in s.channels]
    shifts += _normalisation_shifts(by_process, here)
    variance = (total.folded() if spec.fold_overflow else total).variances
    return StackNumbers(
        channel=channel,
        observable=observable,
        label=axis.label or axis.name,
        edges=np.asarray(axis.edges, dtype=np.float64),
        stack=by_process,
        band=uncertainty_band(variance, shifts),
        lines={name: values([name]) for name in lines},
        data=_seen(values(observed), axis, channel, spec) if observed else None,
        title=_title(histograms, channel, observable, spec),
        thresholds=left_out.thresholds if left_out else (),
    )


def _title(histograms: HistogramSet, channel: str, observable: str, spec: PlottingSpec) -> str:
    """Say which cut is left out, and what other histograms of the channel have beyond this."""
    left_out = spec.left_out.get((channel, observable))
    if left_out is None:
        return ""
    here = set(histograms.processes(channel, observable)) | histograms.data_processes
    others = histograms.observables(channel)
    there = dict.fromkeys(p for one in others for p in histograms.processes(channel, one))
    absent = [spec.labels.get(name, pretty(name)) for name in there if name not in here]
    lacks = [f"without {', '.join(absent)}"] if absent else []
    most = max(len(histograms.variations(channel, one)) for one in others)
    if most > len(histograms.variations(channel, observable)):
        lacks.append("band without variations")
    return f"All cuts but {pretty(left_out.cut)}" + (f" ({'; '.join(lacks)})" if lacks else "")


def _seen(data: Floats, axis: Axis, channel: str, spec: PlottingSpec) -> Floats:
    """Observed events, NaN in blind bins: an empty bin would pass for an observation."""
    data = np.array(data, dtype=np.float64)
    for region in blind_ranges(channel, spec.blind):
        if region.observable == axis.name:
            data[blind_bins(axis, region)] = np.nan
    return data


def _normalisation_shifts(
    by_process: Mapping[str, Floats], sources: Iterable[NormalisationSource]
) -> list[tuple[Floats, Floats]]:
    shifts = []
    for source in sources:
        hit = [
            content
            for name, content in by_process.items()
            if source.processes is None or name in source.processes
        ]
        if hit:
            content = np.sum(hit, axis=0)
            up, down = source.sizes
            shifts.append((up * content, down * content))
    return shifts


def prediction_numbers(
    channel: ChannelPrediction, spec: PlottingSpec, title: str = ""
) -> StackNumbers:
    """Collect the numbers of one figure of the model; the signal is on top of the stack.

    The model's uncertainty is that of all samples together, so the signal belongs to the sum.
    """
    yields = {name: float(values.sum()) for name, values in channel.samples.items()}
    order = stack_order(yields, spec.order, last=spec.signals)
    return StackNumbers(
        channel=channel.name,
        observable=channel.observable,
        label=channel.label or channel.observable,
        edges=np.asarray(channel.edges, dtype=np.float64),
        stack={name: channel.samples[name] for name in order},
        band=Band(channel.uncertainty, channel.uncertainty),
        lines={},
        data=channel.data,
        title=title,
    )


@dataclass(frozen=True)
class Ratio:
    """Data and band relative to the prediction; NaN (band: 0) where nothing is predicted."""

    value: Floats  # shape (n_bins,)
    low: Floats  # lower end of the data's interval, shape (n_bins,)
    high: Floats
    band_low: Floats
    band_high: Floats


def ratio(
    data: Floats, total: Floats, band: Band, interval: tuple[Floats, Floats] | None = None
) -> Ratio:
    """Divide data and band by the total.

    Parameters
    ----------
    data, total : ndarray, shape (n_bins,)
        Observed and predicted events.
    band : Band
        Uncertainty of the total.
    interval : tuple of ndarray, optional
        That of the data, where it is known already.
    """
    low, high = interval or poisson_interval(data)
    predicted = total > 0
    safe = np.where(predicted, total, 1.0)

    def of(values: Floats, otherwise: float) -> Floats:
        return np.where(predicted, values / safe, otherwise)

    return Ratio(
        of(data, np.nan),
        of(low, np.nan),
        of(high, np.nan),
        of(total - band.down, 1.0),
        of(total + band.up, 1.0),
    )


def ratio_limits(numbers: Ratio) -> tuple[float, float]:
    """Limits of a ratio panel around 1: +-0.5, narrower or wider only where that shows more.

    Returns
    -------
    tuple of float
        +-0.2 where all points with their errors and the band are inside; +-1 where more than
        a quarter of the points are outside +-0.5.
    """
    measured = numbers.value > 0  # False for NaN
    if not measured.any():
        return 1.0 - USUAL, 1.0 + USUAL
    far = [numbers.low[measured], numbers.high[measured], numbers.band_low, numbers.band_high]
    if np.abs(np.concatenate(far) - 1.0).max() < NARROW:
        return 1.0 - NARROW, 1.0 + NARROW
    off = np.abs(numbers.value[measured] - 1.0) > USUAL
    reach = WIDE if off.mean() > TOO_MANY else USUAL
    return 1.0 - reach, 1.0 + reach


def outside(numbers: Ratio, limits: tuple[float, float]) -> tuple[NDArray[np.bool_], ...]:
    """Find points below and above a ratio panel.

    Returns
    -------
    below, above, empty : ndarray of bool, shape (n_bins,)
        `empty` marks bins that say nothing: no event, and an interval that covers the panel.
    """
    with np.errstate(invalid="ignore"):
        empty = ~(numbers.value > 0) & ~(numbers.high < limits[1])
        return (numbers.value < limits[0]) & ~empty, numbers.value > limits[1], empty
