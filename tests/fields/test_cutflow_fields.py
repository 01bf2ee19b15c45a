"""Fields of cutflows by variation, and of histograms without one of the cuts."""

from __future__ import annotations

import json

import pytest

from hepflow.errors import ConfigurationError, InputError
from hepflow.histograms import cutflow_table, write_cutflows
from hepflow.plotting import PlottingSpec, stack_numbers
from hepflow.schema import Config
from tests.fields.project import fill, filled, itself, make_config, of_x, one_more, values

USE_X, USE_MET = [("event", "x")], [("MET", "pt")]
MET_BY_20 = "0,100,5"


def above_one(x):
    """Events with `x` above 1: the last 5."""
    return x > 1.0


def below(met):
    """Events with missing momentum below 75 GeV: the first 7."""
    return met < 75.0


def by_half(x):
    """Half of the value."""
    return x * 0 + 0.5


CUTS = [
    {"name": "x", "function": above_one, "use": USE_X},
    {"name": "met", "function": below, "use": USE_MET},
]


def without(cut="met", **changes):
    """One histogram of the missing momentum without a cut."""
    plain = {"cut": cut, "function": itself, "use": USE_MET, "binning": MET_BY_20}
    return {**plain, **changes}


def sections_with(where, *wanted, cuts=CUTS):
    """Cuts of the baseline or of the channel, with histograms without one of them."""
    selection = {"cuts": cuts, "n_minus_1": list(wanted)}
    channel = {"name": "SR", "observables": [of_x()], "fit_observable": "x"}
    if where == "baseline":
        return {"baseline_selection": selection, "channels": [channel]}
    return {"channels": [{**channel, "selection": selection}]}


WHERE = pytest.mark.parametrize("where", ["baseline", "channel"])


@pytest.mark.field(
    "baseline_selection.n_minus_1[].cut",
    "baseline_selection.n_minus_1[].function",
    "baseline_selection.n_minus_1[].use",
    "baseline_selection.n_minus_1[].binning",
    "channels[].selection.n_minus_1[].cut",
    "channels[].selection.n_minus_1[].function",
    "channels[].selection.n_minus_1[].use",
    "channels[].selection.n_minus_1[].binning",
)
@WHERE
def test_a_histogram_without_one_of_the_cuts(tmp_path, where):
    config = make_config(tmp_path)

    def of(*wanted, name="n_minus_1_met"):
        found = fill({**config, **sections_with(where, *wanted)})
        assert values(found) == [0.0, 2.0, 1.0, 1.0]  # `x` of events 4 to 7, as without it
        return values(found, name=name)

    assert of(without()) == [0.0, 0.0, 2.0, 2.0, 1.0]  # events 4 to 8
    assert of(without(binning=[0.0, 45.0, 75.0])) == [1.0, 3.0]  # the last one is overflow
    assert of(without(function=lambda met: met / 10.0, binning="0,10,2")) == [1.0, 4.0]
    assert of(without(use=USE_X, binning="0,4,4")) == [0.0, 2.0, 1.0, 2.0]
    assert of(without("x"), name="n_minus_1_x") == [1.0, 2.0, 2.0, 2.0, 0.0]  # events 1 to 7
    both = [without("x", use=USE_X, binning="0,4,4"), without()]
    assert of(*both, name="n_minus_1_x") == [3.0, 2.0, 1.0, 1.0]
    assert of(*both) == [0.0, 0.0, 2.0, 2.0, 1.0]


@pytest.mark.field(
    "baseline_selection.n_minus_1[].name",
    "baseline_selection.n_minus_1[].label",
    "channels[].selection.n_minus_1[].name",
    "channels[].selection.n_minus_1[].label",
)
@WHERE
def test_its_name_and_label(tmp_path, where):
    wanted = [without(), without(name="x_of_met", label="x [1]", use=USE_X, binning="0,4,4")]
    found = filled(tmp_path, **sections_with(where, *wanted))
    assert found.observables("SR") == ("x", "n_minus_1_met", "n_minus_1_x_of_met")
    assert values(found, name="n_minus_1_x_of_met") == [0.0, 2.0, 1.0, 2.0]
    assert found.axes["SR", "n_minus_1_met"].label == "met"
    assert found.axes["SR", "n_minus_1_x_of_met"].label == "x [1]"


@pytest.mark.field(
    "baseline_selection.n_minus_1[].thresholds", "channels[].selection.n_minus_1[].thresholds"
)
@WHERE
def test_where_the_cut_is_in_the_figure(tmp_path, where):
    config = make_config(tmp_path, **sections_with(where, without(thresholds=[75.0])))
    numbers = stack_numbers(
        fill(config), "SR", "n_minus_1_met", PlottingSpec.from_config(Config(**config))
    )
    assert numbers.thresholds == (75.0,)
    assert numbers.title == "All cuts but met"


SOURCES = [
    {"name": "weight", "type": "event", "use": USE_X, "up_function": one_more},
    {"name": "scale", "type": "object", "target": ("MET", "pt"), "use": USE_MET,
     "up_function": one_more, "down_function": by_half},
]  # fmt: skip


