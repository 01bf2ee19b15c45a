"""Checks of what only the model of the fit sees: bins, factors, sizes, smoothing, groups."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.schema import Config
from hepflow.schema.checks_binning import position
from tests.unit.schema.examples import REMOVE, changed, number, problems_in, valid

SOURCE = "corrections__1__uncertainty_sources__0"
FACTOR = "statistics__norm_factors__1"
LINKED = {"name": "b", "up_and_down_idx": ["a", "b"], "varies_with": "jes_pu"}
BINS = "channels__0__fit_binning"

RIGHT = [
    {BINS: "200,3000,10"},
    {BINS: [200, 480, 3000]},
    {BINS: [480.0, 1040.0]},
    {BINS: np.linspace(200, 3000, 5)},
    {"statistics__min_expectation": 10},
    {f"{FACTOR}__channels": ["CR"], f"{FACTOR}__fixed": True},
    {"systematics__0__size": 1.5, "systematics__0__size_down": 0.6},
    {"systematics__0__group": "luminosity", "systematics__1__smooth": True},
    {"corrections__0__smooth": True, "corrections__0__group": "pile-up"},
    {"corrections__1__group": "jets"},
    {f"{SOURCE}__smooth": True, f"{SOURCE}__group": "jets"},
]


@pytest.mark.parametrize("values", RIGHT)
def test_models_of_all_kinds(values):
    assert problems_in(changed(**values)) == {}


WRONG = [
    ({BINS: [200, 500, 3000]}, "channels[0].fit_binning",
     "500 is not a bin edge of 'mass'. Bins are merged, not cut: the nearest is 480"),
    ({BINS: "0,3000,10"}, "channels[0].fit_binning", "0 is not a bin edge"),
    ({BINS: [3000, 200]}, "channels[0].fit_binning", "increasing"),
    ({BINS: "200,3000"}, "channels[0].fit_binning", '"low,high,nbins"'),
    ({"statistics__min_expectation": -1}, "statistics.min_expectation", "at least 0"),
    ({f"{FACTOR}__channels": ["CRR"]}, "statistics.norm_factors[1].channels[0]",
     "Did you mean 'CR'?"),
    ({f"{FACTOR}__channels": []}, "statistics.norm_factors[1].channels", "at least one"),
    ({f"{FACTOR}__channels": ["CR"], "channels__1__kind": "validation"},
     "statistics.norm_factors[1].channels", "all of these are validation regions"),
    ({"statistics__norm_factors__0__fixed": True}, "statistics.norm_factors[0].fixed",
     "the parameter of interest cannot be fixed"),
    ({f"{FACTOR}__fixed": True, "statistics__poi": "ttbar_norm"},
     "statistics.norm_factors[1].fixed", "the parameter of interest cannot be fixed"),
    ({"statistics__norm_factors__0__fixed": True, "statistics__poi": REMOVE},
     "statistics.norm_factors[0].fixed", "the parameter of interest cannot be fixed"),
    ({"systematics__0__size": 1.0}, "systematics[0].size",
     "expected a number below 1 without `size_down`, but got 1.0"),
    ({"systematics__0__size": -0.1}, "systematics[0].size", "above 0"),
    ({"systematics__0__size_down": 1.0}, "systematics[0].size_down", "below 1"),
    ({"systematics__0__smooth": True}, "systematics[0].smooth", "no effect"),
    ({"systematics": [{"name": "t", "type": "theory", "weights": "LHEScaleWeight",
                       "members": "scale", "normalisation_only": True, "smooth": True}]},
     "systematics[0].smooth", "no effect with normalisation_only"),
    ({"systematics__1__size_down": 0.1}, "systematics[1].size_down", "no effect"),
    ({"corrections__1__smooth": True}, "corrections[1].smooth", "no effect"),
    ({"corrections__0__up_and_down_idx": REMOVE, "corrections__0__group": "x"},
     "corrections[0].group", "no effect without a source"),
    ({"corrections__0__uncertainty_sources": [{**LINKED, "smooth": True}]},
     "corrections[0].uncertainty_sources[0].smooth", "no effect beside `varies_with`"),
    ({"corrections__0__uncertainty_sources": [{**LINKED, "group": "x"}]},
     "corrections[0].uncertainty_sources[0].group", "no effect beside `varies_with`"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "path", "says"), WRONG)
def test_wrong_models_are_reported_at_their_path(values, path, says):
    problems = problems_in(changed(**values))
    assert list(problems) == [path]
    assert says in f"{problems[path].message} {problems[path].hint}"


def test_bins_that_cannot_be_compared_are_reported_once():
    values = {BINS: [0, 1], "channels__0__observables__0__binning": "a,b,c"}
    assert list(problems_in(changed(**values))) == ["channels[0].observables[0].binning"]
    values = {BINS: [0, "x"], "channels__0__observables__0__binning": [0, 1]}
    assert list(problems_in(changed(**values))) == ["channels[0].fit_binning[1]"]


def test_edges_are_found_up_to_rounding():
    edges = [0.1 * k for k in range(11)]
    assert [position(one, edges) for one in (0.3, 0.7, 0.75)] == [3, 7, None]
    assert position(1e-12, [0.0, 1.0]) == 0


@pytest.mark.parametrize("field", ["group", "smooth"])
def test_one_source_says_the_same_of_the_fit_in_all_years(field):
    config = changed(general__lumi={2017: 1.0, 2018: 2.0})
    for entry, year in zip(config["datasets"]["datasets"], (2017, 2017, 2018, 2018), strict=True):
        entry["year"] = year
    source = {**valid()["systematics"][1], "up_function": number}
    other = {**source, field: {"group": "x", "smooth": True}[field]}
    config["systematics"] = {"2017": [source], "2018": [source]}
    assert problems_in(config) == {}
    config["systematics"]["2018"] = [other]
    assert list(problems_in(config)) == [f"systematics.2018[0].{field}"]


def test_the_new_fields_can_be_set():
    config = Config(**changed(**{BINS: "200,3000,2"}))
    assert config.channels[0].fit_binning == [200.0, 1600.0, 3000.0]
    assert config.channels[1].fit_binning is None
