"""Cutflows of parts and datasets are added: their steps have the same names, or a user is told."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis, batches, preparation
from hepflow.errors import UserFunctionError
from hepflow.functors import Passed
from hepflow.histograms.cutflows import by_process
from tests.builders import (
    jet_scale,
    make_skims,
    manager_of,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)

DATA = toy_columns(120, 2, data=True)


def build(config, kind=Analysis):
    return kind(config, make_skims(config), manager_of(config))


def two_years_of_data(folder, **sections):
    """One process of data, of which only one dataset has a list of certified runs."""
    inputs = toy_inputs(folder / "in")
    write_nano(folder / "in" / "early.root", toy_columns(40, 7, data=True))
    golden = folder / "golden.json"
    golden.write_text('{"273158": [[10, 30]]}')
    inputs[1] |= {"name": "late", "process": "data", "lumi_mask": str(golden)}
    early = {"name": "early", "process": "data", "is_data": True}
    inputs.append({**early, "files": [str(folder / "in" / "early.root")]})
    return tiny_config(folder, inputs, **sections)


def test_data_of_which_only_a_part_has_a_list_of_certified_runs_adds_up(tmp_path):
    found = build(two_years_of_data(tmp_path)).fill_histograms()
    early, late = found.cutflows["SR", "early"], found.cutflows["SR", "late"]
    names = ("skimmed", "selection", "certified", "jets", "corrected")
    assert early.names == late.names == names
    assert early.counts[2] == early.counts[1] > 0  # all of it
    assert 0 < late.counts[2] < late.counts[1]
    assert "certified" not in found.cutflows["SR", "mc__nominal"].names
    total = by_process(found, "SR")["data"]
    assert total.counts.tolist() == (early.counts + late.counts).tolist()
    assert total.counts[-1] == found.blocks["SR", "muon_pt", "data"].sumw.sum()


def test_while_data_are_blind_no_earlier_step_is_told(tmp_path):
    config = two_years_of_data(tmp_path, general={"blind": ["SR"]})
    found = build(config).fill_histograms()
    for one in ("early", "late"):
        assert found.cutflows["CR", one].names == ("corrected",)
        assert ("SR", one) not in found.cutflows


# -- names that depend on the events --------------------------------------------------------


def names_by_number(jets):
    from coffea.analysis_tools import PackedSelection

    selection = PackedSelection()
    selection.add("a", ak.num(jets) >= 1)
    if len(jets) % 2:
        selection.add("odd", np.ones(len(jets), dtype=bool))
    selection.add("all", selection.all(*selection.names))
    return selection


def odd_and_even(folder):
    """Write a file of which 20 events pass the baseline, and one of 19."""
    for i in range(2):
        columns = toy_columns(100, i)
        keep = np.flatnonzero(ak.num(columns["Muon_pt"]) > 0)[: 20 - i]
        columns = {name: values[keep] for name, values in columns.items()}
        n = len(keep)
        columns |= {"HLT_Mu50": np.ones(n, bool), "MET_pt": np.full(n, 100.0, np.float32)}
        columns["Muon_pt"] = ak.values_astype(ak.full_like(columns["Muon_pt"], 60.0), np.float32)
        write_nano(folder / f"{i}.root", columns)


@pytest.mark.parametrize("by_part", [True, False])
def test_names_that_differ_between_parts_are_told_with_both(tmp_path, monkeypatch, by_part):
    odd_and_even(tmp_path)
    entry = {"name": "mc", "files": [str(tmp_path / "*.root")], "cross_section": 1.0}
    config = tiny_config(tmp_path, [entry])
    config["channels"][0]["selection"] = {"function": names_by_number, "use": ["Jet"]}
    analysis = build(config)
    if by_part:
        for events, metadata in list(analysis.processed_datasets["mc__nominal"])[:-1]:
            analysis.process(events, metadata)
        found = analysis.raw.cutflows["SR", "mc__nominal"]
        assert found.names == ("skimmed", "selection", "a", "all", "corrected")
        with pytest.raises(UserFunctionError) as told:
            analysis.process(*analysis.processed_datasets["mc__nominal"][-1])
    else:
        monkeypatch.setattr(batches, "_LEAST", 1)  # each part by itself
        monkeypatch.setattr(batches, "_MOST", 20)
        with pytest.raises(UserFunctionError) as told:
            analysis.fill_histograms()
    text = str(told.value)
    assert text.startswith("the selection of channel 'SR', or the baseline, has the steps skimmed,")
    assert "skimmed, selection, a, all, corrected in mc__nominal: " in text
    assert "skimmed, selection, a, odd, all, corrected in mc__nominal: " in text
    assert "0.root, 0 to 20" in text
    assert "1.root, 0 to 19" in text


def test_names_that_differ_between_datasets_of_a_process_are_told_with_both(tmp_path):
    odd_and_even(tmp_path)
    entries = [
        {"name": f"mc{i}", "files": [str(tmp_path / f"{i}.root")], "cross_section": 1.0,
         "process": "mc"} for i in (0, 1)
    ]  # fmt: skip
    config = tiny_config(tmp_path, entries)
    config["channels"][0]["selection"] = {"function": names_by_number, "use": ["Jet"]}
    with pytest.raises(UserFunctionError) as told:
        build(config).fill_histograms()
    assert "in dataset 'mc0__nominal', but" in str(told.value)
    assert "in dataset 'mc1__nominal'. Give the same names" in str(told.value)


class NamesVariations(Analysis):
    """Names its step by whether the events are those of nominal: jets of variations are moved."""

    def select_channel(self, events, channel):
        mask = super().select_channel(events, channel).mask
        moved = bool(ak.any(events.Jet.pt > 10_000))
        return Passed(mask, (("moved" if moved else "still", mask),))


def test_names_that_differ_between_variations_are_told_with_both(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "block_size", lambda *_: 1)  # each variation by itself
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in")[:1], corrections=[jet_scale()])
    config["corrections"][0]["uncertainty_sources"][0]["up_function"] = far_up
    config["channels"][0]["cutflow_variations"] = True
    analysis = build(config, NamesVariations)
    with pytest.raises(UserFunctionError, match="the variation nominal, but") as told:
        analysis.process(*analysis.processed_datasets["mc__nominal"][0])
    assert "still, corrected in the variation nominal" in str(told.value)
    assert "moved, corrected in the variation jes_total_up" in str(told.value)


def far_up(pt):
    return pt * 0 + 1e6
