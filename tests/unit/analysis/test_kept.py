"""Prepared events are kept, and filling from them gives the same to the last bit."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.analysis.event_loop import EventLoop
from hepflow.execution import make_executor
from hepflow.pipeline import make_output_manager, make_skims
from hepflow.schema import Config
from tests.builders import (
    event_correction,
    scale_down,
    scale_node,
    scale_one,
    scale_up,
    tiny_config,
    toy_inputs,
    write_corrections,
)

JES = {
    "name": "jes",
    "type": "object",
    "target": ("Jet", "pt"),
    "use": [("Jet", "pt")],
    "use_correctionlib": False,
    "nominal_function": scale_one,
    "uncertainty_sources": [{"name": "jes", "up_function": scale_up, "down_function": scale_down}],
}


def three_jets(jets):
    return ak.num(jets, axis=1) >= 3


@pytest.fixture
def config(tmp_path):
    content = {"nominal": [0.9, 1.1], "up": [1.0, 1.2], "down": [0.8, 1.0]}
    node = scale_node("pu", "x", [0.0, 30.0, 60.0], content, "clamp")
    file = write_corrections(tmp_path / "pu.json", node)
    inputs = toy_inputs(tmp_path / "in")
    return tiny_config(tmp_path, inputs, corrections=[event_correction(file), JES])


@pytest.fixture
def prepared(monkeypatch):
    """How many parts were taken through the steps before the channels."""
    seen = []
    real = EventLoop._prepare

    def counting(self, whole, dataset, *others):
        seen.append(dataset.key)
        return real(self, whole, dataset, *others)

    monkeypatch.setattr(EventLoop, "_prepare", counting)
    return seen


def fill(config, **general):
    valid = Config.of({**config, "general": {**config["general"], **general}})
    manager = make_output_manager(valid)
    with make_executor(**valid.datasets.execution_args) as executor:
        analysis = Analysis(valid, make_skims(valid, manager, executor), manager)
        analysis.fill_histograms(executor)
    return analysis.raw


def test_events_that_were_kept_for_another_way_are_filled_anew(config, monkeypatch):
    fill(config)
    config["channels"][0]["observables"][0]["binning"] = "0,200,5"
    monkeypatch.setattr(EventLoop, "_shared", lambda *_: None)
    found = fill(config)
    monkeypatch.undo()
    assert_identical(found, fill(config, read_from_cache=False))


def files(config):
    from pathlib import Path

    return sorted((Path(config["general"]["cache_dir"]) / "histograms" / "prepared").glob("*"))


def assert_identical(found, expected):
    assert found.blocks.keys() == expected.blocks.keys()
    for key, block in expected.blocks.items():
        assert found.blocks[key].variations == block.variations
        assert np.array_equal(found.blocks[key].sumw, block.sumw)
        assert np.array_equal(found.blocks[key].sumw2, block.sumw2)
    for key, flow in expected.cutflows.items():
        assert found.cutflows[key].names == flow.names
        assert np.array_equal(found.cutflows[key].counts, flow.counts)
        assert np.array_equal(found.cutflows[key].sumw, flow.sumw)


def change(config):
    config["channels"][0]["selection"]["cuts"][0]["function"] = three_jets


def test_a_changed_cut_of_a_channel_starts_from_what_is_kept(config, prepared, tmp_path):
    fill(config)
    assert prepared
    prepared.clear()
    change(config)
    found = fill(config)
    assert prepared == []
    anew = fill(config, cache_dir=str(tmp_path / "other"), output_dir=str(tmp_path / "other_out"))
    assert prepared
    assert_identical(found, anew)


@pytest.mark.parametrize("section", ["good_object_masks", "ghost"])
def test_what_comes_before_the_channels_is_done_again(config, prepared, section):
    fill(config)
    prepared.clear()
    if section == "good_object_masks":
        config["good_object_masks"]["analysis"] = []
    else:
        config["general"]["run_systematics"] = False
    fill(config)
    assert prepared


def test_damaged_files_are_made_anew(config, prepared):
    expected = fill(config)
    for path in files(config):
        if not path.name.endswith("-all.pkl"):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
    prepared.clear()
    config["general"]["channels"] = ["SR"]
    config["channels"][0]["observables"][0]["binning"] = "0,200,20"
    found = fill(config)
    assert prepared  # from the parts
    key = ("SR", "ht", "mc__nominal")
    assert np.array_equal(found.blocks[key].sumw, expected.blocks[key].sumw)
    prepared.clear()
    config["channels"][0]["observables"][0]["binning"] = "0,200,5"
    fill(config)
    assert prepared == []  # kept again


def test_what_takes_too_much_is_not_kept(config, monkeypatch, prepared):
    monkeypatch.setattr("hepflow.analysis.batches.MOST", 1)
    fill(config)
    assert files(config) == []
    prepared.clear()
    change(config)
    fill(config)
    assert prepared


def test_without_the_cache_nothing_is_kept(config, prepared):
    fill(config, read_from_cache=False)
    assert files(config) == []
