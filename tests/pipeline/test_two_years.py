"""Two years in one analysis are the two single-year analyses, added by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.execution import make_executor
from hepflow.pipeline import make_output_manager, make_skims
from hepflow.schema import Config
from hepflow.statistics import StatisticsSpec
from tests.builders import (
    scale_down,
    scale_node,
    scale_one,
    scale_up,
    tiny_config,
    toy_columns,
    write_corrections,
    write_nano,
)

YEARS = ("2016", "2017")
LUMI = {"2016": 100.0, "2017": 140.0}
SIZES = {"2016": 0.012, "2017": 0.023}
PU = {
    "2016": {"nominal": [0.9, 1.1], "up": [1.0, 1.2], "down": [0.8, 1.0]},
    "2017": {"nominal": [1.05, 0.95], "up": [1.1, 0.9], "down": [1.0, 1.01]},
}
ID = {
    "2016": {"nominal": [0.97, 0.99], "up": [0.98, 1.0], "down": [0.96, 0.98]},
    "2017": {"nominal": [0.95, 0.98], "up": [0.97, 0.99], "down": [0.93, 0.97]},
}


def muon_weight(pt):
    import awkward as ak

    return ak.fill_none(ak.firsts(pt), 0.0)


def heavier(met):
    return 1.0 + 0.001 * met


def corrections(folder, year):
    """A pile-up weight that both years share, a muon weight that is each year's own."""
    nodes = (
        scale_node("pu", "x", [0.0, 30.0, 60.0], PU[year], "clamp"),
        scale_node("id", "x", [0.0, 60.0, 1000.0], ID[year], "clamp"),
    )
    file = write_corrections(folder / f"corrections_{year}.json", *nodes)
    common = {
        "type": "event",
        "file": file,
        "nominal_idx": "nominal",
        "up_and_down_idx": ("up", "down"),
        "out_of_range": "clamp",
    }
    return [
        {**common, "name": "pu", "key": "pu", "use": [("Pileup", "nTrueInt")]},
        {
            **common,
            "name": "muon_id",
            "key": "id",
            "use": [("Muon", "pt")],
            "transform_in": muon_weight,
            "correlation": "uncorrelated",
        },
        {
            "name": "jes",
            "type": "object",
            "target": ("Jet", "pt"),
            "use": [("Jet", "pt")],
            "use_correctionlib": False,
            "nominal_function": scale_one,
            "uncertainty_sources": [
                {"name": "jes", "up_function": scale_up, "down_function": scale_down}
            ],
        },
    ]


def systematics(year):
    """Luminosity: a correlated and an own part; a weight in one year only, with one side."""
    found = [
        {"name": "lumi", "type": "normalisation", "size": SIZES[year]},
        {
            "name": "lumi_own",
            "type": "normalisation",
            "size": 2 * SIZES[year],
            "correlation": "uncorrelated",
        },
        {"name": "tt_xsec", "type": "normalisation", "size": 0.05, "processes": ["tt"]},
    ]
    if year == "2017":
        found.append(
            {
                "name": "prefiring",
                "type": "event",
                "up_function": heavier,
                "use": [("MET", "pt")],
                "symmetrise": True,
            }
        )
    return found


def datasets(folder):
    """Two simulated processes and data in each year."""
    found = []
    for seed, year in enumerate(YEARS):
        for name, events, section in (("tt", 300, 10.0), ("w", 200, 4.0), ("data", 150, None)):
            path = folder / f"{name}_{year}.root"
            columns = toy_columns(events, 10 * seed + len(name), data=section is None)
            columns["run"] = columns["run"] + np.uint32(1000 * seed)  # no event is in both years
            write_nano(path, columns)
            entry = {"name": f"{name}{year}", "process": name, "files": [str(path)], "year": year}
            kind = {"is_data": True} if section is None else {"cross_section": section}
            found.append({**entry, **kind})
    return found


def both_years(folder):
    config = tiny_config(folder / "both", datasets(folder))
    config["general"]["lumi"] = dict(LUMI)
    config["corrections"] = {year: corrections(folder, year) for year in YEARS}
    config["systematics"] = {year: systematics(year) for year in YEARS}
    config["statistics"] = {"norm_factors": [{"name": "mu", "processes": ["tt"]}]}
    return config


