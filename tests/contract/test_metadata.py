"""The metadata generator, and the shapes of its three JSON files."""

from __future__ import annotations

import base64
import gzip
import inspect
import json
import uuid

import pytest
import uproot

from hepflow.datasets import ConfigurableDatasetManager
from hepflow.metadata_extractor import (
    NanoAODMetadataGenerator,
    work_steps,
    workitem_from_json,
    workitem_to_json,
)
from hepflow.schema import Config
from tests.builders import make_metadata, manager_of, shared, tiny_config, toy_inputs


@pytest.fixture
def made(tmp_path):
    config = Config(**tiny_config(tmp_path, toy_inputs(tmp_path / "in")))
    generator = NanoAODMetadataGenerator(
        dataset_manager=ConfigurableDatasetManager(config.datasets),
        output_manager=manager_of(config),
    )
    generator.run()
    return generator


def stored(made, name):
    return json.loads((made.output_manager.get_metadata_dir() / name).read_text())


def test_the_call(made):
    parameters = inspect.signature(NanoAODMetadataGenerator.run).parameters
    assert list(parameters) == ["self", "identifiers", "generate_metadata"]
    assert parameters["identifiers"].default is None
    assert parameters["generate_metadata"].default is True
    assert made.run(generate_metadata=False) == made.nanoaods_summary


def test_fileset(made):
    fileset = stored(made, "fileset.json")
    assert set(fileset) == {"mc__nominal", "data"}
    assert fileset == made.fileset
    for key, one in fileset.items():
        assert set(one) == {"files", "metadata"}
        assert set(one["files"].values()) == {"Events"}
        wanted = {"process", "variation", "xsec", "is_data", "year"}
        assert wanted <= set(one["metadata"])
        assert one["metadata"]["is_data"] is (key == "data")
    assert fileset["mc__nominal"]["metadata"]["xsec"] == 10.0
    assert fileset["data"]["metadata"]["xsec"] is None
    assert fileset["data"]["metadata"]["variation"] == "nominal"


def test_coffea_takes_the_fileset(made):
    from coffea.dataset_tools import DataGroupSpec

    spec = DataGroupSpec({key: {"files": one["files"]} for key, one in made.fileset.items()})
    assert set(spec.root) == {"mc__nominal", "data"}


def test_work_items(made):
    items = stored(made, "workitems.json")
    assert len(items) == len(made.workitems) == 4
    for one, item in zip(items, made.workitems, strict=True):
        assert set(one) == {
            "dataset", "filename", "treename", "entrystart", "entrystop", "fileuuid", "usermeta"
        }  # fmt: skip
        identity = uuid.UUID(bytes=base64.b64decode(one["fileuuid"]))
        with uproot.open(one["filename"]) as file:
            assert file.file.uuid == identity
        assert str(identity) == item.fileuuid
        for name in ("dataset", "filename", "treename", "entrystart", "entrystop"):
            assert one[name] == getattr(item, name)


def test_summary(made):
    summary = stored(made, "nanoaods.json")
    assert set(summary) == {"mc", "data"}
    assert summary == made.nanoaods_summary
    nominal = summary["mc"]["nominal"]
    assert set(nominal) == {"files", "nevts_total", "sum_weights_total"}
    assert [set(one) for one in nominal["files"]] == [
        {"path", "nevts", "sum_weights", "dataset"}
    ] * 2
    assert nominal["nevts_total"] == sum(one["nevts"] for one in nominal["files"]) == 250


def test_keys_of_several_years_and_slices(tmp_path):
    toy_inputs(tmp_path / "in")
    first, second = (str(tmp_path / "in" / f"mc_{i}.root") for i in range(2))
    parts = [
        {"name": "ht100to200", "files": [first], "cross_section": 1.0, "year": 2016},
        {"name": "ht200", "files": [second], "cross_section": 2.0, "year": 2017},
    ]
    one = {"name": "wjets", "slices": parts}
    general = {"lumi": {"2016": 1.0, "2017": 2.0}}
    made = make_metadata(tiny_config(tmp_path, [one], general=general))
    keys = ["wjets_ht100to200_2016__nominal", "wjets_ht200_2017__nominal"]
    assert list(made.fileset) == keys
    assert [one["metadata"]["xsec"] for one in made.fileset.values()] == [1.0, 2.0]
    assert [one["metadata"]["year"] for one in made.fileset.values()] == ["2016", "2017"]
    totals = stored(made, "nanoaods.json")["wjets"]["nominal"]
    assert totals["nevts_total"] == dict(zip(keys, (150, 100), strict=True))
    assert set(totals["sum_weights_total"]) == set(keys)
    assert [one["dataset"] for one in totals["files"]] == keys
    assert {item.dataset for item in made.workitems} == set(keys)


def test_the_metadata_of_a_real_run_has_our_shapes(made):
    folder = shared("zprime_opendata_run/metadata")
    items = json.loads(gzip.decompress((folder / "workitems.json.gz").read_bytes()))
    assert len(items) == 7006
    assert set(items[0]) == set(stored(made, "workitems.json")[0])
    for one in items[::50]:
        assert workitem_to_json(workitem_from_json(one)) == one
    fileset = json.loads((folder / "fileset.json").read_text())
    assert set(fileset) == {"data", *(key for key in fileset if key.endswith("__nominal"))}
    ours = made.fileset["data"]
    assert set(fileset["data"]) == set(ours)
    assert set(fileset["data"]["metadata"]) <= set(ours["metadata"])
    summary = json.loads((folder / "nanoaods.json").read_text())
    assert set(summary["data"]["nominal"]) <= set(made.nanoaods_summary["data"]["nominal"])


def test_the_chunks_of_a_real_run_follow_our_rule():
    folder = shared("zprime_opendata_run/metadata")
    items = json.loads(gzip.decompress((folder / "workitems.json.gz").read_bytes()))
    ranges = {}
    for one in items:
        ranges.setdefault(one["filename"], []).append((one["entrystart"], one["entrystop"]))
    assert len(ranges) == 557
    for found in ranges.values():
        count = max(stop for _, stop in found)
        assert tuple(sorted(found)) == work_steps(count, 100_000)
