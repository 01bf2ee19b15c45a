"""What the skim lost: told by each skim, read back with it, and retried."""

from __future__ import annotations

import json

import pytest

from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import InputError, StorageError
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.records.ledger import losses_in
from hepflow.schema import Config
from hepflow.skimming import process_workitems_with_skimming
from tests.builders import (
    make_metadata,
    manager_of,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)


@pytest.fixture
def config(tmp_path):
    return tiny_config(
        tmp_path,
        toy_inputs(tmp_path / "in"),
        execution={"backend": "inprocess", "on_missing": "rescale", "missing_limit": 1.0},
    )


def generator(config, **arguments):
    return NanoAODMetadataGenerator(
        ConfigurableDatasetManager(Config.of(config).datasets), manager_of(config), **arguments
    )


def skim(config, found):
    return process_workitems_with_skimming(
        found.workitems, config, manager_of(config), found.fileset, found.nanoaods_summary
    )


def other_file(tmp_path):
    """Put another file in the place of the first one: it changed since its metadata was read."""
    write_nano(tmp_path / "in" / "mc_0.root", toy_columns(150, 9))


def test_a_skim_tells_what_it_lost_also_when_it_is_read_back(config, tmp_path):
    found = make_metadata(config)
    other_file(tmp_path)
    skims = skim(config, found)
    lost = skims["mc__nominal"].lost
    assert [(one.entrystart, one.entrystop, one.stage) for one in lost] == [
        (0, 75, "skim"),
        (75, 150, "skim"),
    ]
    assert {one.file_nevts for one in lost} == {150}
    assert "it changed since its metadata was read" in lost[0].reason
    assert skims["data"].lost == ()
    assert skims["mc__nominal"][:1].lost == lost
    assert all(meta["nevts"] == 100 for meta in skims["mc__nominal"].metadata)
    config["general"]["run_skimming"] = False
    again = skim(config, found)
    assert again["mc__nominal"].lost == lost
    assert again["mc__nominal"].metadata == skims["mc__nominal"].metadata
    config["execution"] |= {"on_missing": "drop_dataset", "missing_limit": 0.05}
    dropped = skim(config, found)
    assert list(dropped) == ["mc__nominal", "data"]
    assert (len(dropped["mc__nominal"]), dropped["mc__nominal"].lost) == (0, lost)
    config["execution"] |= {"on_missing": "fail", "missing_limit": 0.05}
    with pytest.raises(StorageError, match=r"run_skimming is off, but 2 of 4 parts"):
        skim(config, found)


@pytest.mark.parametrize("content", ["{", "[]", '{"key": "old", "losses": [{"x": 1}]}'])
def test_losses_of_another_skim_are_not_taken_for_its_own(config, tmp_path, content):
    found = make_metadata(config)
    other_file(tmp_path)
    skim(config, found)
    stored = tmp_path / "out" / "skimmed" / "mc__nominal" / "lost.json"
    assert len(json.loads(stored.read_text())["losses"]) == 2
    stored.write_text(content)
    config["general"]["run_skimming"] = False
    with pytest.raises(StorageError, match=r"2 of 4 parts"):
        skim(config, found)
    # once they are there nothing is lost any more
    toy_inputs(tmp_path / "in")
    config["general"]["run_skimming"] = True
    assert all(one.lost == () for one in skim(config, make_metadata(config)).values())
    assert not stored.exists()


def test_files_that_cannot_be_read_are_told_by_the_metadata(config, tmp_path):
    (tmp_path / "in" / "mc_1.root").write_bytes(b"root")
    found = generator(config, on_missing="rescale")
    found.run()
    (loss,) = found.losses
    assert (loss.dataset, loss.stage, loss.file_nevts) == ("mc__nominal", "metadata", None)
    assert loss.file.endswith("mc_1.root")
    assert "lost" not in found.fileset["data"]["metadata"]
    assert found.fileset["mc__nominal"]["metadata"]["n_files"] == 2
    assert losses_in(found.fileset) == found.losses
    back = generator(config)
    back.run(generate_metadata=False)
    assert back.losses == found.losses
    assert back.fileset == found.fileset
    assert skim(config, back)["mc__nominal"].lost == found.losses
    config["execution"] |= {"on_missing": "fail", "missing_limit": 0.05}
    with pytest.raises(InputError, match=r"mc_1\.root: could not be read when the metadata"):
        skim(config, back)


def test_a_dataset_that_lost_all_its_files_is_dropped_or_refused(config, tmp_path):
    for i in range(2):
        (tmp_path / "in" / f"mc_{i}.root").write_bytes(b"root")
    found = generator(config, on_missing="rescale")
    found.run()
    with pytest.raises(InputError, match="nothing of mc__nominal could be processed"):
        skim(config, found)
    config["execution"] |= {"on_missing": "drop_dataset", "missing_limit": 0.05}
    skims = skim(config, found)
    assert len(skims["mc__nominal"]) == 0
    assert len(skims["mc__nominal"].lost) == 2
    assert len(skims["data"]) == 1
