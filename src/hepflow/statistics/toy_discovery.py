"""Discovery significance with toys: the distribution of the test statistic q0 is not assumed.

q0: eq. 12 of Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71 (2011) 1554 [arXiv:1007.1727].
Nuisance parameters of the toys are those of the fit to the data under the same hypothesis.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import FitError
from hepflow.logging import progress
from hepflow.logging.progress import Task as Progress
from hepflow.records.results import Significance
from hepflow.statistics.discovery import NEAR_TOP, WIDEN, WIDER, require_signal
from hepflow.statistics.fitting import as_likelihood, model_info
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.toys import (
    ToySpec,
    fit_toys,
    fraction,
    improved,
    judged,
    make_toys,
    replaced,
)

Floats = NDArray[np.float64]
_BACKGROUND, _SIGNAL = 10, 11  # ensembles
_TIE = 1e-6  # in q0: toys with the data's own counts reach the data
_FEW = 10  # toys beyond the observed value: the p-value is known to 30 %

_log = logging.getLogger(__name__)


def significance_with_toys(
    model: Any,
    data: Sequence[float] | Floats | None,
    *,
    toys: ToySpec | None = None,
    expected_only: bool = False,
    signal_strength: float = 1.0,
) -> Significance:
    """P-value of the background-only hypothesis from toys, and the median that is expected.

    Parameters
    ----------
    model : pyhf.Model or Likelihood
    data : sequence of float or None
        With auxiliary data. Not looked at with `expected_only`.
    toys : ToySpec, optional
        Toys with and as many without signal.
    expected_only : bool
        Nuisance parameters are nominal, and nothing is observed.
    signal_strength : float
        Signal that is expected.

    Returns
    -------
    Significance
        Where no toy reaches the observed value, ``observed_p`` is one in the number of toys, a
        warning says so and ``model["toys"]["observed_p_is_bound"]`` is true; likewise for what is
        expected. A deficit has significance 0.

    Raises
    ------
    FitError
        The fit to the data failed, or those of more than 1 % of the toys, or the likelihood does
        not depend on the signal.
    InputError
        There are too few toys.
    """
    spec = (toys or ToySpec()).checked()
    likelihood = as_likelihood(model)
    require_signal(likelihood)
    observed = None if expected_only or data is None else likelihood.checked(data)
    with progress("toys for the significance", total=4 * spec.number) as task:
        background = _parameters(likelihood, observed, 0.0)
        without, failed = _q0_of_toys(likelihood, background, spec, _BACKGROUND, task)
        signal = _parameters(likelihood, observed, signal_strength)
        with_signal, also_failed = _q0_of_toys(likelihood, signal, spec, _SIGNAL, task)
    if max(without.max(), with_signal.max()) < _TIE:
        raise FitError(
            f"the likelihood does not depend on {likelihood.labels[likelihood.poi]} in any of "
            f"{2 * spec.number} toys: there is no significance. "
            "Look whether the signal has events in the regions of the fit."
        )
    about: dict[str, Any] = {"number": spec.number, "seed": spec.seed}
    about["failed"] = failed + also_failed
    expected_p, expected_z = _tail(without, float(np.median(with_signal)), "expected", about)
    found = Significance(None, None, expected_p, expected_z)
    if observed is not None:
        q0 = _q0(likelihood, observed[np.newaxis], background)
        judged(q0[1], "significance, which are the data,")
        p_value, z_value = _tail(without, float(q0[0][0]), "observed", about)
        found = replace(found, observed_p=p_value, observed_z=z_value)
    info = {**model_info(likelihood, "newton"), "toys": about}
    return replace(found, calculator="toys", model=info)


def _parameters(likelihood: Likelihood, data: Floats | None, mu: float) -> Floats:
    """What makes the toys: nuisance parameters of the fit to the data with the POI held."""
    nominal = likelihood.nominal()
    nominal[likelihood.poi] = mu
    if data is None:
        return nominal
    found = fit_toys(likelihood, data[np.newaxis], nominal, poi=mu)
    judged(found.valid, "significance, which are the data,")
    return np.asarray(found.parameters[0])


def _q0_of_toys(
    likelihood: Likelihood, parameters: Floats, spec: ToySpec, ensemble: int, task: Progress
) -> tuple[Floats, int]:
    made = make_toys(likelihood, parameters, spec, ensemble)
    values, valid = _q0(likelihood, made, parameters, task)
    return values[valid], judged(valid, "significance")


def _q0(
    likelihood: Likelihood, data: Floats, start: Floats, task: Progress | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Test statistic of each data set, and whether its fits converged."""
    high = max(float(likelihood.bounds[likelihood.poi, 1]), 1.0)
    free = fit_toys(likelihood, data, start, poi=(0.0, high), task=task)
    held = fit_toys(likelihood, data, free.parameters, poi=0.0, task=task)
    free = improved(likelihood, data, free, held, (0.0, high))
    for _ in range(WIDER):  # the range of the model must not hide a part of the excess
        short = free.parameters[:, likelihood.poi] >= NEAR_TOP * high
        if not short.any():
            break
        high *= WIDEN
        again = fit_toys(likelihood, data[short], free.parameters[short], poi=(0.0, high))
        free = replaced(free, short, again)
    q0 = np.where(free.parameters[:, likelihood.poi] > 0, held.value - free.value, 0.0)
    return np.clip(q0, 0.0, None), held.valid & free.valid


def _tail(toys: Floats, q0: float, what: str, about: dict[str, Any]) -> tuple[float, float]:
    """P-value and significance; what is known about them goes to `about`."""
    from scipy.special import ndtri

    reached = int((toys >= q0 - _TIE).sum())
    p_value, uncertainty = fraction(reached, len(toys))
    about[f"{what}_p_uncertainty"] = uncertainty
    about[f"{what}_p_is_bound"] = reached == 0
    if reached < _FEW:
        how = "is known badly" if reached else f"is below {1 / len(toys):.2g}"
        _log.warning(
            "%d of %d toys reach the %s value of q0: the p-value %s. "
            'Make more toys, or use calculator "asymptotic"',
            reached, len(toys), what, how,
        )  # fmt: skip
    p_value = max(p_value, 1 / len(toys))
    return p_value, max(float(-ndtri(p_value)), 0.0) if p_value < 1 else 0.0
