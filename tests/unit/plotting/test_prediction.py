import json

import numpy as np
import pytest

from hepflow.records.prediction import ChannelPrediction, Prediction


def channel(**fields):
    usual = {
        "name": "SR",
        "observable": "m",
        "label": "m [GeV]",
        "edges": (0.0, 1.0, 3.0),
        "samples": {"a": np.array([1.0, 2.0]), "b": np.array([0.1, 0.2])},
        "uncertainty": np.array([0.5, 0.6]),
        "data": np.array([1.0, 3.0]),
    }
    return ChannelPrediction(**{**usual, **fields})


@pytest.mark.parametrize("data", [None, np.array([1.0, 3.0])])
def test_survives_json(data):
    before = Prediction((channel(data=data, total_uncertainty=0.7),), "postfit")
    text = json.dumps(before.to_json())
    after = Prediction.from_json(json.loads(text))
    assert json.dumps(after.to_json()) == text
    assert after.channel("SR").edges == (0.0, 1.0, 3.0)
    assert (after.channel("SR").data is None) == (data is None)


def test_total_is_the_sum_of_the_samples():
    np.testing.assert_allclose(channel().total, [1.1, 2.2])
    np.testing.assert_array_equal(channel(samples={}).total, [0, 0])


def test_arrays_that_do_not_fit_the_edges_are_refused():
    with pytest.raises(ValueError, match=r"'SR': b, data must have 2 bins"):
        channel(samples={"a": np.zeros(2), "b": np.zeros(3)}, data=np.zeros(1))


def test_unknown_channel():
    with pytest.raises(KeyError):
        Prediction((channel(),), "prefit").channel("CR")
