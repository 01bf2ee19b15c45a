"""Two years together are the sum of two runs of one year each."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.analysis import Analysis
from tests.builders import (
    event_correction,
    jet_scale,
    make_skims,
    manager_of,
    scale_down,
    scale_node,
    scale_up,
    tiny_config,
    toy_columns,
    write_corrections,
    write_nano,
)

LUMI = {"2016": 36.0, "2017": 41.0}
CONTENT = {
    "2016": {"nominal": [0.9, 1.0, 1.2], "up": [1.0, 1.05, 1.3], "down": [0.8, 0.95, 1.1]},
    "2017": {"nominal": [1.1, 0.7, 1.0], "up": [1.3, 0.8, 1.1], "down": [0.9, 0.6, 0.9]},
}


def datasets(folder, year, seed):
    """Simulation, of two processes, and data of a year."""
    mc = write_nano(folder / year / "mc.root", toy_columns(200, seed))
    tt = write_nano(folder / year / "tt.root", toy_columns(150, seed + 1))
    data = write_nano(folder / year / "data.root", toy_columns(80, seed + 2, data=True))
    common = {"year": year}
    return [
        {"name": f"mc_{year}", "process": "mc", "files": [str(mc)], "cross_section": 9.0, **common},
        {"name": f"tt_{year}", "process": "tt", "files": [str(tt)], "cross_section": 7.0, **common},
        {"name": f"data_{year}", "process": "data", "files": [str(data)], "is_data": True,
         "duplicates": "keep", **common},
    ]  # fmt: skip


def corrections(folder, year):
    """Pile-up, the same nuisance in both years, and an energy scale with one in each."""
    node = scale_node("pu", "nTrueInt", [0, 20, 40, 60], CONTENT[year], "error")
    file = write_corrections(folder / year / "pu.json", node)
    source = {"name": "jes", "up_function": scale_up, "down_function": scale_down,
              "correlation": "uncorrelated"}  # fmt: skip
    return [event_correction(file), jet_scale(uncertainty_sources=[source])]


def systematics(year):
    """One of both years, and one that only the first has; sizes that differ."""
    size = {"2016": 0.012, "2017": 0.023}[year]
    found = [
        {"name": "lumi", "type": "normalisation", "size": size},
        {"name": "flat", "type": "event", "up_function": scale_up, "use": [("MET", "pt")],
         "symmetrise": True, "processes": ["tt"]},
    ]  # fmt: skip
    if year == "2016":
        found.append({"name": "prefiring", "type": "event", "up_function": scale_down,
                      "down_function": scale_up, "use": [("MET", "pt")]})  # fmt: skip
    return found


def filled(folder, *years):
    """Histograms of some years."""
    config = tiny_config(
        folder,
        [one for year in years for one in datasets(folder, year, 10 * int(year))],
        general={"lumi": {year: LUMI[year] for year in years}},
        corrections={year: corrections(folder, year) for year in years},
        systematics={year: systematics(year) for year in years},
    )
    return Analysis(config, make_skims(config), manager_of(config)).fill_histograms()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Histograms of both years, and of each alone."""
    folder = tmp_path_factory.mktemp("years")
    both = filled(folder / "both", "2016", "2017")
    return both, {year: filled(folder / year, year) for year in LUMI}


CASES = [("SR", "muon_pt"), ("SR", "jet_pts"), ("SR", "ht"), ("CR", "muon_pt")]


def test_the_variations_are_those_of_both_years(runs):
    both, _ = runs
    assert set(both.variations("SR", "ht")) == {
        "nominal", "pileup_up", "pileup_down", "jes_2016_up", "jes_2016_down", "jes_2017_up",
        "jes_2017_down", "lumi_up", "lumi_down", "flat_up", "flat_down", "prefiring_up",
        "prefiring_down",
    }  # fmt: skip


@pytest.mark.parametrize("process", ["mc", "tt", "data"])
@pytest.mark.parametrize(("channel", "observable"), CASES)
def test_templates_are_the_sums_of_the_years(runs, channel, observable, process):
    both, alone = runs
    size = {"2016": 0.012, "2017": 0.023}
    for variation in both.variations(channel, observable):
        total, squares = 0.0, 0.0
        for year, one in alone.items():
            template = one.template(channel, observable, process, variation)
            sumw, sumw2 = template.sumw, template.sumw2
            if variation.startswith("lumi") and process != "data":  # alone it is one size
                factor = 1.0 + size[year] * (1 if variation.endswith("up") else -1)
                sumw, sumw2 = sumw * factor, sumw2 * factor**2
            total, squares = total + sumw, squares + sumw2
        found = both.template(channel, observable, process, variation)
        np.testing.assert_allclose(found.sumw, total, rtol=1e-12, atol=1e-9, err_msg=variation)
        np.testing.assert_allclose(found.sumw2, squares, rtol=1e-12, atol=1e-9, err_msg=variation)


def test_adding_the_histograms_of_the_years_gives_the_same(runs):
    both, alone = runs
    added = alone["2016"] + alone["2017"]
    for key, block in added.blocks.items():
        for variation in block.variations:
            np.testing.assert_allclose(
                block.template(variation).sumw, both.template(*key, variation).sumw, atol=1e-9
            )
    assert added.luminosity == both.luminosity == LUMI


def test_the_years_differ_and_the_sources_move_something(runs):
    both, alone = runs
    first, second = (one.template("SR", "jet_pts", "mc").values for one in alone.values())
    assert not np.allclose(first, second)
    nominal = both.template("SR", "jet_pts", "tt").values
    for variation in both.variations("SR", "jet_pts")[1:]:
        moved = both.template("SR", "jet_pts", "tt", variation).values
        assert not np.allclose(moved, nominal), variation
