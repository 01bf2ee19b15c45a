import json
from dataclasses import replace

import numpy as np

from hepflow.plotting import group_numbers, ranking_numbers
from hepflow.records.inference import Ranking
from tests.figures.inference import impact, ranking


def test_the_largest_come_first_whatever_their_order():
    numbers = ranking_numbers(ranking(6), count=3)
    assert numbers.labels == ("np_1", "np_2", "np_3")
    np.testing.assert_allclose(numbers.postfit[:, 0], [-0.1, -0.05, -0.1 / 3])
    assert numbers.left_out == 3


def test_pulls_are_in_units_of_the_constraint():
    one = ranking_numbers(Ranking("mu", 0.4, 0.2, (impact("a", 0.1),)))
    wide = replace(impact("a", 0.1, pull=3.0, error=2.0), prefit_uncertainty=4.0)
    scaled = ranking_numbers(Ranking("mu", 0.4, 0.2, (wide,)))
    assert (one.pulls[0], one.pull_errors[0]) == (0.5, 0.8)
    assert (scaled.pulls[0], scaled.pull_errors[0]) == (0.75, 0.5)


def test_a_free_parameter_has_neither_pull_nor_impact_before_the_fit():
    numbers = ranking_numbers(ranking(2))
    assert np.isnan(numbers.pulls).tolist() == [False, True]
    assert np.isnan(numbers.prefit).tolist() == [[False, False], [True, True]]


def test_statistics_of_the_templates_can_be_left_out():
    impacts = (impact("staterror_SR[0]", 0.3), impact("jes", 0.1))
    found = Ranking("mu", 0.4, 0.2, impacts)
    assert ranking_numbers(found).labels == ("staterror_SR[0]", "jes")
    numbers = ranking_numbers(found, statistical=False)
    assert (numbers.labels, numbers.left_out) == (("jes",), 1)


def test_groups_keep_their_order_also_from_json():
    stored = Ranking.from_json(json.loads(json.dumps(ranking().to_json())))
    numbers = group_numbers(stored)
    assert numbers.labels == ("jets", "theory", "data statistics")
    np.testing.assert_allclose(numbers.impacts, [0.1, 0.03, 0.15])
