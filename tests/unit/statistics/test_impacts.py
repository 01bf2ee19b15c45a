"""Impacts: closed form, what a group takes away when it is held, cabinetry's ranking."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.errors import FitError, InputError
from hepflow.records import Ranking
from hepflow.statistics import fit, load_likelihood, load_model
from hepflow.statistics.bestfit import BestFit
from hepflow.statistics.impacts import STATISTICS, SYSTEMATICS, ranking
from hepflow.statistics.minimise import Task, curvature
from tests.unit.statistics.inference_models import fitted, shapes
from tests.unit.statistics.models import all_modifiers, counting, normsys, precise_pyhf

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def lumi_counting(**settings):
    """Signal 20 over background 100 known to 10 %, by a parameter that is linear."""
    shape = {"name": "b", "type": "histosys", "data": {"hi_data": [110.0], "lo_data": [90.0]}}
    return counting(20.0, 100.0, 120.0, shape, bounds=(-10.0, 10.0))


def test_one_bin_has_its_impacts_in_closed_form():
    """The data fix mu s + b: what b gives, mu s takes; sigma(mu) = sqrt(n + 10^2) / s."""
    likelihood, data, result = fitted(lumi_counting())
    found = ranking(likelihood, data, result)
    assert found.uncertainty == pytest.approx(math.sqrt(120 + 100) / 20, rel=1e-3)
    (one,) = found.impacts
    assert one.parameter == "b"
    assert one.postfit == pytest.approx((0.5, -0.5), abs=1e-4)
    assert one.prefit == pytest.approx((0.5, -0.5), abs=1e-4)
    assert (one.pull, one.size) == (pytest.approx(0.0, abs=1e-6), pytest.approx(0.5, abs=1e-4))
    groups = {one.group: one.impact for one in found.groups}
    assert groups[SYSTEMATICS] == pytest.approx(0.5, rel=1e-3)
    assert groups[STATISTICS] == pytest.approx(math.sqrt(120) / 20, rel=1e-3)
    assert Ranking.from_json(found.to_json()) == found


def test_without_nuisance_parameters_all_is_statistics():
    likelihood, data, result = fitted(counting(10.0, 50.0, 60.0))
    found = ranking(likelihood, data, result)
    assert found.impacts == ()
    assert [(one.group, one.impact) for one in found.groups] == [(STATISTICS, found.uncertainty)]


def test_a_group_is_what_goes_away_when_it_is_held():
    likelihood, data, result = fitted(all_modifiers())
    groups = {"experimental": ["jes", "id"], "MC statistics": ["staterror_sr", "staterror_two"]}
    found = ranking(likelihood, data, result, groups=groups)
    sizes = [one.impact for one in found.groups[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert found.groups[-1].group == STATISTICS
    for one in found.groups[:-1]:
        held = np.isin(likelihood.labels, one.parameters)
        task = Task.free(likelihood, data, "newton")
        bent = curvature(replace(task, fixed=task.fixed | held), result.bestfit)
        left = found.uncertainty**2 - bent.uncertainty[likelihood.poi] ** 2
        assert one.impact == pytest.approx(math.sqrt(left), rel=1e-6), one.group
    assert len(next(one for one in found.groups if one.group == "MC statistics").parameters) == 7
    by_name = {one.parameter: one for one in found.impacts}
    assert by_name["jes"].group == "experimental"
    assert by_name["k"].group == ""
    assert by_name["k"].prefit is None
    total = [one.impact for one in found.groups if one.group in (SYSTEMATICS, STATISTICS)]
    assert math.hypot(*total) == pytest.approx(found.uncertainty, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), part=st.integers(1, 4))
def test_impacts_of_a_group_never_exceed_that_of_a_larger_one(seed, part):
    likelihood, data, result = fitted(shapes(5, 5, seed=seed))
    names = [name for name in likelihood.labels if name not in ("mu", "k")]
    found = ranking(likelihood, data, result, groups={"some": names[:part], "more": names})
    sizes = {one.group: one.impact for one in found.groups}
    assert sizes["some"] <= sizes["more"] * (1 + 1e-9)
    assert sizes["more"] == pytest.approx(sizes[SYSTEMATICS], rel=1e-9)
    assert [one.size for one in found.impacts] == sorted(
        (one.size for one in found.impacts), reverse=True
    )


def test_fixed_parameters_and_the_ends_of_a_range():
    workspace = lumi_counting()
    settings = workspace["measurements"][0]["config"]["parameters"]
    settings.append({"name": "b", "fixed": True})
    likelihood, data, result = fitted(workspace)
    (one,) = ranking(likelihood, data, result).impacts
    assert (one.postfit, one.prefit, one.uncertainty) == ((0.0, 0.0), None, 0.0)
    settings[-1] = {"name": "b", "bounds": [[-0.25, 5.0]]}
    likelihood, data, result = fitted(workspace)
    (one,) = ranking(likelihood, data, result).impacts
    assert one.prefit == pytest.approx((0.125, -0.5), abs=1e-3)


def test_a_signal_strength_at_zero_has_one_sided_impacts():
    workspace = counting(20.0, 100.0, 80.0, normsys("b", 1.1, 0.9))
    likelihood, data, result = fitted(workspace)
    assert result.bestfit[likelihood.poi] == 0.0
    found = ranking(likelihood, data, result)
    assert all(np.isfinite(one.postfit).all() for one in found.impacts)
    assert min(min(one.postfit) for one in found.impacts) >= 0.0


def test_what_is_refused():
    likelihood, data, result = fitted(all_modifiers())
    with pytest.raises(InputError, match=r"no parameter 'jez'.*Did you mean 'jes'"):
        ranking(likelihood, data, result, groups={"a": ["jez"]})
    with pytest.raises(InputError, match="may not be called 'systematics'"):
        ranking(likelihood, data, result, groups={SYSTEMATICS: ["jes"]})
    with pytest.raises(InputError, match="of another model"):
        ranking(likelihood, data, replace(result, labels=result.labels[1:]))
    with pytest.raises(FitError, match="no result that may be used: flat"):
        ranking(likelihood, data, replace(result, converged=False, notes=("flat",)))


def test_a_refit_that_fails_or_is_better_than_the_best():
    likelihood, data, result = fitted(lumi_counting())
    best = BestFit.of(likelihood, data, result)
    high = replace(best, value=best.value + 1.0)
    which = np.array([[0]])
    values = best.parameters[which]
    with pytest.raises(FitError, match="the fit is better than the best fit"):
        high.held(which, values)
    with pytest.raises(FitError, match="did not converge"):
        best.held(which, np.array([[np.nan]]))


def cabinetry_difference(workspace):
    """Largest difference to cabinetry's impacts, relative to the uncertainty of the POI."""
    import cabinetry

    model, data = load_model(workspace)
    likelihood, _ = load_likelihood(workspace)
    result = fit(likelihood, data)
    found = ranking(likelihood, data, result)
    like_theirs = cabinetry.fit.FitResults(
        result.bestfit, result.uncertainty, list(result.labels), result.correlation, 0.0
    )
    with precise_pyhf():  # restores pyhf's optimiser, which cabinetry sets
        theirs = cabinetry.fit.ranking(model, data, fit_results=like_theirs, tolerance=1e-3)
    by_name = {one.parameter: one for one in found.impacts}
    ours = [by_name[name] for name in theirs.labels]
    pairs = [
        (theirs.postfit_down, [one.postfit[0] for one in ours]),
        (theirs.postfit_up, [one.postfit[1] for one in ours]),
        (theirs.prefit_down, [(one.prefit or (0.0, 0.0))[0] for one in ours]),
        (theirs.prefit_up, [(one.prefit or (0.0, 0.0))[1] for one in ours]),
    ]
    return max(np.abs(np.asarray(a) - b).max() for a, b in pairs) / found.uncertainty


def test_the_same_as_cabinetry():
    assert cabinetry_difference(shapes(4, 2, seed=8, staterror=True)) < 1e-3


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_same_as_cabinetry_in_a_larger_model():
    assert cabinetry_difference(shapes(12, 12, staterror=True)) < 1e-3
