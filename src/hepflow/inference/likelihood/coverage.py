"""How often regions contain the truth, counted in toys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hepflow.inference.likelihood.grids import Grid
from hepflow.inference.likelihood.model import Likelihood
from hepflow.inference.likelihood.regions import LEVELS, rise
from hepflow.inference.likelihood.toys import Toys, statistics
from hepflow.records.sbi import Coverage, Critical


def coverage(  # noqa: PLR0913 -- what is tested, with which toys, and what is on record of it
    likelihood: Likelihood,
    toys: Toys,
    theta: Any,
    grid: Grid,
    critical: Sequence[Critical] = (),
    *,
    method: str,
    seed: int,
    levels: Sequence[float] = LEVELS,
) -> tuple[Coverage, ...]:
    """Count how often regions contain the truth of toys.

    Parameters
    ----------
    likelihood : Likelihood
        That makes the regions.
    toys : Toys
        Drawn at the truth; with a likelihood that was trained, from events that it has not seen.
    theta : array_like, shape (n_parameters,)
        The truth, with nuisance parameters after those of the theory; left out, they are at the
        centres of their constraints.
    grid : Grid
        On which the maximum of a toy is looked for.
    critical : sequence of Critical
        At the truth, from other toys: for the Neyman construction beside the asymptotic regions.
    method : str
        Name of what the likelihood comes from.
    seed : int
        Of the toys, for the record.
    levels : sequence of float
        Confidence levels of the asymptotic regions.

    Returns
    -------
    tuple of Coverage
        Asymptotic ones first, then one for each of `critical`.
    """
    truth = tuple(float(one) for one in np.ravel(theta)[: len(likelihood.apart()[0])])
    found = statistics(likelihood, toys, theta, grid)
    borders = [("asymptotic", level, rise(level, len(truth))) for level in levels]
    borders += [("neyman", one.confidence_level, one.value[_at(one, truth)]) for one in critical]
    events = float(toys.counts.sum() / toys.counts.shape[0])
    model: Mapping[str, Any] = {"mean_events": events, "rate": likelihood.rate is not None}
    return tuple(
        Coverage(method, name, truth, level, int((found <= border).sum()), len(found), seed, model)
        for name, level, border in borders
    )


def _at(critical: Critical, theta: tuple[float, ...]) -> int:
    """Place of the nearest point, which is the truth itself where they were made for it."""
    return int(np.abs(np.asarray(critical.points) - theta).sum(axis=1).argmin())
