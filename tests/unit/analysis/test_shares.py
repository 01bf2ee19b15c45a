"""How much of the luminosity was processed: years, lists, part by part, and from the cache."""

from __future__ import annotations

import itertools
import json
import os
import shutil

import numpy as np
import pytest

from hepflow import pipeline
from hepflow.analysis import Analysis
from hepflow.analysis.results import incomplete_data, remarks_on
from hepflow.errors import InputError, NormalisationError
from hepflow.skimming import Skim
from tests.builders import make_skims, manager_of, tiny_config, toy_columns, toy_inputs, write_nano

RUNS = {"2016": 273158, "2017": 297050}
LUMI = {"2016": 100.0, "2017": 300.0}
TABLE = {
    str(run): {str(block): 0.1 * block + i for block in range(1, 60)}
    for i, run in enumerate(RUNS.values())
}


@pytest.fixture
def config(tmp_path):
    """Two years of simulation and data, each of 120 events in entry ranges of 60."""
    folder = tmp_path / "in"
    toy_inputs(folder)
    datasets = []
    for i, (year, run) in enumerate(RUNS.items()):
        columns = toy_columns(120, 2 + i, data=True) | {"run": np.full(120, run, np.uint32)}
        write_nano(folder / f"data_{year}.root", columns)
        mask = folder / f"{year}.json"
        mask.write_text(json.dumps({str(run): [[1, 40]]}))
        datasets += [
            {
                "name": f"mc_{year}",
                "process": "mc",
                "files": [str(folder / f"mc_{i}.root")],
                "cross_section": 10.0,
                "year": year,
            },
            {
                "name": f"data_{year}",
                "process": "data",
                "files": [str(folder / f"data_{year}.root")],
                "is_data": True,
                "year": year,
                "lumi_mask": str(mask),
            },
        ]
    (tmp_path / "table.json").write_text(json.dumps(TABLE))
    general = {"lumi": LUMI, "lumi_table": str(tmp_path / "table.json")}
    execution = {"backend": "inprocess", "on_missing": "rescale", "missing_limit": 1.0}
    found = tiny_config(tmp_path, datasets, general=general, execution=execution)
    found["preprocess"]["skimming"]["chunk_size"] = 60
    return found


def by_hand(year, stop=60):
    """Certified luminosity of the first events over that of all blocks."""
    blocks = toy_columns(120, 2 + list(RUNS).index(year), data=True)["luminosityBlock"]
    values = TABLE[str(RUNS[year])]
    wanted = [block for block in range(1, 41) if block in blocks]
    parts = {block: np.mean(np.arange(120)[blocks == block] < stop) for block in wanted}
    total = sum(values[str(block)] for block in range(1, 41))
    return sum(values[str(block)] * part for block, part in parts.items()) / total


def without_half(config, *years):
    """Analysis of skims that lack the second entry range of the data of some years."""
    skims = make_skims(config)
    for year in years:
        one = skims[f"data_{year}"]
        skims[one.dataset] = Skim(one.dataset, one.parts[:1])
    return Analysis(config, skims, manager_of(config))


def nominal(histograms, process="mc"):
    return histograms.blocks["SR", "ht", process].sumw[0]


def test_each_year_has_its_own_fraction(config):
    found = without_half(config, "2017").fill_histograms()
    share = by_hand("2017")
    assert found.rescaled == {"data_2017": pytest.approx(share, rel=1e-12)}
    assert found.luminosity == {"2016": 100.0, "2017": pytest.approx(300.0 * share, rel=1e-12)}
    assert incomplete_data(found) == {}
    assert remarks_on(found) == (f"{100 * share:.3g} % of the luminosity of data_2017",)
    both = without_half(config, "2016", "2017").fill_histograms()
    shares = {f"data_{year}": by_hand(year) for year in RUNS}
    assert both.rescaled == pytest.approx(shares, rel=1e-12)
    expected = [f"{100 * one:.3g} % of the luminosity of {key}" for key, one in shares.items()]
    assert list(remarks_on(both)) == expected
    # simulation follows, year by year
    complete = {}
    for year in RUNS:
        config["general"]["lumi"] = {name: LUMI[name] * (name == year) or 1e-9 for name in LUMI}
        complete[year] = nominal(without_half(config).fill_histograms())
    total = complete["2016"] * by_hand("2016") + complete["2017"] * by_hand("2017")
    np.testing.assert_allclose(nominal(both), total, rtol=1e-9)


def test_part_by_part_is_the_same(config):
    expected = without_half(config, "2017").fill_histograms()
    analysis = without_half(config, "2017")
    for events, metadata in itertools.chain.from_iterable(analysis.processed_datasets.values()):
        analysis.process(events, metadata)
    found = analysis.histogram_set
    assert found.rescaled == expected.rescaled
    np.testing.assert_allclose(nominal(found), nominal(expected), rtol=1e-12)


def test_blocks_are_read_once_and_again_when_the_file_changes(config, tmp_path, monkeypatch):
    from hepflow.analysis import shares

    read = []
    whole = shares.find_blocks
    monkeypatch.setattr(shares, "find_blocks", lambda task: read.append(task.label) or whole(task))
    for _ in range(2):
        without_half(config, "2017").fill_histograms()
    assert read == [f"data_2017: {tmp_path}/in/data_2017.root"]
    path = tmp_path / "in" / "data_2017.root"
    os.utime(path, ns=(1, 1))
    without_half(config, "2017").fill_histograms()
    assert len(read) == 2
    for cached in (tmp_path / "cache" / "luminosity").iterdir():
        cached.write_bytes(b"no part")
    without_half(config, "2017").fill_histograms()
    assert len(read) == 3


def test_complete_data_need_no_table(config, tmp_path):
    (tmp_path / "table.json").write_text("{}")
    assert without_half(config).fill_histograms().rescaled == {}
    with pytest.raises(InputError, match=r"table\.json: the table of luminosity .* is empty"):
        without_half(config, "2017").fill_histograms()


def test_years_need_lists_of_their_own(config, tmp_path):
    shutil.copy(tmp_path / "in" / "2016.json", tmp_path / "in" / "2017.json")
    with pytest.raises(NormalisationError, match="of the years 2016 and 2017"):
        without_half(config, "2017").fill_histograms()
    for one in config["datasets"]["datasets"]:
        one.pop("lumi_mask", None)
    with pytest.raises(NormalisationError, match="of the years 2016 and 2017"):
        without_half(config, "2017").fill_histograms()


@pytest.mark.parametrize(
    ("table", "same_list", "message"),
    [("run and luminosity", False, "not a table of"), (json.dumps(TABLE), True, "of the years")],
)
def test_a_table_that_cannot_be_used_is_refused_before_anything_is_read(
    config, tmp_path, table, same_list, message
):
    (tmp_path / "table.json").write_text(table)
    if same_list:
        shutil.copy(tmp_path / "in" / "2016.json", tmp_path / "in" / "2017.json")
    with pytest.raises(InputError, match=message):
        pipeline.run(config)
    assert not list((tmp_path / "out").rglob("fileset.json"))


def test_without_the_policy_the_table_does_nothing(config):
    config["execution"] |= {"on_missing": "drop_dataset", "missing_limit": 0.05}
    del config["general"]["lumi_table"]
    found = without_half(config, "2017").fill_histograms()
    assert found.rescaled == {}
    assert incomplete_data(found) == {"data_2017": 0.5}
