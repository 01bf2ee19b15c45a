"""Results of inference for the tests of figures."""

import numpy as np

from hepflow.records.inference import (
    GoodnessOfFit,
    GroupImpact,
    Impact,
    Interval,
    LikelihoodScan,
    Ranking,
)

ONE_SIGMA = 0.6826894921370859


def impact(name, size, *, pull=0.5, error=0.8, free=False):
    """Impact of the size `size` after the fit, and a quarter more before it."""
    return Impact(
        parameter=name,
        bestfit=1.1 if free else pull,
        uncertainty=0.05 if free else error,
        nominal=1.0 if free else 0.0,
        prefit_uncertainty=0.0 if free else 1.0,
        postfit=(-size, 0.9 * size),
        prefit=None if free else (-1.25 * size, 1.125 * size),
    )


def ranking(count=4):
    """Impacts 1/10, 1/20, 1/30, ... on the parameter of interest; the second one is free."""
    impacts = tuple(impact(f"np_{i}", 0.1 / i, free=i == 2) for i in range(1, count + 1))
    groups = (
        GroupImpact("jets", ("np_1",), 0.1),
        GroupImpact("theory", ("np_3",), 0.03),
        GroupImpact("data statistics", (), 0.15),
    )
    return Ranking("mu", 0.4, 0.2, impacts[::-1], groups)


def scan(centre=0.8, width=0.2, data="observed", parameter="mu"):
    """Parabola with its intervals."""
    values = np.linspace(0.0, 2.0, 21)
    delta = ((values - centre) / width) ** 2
    ends = ((ONE_SIGMA, 1.0), (0.95, 1.959964))
    intervals = tuple(
        Interval(parameter, centre, centre - k * width, centre + k * width, level)
        for level, k in ends
    )
    return LikelihoodScan((parameter,), (tuple(values),), tuple(delta), (centre,), data, intervals)


def scan_of_two(data="observed"):
    """Circle of radius 0.2 in mu and 0.1 in k, without correlation."""
    x, y = np.linspace(0.0, 2.0, 11), np.linspace(0.5, 1.5, 9)
    grid = ((x[:, None] - 0.8) / 0.2) ** 2 + ((y[None, :] - 1.0) / 0.1) ** 2
    return LikelihoodScan(("mu", "k"), (tuple(x), tuple(y)), tuple(grid.ravel()), (0.8, 1.0), data)


def goodness(toys=400, failed=0):
    """Toys of a model with six degrees of freedom."""
    values = np.random.default_rng(2).chisquare(6, toys)
    return GoodnessOfFit(9.0, 6, 0.174, "toys", tuple(values), failed)
