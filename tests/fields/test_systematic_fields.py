"""Fields of the sources that come without a correction."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.analysis import AnalysisSpec
from tests.builders import observable
from tests.fields.project import (
    MC,
    fill,
    inputs,
    itself,
    make_config,
    of_x,
    one_less,
    one_more,
    simulation,
    sum_of,
    two_years,
    values,
)

JETS = [0.0, 5.0, 3.0, 2.0]  # pt in 4 bins from 0 to 120 GeV


def source(**fields):
    """Weight source by functions of `x`."""
    return {"name": "s", "type": "event", "up_function": one_more, "down_function": one_less,
            "use": [("event", "x")], **fields}  # fmt: skip


def moving(**fields):
    """Object source of the jets' pt."""
    return source(type="object", use=[("Jet", "pt")], target=("Jet", "pt"), **fields)


@pytest.fixture
def run(tmp_path):
    """Histograms with these sources."""
    config = make_config(tmp_path)
    more = [
        observable("pt", "0,120,4", itself, [("Jet", "pt")]),
        observable("mass", "0,12,4", itself, [("Jet", "mass")]),
        observable("met", "0,80,2", itself, [("MET", "pt")]),
    ]
    config["channels"][0]["observables"] = [of_x(), *more]

    def filled(*systematics, **sections):
        return fill({**config, "systematics": list(systematics), **sections})

    return filled


TWICE, HALF = [6.0, 4.0, 2.0, 4.0], [1.5, 1.0, 0.5, 1.0]


@pytest.mark.field("systematics[].name", "systematics[].up_function", "systematics[].down_function")
def test_a_source_has_its_name_and_its_sides(run):
    found = run(source())
    assert found.variations("SR", "x") == ("nominal", "s_up", "s_down")
    assert (values(found), values(found, "s_up"), values(found, "s_down")) == (MC, TWICE, HALF)
    found = run(source(name="other", up_function=one_less, down_function=one_more))
    assert (values(found, "other_up"), values(found, "other_down")) == (HALF, TWICE)


@pytest.mark.field("systematics[].symmetrise")
def test_a_side_that_is_not_given_is_nominal_or_reflected(run):
    found = run(source(down_function=None))
    assert found.variations("SR", "x") == ("nominal", "s_up")
    assert values(found, "s_down") == MC
    found = run(source(down_function=None, up_function=one_less, symmetrise=True))
    assert values(found, "s_up") == HALF
    assert values(found, "s_down") == [4.5, 3.0, 1.5, 3.0]
    found = run(moving(down_function=None, up_function=one_less, symmetrise=True))
    assert values(found, "s_up", name="pt") == [5.0, 5.0, 0.0, 0.0]
    assert values(found, "s_down", name="pt") == [-5.0, 5.0, 6.0, 4.0]  # 2 nominal - up


@pytest.mark.field("systematics[].use", "systematics[].transform")
def test_the_functions_read_their_columns(run):
    def factor(x):
        return 1.0 + (x > 2.0)

    assert values(run(source(up_function=factor)), "s_up") == [3.0, 2.0, 2.0, 4.0]
    other = source(up_function=factor, use=[("MET", "pt")])
    assert values(run(other), "s_up") == TWICE
    turned = source(up_function=factor, transform=lambda x: 4.0 - x)
    assert values(run(turned), "s_up") == [6.0, 4.0, 1.0, 2.0]
    both = source(up_function=lambda x, y: x * y, use=[("event", "x"), ("MET", "pt")],
                  transform=lambda x, met: (1.0 + 0 * x, met / met * 2.0))  # fmt: skip
    assert values(run({**both, "down_function": None}), "s_up") == TWICE


@pytest.mark.field("systematics[].type", "systematics[].target")
def test_a_source_moves_the_weight_a_column_or_the_whole_process(run):
    found = run(moving())
    assert values(found, "s_up") == MC
    assert values(found, "s_up", name="pt") == [0.0, 0.0, 3.0, 2.0]
    assert values(found, "s_up", name="met") == values(found, name="met") == [3.0, 4.0]
    found = run({**moving(), "target": ("MET", "pt"), "use": [("MET", "pt")]})
    assert values(found, "s_up", name="pt") == JETS
    assert values(found, "s_down", name="met") == [7.0, 1.0]
    normalisation = {"name": "lumi", "type": "normalisation", "size": 0.02}
    assert run(normalisation).variations("SR", "x") == ("nominal",)  # the fit has it


@pytest.mark.field("systematics[].op")
def test_the_value_multiplies_adds_or_subtracts(run):
    def moved(op):
        return values(run(moving(op=op, scale_mass=False)), "s_up", name="pt")

    assert moved("mult") == [0.0, 0.0, 3.0, 2.0]
    assert moved("add") == [0.0, 5.0, 3.0, 2.0]
    assert moved("subtract") == [2.0, 4.0, 3.0, 1.0]
    vector = {**moving(), "target": ("MET", "pt"), "use": [("MET", "pt")], "op": "add_vector"}
    found = run({**vector, "up_function": lambda pt: (-pt, 30.0), "down_function": None})
    assert values(found, name="met") == [3.0, 4.0]
    assert values(found, "s_up", name="met") == [8.0, 0.0]


@pytest.mark.field("systematics[].scale_mass", "systematics[].propagate_to_met")
def test_what_follows_from_a_new_pt(run):
    found = run(moving())
    assert values(found, "s_down", name="mass") == [5.0, 5.0, 0.0, 0.0]
    found = run(moving(scale_mass=False))
    assert values(found, "s_down", name="mass") == JETS
    shift = moving(op="add", up_function=lambda pt: pt * 0 - 10.0, propagate_to_met="MET")
    found = run(shift)
    assert values(found, "s_up", name="met") == [2.0, 4.0]  # 30 30 | 50 50 60 70, and 80 90
    assert values(found, name="met") == [3.0, 4.0]


