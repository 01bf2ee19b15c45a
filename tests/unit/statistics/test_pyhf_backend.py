"""pyhf computes the same likelihood, fit, limit and significance."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.errors import WorkspaceError
from hepflow.statistics import fit, fit_many, load_likelihood, significance, upper_limit
from hepflow.statistics.likelihood import Specification
from hepflow.statistics.pyhf_backend import PyhfLikelihood
from tests.unit.statistics.models import all_modifiers, counting, normsys
from tests.unit.statistics.random_workspaces import CODES

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SMALL = counting(3.0, 10.0, 12.0, normsys("a", 1.2, 0.8), normsys("b", 0.9, 1.05))


@pytest.fixture(scope="module")
def both():
    return [load_likelihood(SMALL, backend=name) for name in ("hepflow", "pyhf")]


def test_fit_limit_and_significance(both):
    ours, theirs = (fit(*one) for one in both)
    assert (ours.model["backend"], ours.model["optimizer"]) == ("hepflow", "newton")
    assert theirs.model["backend"].startswith("pyhf ")
    assert theirs.model["optimizer"] == "minuit"
    assert ours.model["digest"] == theirs.model["digest"]
    np.testing.assert_allclose(ours.bestfit, theirs.bestfit, atol=1e-5)
    np.testing.assert_allclose(ours.uncertainty, theirs.uncertainty, rtol=1e-3)
    np.testing.assert_allclose(ours.correlation, theirs.correlation, atol=1e-3)
    limits = [upper_limit(*one) for one in both]
    assert limits[0].observed == pytest.approx(limits[1].observed, rel=1e-4)
    assert limits[0].expected == pytest.approx(limits[1].expected, rel=1e-4)
    found = [significance(*one) for one in both]
    assert found[0].observed_z == pytest.approx(found[1].observed_z, rel=1e-4)
    assert found[0].expected_z == pytest.approx(found[1].expected_z, rel=1e-4)


def test_derivatives_by_differences():
    (ours, data), (theirs, _) = (
        load_likelihood(all_modifiers(), backend=name) for name in ("hepflow", "pyhf")
    )
    point = ours.nominal() + np.where(ours.fixed, 0.0, 0.1 * ours.prefit_uncertainty())
    rows = data[np.newaxis]
    np.testing.assert_allclose(
        theirs.values(point[np.newaxis], rows), ours.values(point[np.newaxis], rows), rtol=1e-10
    )
    np.testing.assert_allclose(
        theirs.gradient(point, data), ours.gradient(point, data), rtol=1e-5, atol=1e-4
    )
    second = ours.hessian(point, data)
    scale = np.sqrt(np.outer(np.diag(second), np.diag(second)))
    np.testing.assert_allclose(theirs.hessian(point, data) / scale, second / scale, atol=2e-3)


def test_many_fits_are_made_one_by_one(both):
    likelihood, data = both[1]
    ours, _ = both[0]
    start = np.array([likelihood.init, likelihood.nominal()])
    fits = fit_many(likelihood, data, start)
    assert fits.valid.all()
    np.testing.assert_allclose(fits.value, fit_many(ours, data, start).value, atol=1e-6)


def test_a_direction_without_curvature_is_none():
    twin = {"name": "k", "type": "normfactor", "data": None}
    result = fit(*load_likelihood(counting(4.0, 10.0, 16.0, twin), backend="pyhf"))
    assert not result.converged
    assert "do not fix" in result.notes[0]


def test_where_pyhf_has_no_number(both):
    likelihood, data = both[1]
    below = likelihood.init.copy()
    below[likelihood.poi] = -20.0
    assert likelihood.twice_nll(below, data) == np.inf


def test_other_interpolation_codes():
    found = [
        load_likelihood(all_modifiers(), modifier_settings=CODES[1], backend=name)[0]
        for name in ("hepflow", "pyhf")
    ]
    point = found[0].init + 0.1
    data = found[0].expected_data(found[0].nominal())
    values = [one.twice_nll(point, data) for one in found]
    assert values[0] == pytest.approx(values[1], rel=1e-10)


def test_what_pyhf_refuses():
    with pytest.raises(WorkspaceError, match="pyhf cannot use the workspace"):
        PyhfLikelihood(Specification([{"name": "a", "samples": []}], [], "mu"))
