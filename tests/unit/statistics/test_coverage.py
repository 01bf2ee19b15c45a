"""How often intervals and limits contain the truth: exact sums, and toys made independently."""

from __future__ import annotations

import bisect
import functools
import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from hepflow.statistics import Cls, fit, load_likelihood, load_model, upper_limit
from hepflow.statistics.intervals import minos
from hepflow.statistics.toy_limits import upper_limit_with_toys
from hepflow.statistics.toys import ToySpec, fit_toys, make_toys
from tests.unit.statistics.models import counting, normsys, precise_pyhf

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SIGNAL, BACKGROUND = 10.0, 40.0  # of the counting experiment
FEW = (2.5, 1.2)  # signal and background: fewer than five events are expected


def one_bin(n, signal=SIGNAL, background=BACKGROUND):
    return load_likelihood(counting(signal, background, float(n), bounds=(0.0, 20.0)))


def truth(signal, background, mu):
    """Likelihood of one bin, its parameters at `mu`, and its exact distribution of counts."""
    likelihood, _ = one_bin(0, signal, background)
    counts = np.arange(int(mu * signal + background + 12 * math.sqrt(mu * signal + background) + 9))
    return likelihood, np.array([mu]), counts, poisson.pmf(counts, mu * signal + background)


def fractions(contains, exact_contains, model, mu, spec):
    """Fraction of toys for which `contains` holds, the exact sum, and the binomial width."""
    likelihood, parameters, counts, weights = truth(*model, mu)
    made = make_toys(likelihood, parameters, spec)[:, 0]
    found, times = np.unique(made, return_counts=True)
    held = np.array([contains(n) for n in found])
    share = float(times[held].sum() / len(made))
    exact = float(weights[[exact_contains(n) for n in counts]].sum())
    return share, exact, math.sqrt(exact * (1 - exact) / len(made))


@functools.cache
def interval(n):
    likelihood, data = one_bin(n)
    (found,) = minos(likelihood, data, fit(likelihood, data), ["mu"])
    return found


def in_interval(mu, n):
    low, high = interval(n).low, interval(n).high
    return (low is None or low <= mu) and (high is None or mu <= high)


def in_exact_interval(mu, n, s=SIGNAL, b=BACKGROUND):
    """Rise of twice the negative log-likelihood, of which the signal is not negative."""
    rate, best = mu * s + b, max(n, b)
    return 2 * (rate - best - (n * math.log(rate / best) if n else 0.0)) <= 1


def exact_asymptotic_limit(n, s=SIGNAL, b=BACKGROUND):
    """Eq. 16 and 64 to 67 of arXiv:1007.1727, CLs."""

    def q(mu, count):
        best = max((count - b) / s, 0.0)
        if best > mu:
            return 0.0
        rate, top = mu * s + b, best * s + b
        return max(2 * (rate - top - (count * math.log(rate / top) if count else 0.0)), 0.0)

    def miss(mu):
        found, asimov = q(mu, n), q(mu, b)
        root = math.sqrt(asimov)
        less = math.sqrt(found) - root
        statistic = less if found <= asimov else (found - asimov) / (2 * root)
        return norm.logsf(statistic + root) - norm.logsf(statistic) - math.log(0.05)

    return brentq(miss, 1e-3, 1e3)


@pytest.mark.parametrize("mu", [0.0, 0.7])
def test_intervals_of_a_counting_experiment(mu):
    share, exact, width = fractions(
        functools.partial(in_interval, mu), functools.partial(in_exact_interval, mu),
        (SIGNAL, BACKGROUND), mu, ToySpec(20_000, 1),
    )  # fmt: skip
    assert abs(share - exact) < 3 * width
    assert 0.6 < exact < 0.9


