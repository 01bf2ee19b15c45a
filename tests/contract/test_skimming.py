"""What the skim hands to users and their notebooks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import pytest

from hepflow.schema import Config
from hepflow.skimming import process_workitems_with_skimming
from tests.builders import make_metadata, make_skims, manager_of, tiny_config, toy_inputs

TOTALS = {"dataset", "process", "variation", "year", "is_data", "xsec", "nevts", "sum_weights"}
OF_THE_PART = {"file", "entrystart", "entrystop", "part_nevts", "part_sum_weights"}


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"))


def test_the_call(config):
    names = list(inspect.signature(process_workitems_with_skimming).parameters)
    wanted = ["workitems", "config", "output_manager", "fileset", "nanoaods_summary"]
    assert names[:5] == wanted
    items = make_metadata(config).workitems
    for given in (config, Config(**config)):
        assert set(process_workitems_with_skimming(items, given, manager_of(config))) == {
            "mc__nominal",
            "data",
        }


def test_a_mapping_of_sequences_of_pairs(config):
    skims = make_skims(config)
    assert isinstance(skims, Mapping)
    for name, skim in skims.items():
        assert isinstance(skim, Sequence)
        for events, metadata in skim:
            assert metadata["dataset"] == name
            assert {"Muon", "MET", "run"} <= set(events.fields)
            assert len(events.Muon.pt) == len(events)


def test_metadata_has_totals_and_what_is_of_the_part(config):
    for skim in make_skims(config).values():
        pairs = [metadata for _, metadata in skim]
        for one in pairs:
            assert set(one) >= TOTALS | OF_THE_PART
            assert {name: one[name] for name in TOTALS} == {name: pairs[0][name] for name in TOTALS}
        assert sum(one["part_nevts"] for one in pairs) == pairs[0]["nevts"]
        total = sum(one["part_sum_weights"] for one in pairs)
        assert total == pytest.approx(pairs[0]["sum_weights"])


def test_types_of_the_metadata(config):
    simulated = make_skims(config)["mc__nominal"][0][1]
    assert (simulated["process"], simulated["variation"], simulated["year"]) == (
        "mc",
        "nominal",
        None,
    )
    assert (simulated["is_data"], simulated["xsec"]) == (False, 10.0)
    data = make_skims(config)["data"][0][1]
    assert (data["is_data"], data["xsec"], data["sum_weights"]) == (True, None, 120.0)


def test_a_part_without_survivors_is_a_pair(config):
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 1e9}
    skim = make_skims(config)["mc__nominal"]
    assert [len(events) for events, _ in skim] == [0, 0, 0]
    assert all(metadata["nevts"] == 250 for _, metadata in skim)


@pytest.mark.parametrize(
    ("chosen", "suffix"), [("pickle", "pkl"), ("root", "root"), ("parquet", "parquet")]
)
def test_parts_and_manifest_lie_in_the_folder_of_the_dataset(config, chosen, suffix):
    config["preprocess"]["skimming"]["output"] = {"format": chosen}
    make_skims(config)
    folder = manager_of(config).get_dataset_dir("mc__nominal", must_exist=True)
    assert (folder / "manifest.json").is_file()
    assert len(list(folder.glob(f"*.{suffix}"))) == 3


def test_one_pass_gives_the_same_pairs_without_files(config):
    stored = make_skims(config)
    config["execution"]["one_pass"] = True
    live = make_skims(config)
    assert list(live) == list(stored)
    for name, skim in live.items():
        assert isinstance(skim, Sequence)
        for (events, metadata), (others, known) in zip(skim, stored[name], strict=True):
            assert set(metadata) >= TOTALS | OF_THE_PART
            assert metadata["part_sum_weights"] == known["part_sum_weights"]
            assert len(events) == len(others)


def test_a_skim_is_a_dask_awkward_collection_on_demand(config):
    skim = make_skims(config)["mc__nominal"]
    events = skim.to_dask_awkward()
    assert events.npartitions == len(skim)
    assert len(events.Muon.pt.compute(scheduler="synchronous")) == sum(len(e) for e, _ in skim)
    assert [one["file"] for one in skim.metadata] == [metadata["file"] for _, metadata in skim]