@pytest.mark.field(
    "baseline_selection.n_minus_1[].variations", "channels[].selection.n_minus_1[].variations"
)
@WHERE
def test_its_variations(tmp_path, where):
    config = make_config(tmp_path, systematics=SOURCES)

    def of(variation, **changes):
        wanted = without("x", use=USE_X, binning="0,4,4", **changes)
        found = fill({**config, **sections_with(where, wanted)})
        return values(found, variation, name="n_minus_1_x")

    nominal = [3.0, 2.0, 1.0, 1.0]  # events 1 to 7
    assert of("weight_up") == of("scale_up") == of("nominal") == nominal
    assert of("weight_up", variations=True) == [2.0 * one for one in nominal]
    # Twice the missing momentum is below 75 for events 1 to 3, half of it for all.
    assert of("scale_up", variations=True) == [3.0, 0.0, 0.0, 0.0]
    assert of("scale_down", variations=True) == [3.0, 2.0, 1.0, 2.0]
    assert of("weight_down", variations=True) == nominal


@pytest.mark.field("channels[].cutflow_variations")
def test_the_cutflow_of_each_variation(tmp_path):
    config = make_config(tmp_path, systematics=SOURCES)
    config["baseline_selection"] = {"cuts": CUTS[:1]}
    (channel,) = config["channels"]
    channel["selection"] = {"cuts": CUTS[1:]}
    found = fill(config)
    with pytest.raises(InputError, match="was counted for nominal only"):
        cutflow_table(found, "SR", variation="scale_up")
    assert json.loads(write_cutflows(found, tmp_path).read_text())["variations"] == {}
    plain = cutflow_table(found, "SR")

    channel["cutflow_variations"] = True
    found = fill(config)
    assert cutflow_table(found, "SR") == plain

    def counts(variation, **how):
        table = cutflow_table(found, "SR", variation=variation, **how)
        assert [row[0] for row in table.rows] == ["skimmed", "x", "met", "corrected"]
        return [row[1] for row in table.rows]

    assert counts("nominal", weighted=False) == ["8", "5", "4", "4"]
    assert counts("scale_up", weighted=False) == ["8", "5", "0", "0"]
    assert counts("scale_down", weighted=False, by="dataset") == ["8", "5", "5", "5"]
    # A weight variation differs from nominal where corrections come in: in the last row.
    assert counts("weight_up") == ["8.0", "5.0", "4.0", "8.0"]
    assert counts("weight_up", weighted=False) == ["8", "5", "4", "4"]
    with pytest.raises(InputError, match=r"no variation 'scale_upp'. Did you mean 'scale_up'"):
        counts("scale_upp")
    stored = json.loads(write_cutflows(found, tmp_path).read_text())["variations"]["SR"]
    assert list(stored) == ["weight_up", "scale_up", "scale_down"]
    assert stored["weight_up"]["mc__nominal"][-1] == {
        "cut": "corrected", "events": 4, "sumw": 8.0, "sumw2": 16.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "path", "message"),
    [
        ([without("mett")], "channels[0].selection.n_minus_1[0].cut", "there is no cut 'mett'"),
        ([without(), without()], "channels[0].selection.n_minus_1[1].name", "already"),
        ([without("x"), without(name="x")], "channels[0].selection.n_minus_1[1].name", "already"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(tmp_path, wanted, path, message):
    with pytest.raises(ConfigurationError) as error:
        Config(**make_config(tmp_path, **sections_with("channel", *wanted)))
    assert any(path in line and message in line for line in str(error.value).splitlines())


def test_names_are_unique_in_a_channel(tmp_path):
    sections = sections_with("channel", without())
    sections["baseline_selection"] = {"cuts": CUTS, "n_minus_1": [without()]}
    sections["channels"][0]["observables"].append(of_x(name="n_minus_1_met"))
    with pytest.raises(ConfigurationError) as error:
        Config(**make_config(tmp_path, **sections))
    text = str(error.value)
    assert "baseline_selection.n_minus_1[0].name" in text
    assert "channels[0].selection.n_minus_1[0].name" in text


def test_a_name_that_no_histogram_can_have_needs_another(tmp_path):
    def packed(x):
        from coffea.analysis_tools import PackedSelection

        selection = PackedSelection()
        selection.add("x > 1", x > 1.0)
        selection.add("all", x > 1.0)
        return selection

    wanted = without("x > 1")
    selection = {"function": packed, "use": USE_X, "n_minus_1": [wanted]}
    channel = {"name": "SR", "observables": [of_x()], "fit_observable": "x"}
    config = make_config(tmp_path, channels=[{**channel, "selection": selection}])
    with pytest.raises(ConfigurationError, match="cannot be a part of a histogram's name"):
        Config(**config)
    wanted["name"] = "x"
    assert values(fill(config), name="n_minus_1_x") == [1.0, 2.0, 2.0, 2.0, 1.0]
