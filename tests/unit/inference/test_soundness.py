"""Events that cannot be used are refused by name."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.nuisances import add_normalisation
from hepflow.inference.sampling import score_sample
from hepflow.inference.soundness import check_events, effective_size, negative_share
from tests.unit.inference.toys import MORPHING, table


def changed(where: str, value: float):
    events = add_normalisation(table(20), "lumi", 0.1)
    if where == "lumi_up":
        weights = {**events.nuisance_weights, where: np.full(20, value)}
        return replace(events, nuisance_weights=weights)
    array = getattr(events, where).copy()
    array[4, 1] = value
    return replace(events, **{where: array})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("where", "name", "row"),
    [
        ("x", "observable 'z_1'", 4),
        ("weights", "the weight of benchmark 'plus'", 4),
        ("lumi_up", "the weight 'lumi_up'", 0),
    ],
)
def test_numbers_that_are_not_finite(where, name, row, value):
    with pytest.raises(InputError, match=f"file.h5: {name} is .* in event {row}, and not finite"):
        check_events(changed(where, value), "file.h5")


def test_a_negative_total():
    with pytest.raises(InputError, match=r"weights of benchmark 'plus' add up to -\d"):
        check_events(changed("weights", -1e4))
    with pytest.raises(InputError, match="add up to -"):
        score_sample(changed("weights", -1e4), MORPHING, (0.0, 0.0), 10, np.random.default_rng(1))


def test_no_events_and_unknown_origin():
    with pytest.raises(InputError, match="no event is left"):
        check_events(table(5).select(np.zeros(5, dtype=bool)))
    wrong = replace(table(5), sampled_from=np.array([0, 0, 6, 0, 0]))
    with pytest.raises(InputError, match="event 2 says that it is from benchmark number 6"):
        check_events(wrong)


def test_negative_weights_are_told(caplog):
    events = table(100)
    turned = events.weights.copy()
    turned[:10, 0] *= -1
    with caplog.at_level(logging.WARNING):
        check_events(replace(events, weights=turned), "these")
    assert "these: 10.0 % of the absolute weight at benchmark 'sm' is negative" in caplog.text


def test_numbers():
    assert effective_size(np.array([1.0, 1.0, 0.0])) == 2.0
    assert effective_size(np.zeros(3)) == 0.0
    assert negative_share(np.array([3.0, -1.0])) == 0.25
    assert negative_share(np.zeros(2)) == 0.0
