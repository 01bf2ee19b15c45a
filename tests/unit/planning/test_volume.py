"""Bytes of the columns that are read: as uproot and pyarrow count them."""

from __future__ import annotations

import awkward as ak
import pytest
import uproot

from hepflow.events import names_of
from hepflow.planning.volume import volumes
from hepflow.schema import Config
from hepflow.skimming import SkimSpec
from tests.builders import tiny_config, toy_columns, toy_inputs, write_nano


@pytest.fixture
def spec(tmp_path):
    return SkimSpec.from_config(Config(**tiny_config(tmp_path, toy_inputs(tmp_path))))


def simulation(spec):
    return next(one for one in spec.datasets.values() if not one.is_data)


def test_only_the_needed_branches_count(spec, tmp_path):
    dataset = simulation(spec)
    columns = toy_columns(500)
    path = tmp_path / "big.root"
    write_nano(path, columns)
    kept = spec.kept_branches(dataset)
    wanted = {*names_of(kept), *(f"n{name}" for name in kept)}
    with uproot.open(path) as file:
        branches = [one for one in file["Events"].branches if one.name in wanted]
        expected = sum(one.compressed_bytes for one in branches) / 500
        whole = sum(one.compressed_bytes for one in file["Events"].branches) / 500
    found = volumes(spec, {dataset.key: (str(path), "Events")})[dataset.key]
    assert found.stored == pytest.approx(expected)
    assert 0 < found.stored < whole
    assert found.in_memory >= found.stored


def test_parquet_counts_column_chunks(spec, tmp_path):
    dataset = simulation(spec)
    path = tmp_path / "big.parquet"
    met = ak.zip({"pt": [1.0, 2.0], "phi": [0.1, 0.2]})
    ak.to_parquet(ak.Array({"MET": met, "unused": [[1.0] * 50, [2.0] * 50]}), path)
    found = volumes(spec, {dataset.key: (str(path), "Events")})
    size = path.stat().st_size / 2
    assert 0 < found[dataset.key].stored < size


def test_files_at_urls_and_broken_ones_are_left_alone(spec, tmp_path):
    dataset = simulation(spec)
    (tmp_path / "broken.root").write_text("no ROOT file")
    empty = tmp_path / "empty.root"
    write_nano(empty, {name: column[:0] for name, column in toy_columns(3).items()})
    for path in ("root://nowhere//x.root", str(tmp_path / "broken.root"), str(empty)):
        assert volumes(spec, {dataset.key: (path, "Events")}) == {}
    assert volumes(spec, {"unknown": ("x.root", "Events")}) == {}
