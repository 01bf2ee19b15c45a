"""Metadata: entry ranges, sums over all events, what is cached and what is an error."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import (
    FileListError,
    InputError,
    MissingArtifact,
    MissingBranch,
    MissingTree,
    NormalisationError,
    UnreadableFile,
)
from hepflow.metadata_extractor import (
    FileTask,
    NanoAODMetadataGenerator,
    inspect_file,
    work_steps,
    workitem_from_json,
    workitem_to_json,
)
from hepflow.records import WorkItem
from hepflow.schema import Config
from tests.builders import (
    cut_columns,
    make_metadata,
    manager_of,
    shared,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)

COLUMNS = toy_columns(250)


def total(columns):
    return math.fsum(columns["genWeight"].astype(np.float64))


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"))


def generator(config, **arguments):
    return NanoAODMetadataGenerator(
        dataset_manager=ConfigurableDatasetManager(Config.of(config).datasets),
        output_manager=manager_of(config),
        **arguments,
    )


def task(path, weight="genWeight", chunk=100, tree="Events"):
    return FileTask("mc__nominal", str(path), tree, weight, chunk)


# -- one file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "chunk"),
    [
        (1, 100),
        (99, 100),
        (149, 100),
        (151, 100),
        (250, 100),
        (1000, 333),
        (7, 2),
        (150, 7),
        (100, 11),
        (50, 6),
        (3, 1),
    ],
)
def test_a_file_is_cut_into_chunks_of_about_the_wanted_size(events, chunk):
    steps = work_steps(events, chunk)
    n = max(round(events / chunk), 1)
    size = math.ceil(events / n)
    expected = [(start, min(start + size, events)) for start in range(0, events, size)]
    assert list(steps) == expected


def test_sums_are_over_all_events_of_the_file_in_double_precision(tmp_path):
    weights = np.full(100_000, 0.1, np.float32)
    weights[::3] *= -1
    path = write_nano(tmp_path / "a.root", {"genWeight": weights})
    info = inspect_file(task(path, chunk=100_000))
    assert info.nevts == 100_000
    assert info.sum_weights == pytest.approx(weights.astype(np.float64).sum(), rel=1e-14)
    assert info.runs_sum is None


@pytest.mark.parametrize("branch", ["genEventSumw", "genEventSumw_"])
def test_all_rows_of_the_runs_tree_add_up(tmp_path, branch):
    path = write_nano(
        tmp_path / "a.root", {"genWeight": np.ones(9)}, runs=[4.0, 3.0, 2.0], runs_branch=branch
    )
    assert inspect_file(task(path)).runs_sum == 9.0
    assert inspect_file(task(path, weight=None)).runs_sum is None


def test_data_counts_its_events(tmp_path):
    path = write_nano(tmp_path / "a.root", toy_columns(30, data=True))
    assert inspect_file(task(path, weight=None)).sum_weights == 30.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_told_with_their_place(tmp_path, wrong):
    path = write_nano(tmp_path / "a.root", {"genWeight": np.array([1.0, 2.0, wrong, wrong])})
    with pytest.raises(NormalisationError) as caught:
        inspect_file(task(path))
    message = str(caught.value)
    assert "a.root: 2 of 4 values of the branch 'genWeight'" in message
    assert f"not finite numbers (the first is {wrong} in entry 2)" in message
    assert message.startswith("dataset 'mc__nominal', ")


def test_a_missing_weight_says_what_can_be_done(tmp_path):
    path = write_nano(tmp_path / "a.root", {"genWeights": np.ones(3)})
    with pytest.raises(MissingBranch) as caught:
        inspect_file(task(path))
    for text in ("a.root", "'genWeight'", "Did you mean 'genWeights'?", "weight_branch", "is_data"):
        assert text in str(caught.value)


def test_a_missing_tree_and_a_broken_file_are_errors(tmp_path):
    path = write_nano(tmp_path / "a.root", {"genWeight": np.ones(3)}, tree="events")
    with pytest.raises(MissingTree, match=r"no tree 'Events'\. Did you mean 'events'"):
        inspect_file(task(path))
    (tmp_path / "b.root").write_bytes(b"junk" * 100)
    with pytest.raises(UnreadableFile, match=r"b\.root"):
        inspect_file(task(tmp_path / "b.root"))


# -- all files ---------------------------------------------------------------------------


def test_work_items_cover_every_event_once(config):
    found = make_metadata(config)
    ranges = {}
    for item in found.workitems:
        ranges.setdefault((item.dataset, Path(item.filename).name), []).append(
            (item.entrystart, item.entrystop)
        )
    assert ranges == {
        ("mc__nominal", "mc_0.root"): [(0, 75), (75, 150)],
        ("mc__nominal", "mc_1.root"): [(0, 100)],
        ("data", "data.root"): [(0, 120)],
    }


def test_the_summary_holds_sums_over_all_events(config):
    summary = make_metadata(config).nanoaods_summary
    assert summary["mc"]["nominal"]["nevts_total"] == 250
    assert summary["mc"]["nominal"]["sum_weights_total"] == pytest.approx(total(COLUMNS), rel=1e-14)
    assert summary["data"]["nominal"]["sum_weights_total"] == 120.0


def test_several_datasets_of_a_process_have_totals_of_their_own(tmp_path, config):
    first, data = config["datasets"]["datasets"]
    two = [
        {**first, "name": f"mc{i}", "process": "mc", "files": [str(tmp_path / f"in/mc_{i}.root")]}
        for i in (0, 1)
    ]
    config["datasets"]["datasets"] = [*two, data]
    summary = make_metadata(config).nanoaods_summary["mc"]["nominal"]
    assert summary["nevts_total"] == {"mc0__nominal": 150, "mc1__nominal": 100}
    assert [one["dataset"] for one in summary["files"]] == ["mc0__nominal", "mc1__nominal"]


def test_only_the_processes_that_are_asked_for(config):
    found = generator(config)
    assert list(found.run("data")) == ["data"]
    assert list(found.fileset) == ["data"]
    assert list(found.run(["mc", "data"])) == ["mc", "data"]
    with pytest.raises(InputError, match="Did you mean 'mc'"):
        found.run("mcc")


def test_the_files_left_out_by_max_files_are_counted(config):
    config["general"]["max_files"] = 1
    found = make_metadata(config)
    assert len(found.fileset["mc__nominal"]["files"]) == 1
    assert found.fileset["mc__nominal"]["metadata"]["n_files"] == 2
    assert found.nanoaods_summary["mc"]["nominal"]["nevts_total"] == 150


def test_what_was_written_is_read_back(config):
    made = make_metadata(config)
    back = generator(config)
    assert back.run(generate_metadata=False) == made.nanoaods_summary
    assert back.workitems == made.workitems
    assert [one.usermeta for one in back.workitems] == [one.usermeta for one in made.workitems]
    assert back.fileset == made.fileset


def test_reading_back_what_was_not_made_names_the_step(config):
    with pytest.raises(MissingArtifact, match=r"fileset\.json.*run_metadata_generation"):
        generator(config).run(generate_metadata=False)


def test_work_items_survive_their_json():
    item = WorkItem("mc__nominal", "a.root", "Events", 0, 5, "12345678-1234-5678-1234-567812345678",
                    {"file_nevts": 5})  # fmt: skip
    data = json.loads(json.dumps(workitem_to_json(item)))
    assert data["fileuuid"] == "EjRWeBI0VngSNFZ4EjRWeA=="
    assert workitem_from_json(data) == item
    assert workitem_from_json({**data, "usermeta": None}).usermeta == {}


# -- caching -----------------------------------------------------------------------------


class Counting:
    """Executor that counts the files it looks into."""

    workers = 1

    def __init__(self):
        self.files = []

    def map(self, function, items, *, label):
        from hepflow.execution import make_executor

        items = list(items)
        self.files += [Path(item.path).name for item in items]
        return make_executor("inprocess").map(function, items, label=label)


def looked_into(config, **arguments):
    executor = Counting()
    generator(config, executor=executor, **arguments).run()
    return sorted(executor.files)


def test_a_file_is_looked_into_again_only_if_it_changed(tmp_path, config):
    assert looked_into(config) == ["data.root", "mc_0.root", "mc_1.root"]
    assert looked_into(config) == []
    write_nano(tmp_path / "in" / "mc_1.root", toy_columns(10))
    assert looked_into(config) == ["mc_1.root"]
    os.utime(tmp_path / "in" / "mc_0.root", ns=(1, 1))
    assert looked_into(config) == ["mc_0.root"]
    assert looked_into(config, read_from_cache=False) == ["data.root", "mc_0.root", "mc_1.root"]


def test_work_items_have_the_digest_of_their_file(tmp_path, config):
    def digests():
        found = make_metadata(config).workitems
        return {Path(one.filename).name: one.usermeta["file_digest"] for one in found}

    before = digests()
    assert len(set(before.values())) == len(before) == 3
    os.utime(tmp_path / "in" / "mc_0.root", ns=(1, 1))
    assert digests() == before
    write_nano(tmp_path / "in" / "mc_1.root", toy_columns(100, 7))
    after = digests()
    assert {name for name in before if after[name] != before[name]} == {"mc_1.root"}


def test_what_has_a_digest_for_its_uuid_has_no_other(tmp_path):
    import awkward as ak

    path = tmp_path / "a.parquet"
    ak.to_parquet(ak.Array({"genWeight": [1.0, 2.0]}), str(path))
    config = tiny_config(tmp_path, [{"name": "mc", "files": [str(path)], "cross_section": 1.0}])
    (item,) = make_metadata(config).workitems
    assert "file_digest" not in item.usermeta


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [("general", "weight_branch", "Pileup_nTrueInt"), ("skimming", "chunk_size", 50)],
)
def test_other_settings_are_not_answered_from_the_cache(config, section, name, value):
    make_metadata(config)
    where = config["general"] if section == "general" else config["preprocess"]["skimming"]
    where[name] = value
    assert "mc_0.root" in looked_into(config)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 0, "files": {}}'])
def test_a_broken_cache_is_made_anew(config, content):
    make_metadata(config)
    path = manager_of(config).get_metadata_dir() / "files.json"
    path.write_text(content)
    assert len(looked_into(config)) == 3


def test_a_cache_that_somebody_changed_is_made_anew(config):
    make_metadata(config)
    path = manager_of(config).get_metadata_dir() / "files.json"
    path.write_text(path.read_text().replace("mc_0.root", "mc_7.root"))
    assert len(looked_into(config)) == 3
    assert looked_into(config) == []


# -- faults ------------------------------------------------------------------------------


def test_one_broken_file_is_named_and_the_others_are_kept(tmp_path, config):
    path = tmp_path / "in" / "mc_1.root"
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    with pytest.raises(UnreadableFile, match=r"1 of 3 failed.*\n.*mc_1\.root.*\n2 of 3 finished"):
        make_metadata(config)
    path.write_bytes(whole)
    assert looked_into(config) == ["mc_1.root"]


def test_failures_of_several_kinds_are_one_error(tmp_path, config):
    (tmp_path / "in" / "mc_1.root").write_bytes(b"junk")
    write_nano(tmp_path / "in" / "mc_0.root", {"x": np.ones(2)})
    with pytest.raises(InputError) as caught:
        make_metadata(config)
    assert "mc_0.root" in str(caught.value)
    assert "mc_1.root" in str(caught.value)


def test_missing_files_are_noticed_before_any_is_read(config):
    config["datasets"]["datasets"][0]["files"].append("gone.txt")
    with pytest.raises(FileListError, match=r"gone\.txt"):
        make_metadata(config)


# -- the Runs tree -----------------------------------------------------------------------


def with_runs(tmp_path, config, *sums):
    for i, value in enumerate(sums):
        columns = cut_columns(COLUMNS, *((0, 150), (150, None))[i])
        runs = None if value is None else [total(columns) * value]
        write_nano(tmp_path / "in" / f"mc_{i}.root", columns, runs=runs)
    return config


def test_files_whose_runs_trees_agree_are_taken(tmp_path, config):
    found = make_metadata(with_runs(tmp_path, config, 1.0, 1.0005))
    sums = {one.usermeta["file_runs_sum"] for one in found.workitems if one.dataset != "data"}
    assert len(sums) == 2
    make_metadata(with_runs(tmp_path, config, 1.0, None))


def test_skimmed_files_are_an_error_until_the_source_is_chosen(tmp_path, config):
    with_runs(tmp_path, config, 1.0, 1.5)
    with pytest.raises(NormalisationError, match=r"'mc'.*skimmed before"):
        make_metadata(config)
    for source in ("events", "runs"):
        config["datasets"]["datasets"][0]["sumw_source"] = source
        make_metadata(config)


def test_a_real_skimmed_file_is_an_error(tmp_path):
    path = str(shared("nanoaod/DY_M50_2016.root"))
    config = tiny_config(tmp_path, [{"name": "dy", "files": [path], "cross_section": 1.0}])
    with pytest.raises(NormalisationError, match=r"2\.58007e\+10"):
        make_metadata(config)


# -- real files --------------------------------------------------------------------------


def test_a_real_file_without_events_has_one_empty_range(tmp_path):
    path = str(shared("nanoaod/nano_dy_empty.root"))
    config = tiny_config(tmp_path, [{"name": "dy", "files": [path], "cross_section": 1.0}])
    found = make_metadata(config)
    (item,) = found.workitems
    assert (item.entrystart, item.entrystop) == (0, 0)
    assert found.nanoaods_summary["dy"]["nominal"]["sum_weights_total"] == 0.0


@pytest.mark.parametrize(
    ("name", "events", "negative"),
    [("nano_dy.root", 40, 9), ("nanoAOD_2015_CMS_Open_Data_ttbar.root", 200, 26)],
)
def test_sums_of_real_files_are_those_of_plain_uproot(tmp_path, name, events, negative):
    import uproot

    path = str(shared(f"nanoaod/{name}"))
    with uproot.open(path) as file:
        weights = file["Events"]["genWeight"].array(library="np").astype(np.float64)
    assert (len(weights), int((weights < 0).sum())) == (events, negative)
    one = {"name": "mc", "files": [path], "cross_section": 1.0, "sumw_source": "events"}
    summary = make_metadata(tiny_config(tmp_path, [one])).nanoaods_summary["mc"]["nominal"]
    assert summary["nevts_total"] == events
    assert summary["sum_weights_total"] == pytest.approx(weights.sum(), rel=1e-12)
