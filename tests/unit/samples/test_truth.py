import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.samples import truth


def test_a_grid_is_read_by_bin_and_clamped_outside():
    grid = truth.Grid((0.0, 1.0, 2.0), (10.0, 20.0, truth.INFINITY), ((1.0, 2.0), (3.0, 4.0)))
    eta = [0.5, -0.5, 1.0, -1.5, 9.0, 0.5]
    pt = [10.0, 20.0, 19.9, 1e9, 15.0, 5.0]
    assert grid.at(eta, pt).tolist() == [1.0, 2.0, 3.0, 4.0, 3.0, 1.0]


@given(st.floats(-4.7, 4.7), st.floats(16.0, 4000.0))
def test_the_jet_correction_undoes_the_wrong_scale(eta, pt):
    measured = truth.uncorrect_jet_pt(eta, pt)
    assert measured != pytest.approx(pt, rel=0.003)
    assert measured * truth.jes_factor(eta, measured) == pytest.approx(pt, rel=1e-12)


def test_the_pileup_profile_is_a_probability_with_the_mean_asked():
    for mean, width in (truth.PILEUP_DATA, truth.PILEUP_SIMULATION):
        profile = truth.pileup_profile(mean, width)
        assert profile.sum() == pytest.approx(1.0)
        assert profile @ (np.arange(truth.PILEUP_BINS) + 0.5) == pytest.approx(mean, abs=0.05)
        assert (profile > 0).all()


@pytest.mark.parametrize("classes", [truth.BTAG, truth.TOPTAG])
def test_scale_factors_of_tags_never_exceed_one_and_leave_valid_weights(classes):
    for known in classes.values():
        factor = np.array(known.scale_factor.values)
        efficiency = np.array(known.efficiency.values)
        assert factor.shape == efficiency.shape
        assert (factor <= 1).all()
        assert (factor * (1 + known.uncertainty) * efficiency < 1).all()


def test_luminosity_is_proportional_to_the_events():
    assert truth.luminosity(truth.DEFAULT_EVENTS) == truth.LUMINOSITY_AT_DEFAULT
    assert truth.luminosity(5000) * 100 == pytest.approx(truth.LUMINOSITY_AT_DEFAULT)


def test_the_truth_is_plain_json_and_does_not_depend_on_the_size_but_for_the_luminosity():
    small, large = truth.as_dict(1000, 1), truth.as_dict(10_000, 1)
    assert json.loads(json.dumps(small, allow_nan=False))["mu_true"] == 0.0
    differ = {key for key in small if small[key] != large[key]}
    assert differ == {"events", "luminosity", "expected_generated_events_in_certified_data"}
