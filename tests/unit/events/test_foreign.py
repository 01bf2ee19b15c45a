"""Formats whose events are no plain columns are refused by name."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.errors import UnreadableFile
from hepflow.events import open_tree

NUMBERS, LISTS = np.arange(2), ak.Array([[1.0], []])
TREES = {
    "PHYSLITE": {"CollectionTree": {"AnalysisMuonsAuxDyn.pt": LISTS, "EventInfo.run": NUMBERS}},
    "Delphes": {"Delphes": {"Jet_size": NUMBERS, "Jet.PT": LISTS}},
    "EDM4hep": {"events": {"Muons.energy": LISTS}, "podio_metadata": {"x": NUMBERS}},
}


def write_trees(path, trees):
    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            kinds = {
                key: "var * float64" if isinstance(one, ak.Array) else one.dtype
                for key, one in columns.items()
            }
            file.mktree(name, kinds)
            file[name].extend(columns)
    return str(path)


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("wanted", ["Events", "its own"])
def test_a_format_is_named_and_what_is_read_instead(tmp_path, name, wanted):
    path = write_trees(tmp_path / "a.root", TREES[name])
    own = next(iter(TREES[name]))
    with pytest.raises(UnreadableFile) as caught:
        open_tree(path, own if wanted == "its own" else wanted)
    for part in ("a.root", name, repr(own), "hepflow reads NanoAOD and flat trees", "Parquet"):
        assert part in str(caught.value)


@pytest.mark.parametrize("tree", ["CollectionTree", "Delphes", "events"])
def test_a_flat_tree_of_such_a_name_is_read(tmp_path, tree):
    path = write_trees(tmp_path / "a.root", {tree: {"Muon_pt": LISTS}})
    assert open_tree(path, tree).read(["Muon_pt"], 0, 2)["Muon_pt"].tolist() == [[1.0], []]


def test_a_flat_tree_beside_a_foreign_one_is_read(tmp_path):
    path = write_trees(tmp_path / "a.root", {**TREES["EDM4hep"], "flat": {"x": NUMBERS}})
    assert open_tree(path, "flat").num_entries == 2