def one_year(config, year, folder):
    own = copy.deepcopy(config)
    own["general"] |= {"lumi": LUMI[year], "output_dir": str(folder / year)}
    own["datasets"]["datasets"] = [
        one for one in own["datasets"]["datasets"] if one["year"] == year
    ]
    for section in ("corrections", "systematics"):
        own[section] = own[section][year]
    return own


def filled(config):
    valid = Config.of(config)
    manager = make_output_manager(valid)
    with make_executor(**valid.datasets.execution_args) as executor:
        analysis = Analysis(valid, make_skims(valid, manager, executor), manager)
        return analysis.fill_histograms(executor)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("years")
    config = both_years(folder)
    single = {year: filled(one_year(config, year, folder)) for year in YEARS}
    return config, filled(config), single


def by_hand(single, key, variation):
    """Sum of the single years; the variation where a year has it, else its nominal."""
    sumw, sumw2 = 0.0, 0.0
    for year in YEARS:
        template = single[year].blocks[key].template(variation)  # nominal where it is absent
        factor = 1.0
        for name, size in (("lumi", SIZES[year]), (f"lumi_own_{year}", 2 * SIZES[year])):
            factor += size * ((variation == f"{name}_up") - (variation == f"{name}_down"))
        sumw, sumw2 = sumw + factor * template.sumw, sumw2 + factor**2 * template.sumw2
    return sumw, sumw2


EXPECTED = {
    "nominal",
    *(f"{name}_{side}" for name in ("pu", "jes", "lumi", "prefiring") for side in ("up", "down")),
    *(
        f"{name}_{year}_{side}"
        for name in ("muon_id", "lumi_own")
        for year in YEARS
        for side in ("up", "down")
    ),
}


@pytest.mark.field("corrections[].correlation", "systematics[].correlation")
def test_every_template_is_the_sum_of_the_years(runs):
    _, both, single = runs
    simulated = [key for key in both.blocks if key[2] != "data"]
    assert {key[2] for key in simulated} == {"tt", "w"}
    for key in simulated:
        assert set(both.blocks[key].variations) == EXPECTED
        for variation in EXPECTED:
            found = both.blocks[key].template(variation)
            sumw, sumw2 = by_hand(single, key, variation)
            scale = np.abs(single["2016"].blocks[key].sumw).sum()
            np.testing.assert_allclose(found.sumw, sumw, rtol=1e-12, atol=1e-12 * scale)
            np.testing.assert_allclose(found.sumw2, sumw2, rtol=1e-12)
        nominal = both.blocks[key].template().sumw
        for name in ("muon_id_2016_up", "muon_id_2017_up", "lumi_up", "prefiring_down"):
            assert not np.allclose(both.blocks[key].template(name).sumw, nominal), name


def test_data_are_the_sum_of_the_years(runs):
    _, both, single = runs
    for key in (key for key in both.blocks if key[2] == "data"):
        expected = sum(single[year].blocks[key].template().sumw for year in YEARS)
        assert np.array_equal(both.blocks[key].template().sumw, expected)
        assert both.blocks[key].variations == ("nominal",)


def test_the_model_has_each_parameter_once(runs):
    config, _, _ = runs
    spec = StatisticsSpec.from_config(config)
    shapes = {one.name for one in spec.shapes}
    assert shapes == {"pu", "jes", "muon_id_2016", "muon_id_2017", "prefiring"} | {
        "lumi",
        "lumi_own_2016",
        "lumi_own_2017",
    }
    assert [(one.name, one.size) for one in spec.normalisations] == [("tt_xsec", 0.05)]


def test_a_single_year_has_sizes_not_templates(runs):
    _, _, single = runs
    names = set(single["2016"].variations("SR", "muon_pt"))
    assert names == {"nominal"} | {
        f"{name}_{side}" for name in ("pu", "jes", "muon_id_2016") for side in ("up", "down")
    }
