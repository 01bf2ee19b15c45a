"""Every output of the skim gives the same events and the same templates."""

from __future__ import annotations

import re
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from hepflow import pipeline
from hepflow.events import EVENT, build_events
from hepflow.histograms import read_histograms
from hepflow.output_manager import OutputDirectoryManager
from hepflow.skimming import process_workitems_with_skimming
from hepflow.skimming.formats import FORMATS
from tests.builders import make_metadata, make_skims, shared, tiny_config, toy_inputs
from tests.pipeline.test_real_files import EVENTS, FILES, key_of, plain_columns, real_config

WAYS = ["pickle", "root", "parquet", "one_pass"]
DOCS = Path(__file__).resolve().parents[2] / "docs"


def written_as(config, way):
    """The same configuration with another output of the skim."""
    if way == "one_pass":
        return {**config, "execution": {**config["execution"], "one_pass": True}}
    skimming = {**config["preprocess"]["skimming"], "output": {"format": way}}
    return {**config, "preprocess": {**config["preprocess"], "skimming": skimming}}


def same_histograms(left, right):
    """Equal to the last bit, cutflows included."""
    assert left.blocks.keys() == right.blocks.keys()
    for key, block in left.blocks.items():
        assert block.variations == right.blocks[key].variations
        np.testing.assert_array_equal(block.sumw, right.blocks[key].sumw, err_msg=str(key))
        np.testing.assert_array_equal(block.sumw2, right.blocks[key].sumw2, err_msg=str(key))
    assert left.cutflows.keys() == right.cutflows.keys()
    for key, flow in left.cutflows.items():
        assert flow.counts.tolist() == right.cutflows[key].counts.tolist()


# -- a small analysis --------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Templates of a small analysis by way, each from an empty cache."""
    folder = tmp_path_factory.mktemp("ways")
    inputs = toy_inputs(folder / "in")
    found = {}
    for way in WAYS:
        config = tiny_config(folder / way, inputs)
        result = pipeline.run(written_as(config, way))
        assert result.exit_status == 0
        found[way] = read_histograms(folder / way / "out" / "histograms" / "histograms.zip")
    return folder, found


@pytest.mark.parametrize("way", WAYS[1:])
def test_templates_of_every_way_are_the_same(small, way):
    folder, found = small
    same_histograms(found[way], found["pickle"])
    assert found[way].ledger == found["pickle"].ledger
    skimmed = folder / way / "out" / "skimmed"
    suffixes = {path.suffix for path in skimmed.rglob("*") if path.is_file()}
    assert suffixes == ({".json", FORMATS[way].suffix} if way in FORMATS else set())


@pytest.mark.parametrize("way", WAYS[1:])
def test_what_was_filled_one_way_is_found_the_other_way(tmp_path, way):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    first = pipeline.run(config)
    again = pipeline.run(written_as(config, way))
    outcomes = {one.name: one.outcome for one in again.stages}
    assert outcomes["histograms"] == "reused"
    assert outcomes["skim"] == ("left out" if way == "one_pass" else "ran")
    assert {one.name: one.outcome for one in first.stages}["histograms"] == "ran"


# -- real files --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Skims of all real files by way."""
    for path in FILES.values():
        shared(path)
    config = real_config(tmp_path_factory.mktemp("real"))
    config["preprocess"]["skimming"]["chunk_size"] = 100  # some files in one part, some in two
    found = make_metadata(config)
    return {
        way: process_workitems_with_skimming(
            found.workitems,
            written_as(config, way),
            OutputDirectoryManager(Path(config["general"]["output_dir"]) / way),
            found.fileset,
            found.nanoaods_summary,
        )
        for way in WAYS[1:]
    }


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize("name", FILES)
def test_counts_and_weighted_spectra_are_those_of_plain_readers(real, name, way):
    columns = plain_columns(shared(FILES[name]))
    passed = columns["MET_pt"] > 15
    weights = columns["genWeight"][passed] if "genWeight" in columns else 1.0
    expected = _spectrum(columns["Muon_pt"][passed], weights)
    pairs = list(real[way][key_of(name)])
    found = np.zeros_like(expected)
    for events, metadata in pairs:
        assert metadata["nevts"] == EVENTS[name]
        found += _spectrum(events.Muon.pt, 1.0 if name == "data" else events.genWeight)
    assert sum(len(events) for events, _ in pairs) == ak.sum(passed)
    assert sum(metadata["part_nevts"] for _, metadata in pairs) == EVENTS[name]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)


