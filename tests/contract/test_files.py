"""Names of files and of the keys in them."""

from __future__ import annotations

import json
import re

import pytest
import uproot

from hepflow.analysis import Analysis
from tests.builders import jet_scale, make_skims, manager_of, tiny_config, toy_inputs

KEY = re.compile(r"^(SR|CR)__[a-z_]+__(mc|data)(__[a-z_]+_(up|down))?$")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    config = tiny_config(root, toy_inputs(root / "in"), corrections=[jet_scale()])
    Analysis(config, make_skims(config), manager_of(config)).run_analysis_chain()
    return root / "out"


@pytest.mark.parametrize(
    "path",
    [
        "metadata/fileset.json",
        "metadata/workitems.json",
        "metadata/nanoaods.json",
        "skimmed/mc__nominal/manifest.json",
        "skimmed/data/manifest.json",
        "histograms/histograms.root",
        "histograms/histograms.zip",
    ],
)
def test_the_file_is_where_the_contract_says(folder, path):
    assert (folder / path).is_file()


def test_keys_of_the_root_file(folder):
    with uproot.open(folder / "histograms/histograms.root") as file:
        names = file.keys(cycle=False)
    assert all(KEY.match(name) for name in names)
    assert {"SR__muon_pt__mc", "SR__muon_pt__data", "SR__ht__mc__jes_total_up"} <= set(names)
    assert "SR__ht__data__jes_total_up" not in names


def test_nothing_half_written_is_left(folder):
    assert list(folder.rglob("*.tmp")) == []


def test_every_json_file_is_json(folder):
    for path in folder.rglob("*.json"):
        json.loads(path.read_text())
