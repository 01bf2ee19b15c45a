"""Predicted yields and uncertainties, against cabinetry and by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hepflow.records import Prediction
from hepflow.statistics import fit, load_model, predict, to_cabinetry
from tests.unit.statistics.models import all_modifiers, counting, normsys, spec

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def test_one_bin_by_hand():
    model, data = load_model(
        counting(4.0, 10.0, 16.0, normsys("a", 1.2, 0.8), normsys("b", 1.1, 0.9))
    )
    prefit = predict(model, data).channel("sr")
    assert list(prefit.samples) == ["signal", "background"]
    np.testing.assert_allclose(list(prefit.samples.values()), [[4.0], [10.0]])
    np.testing.assert_allclose(prefit.total, [14.0])
    np.testing.assert_allclose(prefit.uncertainty, [math.hypot(2.0, 1.0)])
    assert prefit.total_uncertainty == pytest.approx(math.hypot(2.0, 1.0))
    np.testing.assert_allclose(prefit.data, [16.0])


@pytest.mark.parametrize("post", [False, True])
def test_is_that_of_cabinetry(post):
    from cabinetry import model_utils

    model, data = load_model(all_modifiers())
    result = fit(model, data) if post else None
    ours = predict(model, data, result)
    theirs = model_utils.prediction(model, fit_results=to_cabinetry(result) if post else None)
    assert ours.kind == theirs.label.replace("-", "")
    for index, name in enumerate(model.config.channels):
        channel = ours.channel(name)
        rows = [model.config.samples.index(sample) for sample in channel.samples]
        yields = np.asarray(theirs.model_yields[index])
        np.testing.assert_allclose(list(channel.samples.values()), yields[rows], rtol=1e-10)
        total = theirs.total_stdev_model_bins[index][-1]
        np.testing.assert_allclose(channel.uncertainty, total, rtol=1e-8)
        per_channel = theirs.total_stdev_model_channels[index][-1]
        assert channel.total_uncertainty == pytest.approx(per_channel, rel=1e-8)


def test_survives_json():
    model, data = load_model(all_modifiers())
    prediction = predict(model, None, channels=spec().channels)
    text = json.dumps(prediction.to_json())
    again = Prediction.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert again.channel("sr").data is None
    assert (
        predict(model, data).to_json()
        == Prediction.from_json(predict(model, data).to_json()).to_json()
    )


def test_channels_have_their_order_and_axis():
    model, data = load_model(all_modifiers())
    assert predict(model, data).channel("vr").label == "bin"
    short = [
        channel.__class__(channel.name, "", channel.kind, "m", "m [GeV]", (0.0, 1.0, 5.0, 9.0))
        for channel in spec().channels
    ]
    found = predict(model, data, channels=short)
    assert [one.name for one in found.channels] == ["sr", "cr", "vr"]
    assert found.channel("sr").label == "m [GeV]"
    np.testing.assert_array_equal(found.channel("sr").edges, [0.0, 1.0, 5.0, 9.0])
    np.testing.assert_array_equal(found.channel("cr").edges, [0.0, 1.0, 2.0])
