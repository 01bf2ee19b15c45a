"""Numbers of the figures of simulation-based inference: samples, losses, ratios, checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepflow.errors import InputError
from hepflow.records.prediction import Floats
from hepflow.records.sbi import Closure, Coverage, Reliability, Reweighting

BINS = 40
MOST_POINTS = 20_000  # of a comparison of ratios; more would only make it darker


@dataclass(frozen=True)
class SampleCurve:
    """Distribution of an observable at one parameter point."""

    name: str
    density: Floats  # per unit of the observable, shape (n_bins,)
    uncertainty: Floats  # standard deviation, shape (n_bins,)


@dataclass(frozen=True)
class SampleNumbers:
    """An observable at several parameter points, and the ratios to the first one."""

    label: str  # of the observable, with unit
    edges: Floats  # shape (n_bins + 1,)
    curves: tuple[SampleCurve, ...]
    note: str = ""  # what the ratio says, such as "chi2 / ndf = 1.1"


def sample_numbers(
    values: Floats, weights: Mapping[str, Floats], label: str, edges: Floats | None = None
) -> SampleNumbers:
    """Bin an observable with the weights of several parameter points.

    Parameters
    ----------
    values : ndarray, shape (n_events,)
        The observable.
    weights : mapping
        Weights of the events, shape (n_events,), by the name of the point. The first is the one
        that others are divided by.
    label : str
        Title of the axis, with unit.
    edges : ndarray, optional
        Edges of the bins. Default: 40 between the quantiles that leave 0.5 % out on each side.

    Raises
    ------
    InputError
        No event, or a weight that does not add up to something positive.
    """
    if not len(values) or not weights:
        raise InputError(f"there are no events to draw of {label}.")
    if edges is None:
        low, high = np.quantile(values, [0.005, 0.995])
        edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    width = np.diff(edges)
    curves = []
    for name, weight in weights.items():
        total = float(np.sum(weight))
        if not total > 0:
            raise InputError(
                f"the weights of {name!r} add up to {total:g}, so that {label} has no distribution."
            )
        filled = np.histogram(values, edges, weights=weight)[0] / total / width
        squares = np.histogram(values, edges, weights=np.square(weight))[0]
        curves.append(SampleCurve(name, filled, np.sqrt(squares) / total / width))
    return SampleNumbers(label, np.asarray(edges, dtype=np.float64), tuple(curves))


def reweighting_numbers(
    check: Reweighting, label: str = "", *, uncalibrated: Reweighting | None = None
) -> SampleNumbers:
    """Numbers of a reweighting check, drawn like samples.

    Parameters
    ----------
    check : Reweighting
        Of one observable.
    label : str
        Title of the axis; default the observable's name.
    uncalibrated : Reweighting, optional
        The same with the ratio as it was before it was calibrated.
    """
    point = ", ".join(f"{one:g}" for one in check.theta)
    target = SampleCurve(
        rf"$\theta$ = ({point})", np.array(check.target), np.array(check.target_uncertainty)
    )
    estimates = [_estimate(check, "Reference, reweighted")]
    if uncalibrated is not None:
        estimates = [
            _estimate(check, "Reference, reweighted, calibrated"),
            _estimate(uncalibrated, "Reference, reweighted"),
        ]
    chi2, freedom = check.chi2, check.degrees_of_freedom
    note = rf"$\chi^2$ / ndf = {chi2:.1f} / {freedom}, p = {check.p_value:.2g}"
    edges = np.array(check.edges)
    return SampleNumbers(label or check.observable, edges, (target, *estimates), note)


def _estimate(check: Reweighting, name: str) -> SampleCurve:
    return SampleCurve(name, np.array(check.reweighted), np.array(check.reweighted_uncertainty))


@dataclass(frozen=True)
class LossNumbers:
    """Loss in training of the members of one method's ensemble."""

    method: str
    training: tuple[Floats, ...]  # by epoch, one array a member
    validation: tuple[Floats, ...]  # likewise; empty arrays where there was none
    kept: tuple[int, ...] = ()  # epoch whose network was kept, from 1; by member


