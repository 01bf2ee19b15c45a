"""Fields of columns, selections, objects, channels and computed columns."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import ConfigurationError, MissingBranch
from hepflow.events import EVENT_ID
from hepflow.pipeline import run
from tests.builders import make_skims, observable, write_nano
from tests.fields.project import (
    MC,
    columns,
    fill,
    filled,
    inputs,
    itself,
    make_config,
    of_x,
    real,
    simulation,
    values,
)

JETS = [1.0, 4.0, 3.0, 0.0]  # events with 0, 1, 2 jets, and more


def above_one(x):
    """Events with `x` above 1."""
    return x > 1.0


def above(x, y=None, threshold=1.0):
    """Events with `x` (and `y`) above a threshold."""
    return x > threshold if y is None else (x > threshold) & (y > 10 * threshold)


def below_three(x):
    """Events with `x` below 3."""
    return x < 3.0


def hard(pt):
    """Objects above 45 GeV."""
    return pt > 45.0


def number_of(objects):
    """Objects of each event."""
    return ak.num(objects, axis=1)


def packed(x, met):
    """Two cuts; the last name is the mask."""
    from coffea.analysis_tools import PackedSelection

    selection = PackedSelection()
    selection.add("x", x > 1.0)
    selection.add("all", (x > 1.0) & (met < 75.0))
    return selection


def of_jets(**changes):
    """Observable: number of jets."""
    return {**observable("jets", "0,4,4", number_of, [("Jet", None)]), **changes}


def channel(name="SR", **fields):
    """One channel with `x` and the number of jets."""
    return {"name": name, "observables": [of_x(), of_jets()], "fit_observable": "x", **fields}


def skimmed(config):
    """Events of the simulation after the skim."""
    return next(iter(make_skims(config)["mc__nominal"]))[0]


# -- preprocess --------------------------------------------------------------------------


@pytest.mark.field("preprocess.branches", "preprocess.mc_branches")
def test_the_branches_that_are_kept(tmp_path):
    here = inputs(tmp_path / "in")
    branches = {"event": ["x"], "Jet": ["pt"]}
    mc_branches = {"MET": ["pt"], "event": ["genWeight", "run"]}
    config = make_config(
        tmp_path,
        [simulation(here), real(here)],
        preprocess={"branches": branches, "mc_branches": mc_branches},
    )
    skims = make_skims(config)
    simulated, data = (next(iter(skims[key]))[0] for key in ("mc__nominal", "data"))
    assert set(data.fields) == {"x", "Jet", *EVENT_ID}  # the last to find repeated events by
    assert data.Jet.fields == simulated.Jet.fields == ["pt"]
    assert set(simulated.fields) == {"x", "Jet", "MET", "genWeight", "run"}
    config["datasets"]["datasets"][1]["duplicates"] = "keep"
    assert set(next(iter(make_skims(config)["data"]))[0].fields) == {"x", "Jet"}
    config["preprocess"] = {"branches": {**branches, "event": ["x", "nothing"]}}
    with pytest.raises(MissingBranch, match="'nothing'"):
        make_skims(config)


@pytest.mark.field("preprocess.ignore_missing")
def test_branches_that_a_file_does_not_have_can_be_left_out(tmp_path):
    branches = {"event": ["x", "nothing"]}
    config = make_config(tmp_path, preprocess={"branches": branches})
    with pytest.raises(MissingBranch, match="'nothing'"):
        make_skims(config)
    config["preprocess"]["ignore_missing"] = True
    assert values(fill(config)) == MC
    assert "nothing" not in skimmed(config).fields


SKIM = {"function": above, "use": [("event", "x")]}


@pytest.mark.field("preprocess.skimming.function", "preprocess.skimming.use")
@pytest.mark.field("preprocess.skimming.static_kwargs")
def test_the_skim_keeps_what_its_function_says(tmp_path):
    config = make_config(tmp_path)
    for skimming, kept in [
        ({}, MC),
        (SKIM, [0.0, 2.0, 1.0, 2.0]),
        ({**SKIM, "use": [("event", "x"), ("MET", "pt")], "static_kwargs": {"threshold": 3.0}},
         [0.0, 0.0, 0.0, 2.0]),
        ({**SKIM, "static_kwargs": {"threshold": 2.0}}, [0.0, 0.0, 1.0, 2.0]),
        ({"function": below_three, "use": [("event", "x")]}, [3.0, 2.0, 1.0, 0.0]),
        ({"function": hard, "use": [("MET", "pt")]}, [0.0, 1.0, 1.0, 2.0]),
    ]:  # fmt: skip
        config["preprocess"]["skimming"] = skimming
        found = fill(config)
        assert values(found) == kept  # normalised to all 8 events
        assert len(skimmed(config)) == sum(kept)


@pytest.mark.field("preprocess.skimming.chunk_size")
def test_the_size_of_a_work_item(tmp_path):
    config = make_config(tmp_path)
    for size, parts in ((100_000, 1), (4, 2), (1, 8)):
        config["preprocess"]["skimming"] = {"chunk_size": size}
        assert len(make_skims(config)["mc__nominal"]) == parts
        assert values(fill(config)) == MC
        items = json.loads((tmp_path / "out" / "metadata" / "workitems.json").read_text())
        assert len(items) == parts


SUFFIX = {"pickle": ".pkl", "root": ".root", "parquet": ".parquet"}


@pytest.mark.field("preprocess.skimming.output.format", "preprocess.skimming.output.output_dir")
@pytest.mark.parametrize("form", list(SUFFIX))
def test_where_and_in_which_form_the_skim_is_kept(tmp_path, form):
    config = make_config(tmp_path)
    output = {"format": form, "output_dir": str(tmp_path / "elsewhere")}
    config["preprocess"]["skimming"] = {"output": output}

    result = run(config)
    assert values(result.result.histograms) == MC
    folder = tmp_path / "elsewhere" / "mc__nominal"
    assert {path.suffix for path in folder.iterdir()} == {SUFFIX[form], ".json"}
    assert not (tmp_path / "out" / "skimmed").exists()


# -- objects -----------------------------------------------------------------------------


@pytest.mark.field("good_object_masks.analysis[].function", "good_object_masks.analysis[].use")
@pytest.mark.field("good_object_masks.analysis[].object")
def test_only_good_objects_are_seen(tmp_path):
    file = write_nano(tmp_path / "two.root", columns(Muon_pt=columns()["Jet_pt"]))
    branches = {"event": ["x"], "Jet": ["pt", "mass"], "Muon": ["pt"]}
    config = make_config(
        tmp_path,
        [simulation(tmp_path, files=[str(file)])],
        preprocess={"branches": branches},
        channels=[channel()],
    )
    assert values(fill(config), name="jets") == JETS
    mask = {"object": "Jet", "function": hard, "use": [("Jet", "pt")]}
    config["good_object_masks"] = {"analysis": [mask]}
    assert values(fill(config), name="jets") == [2.0, 5.0, 1.0, 0.0]
    mask["use"] = [("Jet", "mass")]
    assert values(fill(config), name="jets") == [8.0, 0.0, 0.0, 0.0]
    mask |= {"function": lambda pt: pt > 85.0, "use": [("Jet", "pt")]}
    assert values(fill(config), name="jets") == [6.0, 2.0, 0.0, 0.0]
    mask |= {"object": "Muon", "use": [("Muon", "pt")]}
    assert values(fill(config), name="jets") == JETS


# -- selections --------------------------------------------------------------------------

USE_X, USE_MET = [("event", "x")], [("MET", "pt")]


def below(met):
    """Events with missing momentum below 75 GeV."""
    return met < 75.0


@pytest.mark.field("baseline_selection.function", "baseline_selection.use")
@pytest.mark.field("channels[].selection.function", "channels[].selection.use")
@pytest.mark.parametrize("where", ["baseline", "channel"])
def test_a_selection_by_function(tmp_path, where):
    def selected(function, use):
        selection = {"function": function, "use": use}
        sections = {"channels": [channel(selection=selection)]}
        if where == "baseline":
            sections = {"baseline_selection": selection, "channels": [channel()]}
        return values(filled(tmp_path, **sections))

    assert selected(above_one, USE_X) == [0.0, 2.0, 1.0, 2.0]
    assert selected(below_three, USE_X) == [3.0, 2.0, 1.0, 0.0]
    assert selected(below, USE_MET) == [3.0, 2.0, 1.0, 1.0]
    assert selected(packed, USE_X + USE_MET) == [0.0, 2.0, 1.0, 1.0]


@pytest.mark.field(
    "baseline_selection.cuts[].function",
    "baseline_selection.cuts[].use",
    "baseline_selection.cuts[].name",
    "channels[].selection.cuts[].function",
    "channels[].selection.cuts[].use",
    "channels[].selection.cuts[].name",
)
@pytest.mark.parametrize("where", ["baseline", "channel"])
def test_a_selection_by_cuts(tmp_path, where):
    def selected(*cuts):
        named = [{"name": n, "function": function, "use": use} for n, function, use in cuts]
        sections = {"channels": [channel(selection={"cuts": named})]}
        if where == "baseline":
            sections = {"baseline_selection": {"cuts": named}, "channels": [channel()]}
        found = filled(tmp_path, **sections)
        flow = found.cutflows["SR", "mc__nominal"]
        return values(found), dict(zip(flow.names, flow.counts.tolist(), strict=True))

    found, flow = selected(("x", above_one, USE_X))
    assert (found, flow["x"]) == ([0.0, 2.0, 1.0, 2.0], 5)
    found, flow = selected(("low", below_three, USE_X), ("met", below, USE_MET))
    assert (found, flow["low"], flow["met"]) == ([3.0, 2.0, 1.0, 0.0], 6, 6)
    found, flow = selected(("met", below, USE_MET), ("one", above_one, USE_X))
    assert (found, flow["met"], flow["one"]) == ([0.0, 2.0, 1.0, 1.0], 7, 4)


# -- channels ----------------------------------------------------------------------------


@pytest.mark.field("channels[].name", "general.channels")
def test_channels_are_filled_apart_under_their_names(tmp_path):
    low = channel("low", selection={"function": below_three, "use": USE_X})
    config = make_config(tmp_path, channels=[channel("all"), low])
    found = fill(config)
    assert found.channels == ("all", "low")
    assert values(found, channel="low") == [3.0, 2.0, 1.0, 0.0]
    assert values(found, channel="all") == MC
    config["general"]["channels"] = ["low"]
    assert fill(config).channels == ("low",)
    config["channels"][1]["name"] = "region"
    with pytest.raises(ConfigurationError, match="there is no channel 'low'"):
        fill(config)


@pytest.mark.field(
    "channels[].observables[].name",
    "channels[].observables[].function",
    "channels[].observables[].use",
    "channels[].observables[].binning",
    "channels[].observables[].label",
)
def test_an_observable_is_what_is_configured(tmp_path):
    config = make_config(tmp_path)

    def of(**changes):
        config["channels"] = [channel(observables=[of_x(), of_x(name="y", **changes)])]
        found = fill(config)
        axis = found.hist("SR", "y").axes["observable"]
        return values(found, name="y"), axis.label, axis.edges.tolist()

    assert of() == (MC, "x", [0.0, 1.0, 2.0, 3.0, 4.0])
    assert of(label="X [GeV]")[1] == "X [GeV]"
    assert of(binning="0,4,2")[::2] == ([5.0, 3.0], [0.0, 2.0, 4.0])
    assert of(binning=[0.0, 3.0, 10.0])[::2] == ([6.0, 2.0], [0.0, 3.0, 10.0])
    assert of(use=[("MET", "pt")], binning="0,100,2")[0] == [4.0, 4.0]
    assert of(function=lambda x: x + 1.0)[0] == [0.0, 3.0, 2.0, 1.0]
    assert of(function=lambda jets: ak.num(jets, axis=1), use=[("Jet", None)])[0] == JETS


@pytest.mark.field("ghost_observables[].function", "ghost_observables[].use")
@pytest.mark.field("ghost_observables[].names", "ghost_observables[].collections")
def test_computed_columns_are_where_they_are_put(tmp_path):
    ghost = {"names": ["twice"], "collections": "more", "function": lambda x: x * 2, "use": USE_X}
    config = make_config(tmp_path, ghost_observables=[ghost])

    def reading(column, binning="0,8,4"):
        config["channels"] = [channel(observables=[of_x(use=[column], binning=binning)])]
        return values(fill(config))

    assert reading(("more", "twice")) == MC
    ghost["function"] = lambda x: x * 0 + 1.0
    assert reading(("more", "twice")) == [8.0, 0.0, 0.0, 0.0]
    ghost |= {"function": itself, "use": [("MET", "pt")]}
    assert reading(("more", "twice"), "0,80,2") == [3.0, 4.0]
    ghost |= {"collections": "MET", "names": "copy"}
    assert reading(("MET", "copy"), "0,80,2") == [3.0, 4.0]
    ghost |= {"names": ["a", "b"], "collections": ["MET", "event"],
              "function": lambda pt: (pt, np.minimum(pt, 35.0))}  # fmt: skip
    assert reading(("event", "b"), "0,80,2") == [8.0, 0.0]
    assert reading(("MET", "a"), "0,80,2") == [3.0, 4.0]
