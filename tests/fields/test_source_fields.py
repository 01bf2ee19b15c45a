"""Fields of the sources of a correction, and of corrections by year."""

from __future__ import annotations

import pytest

from tests.builders import write_corrections
from tests.fields.corrections import DOWN, NODES, NOMINAL, UP, by_function, jets, run_of, weight
from tests.fields.project import MC, make_config, one_less, one_more, sum_of, two_years, values


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Scale factors in two bins of `x`."""
    return write_corrections(tmp_path_factory.mktemp("corrections") / "sf.json", *NODES)


@pytest.fixture
def run(tmp_path):
    """Histograms with these corrections."""
    return run_of(tmp_path)


# -- its sources -------------------------------------------------------------------------


@pytest.mark.field("corrections[].up_and_down_idx", "corrections[].name")
def test_the_own_source_has_the_name_of_the_correction(run, file):
    assert run(weight(file)).variations("SR", "x") == ("nominal",)
    found = run(weight(file, up_and_down_idx=("up", "down")))
    assert (values(found, "sf_up"), values(found, "sf_down")) == (UP, DOWN)
    found = run(weight(file, name="muon", up_and_down_idx=("down", "nominal")))
    assert found.variations("SR", "x") == ("nominal", "muon_up", "muon_down")
    assert (values(found, "muon_up"), values(found, "muon_down")) == (DOWN, NOMINAL)


def test_a_variation_replaces_one_factor_and_keeps_the_others(run, file):
    first = weight(file, up_and_down_idx=("up", "down"))
    second = weight(file, name="two", key="other", up_and_down_idx=("up", "down"))
    found = run(first, second)
    assert values(found) == [3 * one for one in NOMINAL]
    assert values(found, "sf_up") == pytest.approx([3 * one for one in UP])
    assert values(found, "two_up") == [4 * one for one in NOMINAL]


@pytest.mark.field(
    "corrections[].uncertainty_sources[].name",
    "corrections[].uncertainty_sources[].up_and_down_idx",
    "corrections[].uncertainty_sources[].symmetrise",
)
def test_sources_from_the_file(run, file):
    def of(**source):
        return run(weight(file, uncertainty_sources=[{"name": "stat", **source}]))

    found = of(up_and_down_idx=("up", "down"))
    assert (values(found, "stat_up"), values(found, "stat_down")) == (UP, DOWN)
    found = of(up_and_down_idx=("up", None))
    assert found.variations("SR", "x") == ("nominal", "stat_up")
    assert (values(found, "stat_up"), values(found, "stat_down")) == (UP, NOMINAL)
    found = of(up_and_down_idx=("up", None), symmetrise=True)
    assert (values(found, "stat_up"), values(found, "stat_down")) == (UP, DOWN)
    assert "other_up" in of(name="other", up_and_down_idx=("up", None)).variations("SR", "x")


def one(x):
    """No change."""
    return x * 0 + 1.0


@pytest.mark.field(
    "corrections[].uncertainty_sources[].up_function",
    "corrections[].uncertainty_sources[].down_function",
)
def test_sources_by_functions(run):
    def of(**source):
        return run(by_function(one, uncertainty_sources=[{"name": "s", **source}]))

    found = of(up_function=one_more, down_function=one_less)
    assert values(found, "s_up") == [6.0, 4.0, 2.0, 4.0]
    assert values(found, "s_down") == [1.5, 1.0, 0.5, 1.0]
    found = of(up_function=one_less)
    assert values(found, "s_up") == [1.5, 1.0, 0.5, 1.0]
    assert values(found, "s_down") == MC
    reflected = of(up_function=one_less, symmetrise=True)
    assert values(reflected, "s_down") == [4.5, 3.0, 1.5, 3.0]


@pytest.mark.field("corrections[].uncertainty_sources[].is_delta")
def test_differences_are_added_and_subtracted(run, file):
    source = {"name": "s", "up_and_down_idx": ("size", None), "is_delta": True}
    found = run(weight(file, uncertainty_sources=[source]))
    assert values(found, "s_up") == [4.5, 3.0, 2.25, 4.5]
    assert values(found, "s_down") == [1.5, 1.0, 1.75, 3.5]
    found = run(weight(file, uncertainty_sources=[{**source, "is_delta": False}]))
    assert values(found, "s_up") == [1.5, 1.0, 0.25, 0.5]
    two = {**source, "up_and_down_idx": ("size", "up")}
    assert values(run(weight(file, uncertainty_sources=[two])), "s_down") == pytest.approx(
        [-0.3, -0.2, -0.2, -0.4]
    )
    functions = {"name": "s", "up_function": one_less, "is_delta": True}
    found = run(by_function(one, uncertainty_sources=[functions]))
    assert values(found, "s_up") == [4.5, 3.0, 1.5, 3.0]
    assert values(found, "s_down") == [1.5, 1.0, 0.5, 1.0]


JES = {"name": "jes_total", "up_function": one_more, "down_function": one_less}


@pytest.mark.field("corrections[].uncertainty_sources[].varies_with")
def test_a_weight_source_can_move_with_an_object_source(run, file):
    moved = {"name": "btag_jes", "up_and_down_idx": ("up", "down"), "varies_with": "jes_total"}
    scale = jets(one, uncertainty_sources=[JES])
    alone = run(scale, weight(file))
    assert values(alone, "jes_total_up") == NOMINAL
    found = run(scale, weight(file, uncertainty_sources=[moved]))
    assert found.variations("SR", "x") == ("nominal", "jes_total_up", "jes_total_down")
    assert (values(found, "jes_total_up"), values(found, "jes_total_down")) == (UP, DOWN)
    assert values(found, "jes_total_up", name="pt") != values(found, name="pt")


def test_a_linked_source_without_a_side_is_nominal_there(run, file):
    moved = {"name": "btag_jes", "up_and_down_idx": ("up", None), "varies_with": "jes_total"}
    scale = jets(one, uncertainty_sources=[JES])
    found = run(scale, weight(file, uncertainty_sources=[moved]))
    assert (values(found, "jes_total_up"), values(found, "jes_total_down")) == (UP, NOMINAL)
    linked = {"name": "b", "up_function": one_more, "varies_with": "jes_total"}
    found = run(scale, by_function(one, uncertainty_sources=[linked]))
    assert values(found, "jes_total_up") == [6.0, 4.0, 2.0, 4.0]
    assert values(found, "jes_total_down") == MC


# -- years -------------------------------------------------------------------------------


@pytest.mark.field("corrections{}")
def test_each_year_has_its_corrections(run, file, tmp_path):
    datasets, lumi = two_years(tmp_path)
    general = {**make_config(tmp_path)["general"], **lumi}
    one = weight(file, up_and_down_idx=("up", "down"))
    by_year = {"2016": [one], "2017": []}
    found = run(datasets=datasets, general=general, corrections=by_year)
    assert values(found) == sum_of(NOMINAL, MC)
    assert values(found, "sf_up") == sum_of(UP, MC)
    by_year["2017"] = [{**one, "key": "other"}]
    found = run(datasets=datasets, general=general, corrections=by_year)
    assert values(found) == sum_of(NOMINAL, [9.0, 6.0, 3.0, 6.0])
    assert values(found, "sf_up") == sum_of(UP, [12.0, 8.0, 4.0, 8.0])
    assert found.variations("SR", "x") == ("nominal", "sf_up", "sf_down")


@pytest.mark.field("corrections[].correlation", "corrections[].uncertainty_sources[].correlation")
@pytest.mark.parametrize("where", ["own", "source"])
def test_a_source_is_one_nuisance_or_one_a_year(run, file, tmp_path, where):
    datasets, lumi = two_years(tmp_path)
    general = {**make_config(tmp_path)["general"], **lumi}

    def of(correlation):
        moved = {"up_and_down_idx": ("up", "down"), "correlation": correlation}
        fields = moved if where == "own" else {"uncertainty_sources": [{"name": "s", **moved}]}
        return run(weight(file, **{"name": "s", **fields}), datasets=datasets, general=general)

    together, apart = of("correlated"), of("uncorrelated")
    assert together.variations("SR", "x") == ("nominal", "s_up", "s_down")
    assert values(together, "s_up") == sum_of(UP, UP)
    assert apart.variations("SR", "x") == (
        "nominal", "s_2016_up", "s_2016_down", "s_2017_up", "s_2017_down"
    )  # fmt: skip
    assert values(apart, "s_2016_up") == sum_of(UP, NOMINAL)
    assert values(apart, "s_2017_down") == sum_of(NOMINAL, DOWN)
