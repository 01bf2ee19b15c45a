"""Records of what failed: whole, without secrets, and nothing else is taken for one."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.execution import Failure, Outcome
from hepflow.execution.inprocess import InProcessExecutor
from hepflow.failed import (
    FailedError,
    FailedItem,
    Invocation,
    failure_log,
    how_to_replay,
    keep_failed,
    read_failed,
    records_in,
    replay_command,
)
from hepflow.failed.keeping import MOST
from hepflow.failed.reading import from_json, to_json
from hepflow.records import WorkItem

URL = "https://me:hunter2@host.org/x.root?X-Amz-Signature=deadbeef"
ERROR = FailedError("UserFunctionError", "HF300", "mine.cut raised", ("a note",), "Traceback\n  x")
RUN = Invocation("python analysis.py", "/proj", "mine:config", "mine:Search", ("--general.lumi=3",))
ITEM = FailedItem(
    stage="skim",
    dataset="signal__nominal",
    file="/data/x.root",
    treename="Events",
    entrystart=100,
    entrystop=200,
    fileuuid="some",
    error=ERROR,
    when="2026-01-01T00:00:00+00:00",
    usermeta={"file_nevts": 800, "nested": {"x": [1, None]}},
    invocation=RUN,
)
PLAIN = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)


@dataclass(frozen=True)
class Task:
    """An item as the stages have it."""

    work: WorkItem
    stage: str = "skim"


def task(start=0, *, dataset="signal__nominal", file="/data/x.root", stage="skim", **usermeta):
    return Task(WorkItem(dataset, file, "Events", start, start + 100, "some", usermeta), stage)


def outcome(item, message="mine.cut raised ValueError: no"):
    def fail(_):
        raise ValueError(message)

    (found,) = InProcessExecutor().map(fail, [item], label="failing")
    return found


# -- what is written can be read, and nothing else -------------------------------------------


def test_a_record_is_read_as_it_was_written(tmp_path):
    path = tmp_path / ITEM.name
    path.write_text(json.dumps(to_json(ITEM)))
    assert read_failed(path) == ITEM
    assert records_in(tmp_path) == [path]


@given(PLAIN, PLAIN, st.integers(0, 2**63 - 1), st.lists(PLAIN), st.none() | PLAIN)
def test_any_record_survives_json(dataset, file, start, overrides, config):
    run = replace(RUN, overrides=tuple(overrides), config=config)
    item = replace(
        ITEM, dataset=dataset, file=file, entrystart=start, entrystop=2**63 - 1, invocation=run
    )
    assert from_json(json.loads(json.dumps(to_json(item)))) == item


def broken(**changes):
    return json.dumps({**to_json(ITEM), **changes})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read as JSON"),
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        (f'{{"format": {"9" * 5000}}}', "cannot be read as JSON"),
        ('{"format": NaN}', "cannot be read as JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "dataset is missing"),
        (broken(more=1), "more is not known"),
        (broken(format=2), "another version"),
        (broken(stage="../../etc"), "there is no stage"),
        (broken(entrystart=-1), "no range of entries"),
        (broken(entrystart=300), "no range of entries"),
        (broken(entrystop=2**70), "no range of entries"),
        (broken(entrystart=True), "entrystart is a bool"),
        (broken(entrystart=1.0), "entrystart is a float"),
        (broken(file=None), "file is a NoneType"),
        (broken(file="x\x1b]0;title\x07.root"), "file holds something else than plain text"),
        (broken(usermeta=[]), "usermeta is a list"),
        (broken(error="x"), "error is a str"),
        (broken(error={}), "error.code is missing"),
        (broken(invocation={**to_json(ITEM)["invocation"], "overrides": [1]}), "overrides holds"),
        (broken(invocation={**to_json(ITEM)["invocation"], "shell": "x"}), "shell is not known"),
        (broken(when="x" * 1_000_001), "more than 1,000,000 bytes"),
    ],
)
def test_what_is_no_record_is_refused_with_one_message(content, says, tmp_path):
    path = tmp_path / "skim-x-0123456789abcdef.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_failed(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_a_record_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_failed(tmp_path / "none.json")
    with pytest.raises(InputError, match="there is no such file"):
        read_failed(tmp_path)


def test_only_names_of_records_count_as_such(tmp_path):
    for name in ("notes.json", "skim-x-0123.json", "other-x-0123456789abcdef.json", "x.log"):
        (tmp_path / name).write_text("")
    assert records_in(tmp_path) == []
    assert records_in(tmp_path / "none") == []


# -- keeping ---------------------------------------------------------------------------------


def test_nothing_is_kept_where_nobody_asks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert keep_failed([outcome(task())]) == []
    assert how_to_replay([Path("x")]) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_failed_item_is_kept_with_what_doing_it_again_needs(tmp_path):
    folder = tmp_path / "logs" / "failed"
    with failure_log(folder, RUN):
        (path,) = keep_failed([outcome(task(100, file_nevts=800, dataset_total=1.5))])
    found = read_failed(path)
    assert path.parent == folder
    assert (found.stage, found.dataset, found.file) == ("skim", "signal__nominal", "/data/x.root")
    assert (found.entrystart, found.entrystop, found.entries) == (100, 200, "100 to 200")
    assert (found.treename, found.fileuuid) == ("Events", "some")
    assert found.usermeta == {"file_nevts": 800, "dataset_total": 1.5}
    assert found.invocation == RUN
    assert found.error.type == "ValueError"
    assert found.error.traceback.startswith("Traceback")


def test_the_error_of_a_record_has_its_code():
    lost = Failure.worker_lost("killed")
    assert FailedError.of(lost).code == "HF501"
    assert FailedError.of(outcome(task()).error).code == ""


def test_records_are_those_of_the_last_run(tmp_path):
    with failure_log(tmp_path):
        first, second = keep_failed([outcome(task(0)), outcome(task(100))])
    (tmp_path / "mine.txt").write_text("kept")
    with failure_log(tmp_path):
        assert records_in(tmp_path) == []
        assert keep_failed([outcome(task(100))]) == [second]
    assert records_in(tmp_path) == [second]
    assert not first.exists()
    assert (tmp_path / "mine.txt").exists()


def test_an_item_that_fails_twice_in_a_run_has_one_record(tmp_path):
    with failure_log(tmp_path):
        one = keep_failed([outcome(task(), "first")])
        again = keep_failed([outcome(task(), "second")])
    assert one == again
    assert read_failed(one[0]).error.message == "second"


def test_items_of_another_range_file_dataset_or_stage_have_other_names(tmp_path):
    items = [
        task(),
        task(1),
        task(file="/data/y.root"),
        task(dataset="data"),
        task(stage="histograms"),
    ]
    with failure_log(tmp_path):
        assert len(set(keep_failed([outcome(one) for one in items]))) == len(items)


def test_there_is_a_most_for_each_stage(tmp_path, caplog):
    with failure_log(tmp_path):
        kept = keep_failed([outcome(task(i)) for i in range(MOST + 7)])
        other = keep_failed([outcome(task(stage="metadata"))])
    assert (len(kept), len(other)) == (MOST, 1)
    assert f"7 of {MOST + 7} have no record" in caplog.text


def test_what_cannot_be_done_again_alone_has_no_record(tmp_path):
    with failure_log(tmp_path):
        assert keep_failed([outcome(SimpleNamespace(label="a figure"))]) == []
        assert keep_failed([Outcome(0, task(), "value")]) == []


@pytest.mark.parametrize("dataset", ["../../evil", "/etc/passwd", "", "a\0b", "x" * 500, "mü__n"])
def test_no_dataset_leads_out_of_the_folder(dataset, tmp_path):
    with failure_log(tmp_path / "failed"):
        (path,) = keep_failed([outcome(task(dataset=dataset))])
    assert path.parent == tmp_path / "failed"
    assert records_in(tmp_path / "failed") == [path]


@pytest.mark.parametrize("bad", [{"what": object()}, {"share": float("nan")}, {"text": "\ud800"}])
def test_a_record_that_cannot_be_written_hides_no_failure(bad, tmp_path, caplog):
    with failure_log(tmp_path):
        assert keep_failed([outcome(task(**bad))]) in ([], records_in(tmp_path))


def test_a_folder_that_cannot_be_written_hides_no_failure(tmp_path, caplog):
    (tmp_path / "logs").write_text("a file")
    with failure_log(tmp_path / "logs" / "failed"):
        assert keep_failed([outcome(task())]) == []
    assert "no record of what failed in signal__nominal" in caplog.text


# -- secrets ---------------------------------------------------------------------------------


def test_no_credential_gets_into_a_record(tmp_path):
    run = Invocation.here("x", "mine:config", None, [f"--datasets.files={URL}", "--a.b=1"])
    failed = outcome(task(file=URL, redirector=URL, more=[URL]), f"cannot open {URL}")
    with failure_log(tmp_path, run):
        (path,) = keep_failed([failed])
        text = path.read_text() + how_to_replay([path])
    assert "hunter2" not in text
    assert "deadbeef" not in text
    found = read_failed(path)
    assert found.file.startswith("https://host.org/x.root?")
    assert found.invocation is not None
    assert found.invocation.overrides == ("--a.b=1",)
    assert found.invocation.withheld == ("--datasets.files",)


def test_nothing_in_a_record_steers_a_terminal(tmp_path):
    with failure_log(tmp_path):
        (path,) = keep_failed([outcome(task(), "red \x1b[31malert")])
    assert read_failed(path).error.message == "red ?[31malert"


# -- what a message says ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "path", "function"),
    [
        (
            "preprocess.skimming.function: mine.skim raised ValueError: no (line 3 of mine.py)",
            "preprocess.skimming.function",
            "mine.skim",
        ),
        (
            "channels[1] (SR).observables (met): mine.met raised KeyError: x",
            "channels[1] (SR).observables (met)",
            "mine.met",
        ),
        ("baseline_selection.cuts[2]: returned a nested mask.", "baseline_selection.cuts[2]", ""),
        (
            "/data/x.root: good_object_masks.analysis[0] (Muon): mine.f raised E: x",
            "good_object_masks.analysis[0] (Muon)",
            "mine.f",
        ),
        ("/data/x.root: there is no tree 'Events'.", "", ""),
        ("WorkerLost: killed", "", ""),
    ],
)
def test_path_and_function_come_from_the_message(message, path, function):
    item = replace(ITEM, error=replace(ERROR, message=message))
    assert (item.configuration_path, item.function) == (path, function)


def test_the_command_names_record_configuration_analysis_and_overrides():
    run = replace(RUN, overrides=("--channels[0].binning=0,1 2", "general.lumi=3"))
    words = shlex.split(replay_command("out/logs/failed/x.json", run))
    at = words.index("replay")
    assert words[:at] in (["hepflow"], [sys.executable, "-m", "hepflow.cli"])
    assert words[at + 1 :] == [
        *("out/logs/failed/x.json", "--config", "mine:config", "--analysis", "mine:Search"),
        *run.overrides,
    ]


def test_the_command_of_a_run_from_python_leaves_the_configuration_to_fill_in():
    assert replay_command("x.json", None).endswith("replay x.json --config MODULE:ATTRIBUTE")


def test_the_command_finds_the_modules_of_a_script_elsewhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert replay_command("x", replace(RUN, script_dir="/a b")).startswith(
        "PYTHONPATH='/a b:.:/mine' "
    )
    assert "PYTHONPATH" not in replay_command("x", replace(RUN, script_dir=RUN.cwd))


def test_a_path_in_the_current_folder_is_told_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert " replay out/x.json --config" in replay_command(tmp_path / "out" / "x.json", RUN)
    assert " replay /elsewhere/x.json --config" in replay_command("/elsewhere/x.json", RUN)


def test_a_message_ends_with_one_command_and_where_the_others_are(tmp_path):
    with failure_log(tmp_path / "logs" / "failed", RUN):
        paths = keep_failed([outcome(task(0)), outcome(task(100))])
        one, both = how_to_replay(paths[:1]), how_to_replay(paths)
        assert how_to_replay([]) == ""
    assert replay_command(paths[0], RUN) in one
    assert replay_command(paths[0], RUN) in both
    assert f"`hepflow replay {tmp_path}` lists all 2." in both
    assert "lists all" not in one
