"""A skim as a dask-awkward collection."""

from __future__ import annotations

import awkward as ak
import dask
import dask_awkward as dak
import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.skimming import Skim
from hepflow.skimming import lazy as module
from tests.builders import make_skims, tiny_config, toy_inputs

WAYS = ["pickle", "root", "parquet", "one_pass"]


def skims_of(tmp_path, way):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    if way == "one_pass":
        config["execution"]["one_pass"] = True
    else:
        config["preprocess"]["skimming"]["output"] = {"format": way}
    return make_skims(config)


def computed(collection):
    return collection.compute(scheduler="synchronous")


@pytest.mark.parametrize("way", WAYS)
def test_the_collection_holds_the_events_a_partition_a_part(tmp_path, way):
    for name, skim in skims_of(tmp_path, way).items():
        events = skim.to_dask_awkward()
        assert events.npartitions == len(skim)
        direct = ak.concatenate([part for part, _ in skim])
        whole = computed(events)
        assert whole.type == direct.type
        assert ak.array_equal(whole, direct)
        assert ak.array_equal(computed(events.Muon.px), direct.Muon.px)
        assert ak.array_equal(computed(events.MET.px), direct.MET.px)
        assert events.attrs["metadata"] == [dict(one) for one in skim.metadata]
        assert {one["dataset"] for one in skim.metadata} == {name}
        assert computed(events.partitions[0].run).tolist() == skim[0][0].run.tolist()


def test_divisions_are_known_where_the_numbers_of_events_are(tmp_path):
    skim = skims_of(tmp_path, "root")["mc__nominal"]
    lengths = [len(events) for events, _ in skim]
    assert skim.to_dask_awkward().divisions == (0, *np.cumsum(lengths))
    live = skims_of(tmp_path, "one_pass")["mc__nominal"].to_dask_awkward()
    assert set(live.divisions) == {None}


@pytest.mark.parametrize("way", ["root", "parquet"])
def test_only_columns_that_are_used_are_read(tmp_path, way, monkeypatch):
    skim = skims_of(tmp_path, way)["mc__nominal"]
    events = skim.to_dask_awkward()
    kind, read = type(skim.parts[0]), []
    real = kind.read
    monkeypatch.setattr(
        kind, "read", lambda self, columns=None: read.append(columns) or real(self, columns)
    )
    found = computed(ak.sum(events.genWeight, axis=0))
    assert found == pytest.approx(sum(ak.sum(one.genWeight) for one, _ in skim))
    assert read[:3] == [["genWeight"]] * 3
    read.clear()
    assert len(computed(dak.flatten(events.Muon.pt))) > 0
    assert read == [["Muon.eta", "Muon.mass", "Muon.phi", "Muon.pt"]] * 3  # what makes a vector


def test_nothing_is_read_but_the_columns_of_the_first_part(tmp_path):
    skim = skims_of(tmp_path, "one_pass")["mc__nominal"]
    events = skim.to_dask_awkward()
    (tmp_path / "in" / "mc_0.root").unlink()
    (tmp_path / "in" / "mc_1.root").unlink()
    assert "Muon" in events.fields


def test_dropped_events_are_not_there(tmp_path):
    skim = skims_of(tmp_path, "root")["data"]
    part = skim.parts[0].without([0, 2])
    events = Skim("data", [part]).to_dask_awkward()
    kept = np.delete(np.asarray(skim[0][0].event), [0, 2])
    assert computed(events.event).tolist() == kept.tolist()


def test_a_skim_without_parts_is_an_error():
    with pytest.raises(InputError, match="mc: the skim has no part"):
        Skim("mc", []).to_dask_awkward()


def test_parts_with_other_columns_are_an_error_that_names_the_file(tmp_path):
    skim = skims_of(tmp_path, "root")
    mixed = Skim("mixed", [skim["mc__nominal"].parts[0], skim["data"].parts[0]])
    events = mixed.to_dask_awkward()
    assert len(computed(events.Muon.pt)) > 0  # both have it
    with pytest.raises(InputError, match=r"data\.root from entry 0 .*\(genWeight\)"):
        computed(events.genWeight)
    turned = Skim("mixed", mixed.parts[::-1]).to_dask_awkward()
    assert "genWeight" not in computed(turned).fields  # the first part has the say
    with (
        dask.config.set({"awkward.optimization.enabled": False}),
        pytest.raises(InputError, match=r"mc_0\.root .*\(more, or of other types\)"),
    ):
        computed(turned)


def test_the_reader_says_what_it_reads():
    reader = module.PartReader(
        ak.forms.from_type(
            ak.types.from_datashape("{a: int64, V: {pt: float32, phi: float32, w: bool}}", False)
        ),
        {},
    )
    assert reader.project_columns(frozenset({"V.w"})).columns == ["V.phi", "V.pt", "V.w"]
    assert reader.columns is None