def _spectrum(pt, weights):
    spread = ak.ones_like(pt) * weights
    values, weighted = (np.asarray(ak.flatten(one), np.float64) for one in (pt, spread))
    return np.histogram(values, [0, 10, 20, 40, 80, np.inf], weights=weighted)[0]


@pytest.mark.parametrize("way", ["root", "parquet"])
@pytest.mark.parametrize("name", FILES)
def test_other_programs_find_the_columns_in_the_parts(real, name, way):
    columns = plain_columns(shared(FILES[name]))
    passed = columns["MET_pt"] > 15
    for branch in ("Muon_pt", "Jet_jetId", "MET_pt", "nMuon", "genWeight"):
        if branch in columns:
            kept = columns[branch][passed].tolist()
            assert _from_files(real[way][key_of(name)], branch) == kept, branch


def _from_files(skim, branch):
    """A branch as a program without hepflow reads it from all parts."""
    found = []
    for part in skim.parts:
        if part.path.endswith(".root"):
            with uproot.open(part.path) as file:
                found += file["Events"][branch].array().tolist()
        else:
            found += pq.read_table(part.path)[branch].to_pylist()
    return found


@pytest.mark.parametrize("name", ["root", "parquet"])
def test_every_branch_of_a_real_file_survives(tmp_path, name):
    """All types that NanoAOD has, a thousand branches and more."""
    with uproot.open(shared("nanoaod/nano_tt_v12.root")) as file:
        tree = file["Events"]
        columns = tree.arrays(library="ak", how=dict)
        length = tree.num_entries
    objects = {one[1:] for one in columns if one.startswith("n") and one[1:2].isupper()}
    plan = {}
    for branch, values in columns.items():
        group, _, field = branch.partition("_")
        inside = group in objects - {"SV"} and field and values.ndim == 2  # it has x and phi
        plan.setdefault(group if inside else EVENT, []).append(field if inside else branch)
    events = build_events(columns, plan, length)
    part = tmp_path / f"part{FORMATS[name].suffix}"
    FORMATS[name].write(part, events, {"tree": "Events"})
    found, _ = FORMATS[name].read(part, None)
    FORMATS["pickle"].write(tmp_path / "part.pkl", events, {})
    reference, _ = FORMATS["pickle"].read(tmp_path / "part.pkl", None)
    assert found.type == reference.type
    mine, theirs = (ak.to_buffers(one)[2] for one in (found, reference))
    assert {key: one.tobytes() for key, one in mine.items()} == {
        key: one.tobytes() for key, one in theirs.items()
    }


# -- the example of the documentation ------------------------------------------------------


def test_the_dask_example_of_the_documentation_fills_what_a_loop_fills(tmp_path):
    pytest.importorskip("dask_histogram", reason="dask-histogram is not installed")
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    config = written_as(config, "parquet")
    page = (DOCS / "how-to" / "dask_awkward.md").read_text(encoding="utf-8")
    names = {"config": config}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(code, "dask_awkward.md", "exec"), names)  # noqa: S102 - our own page
    edges = [-np.inf, *np.linspace(0, 400, 21), np.inf]
    for name, skim in make_skims(config).items():
        expected = np.zeros(22)
        for events, metadata in skim:
            weight = np.ones(len(events))
            if not metadata["is_data"]:
                weight = np.asarray(events.genWeight) * 10.0 * 100.0 / metadata["sum_weights"]
            weights = np.repeat(weight, ak.num(events.Muon.pt))
            flat = np.asarray(ak.flatten(events.Muon.pt))
            expected += np.histogram(flat, edges, weights=weights)[0]
        np.testing.assert_allclose(
            names["filled"][name].values(flow=True), expected, rtol=1e-4, atol=1e-3
        )