def loss_numbers(
    method: str,
    training: Sequence[Sequence[float]],
    validation: Sequence[Sequence[float]] = (),
    kept: Sequence[int] = (),
) -> LossNumbers:
    """Collect the losses of a method.

    Parameters
    ----------
    method : str
        Its name.
    training, validation : sequence of sequence of float
        Loss after each epoch, one sequence a member.
    kept : sequence of int
        Epoch whose network was kept, from 1. Default: that of the smallest loss in validation.

    Raises
    ------
    InputError
        No epoch was trained.
    """
    if not training or not all(len(one) for one in training):
        raise InputError(f"the training of {method} has no epoch to draw.")
    trained = tuple(np.asarray(one, dtype=np.float64) for one in training)
    checked = tuple(np.asarray(one, dtype=np.float64) for one in validation)
    best = tuple(kept) or tuple(int(np.nanargmin(one)) + 1 for one in checked if len(one))
    return LossNumbers(method, trained, checked, best)


@dataclass(frozen=True)
class RatioNumbers:
    """Estimated log ratio, or score, of events against what is known of them."""

    method: str
    known: Floats  # shape (n,)
    estimated: Floats  # shape (n,)
    against: str  # "true": of the observables; "joint": with hidden variables
    quantity: str  # in TeX
    error: float  # mean squared difference over the variance of what is known


def ratio_numbers(
    method: str,
    known: Floats,
    estimated: Floats,
    *,
    against: str = "true",
    quantity: str = r"$\ln\,r$",
) -> RatioNumbers:
    """Compare estimates with what is known of events.

    Parameters
    ----------
    method : str
        Of the estimate.
    known, estimated : ndarray
        Of the same events and points, any shape.
    against : {"true", "joint"}
        Whether `known` is of the observables alone, which an estimator can reach, or of hidden
        variables as well, around which even a perfect one scatters.
    quantity : str
        What is compared, in TeX.

    Raises
    ------
    InputError
        Shapes differ, or `against` is neither.
    """
    one, two = np.asarray(known, dtype=np.float64), np.asarray(estimated, dtype=np.float64)
    if one.shape != two.shape or one.size == 0:
        raise InputError(f"estimates have shape {two.shape}, what is known has {one.shape}.")
    if against not in {"true", "joint"}:
        raise InputError(f"estimates are compared with 'true' or 'joint' values, not {against!r}.")
    error = float(np.mean((one - two) ** 2) / max(float(np.var(one)), 1e-300))
    step = max(one.size // MOST_POINTS, 1)
    shown = one.ravel()[::step], two.ravel()[::step]
    return RatioNumbers(method, *shown, against=against, quantity=quantity, error=error)


@dataclass(frozen=True)
class ReliabilityNumbers:
    """Stated and found probabilities of several methods."""

    methods: tuple[str, ...]
    curves: tuple[Reliability, ...]


@dataclass(frozen=True)
class ClosureNumbers:
    """Means that are known, estimated by several methods."""

    name: str  # "mean ratio"
    expected: float
    points: tuple[str, ...]  # in words, of the points of each method
    methods: tuple[str, ...]
    means: Floats  # shape (n_methods, n_points)
    uncertainties: Floats  # likewise
    tolerance: float  # drawn as a band; 0: none


def closure_numbers(
    checks: Mapping[str, Sequence[Closure]], tolerance: float | None = None
) -> ClosureNumbers:
    """Collect closure checks of several methods at the same points.

    Parameters
    ----------
    checks : mapping
        From the name of a method to its checks.
    tolerance : float, optional
        Half-width of the band around what is expected. Default: 1 % of that; there is none
        around the zero of a score, which has a unit.

    Raises
    ------
    InputError
        The methods have different points, or there is none.
    """
    places = {tuple((one.name, one.theta) for one in found) for found in checks.values()}
    if len(places) != 1 or not next(iter(places)):
        raise InputError("closure checks of one figure need the same points for every method.")
    first = next(iter(checks.values()))
    names = {one.name for one in first}
    common = next(iter(names)) if len(names) == 1 else ""
    points = tuple(
        _place(one.theta) if len(names) == 1 else one.name.replace(" of ", " of\n") for one in first
    )
    return ClosureNumbers(
        common,
        first[0].expected,
        points,
        tuple(checks),
        np.array([[one.mean for one in found] for found in checks.values()]),
        np.array([[one.uncertainty for one in found] for found in checks.values()]),
        0.01 * first[0].expected if tolerance is None else tolerance,
    )


def _place(theta: Sequence[float]) -> str:
    """A point in lines of one value each, so that neighbours on an axis have room."""
    values = ",\n".join(f"{one:g}" for one in theta)
    return f"({values})".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class CoverageNumbers:
    """Coverage of regions, by method, calculator and level."""

    checks: tuple[Coverage, ...]


def method_names(checks: Sequence[Coverage]) -> tuple[str, ...]:
    """Methods in the order in which they come."""
    return tuple(dict.fromkeys(one.method for one in checks))