def test_limits_of_a_counting_experiment():
    mu = 0.7

    def in_limit(n):
        return upper_limit(*one_bin(n)).observed >= mu

    least = bisect.bisect_left(range(100), 1, key=lambda n: int(in_limit(n)))
    assert in_limit(least + 5)
    assert not in_limit(least // 2)
    share, exact, width = fractions(
        lambda n: n >= least, lambda n: exact_asymptotic_limit(n) >= mu,
        (SIGNAL, BACKGROUND), mu, ToySpec(20_000, 2),
    )  # fmt: skip
    assert abs(share - exact) < 3 * width
    assert exact > 0.95  # CLs over-covers


def test_limits_with_toys_where_few_events_are_expected():
    """The limit from toys itself, for each count; CLs of discrete counts, summed exactly."""
    mu, (s, b) = 1.4, FEW
    assert mu * s + b < 5

    def in_limit(n):
        if n > 2:  # what is seen is near what is expected: CLs is far above 5 %
            return True
        return upper_limit_with_toys(*one_bin(n, s, b), toys=ToySpec(2000, 3)).observed >= mu

    def in_exact_limit(n):
        if n >= mu * s + b:
            return True
        return poisson.cdf(n, mu * s + b) / poisson.cdf(n, b) >= 0.05

    share, exact, width = fractions(in_limit, in_exact_limit, FEW, mu, ToySpec(20_000, 4))
    assert abs(share - exact) <= 3 * width
    assert exact > 0.95


def with_shapes():
    """Three bins, a shape, a normalisation and the statistics of simulation."""
    workspace = counting(6.0, 20.0, 0.0, bounds=(-4.0, 8.0))
    channel = workspace["channels"][0]
    channel["samples"][0]["data"] = [2.0, 6.0, 3.0]
    background = channel["samples"][1]
    background["data"] = [30.0, 20.0, 12.0]
    shape = {"hi_data": [31.0, 22.0, 14.0], "lo_data": [29.0, 18.5, 10.5]}
    background["modifiers"] = [
        normsys("norm", 1.1, 0.92),
        {"name": "shape", "type": "histosys", "data": shape},
        {"name": "iso", "type": "shapesys", "data": [3.0, 2.0, 2.0]},
    ]
    workspace["observations"][0]["data"] = [32.0, 26.0, 15.0]
    return workspace


def in_ours(mu, number):
    """Whether interval and limit contain the truth, in toys of hepflow."""
    likelihood, data = load_likelihood(with_shapes())
    parameters = fit_toys(likelihood, data[np.newaxis], likelihood.init, poi=mu).parameters[0]
    made = make_toys(likelihood, parameters, ToySpec(number, 7))
    held = fit_toys(likelihood, made, parameters, poi=mu)
    free = fit_toys(likelihood, made, parameters)
    inside = held.value - free.value <= 1.0
    return inside, made, parameters


def toys_of_pyhf(pyhf, model, parameters, number, seed):
    """Toys with pyhf's distributions and random numbers."""
    labels = list(load_likelihood(with_shapes())[0].labels)
    ordered = parameters[[labels.index(name) for name in model.config.par_names]]
    state = np.random.get_state()  # noqa: NPY002 - what pyhf draws from, restored below
    np.random.seed(seed)  # noqa: NPY002 - likewise
    found = model.make_pdf(pyhf.tensorlib.astensor(ordered)).sample((number,))
    np.random.set_state(state)  # noqa: NPY002 - likewise
    return np.asarray(found)


def in_theirs(mu, number, parameters):
    """Likewise with pyhf's distributions, fits and random numbers."""
    inside = []
    with precise_pyhf() as pyhf:
        model, _ = load_model(with_shapes())
        made = toys_of_pyhf(pyhf, model, parameters, number, 11)
        for one in made:
            _, held = pyhf.infer.mle.fixed_poi_fit(mu, one, model, return_fitted_val=True)
            _, free = pyhf.infer.mle.fit(one, model, return_fitted_val=True)
            inside.append(float(held) - float(free) <= 1.0)
    return np.array(inside)


def compare_with_independent_toys(ours, theirs):
    inside, _, parameters = in_ours(1.0, ours)
    share, other = inside.mean(), in_theirs(1.0, theirs, parameters).mean()
    width = math.sqrt(share * (1 - share) * (1 / ours + 1 / theirs))
    assert abs(share - other) < 3 * width
    assert 0.6 < share < 0.8


def test_intervals_of_a_shape_model_with_nuisance_parameters():
    compare_with_independent_toys(2000, 60)


@pytest.mark.nightly
def test_intervals_of_a_shape_model_with_nuisance_parameters_in_many_toys():
    compare_with_independent_toys(20_000, 3000)


def test_the_interval_contains_the_truth_where_the_likelihood_has_not_risen():
    inside, made, _ = in_ours(1.0, 30)
    likelihood, _ = load_likelihood(with_shapes())
    for contains, data in zip(inside, made, strict=True):
        (found,) = minos(likelihood, data, fit(likelihood, data), ["mu"])
        low = -math.inf if found.low is None else found.low
        high = math.inf if found.high is None else found.high
        assert contains == (low <= 1.0 <= high)


def limits_contain(mu, number):
    """Fraction of toys whose asymptotic CLs at the truth is above 5 %."""
    likelihood, _ = load_likelihood(with_shapes())
    _, made, _ = in_ours(mu, number)
    return np.mean([Cls(likelihood, data).observed(mu) >= 0.05 for data in made])


def limits_of_pyhf_contain(mu, number):
    found = []
    with precise_pyhf() as pyhf:
        model, _ = load_model(with_shapes())
        _, _, parameters = in_ours(mu, 20)
        made = toys_of_pyhf(pyhf, model, parameters, number, 12)
        bounds = model.config.suggested_bounds()
        bounds[model.config.poi_index] = (0.0, 10.0)
        for one in made:
            cls = pyhf.infer.hypotest(mu, one, model, par_bounds=bounds, test_stat="qtilde")
            found.append(float(cls) >= 0.05)
    return np.mean(found)


@pytest.mark.nightly
def test_limits_of_a_shape_model_with_nuisance_parameters():
    ours, theirs = 2000, 1000
    share, other = limits_contain(1.0, ours), limits_of_pyhf_contain(1.0, theirs)
    width = math.sqrt(share * (1 - share) * (1 / ours + 1 / theirs))
    assert abs(share - other) < 3 * width
    assert share > 0.95
