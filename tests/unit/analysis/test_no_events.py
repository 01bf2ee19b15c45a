"""Where no event passes the baseline, functions are not called, and the sums are as before."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.analysis.kept import keep, kept
from hepflow.histograms import cutflow_table
from hepflow.histograms.cutflows import by_process
from tests.builders import (
    itself,
    jet_scale,
    make_skims,
    manager_of,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)


def share_of_largest(jets, met):
    """Fails where there is no event."""
    assert len(jets) == len(met)
    return np.asarray(met) / np.max(np.asarray(met))


def above_largest(met):
    return np.asarray(met) > 0.01 * np.max(np.asarray(met))


def packed(met):
    from coffea.analysis_tools import PackedSelection

    selection = PackedSelection()
    selection.add("low", above_largest(met))
    selection.add("high", np.asarray(met) > 40)
    selection.add("all", selection.all("low", "high"))
    return selection


def two_muons(muons):
    assert len(muons)
    return ak.num(muons) >= 2


def never(muons):
    return ak.num(muons) > 99


def has_jet(jets):
    return ak.num(jets) > 0


def with_muons(counts, seed):
    """Events that pass the skim, of which each has this number of muons."""
    columns = toy_columns(400, seed)
    n_mu = ak.to_numpy(ak.num(columns["Muon_pt"]))
    keep_these = np.flatnonzero(np.isin(n_mu, counts))[:40]
    columns = {name: values[keep_these] for name, values in columns.items()}
    n = len(keep_these)
    columns |= {"HLT_Mu50": np.ones(n, bool), "MET_pt": columns["MET_pt"] + np.float32(30)}
    columns["Muon_pt"] = ak.values_astype(ak.full_like(columns["Muon_pt"], 60.0), np.float32)
    return columns


def project(folder, baseline=two_muons, selection=packed, **sections):
    """Two processes; of `some` the second file has no event that passes, of `none` none has."""
    for name, counts in (("full", (2, 3)), ("bare", (0, 1)), ("none", (1,))):
        write_nano(folder / "in" / f"{name}.root", with_muons(counts, 3))
    files = [str(folder / "in" / f"{name}.root") for name in ("full", "bare")]
    entries = [
        {"name": "some", "files": files, "cross_section": 1.0},
        {"name": "none", "files": [str(folder / "in" / "none.root")], "cross_section": 1.0},
    ]
    config = tiny_config(folder, entries, **sections)
    config["good_object_masks"] = {"analysis": []}
    config["baseline_selection"] = {
        "cuts": [{"name": "muons", "function": baseline, "use": ["Muon"]}]
    }
    config["ghost_observables"][0] |= {"function": share_of_largest, "use": ["Jet", ("MET", "pt")]}
    config["channels"][0]["selection"] = {"function": selection, "use": [("MET", "pt")]}
    return config


def parts_of(analysis, dataset):
    return [analysis.process_chunk(*pair) for pair in analysis.processed_datasets[dataset]]


def build(config, kind=Analysis):
    return kind(config, make_skims(config), manager_of(config))


@pytest.mark.parametrize("varied", [False, True])
def test_a_part_without_an_event_behind_the_baseline_is_filled_with_nothing(tmp_path, varied):
    config = project(tmp_path, corrections=[jet_scale()])
    config["channels"][0]["cutflow_variations"] = varied
    analysis = build(config)
    bare, full = sorted(parts_of(analysis, "some__nominal"), key=lambda raw: min(raw.ledger.parts))
    assert not any(block.sumw.any() for block in bare.blocks.values())
    for key, block in full.blocks.items():
        assert bare.blocks[key].variations == block.variations
    early, flow = bare.cutflows["SR", "some__nominal"], full.cutflows["SR", "some__nominal"]
    assert early.names == ("skimmed", "muons")  # a function names the others
    assert early.counts.tolist() == [40, 0]
    assert flow.names == ("skimmed", "muons", "low", "high", "all", "corrected")
    total = flow + early
    assert total.names == flow.names
    assert total.counts.tolist() == [80, *flow.counts[1:]]
    assert (total.varied is not None) == varied
    for name in ("nominal", *(total.varied or ())):
        assert (early + flow).of(name).sumw.tolist() == total.of(name).sumw.tolist()


def test_all_of_a_dataset_may_fail_the_baseline_and_its_cutflow_has_all_steps(tmp_path):
    found = build(project(tmp_path, corrections=[jet_scale()])).fill_histograms()
    names = ("skimmed", "muons", "low", "high", "all", "corrected")
    assert found.cutflows["SR", "some__nominal"].names == names
    assert found.cutflows["SR", "none__nominal"].names == names
    assert found.cutflows["SR", "none__nominal"].counts.tolist() == [40, 0, 0, 0, 0, 0]
    flow = by_process(found, "SR")["some"]
    assert flow.sumw[-1] == pytest.approx(found.template("SR", "muon_pt", "some").sumw.sum())
    assert flow.sumw[-1] != 0
    table = cutflow_table(found, "SR", weighted=False)
    column = [row[1 + table.columns.index("none")] for row in table.rows]
    assert column == ["40", "0", "0", "0", "0", "0"]
    assert found.variations("SR", "muon_pt") == ("nominal", "jes_total_up", "jes_total_down")


def test_named_cuts_are_known_without_an_event(tmp_path):
    config = project(tmp_path, baseline=never)
    cuts = [{"name": "met", "function": above_largest, "use": [("MET", "pt")]}]
    config["channels"][0]["selection"] = {"cuts": cuts}
    config["channels"][1].pop("selection")
    for raw in parts_of(build(config), "none__nominal"):
        assert raw.cutflows["SR", "none__nominal"].names == ("skimmed", "muons", "met", "corrected")
        assert raw.cutflows["CR", "none__nominal"].names == ("skimmed", "muons", "corrected")
        assert raw.cutflows["SR", "none__nominal"].counts.tolist() == [40, 0, 0, 0]


class OwnChannel(Analysis):
    """Asks its own functions, each of which fails without events."""

    def select_baseline(self, events, dataset):
        assert len(events)
        return super().select_baseline(events, dataset)

    def certified_events(self, events, dataset):
        assert len(events)
        return super().certified_events(events, dataset)

    def add_ghost_observables(self, events):
        assert len(events)
        return super().add_ghost_observables(events)

    def select_channel(self, events, channel):
        assert len(events)
        return super().select_channel(events, channel)


def test_overridden_steps_are_not_called_without_events_either(tmp_path):
    analysis = build(project(tmp_path, corrections=[jet_scale()]), OwnChannel)
    (raw,) = parts_of(analysis, "none__nominal")
    assert raw.cutflows["SR", "none__nominal"].names == ("skimmed", "muons")
    plain = build(project(tmp_path / "plain", corrections=[jet_scale()])).fill_histograms()
    found = analysis.fill_histograms()
    for key, block in plain.blocks.items():
        np.testing.assert_array_equal(found.blocks[key].sumw, block.sumw)
    for key, flow in plain.cutflows.items():
        assert found.cutflows[key].names == flow.names


def test_what_keeps_nothing_of_a_dataset_calls_no_baseline(tmp_path):
    config = project(tmp_path, corrections=[jet_scale()])
    config["datasets"]["datasets"][1]["keep"] = {"function": never, "use": ["Muon"]}
    (raw,) = parts_of(build(config), "none__nominal")
    assert raw.cutflows["SR", "none__nominal"].names[:3] == ("skimmed", "kept", "muons")
    config["baseline_selection"] = {"function": two_muons, "use": ["Muon"]}
    (raw,) = parts_of(build(config), "none__nominal")
    assert raw.cutflows["SR", "none__nominal"].names == ("skimmed", "kept")
    assert raw.cutflows["SR", "none__nominal"].counts.tolist() == [40, 0]


def test_events_that_fail_one_cut_are_still_in_n_minus_1_histograms(tmp_path):
    """No event passes the baseline, and all fail only the one cut that has a histogram."""
    config = project(tmp_path, baseline=never, selection=has_jet)
    config["channels"][0]["selection"] = {"function": has_jet, "use": ["Jet"]}
    config["baseline_selection"]["n_minus_1"] = [
        {"cut": "muons", "function": itself, "use": [("MET", "pt")], "binning": "0,1000,4"}
    ]
    (raw,) = parts_of(build(config), "none__nominal")
    columns = with_muons((1,), 3)
    passing = ak.to_numpy(ak.num(columns["Jet_pt"]) > 0)
    expected = columns["genWeight"][passing].astype(float).sum()
    block = raw.blocks["SR", "n_minus_1_muons", "none__nominal"]
    assert block.sumw[0].sum() == pytest.approx(expected)
    assert expected != 0
    assert not raw.blocks["SR", "muon_pt", "none__nominal"].sumw.any()


def test_what_is_kept_of_such_a_part_gives_the_same(tmp_path):
    analysis = build(project(tmp_path))
    events, metadata = analysis.processed_datasets["none__nominal"][0]
    groups = analysis.prepare_parts(events, [metadata], [len(events)])
    (first,) = analysis.fill_prepared(keep(groups, tmp_path / "kept", 1e9), [metadata])
    (again,) = analysis.fill_prepared(kept(tmp_path / "kept"), [metadata])
    for key, flow in first.cutflows.items():
        assert again.cutflows[key].names == flow.names


def test_blind_data_of_which_nothing_passes_tell_no_step(tmp_path):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"), general={"blind": ["SR"]})
    config["baseline_selection"] = {"function": never, "use": ["Muon"]}
    found = build(config).fill_histograms()
    assert found.cutflows["CR", "data"].names == ("corrected",)
    assert found.cutflows["CR", "data"].counts.tolist() == [0]
