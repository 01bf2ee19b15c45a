"""The skim as a whole: lazy pairs, totals, parts that are reused only where nothing changed."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import math
import os
import uuid
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import ChecksumError, InputError, StorageError, UnreadableFile
from hepflow.journal import recorded
from hepflow.skimming import Skim, process_workitems_with_skimming
from tests.builders import (
    keep_triggered,
    make_metadata,
    make_skims,
    manager_of,
    shared,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)

COLUMNS = toy_columns(250)


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"))


def parts_on_disk(config):
    folder = manager_of(config).get_skimmed_dir()
    return sorted(path.name for path in folder.rglob("*_*-*_*") if path.is_file())


def made_and_reused(caplog):
    """How many parts the last skim made and reused, as it reports."""
    reports = [one for one in caplog.records if one.msg.startswith("skim: %d parts")]
    return reports[-1].args[1:]


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger="hepflow.skimming")
    return caplog


# -- what comes back ---------------------------------------------------------------------


def test_every_pair_has_the_totals_of_its_dataset(config):
    skim = make_skims(config)["mc__nominal"]
    weights = COLUMNS["genWeight"].astype(np.float64)
    assert len(skim) == 3
    for events, metadata in skim:
        assert metadata["nevts"] == 250
        assert metadata["sum_weights"] == pytest.approx(math.fsum(weights), rel=1e-12)
        assert len(events) <= metadata["part_nevts"]
    pairs = [metadata for _, metadata in skim]
    assert sum(one["part_nevts"] for one in pairs) == 250
    assert math.fsum(one["part_sum_weights"] for one in pairs) == pytest.approx(weights.sum())


def test_the_events_are_all_that_pass(config):
    mask = COLUMNS["HLT_Mu50"] & (COLUMNS["MET_pt"] > 10.0)
    found = [event for events, _ in make_skims(config)["mc__nominal"] for event in events.event]
    assert sorted(found) == np.arange(250)[mask].tolist()


def test_a_part_without_survivors_is_a_pair_too(config):
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 1e9}
    skim = make_skims(config)["mc__nominal"]
    assert len(skim) == 3
    for events, metadata in skim:
        assert len(events) == 0
        assert "pt" in events.Muon.fields
        assert metadata["sum_weights"] == pytest.approx(float(COLUMNS["genWeight"].sum()))


def test_parts_are_read_when_they_are_asked_for(config, monkeypatch):
    skim = make_skims(config)["mc__nominal"]
    loaded = []
    part = type(skim.parts[0])
    real = part.load
    monkeypatch.setattr(part, "load", lambda self: loaded.append(self.path) or real(self))
    first = iter(skim)
    assert (len(skim), loaded) == (3, [])
    next(first)
    assert len(loaded) == 1
    assert skim[-1][1]["entrystop"] == 100
    assert len(loaded) == 2
    tail = skim[1:]
    assert isinstance(tail, Skim)
    assert (len(tail), len(loaded)) == (2, 2)
    assert "3 parts" in repr(skim)


def test_a_dataset_that_is_not_wanted_is_not_skimmed(config):
    found = make_metadata(config)
    config["general"]["processes"] = ["data"]
    skims = process_workitems_with_skimming(found.workitems, config, manager_of(config))
    assert list(skims) == ["data"]


# -- work items --------------------------------------------------------------------------


def test_work_items_of_coffea_and_plain_dicts_are_taken(config):
    found = make_metadata(config)
    ours = process_workitems_with_skimming(found.workitems, config, manager_of(config))
    from coffea.processor.executor import WorkItem as CoffeaItem

    theirs = [
        CoffeaItem(one.dataset, one.filename, one.treename, one.entrystart, one.entrystop,
                   uuid.UUID(one.fileuuid).bytes, dict(one.usermeta))
        for one in found.workitems
    ]  # fmt: skip
    dicts = [dataclasses.asdict(one) for one in found.workitems]
    for items in (theirs, dicts, [SimpleNamespace(**one) for one in dicts]):
        again = process_workitems_with_skimming(items, config, manager_of(config))
        assert [part.path for part in again["mc__nominal"].parts] == [
            part.path for part in ours["mc__nominal"].parts
        ]


def test_a_repeated_work_item_counts_once_and_the_order_does_not_matter(config):
    items = make_metadata(config).workitems
    once = process_workitems_with_skimming(items, config, manager_of(config))
    twice = process_workitems_with_skimming([*items[::-1], *items], config, manager_of(config))
    assert [p.metadata for p in twice["mc__nominal"].parts] == [
        p.metadata for p in once["mc__nominal"].parts
    ]


def test_overlapping_work_items_are_an_error(config):
    items = make_metadata(config).workitems
    more = dataclasses.replace(items[0], entrystart=10, entrystop=40)
    with pytest.raises(InputError, match=r"mc_0\.root: .* 0 to 75 and 10 to 40 overlap"):
        process_workitems_with_skimming([*items, more], config, manager_of(config))


# -- reuse -------------------------------------------------------------------------------


def test_the_second_time_nothing_is_made(config, log):
    make_skims(config)
    assert made_and_reused(log) == (4, 0)
    before = parts_on_disk(config)
    make_skims(config)
    assert made_and_reused(log) == (0, 4)
    assert parts_on_disk(config) == before
    config["general"]["read_from_cache"] = False
    make_skims(config)
    assert made_and_reused(log) == (4, 0)


def cut_at(threshold):
    def selection(trigger, met, more=0.0):
        return trigger & (met > threshold + more)

    return selection


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["skimming"].update(function=cut_at(30.0)),
        lambda p: p["skimming"].update(function=functools.partial(keep_triggered, threshold=30.0)),
        lambda p: p["skimming"].update(static_kwargs={"more": 30.0}),
        lambda p: p["skimming"].update(use=[("event", "HLT_Mu50"), ("MET", "phi")]),
        lambda p: p["branches"].update(Jet=["pt"]),
    ],
    ids=["constant", "partial", "argument", "columns", "branches"],
)
def test_what_the_parts_depend_on_makes_them_anew(config, log, change):
    config["preprocess"]["skimming"]["function"] = cut_at(10.0)
    make_skims(config)
    before = parts_on_disk(config)
    change(config["preprocess"])
    make_skims(config)
    assert made_and_reused(log) == (4, 0)
    assert not set(before) & set(parts_on_disk(config))  # outdated parts are gone
    assert len(parts_on_disk(config)) == 4


def test_a_function_with_another_constant_gives_other_events(config):
    config["preprocess"]["skimming"]["function"] = cut_at(10.0)
    many = sum(len(events) for events, _ in make_skims(config)["mc__nominal"])
    config["preprocess"]["skimming"]["function"] = cut_at(80.0)
    few = sum(len(events) for events, _ in make_skims(config)["mc__nominal"])
    mask = COLUMNS["HLT_Mu50"] & (COLUMNS["MET_pt"] > 80.0)
    assert (few, few < many) == (mask.sum(), True)


def test_branches_of_simulation_do_not_touch_the_skim_of_data(config, log):
    make_skims(config)
    config["preprocess"]["mc_branches"]["event"] = ["genWeight", "nothing_reads_me"]
    make_skims(config)
    assert made_and_reused(log) == (3, 1)


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("general", {"lumi": 5.0}),
        ("datasets", {"cross_section": 99.0}),
        ("channels", {"name": "other"}),
    ],
)
def test_what_the_parts_do_not_depend_on_leaves_them(config, log, section, changes):
    make_skims(config)
    where = {
        "general": config["general"],
        "datasets": config["datasets"]["datasets"][0],
        "channels": config["channels"][0],
    }
    where[section].update(changes)
    skims = make_skims(config)
    assert made_and_reused(log) == (0, 4)
    if section == "datasets":
        assert skims["mc__nominal"][0][1]["xsec"] == 99.0


def test_a_changed_input_file_is_skimmed_again(tmp_path, config, log):
    make_skims(config)
    write_nano(tmp_path / "in" / "mc_1.root", toy_columns(100, 7))  # as many events
    make_skims(config)
    assert made_and_reused(log) == (1, 3)


# -- broken parts ------------------------------------------------------------------------


def a_part(config):
    return min(manager_of(config).get_dataset_dir("mc__nominal").glob("*.pkl"))


def test_a_part_that_is_gone_or_cut_is_made_anew(config, log):
    make_skims(config)
    a_part(config).unlink()
    make_skims(config)
    assert made_and_reused(log) == (1, 3)
    path = a_part(config)
    path.write_bytes(path.read_bytes()[:-100])
    make_skims(config)
    assert made_and_reused(log) == (1, 3)


def change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def test_a_part_that_somebody_wrote_is_verified_and_made_anew(config, log):
    make_skims(config)
    whole = a_part(config).read_bytes()
    change_a_byte(a_part(config))
    make_skims(config)
    assert made_and_reused(log) == (1, 3)
    assert a_part(config).read_bytes() == whole
    os.utime(a_part(config))  # copied: other times, the same bytes
    make_skims(config)
    assert made_and_reused(log) == (0, 4)


def test_bytes_that_change_by_themselves_are_noticed_when_the_part_is_read(config):
    make_skims(config)
    path = a_part(config)
    before = path.stat()
    change_a_byte(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    skim = make_skims(config)["mc__nominal"]
    with pytest.raises(ChecksumError, match=path.name):
        list(skim)


def test_parts_of_an_interrupted_run_are_found_without_its_manifest(config, log):
    make_skims(config)
    for manifest in manager_of(config).get_skimmed_dir().rglob("manifest.json"):
        manifest.unlink()
    make_skims(config)
    assert made_and_reused(log) == (0, 4)


@pytest.mark.parametrize("content", ["{", "[]", '{"key": 1, "parts": []}'])
def test_a_broken_manifest_is_not_believed(config, log, content):
    make_skims(config)
    (manager_of(config).get_dataset_dir("data") / "manifest.json").write_text(content)
    assert len(make_skims(config)["data"]) == 1
    assert made_and_reused(log) == (0, 4)


def test_one_broken_file_fails_the_skim_and_the_others_are_kept(tmp_path, config, log):
    items = make_metadata(config).workitems
    path = tmp_path / "in" / "mc_1.root"
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    with pytest.raises(UnreadableFile, match=r"skimming: 1 of 4 failed[\s\S]*3 of 4 finished"):
        process_workitems_with_skimming(items, config, manager_of(config))
    path.write_bytes(whole)
    skims = process_workitems_with_skimming(items, config, manager_of(config))
    assert made_and_reused(log) == (1, 3)
    assert len(skims["mc__nominal"]) == 3


# -- the stored skim ---------------------------------------------------------------------


def test_the_stored_skim_is_read_back_where_it_fits(config):
    made = make_skims(config)
    config["general"]["run_skimming"] = False
    back = make_skims(config)
    assert [p.metadata for p in back["mc__nominal"].parts] == [
        p.metadata for p in made["mc__nominal"].parts
    ]
    assert len(back["data"][0][0]) == len(made["data"][0][0])


def test_a_stored_skim_that_does_not_fit_is_an_error(config):
    make_skims(config)
    config["general"]["run_skimming"] = False
    config["preprocess"]["skimming"]["static_kwargs"] = {"threshold": 50.0}
    with pytest.raises(StorageError, match=r"4 of 4 parts .*another selection"):
        make_skims(config)


def test_a_stored_skim_that_is_not_there_is_an_error(config):
    config["general"]["run_skimming"] = False
    with pytest.raises(StorageError, match="4 of 4 parts"):
        make_skims(config)


# -- metadata that does not fit ----------------------------------------------------------


def test_a_skim_of_fewer_events_than_the_metadata_says_is_reported(config, log):
    found = make_metadata(config)
    process_workitems_with_skimming(
        found.workitems[1:], config, manager_of(config), found.fileset, found.nanoaods_summary
    )
    messages = [record.getMessage() for record in log.records if record.levelname == "WARNING"]
    assert any("mc__nominal has 175 events, its metadata said 250" in one for one in messages)


def test_a_real_empty_file_is_a_pair(tmp_path):
    path = str(shared("nanoaod/nano_dy_empty.root"))
    config = tiny_config(tmp_path, [{"name": "dy", "files": [path], "cross_section": 1.0}])
    config["preprocess"]["branches"]["event"].remove("HLT_Mu50")
    config["preprocess"]["skimming"] = {"chunk_size": 100}
    ((events, metadata),) = list(make_skims(config)["dy__nominal"])
    assert (len(events), metadata["nevts"], metadata["sum_weights"]) == (0, 0, 0.0)


def test_a_run_over_fewer_files_keeps_the_parts_of_the_others(config, log):
    make_skims(config)
    full = parts_on_disk(config)
    few = {**config, "general": {**config["general"], "max_files": 1}}
    make_skims(few)
    assert parts_on_disk(config) == full
    log.clear()
    make_skims(config)
    assert made_and_reused(log)[0] == 0


# -- formats -----------------------------------------------------------------------------


def in_format(config, name):
    skimming = {**config["preprocess"]["skimming"], "output": {"format": name}}
    return {**config, "preprocess": {**config["preprocess"], "skimming": skimming}}


@pytest.mark.parametrize("name", ["root", "parquet"])
def test_parts_in_another_format_hold_the_same(config, log, name):
    first = make_skims(config)
    pickled = [part.load() for skim in first.values() for part in skim.parts]
    skims = make_skims(in_format(config, name))
    assert made_and_reused(log) == (4, 0)  # none of the other format is taken
    assert {one.rpartition(".")[2] for one in parts_on_disk(config)} == {name}  # nor left there
    parts = [part for skim in skims.values() for part in skim.parts]
    assert [part.identity for part in parts] == [
        part.identity for skim in first.values() for part in skim.parts
    ]
    for (events, metadata), part in zip(pickled, parts, strict=True):
        again, known = part.load()
        assert known == metadata
        assert again.type == events.type
        assert ak.array_equal(again, events)
    make_skims(in_format(config, name))
    assert made_and_reused(log) == (0, 4)


@pytest.mark.parametrize("name", ["root", "parquet"])
def test_damaged_parts_of_every_format_are_made_anew(config, log, name):
    chosen = in_format(config, name)
    make_skims(chosen)
    folder = manager_of(config).get_dataset_dir("mc__nominal")
    first, second, _ = sorted(folder.glob(f"*.{name}"))
    first.write_bytes(first.read_bytes()[:-100])
    for position in (0.1, 0.5, 0.9):  # also bytes that no reader looks at
        content = bytearray(second.read_bytes())
        content[int(position * len(content))] ^= 0xFF
        second.write_bytes(bytes(content))
        make_skims(chosen)
        assert made_and_reused(log)[0] >= 1
    for manifest in folder.parent.rglob("manifest.json"):
        manifest.unlink()
    make_skims(chosen)
    assert made_and_reused(log) == (0, 4)  # found by what the files say of themselves


def test_files_of_the_user_stay_in_the_folder(config):
    make_skims(config)
    mine = manager_of(config).get_dataset_dir("data") / "mine.root"
    mine.write_bytes(b"")
    make_skims(in_format(config, "root"))
    assert mine.exists()


def test_a_stored_skim_of_another_format_does_not_fit(config):
    make_skims(config)
    config["general"]["run_skimming"] = False
    with pytest.raises(StorageError, match=r"4 of 4 parts .*another format"):
        make_skims(in_format(config, "root"))


def test_the_manifest_has_a_format_and_one_of_another_is_not_believed(config, log):
    make_skims(config)
    path = manager_of(config).get_dataset_dir("data") / "manifest.json"
    content = json.loads(path.read_text())
    assert content["format"] == 2
    assert set(content["parts"][0]) >= {"sha256", "size", "counts", "n_selected"}
    path.write_text(json.dumps({**content, "format": 1}))
    make_skims(config)
    assert "its format is 1, 2 is expected" in log.text
    assert made_and_reused(log) == (0, 4)  # verified, as without a manifest


def test_why_the_skim_ran_is_told(config):
    with recorded() as stages:
        make_skims(config)
        make_skims(config)
        config["preprocess"]["branches"]["Jet"] = ["pt"]
        make_skims(config)
        config["general"]["run_skimming"] = False
        make_skims(config)
    told = [(one.outcome, one.why) for one in stages if one.name == "skim"]
    assert [outcome for outcome, _ in told] == ["ran", "reused", "ran", "read back"]
    assert "nothing stored" in told[0][1]
    assert "branches" in told[2][1]