def two_processes(tmp_path):
    """The same events as two processes."""
    here = inputs(tmp_path / "in")
    return {"datasets": [simulation(here), {**simulation(here), "name": "tt"}]}


@pytest.mark.field("systematics[].processes")
@pytest.mark.parametrize("make", [source, moving])
def test_a_source_moves_some_processes(run, tmp_path, make):
    name = "x" if make is source else "pt"
    found = run(make(processes=["tt"]), datasets=two_processes(tmp_path))
    assert values(found, "s_up", name=name) == values(found, name=name)
    assert values(found, "s_up", "tt", name) != values(found, name=name)
    assert found.blocks["SR", name, "mc"].variations == ("nominal",)


@pytest.mark.field("systematics[].channels")
@pytest.mark.parametrize("make", [source, moving])
def test_a_source_acts_in_some_channels(run, make):
    observables = [of_x(), observable("pt", "0,120,4", itself, [("Jet", "pt")])]
    channels = [
        {"name": name, "observables": observables, "fit_observable": "x"} for name in ("SR", "CR")
    ]
    name = "x" if make is source else "pt"
    found = run(make(channels=["CR"]), channels=channels)
    assert found.variations("SR", name) == ("nominal",)
    assert found.variations("CR", name) == ("nominal", "s_up", "s_down")
    assert values(found, "s_up", name=name, channel="CR") != values(found, name=name)
    assert values(found, name=name, channel="CR") == values(found, name=name)


@pytest.mark.field("systematics[].size")
def test_a_normalisation_source_moves_the_yield_by_its_size(run, tmp_path):
    config = make_config(tmp_path)
    for size in (0.025, 0.1):
        config["systematics"] = [{"name": "lumi", "type": "normalisation", "size": size}]
        (found,) = AnalysisSpec.from_config(config).sources
        assert (found.name, found.size, found.processes) == ("lumi", size, ("mc",))
    # Where datasets of a process differ it has templates.
    datasets, lumi = two_years(tmp_path)
    general = {**config["general"], **lumi}
    lumis = {
        year: [{"name": "lumi", "type": "normalisation", "size": size}]
        for year, size in (("2016", 0.1), ("2017", 0.5))
    }
    found = run(datasets=datasets, general=general, systematics=lumis)
    assert values(found, "lumi_up") == sum_of(1.1 * np.array(MC), 1.5 * np.array(MC))
    assert values(found, "lumi_down") == sum_of(0.9 * np.array(MC), 0.5 * np.array(MC))


@pytest.mark.field("systematics{}")
def test_each_year_has_its_sources(run, tmp_path):
    datasets, lumi = two_years(tmp_path)
    general = {**make_config(tmp_path)["general"], **lumi}
    by_year = {"2016": [source()], "2017": []}
    found = run(datasets=datasets, general=general, systematics=by_year)
    assert values(found, "s_up") == sum_of(TWICE, MC)
    by_year["2017"] = [source(up_function=one_less)]
    found = run(datasets=datasets, general=general, systematics=by_year)
    assert values(found, "s_up") == sum_of(TWICE, HALF)
    assert found.variations("SR", "x") == ("nominal", "s_up", "s_down")


@pytest.mark.field("systematics[].correlation")
@pytest.mark.parametrize("make", [source, moving])
def test_a_source_is_one_nuisance_or_one_a_year(run, tmp_path, make):
    datasets, lumi = two_years(tmp_path)
    general = {**make_config(tmp_path)["general"], **lumi}
    name = "x" if make is source else "pt"

    def of(correlation):
        return run(make(correlation=correlation), datasets=datasets, general=general)

    single = run(make())
    nominal, up, down = (values(single, v, name=name) for v in ("nominal", "s_up", "s_down"))
    together, apart = of("correlated"), of("uncorrelated")
    assert together.variations("SR", name) == ("nominal", "s_up", "s_down")
    assert values(together, "s_up", name=name) == sum_of(up, up)
    assert set(apart.variations("SR", name)) == {
        "nominal", "s_2016_up", "s_2016_down", "s_2017_up", "s_2017_down"
    }  # fmt: skip
    assert values(apart, "s_2016_up", name=name) == sum_of(up, nominal)
    assert values(apart, "s_2017_down", name=name) == sum_of(nominal, down)


def test_a_side_is_reflected_in_the_year_of_its_nuisance(run, tmp_path):
    datasets, lumi = two_years(tmp_path)
    general = {**make_config(tmp_path)["general"], **lumi}
    one = source(up_function=one_less, down_function=None, symmetrise=True)
    found = run({**one, "correlation": "uncorrelated"}, datasets=datasets, general=general)
    reflected = [1.5 * value for value in MC]
    assert values(found, "s_2016_up") == sum_of(HALF, MC)
    assert values(found, "s_2016_down") == sum_of(reflected, MC)
    assert values(found, "s_2017_down") == sum_of(MC, reflected)


def test_a_normalisation_source_of_its_own_in_each_year_moves_that_year(run, tmp_path):
    datasets, lumi = two_years(tmp_path)
    general = {**make_config(tmp_path)["general"], **lumi}
    one = {"name": "lumi", "type": "normalisation", "size": 0.1, "correlation": "uncorrelated"}
    found = run(one, datasets=datasets, general=general)
    assert values(found, "lumi_2016_up") == sum_of(1.1 * np.array(MC), MC)
    assert values(found, "lumi_2017_down") == sum_of(MC, 0.9 * np.array(MC))
