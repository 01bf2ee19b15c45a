"""The words of ``hepflow replay``, and what it lists."""

from __future__ import annotations

import json
import re

import pytest

from hepflow.failed import read_failed
from tests.pipeline.projects import write_project
from tests.pipeline.replaying import BAD_ENTRY, WHAT, Again, item_of, kept, spoil


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    return Again(write_project(tmp_path), monkeypatch, capsys)


@pytest.fixture
def broken(here):
    """A project whose skim fails, and the record of a run in which it did."""
    spoil(here.folder, "MET_pt", -1.0)
    file = str(here.folder / "background_1.root")
    (path,) = kept(item_of(file, 400, 800, "skim", dataset="background__nominal"))
    return here, str(path)


def test_records_of_a_folder_are_listed(here):
    paths = kept(*(item_of("x.root", i, i + 5, "skim") for i in range(3)))
    assert here.again("out", "--json=told.json")[0] == 0
    listed = json.loads((here.folder / "told.json").read_text())
    assert [one["record"] for one in listed] == sorted(map(str, paths))
    for one in listed:
        assert one["record"] in here.out
        assert one["stage"] == "skim"
        assert one["error"] == f"UserFunctionError: {WHAT}"
    (paths[0].parent / "skim-x-0123456789abcdef.json").write_text("{}")
    assert here.again("out")[0] == 0
    assert "this is no record" in here.out
    for path in (here.folder / "out/logs/failed").iterdir():
        path.unlink()
    assert here.again("out")[0] == 0
    assert "Nothing failed" in here.out
    status, told = here.again()
    assert (status, "outputs" in told) == (2, True)


def test_configuration_and_overrides_are_those_of_the_run_unless_others_are_given(broken):
    here, path = broken
    status, again = here.again(path)
    assert (status, "negative MET" in again) == (1, True)
    status, again = here.again(path, "--general.lumi=-5")
    assert (status, "general.lumi" in again) == (2, True)
    status, again = here.again(path, "--config=mine:nothing")
    assert (status, "mine:nothing" in again) == (2, True)
    kept(read_failed(path), overrides=("--general.lumi=-5",))
    assert here.again(path)[0] == 2
    assert here.again(path, "--general.lumi=5")[0] == 1
    assert here.again(path, "--config=mine:config")[0] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--entries=5"], "expected START:STOP"),
        (["--entries=-1:5"], "expected START:STOP"),
        (["--entries=0:900"], "no part of what failed"),
        (["--pdb", "--json=-"], "--pdb needs standard output"),
        (["--debugg"], "Did you mean '--debug'?"),
    ],
)
def test_words_that_make_no_sense_are_told(words, says, broken):
    here, path = broken
    status, told = here.again(path, *words)
    assert (status, says in told) == (2, True), told


def test_a_part_of_what_failed_can_be_tried(broken):
    here, path = broken
    assert here.again(path, "--entries=400:500")[0] == 0
    assert re.search(r"Events read +100\b", here.out)
    assert here.again(path, f"--entries={BAD_ENTRY}:{BAD_ENTRY + 1}")[0] == 1


def test_the_whole_traceback_comes_with_debug_and_json_says_what_failed(broken):
    here, path = broken
    status, told = here.again(path, "--debug", "--json=-")
    assert status == 1
    assert "functors.py" in told
    found = json.loads(here.out)
    assert found["works"] is False
    assert found["function"] == "mine.skim"
    assert found["configuration_path"] == "preprocess.skimming.function"
    assert "negative MET" in found["error"]


def test_a_value_with_credentials_is_asked_for(broken):
    here, path = broken
    url = "https://me:hunter2@host.org/list.json"
    kept(read_failed(path), overrides=(f"--general.lumifile={url}",))
    status, told = here.again(path)
    assert (status, "--general.lumifile, whose credentials are not kept" in told) == (2, True)
    assert here.again(path, "--general.lumifile=other.json")[0] == 1
