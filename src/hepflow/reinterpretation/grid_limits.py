"""Limits on many signals of one analysis: each starts from what the one before it found."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hepflow.errors import LimitError

if TYPE_CHECKING:
    from hepflow.records import LimitResult
    from hepflow.reinterpretation.settings import LimitSettings
    from hepflow.statistics import Cls, Likelihood
    from hepflow.statistics.likelihood import Floats

_log = logging.getLogger(__name__)
_ROUNDS: Final = 8  # of fits, each for all limits together
_STEP: Final = 1e-6  # relative: the limit moves by less in the next round
_FARTHEST: Final = 3.0  # factor by which one round may move a limit
_NODES: Final = 3  # of the inverse quadratic interpolation
_OBSERVED: Final = "observed"
_Values = dict[float, float]  # by signal strength


@dataclass(frozen=True)
class Before:
    """Limits of the signal before, in units of what was guessed from the curvature."""

    found: Mapping[Any, float]  # by band, and of the observed limit

    def of(self, name: Any) -> float:
        """Factor from guess to limit; 1 where nothing is known."""
        return self.found.get(name, 1.0)


def next_limit(
    likelihood: Likelihood, data: Floats, settings: LimitSettings, before: Before | None = None
) -> tuple[LimitResult, Before | None]:
    """Upper limit, found with few fits where the limits of a similar signal are known.

    All five expected limits and the observed one move towards their roots together: the fits
    of a round are made at once, each from the nearest one and from the model's own start. Where
    that does not converge, each root is looked for by itself (`upper_limit`).

    Parameters
    ----------
    likelihood, data
        Of the signal.
    settings
        Confidence level, and whether data are looked at.
    before
        Of the signal before.

    Returns
    -------
    tuple
        The limit, whose CLs is verified as that of `upper_limit` is, and what the next signal
        starts from.

    Raises
    ------
    LimitError, FitError
        There is no limit.
    """
    from hepflow.statistics import Cls, upper_limit

    only = settings.expected_only
    cls = Cls(likelihood, None if only else likelihood.checked(data))
    guesses = _guesses(cls, settings, observed=not only)
    start = before or Before({})
    try:
        found = _together(
            cls, settings, {name: start.of(name) * one for name, one in guesses.items()}
        )
    except LimitError as error:
        _log.info("limits one by one: %s", error)
        level = settings.level
        result = upper_limit(likelihood, data, confidence_level=level, expected_only=only)
        return result, before
    after = Before({name: found[name] / guesses[name] for name in guesses})
    return _result(cls, likelihood, settings, found), after


def _guesses(cls: Cls, settings: LimitSettings, *, observed: bool) -> dict[Any, float]:
    from hepflow.statistics.cls import BANDS

    width = cls.width()
    targets = _targets(settings)
    found: dict[Any, float] = {band: targets[band] * width for band in BANDS}
    return {**found, _OBSERVED: found[0]} if observed else found


def _targets(settings: LimitSettings) -> dict[Any, float]:
    """Value of the root of q of the Asimov data at each expected limit."""
    from hepflow.statistics.cls import BANDS
    from hepflow.statistics.normal import cdf, quantile

    alpha = 1 - settings.level
    return {band: band + quantile(1 - alpha * cdf(band)) for band in BANDS}


def _together(cls: Cls, settings: LimitSettings, guesses: Mapping[Any, float]) -> dict[Any, float]:
    """Signal strengths of all limits; each was evaluated."""
    alpha = 1 - settings.level
    targets = {**_targets(settings), _OBSERVED: -math.log(alpha)}
    curves: dict[bool, _Values] = {False: {0.0: 0.0}, True: {0.0: 0.0}}  # by whether of data
    at = dict(guesses)
    for _ in range(_ROUNDS):
        for mu, point in zip(at.values(), cls.points(list(at.values())), strict=True):
            curves[False][mu] = cls.sqrt_q_asimov(mu)
            if point.observed is not None:
                curves[True][mu] = -math.log(max(point.observed, 1e-300))
        moved = {
            name: _next(curves[name == _OBSERVED], targets[name], at[name]) for name in guesses
        }
        if all(abs(moved[name] - at[name]) < _STEP * at[name] for name in at):
            _verify(cls, alpha, at)
            return at
        at = moved
    raise LimitError("the limits did not settle together.")


def _next(curve: _Values, target: float, here: float) -> float:
    """Where a rising curve reaches its target, from the nodes nearest to it in value."""
    nodes = sorted(curve.items(), key=lambda node: abs(node[1] - target))
    chosen: list[tuple[float, float]] = []
    for mu, value in nodes:
        if all(abs(value - other) > 1e-12 * max(abs(target), 1.0) for _, other in chosen):
            chosen.append((mu, value))
        if len(chosen) == _NODES:
            break
    found = _inverse(chosen, target)
    if not math.isfinite(found) or not here / _FARTHEST <= found <= here * _FARTHEST:
        found = here * _FARTHEST if curve[here] < target else here / _FARTHEST
    return found


def _inverse(nodes: Sequence[tuple[float, float]], target: float) -> float:
    """Inverse interpolation of Lagrange: the abscissa as a polynomial of the value."""
    total = 0.0
    for i, (mu, value) in enumerate(nodes):
        others = [other for j, (_, other) in enumerate(nodes) if j != i]
        total += mu * math.prod((target - other) / (value - other) for other in others)
    return total


def _verify(cls: Cls, alpha: float, found: Mapping[Any, float]) -> None:
    from hepflow.statistics.limits import CLS_TOLERANCE

    for name, mu in found.items():
        reached: Callable[[float], float] = cls.observed
        value = reached(mu) if name == _OBSERVED else cls.expected(mu, name)
        if not abs(value - alpha) < CLS_TOLERANCE:
            raise LimitError(f"the limit {mu:g} ({name}) does not verify: CLs there is {value:g}.")


def _result(
    cls: Cls, likelihood: Likelihood, settings: LimitSettings, found: Mapping[Any, float]
) -> LimitResult:
    from hepflow.records import LimitResult
    from hepflow.statistics.cls import BANDS
    from hepflow.statistics.fitting import model_info

    expected: Any = tuple(found[band] for band in BANDS)
    observed = found.get(_OBSERVED)
    return LimitResult(
        poi=likelihood.labels[likelihood.poi],
        poi_range=(0.0, 1.2 * max(expected[-1], observed or 0.0)),
        confidence_level=settings.level,
        observed=observed,
        expected=expected,
        expected_kind="a_priori" if observed is None else "a_posteriori",
        cls_at_observed=None if observed is None else cls.observed(observed),
        test_statistic="qtilde",
        calculator="asymptotic",
        model=model_info(likelihood, "newton"),
    )
