"""``hepflow plan --variations`` on the analyses that come with the project."""

from __future__ import annotations

import json

import pytest

from hepflow.cli import main
from hepflow.planning.variations import plan_variations
from hepflow.schema import Config


@pytest.fixture(scope="module")
def plan(small_run):
    return plan_variations(Config.of(small_run.config))


def test_what_is_planned_is_what_is_filled(small_run, plan):
    raw = small_run.analysis.raw
    rows = {name for block in raw.blocks.values() for name in block.variations}
    assert rows == {name for one in plan.sources for name in one.templates} | {"nominal"}
    assert plan.counts.distinct == len(rows) - 1 == 22
    assert plan.counts.histograms == sum(len(one.variations) for one in raw.blocks.values())
    assert plan.counts.bins == sum(block.sumw.size for block in raw.blocks.values())


def test_datasets_have_the_variations_of_the_sources_that_act_on_them(small_run, plan):
    for (_, _, dataset), block in small_run.analysis.raw.blocks.items():
        planned = [
            name for one in plan.sources for name, keys in one.templates.items() if dataset in keys
        ]
        assert set(block.variations) == {"nominal", *planned}


def test_sources_move_what_they_touch_and_nothing_else(small_run, plan):
    """Only the events that are selected may differ where an observable is not touched."""
    found = {one.parameter: one.touches for one in plan.sources if one.touches}
    again = {
        name: {step.name for step in touches.again if step.kind == "observable"}
        for name, touches in found.items()
    }
    jets = {"zprime_mass", "jet_pt", "n_jet", "scalar_sum", "sphericity_z", "min_dr", "relative_pt"}
    assert again["jes_absolute"] == again["jes_pileup"] == jets
    assert again["fatjet_scale"] == jets - {"jet_pt"} | {"fatjet_pt", "fatjet_msoftdrop"}
    baseline = {
        name: [step.name for step in touches.again if step.kind == "baseline"]
        for name, touches in found.items()
    }
    assert baseline == {"jes_absolute": ["selection"], "jes_pileup": ["selection"],
                        "fatjet_scale": []}  # fmt: skip


@pytest.mark.parametrize("width", [80, 160])
def test_the_plan_of_the_search_in_open_data_needs_no_file(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    words = ["plan", "--variations", "--config=user.opendata2016:config"]
    assert main([*words, "--general.output_dir=/nowhere"]) == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines()[:7])) <= width
    assert "pileup  │ up, down │ pileup " in told
    assert "4 distinct variations of 2 sources" in told


def test_the_plan_as_json(capsys, tmp_path):
    file = tmp_path / "plan.json"
    assert main(["plan", "--variations", "--config=user.configuration:config",
                 f"--json={file}", "--general.output_dir=/nowhere"]) == 0  # fmt: skip
    found = json.loads(file.read_text())
    assert set(found) == {"sources", "counts", "overridden"}
    kinds = [one["kind"] for one in found["sources"]]
    assert kinds == ["object"] * 3 + ["weight"] * 8 + ["normalisation"] * 3
    assert found["sources"][0]["rearranged"] == ["Jet"]
    assert "Sources that move objects" in capsys.readouterr().out


def test_a_wrong_configuration_is_the_users(capsys):
    words = ["plan", "--variations", "--config=user.configuration:config"]
    assert main([*words, "--general.lumi=-1"]) == 2
    assert "general.lumi" in capsys.readouterr().err
