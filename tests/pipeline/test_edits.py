"""What an edit runs again: exactly the stages behind it, with the results of a run from scratch."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uproot

from benchmarks.forks import Nursery, Request
from tests.pipeline.edited import write_edited_project
from tests.pipeline.edits import EDITS, Edit
from tests.pipeline.projects import ROOT, assert_same_templates, templates

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(sys.platform != "linux", reason="runs are forked"),
]


class Project:
    """A project that ran once, and returns to that before each edit.

    Parameters
    ----------
    nursery
        Starts runs.
    root
        Folder for all of it.
    """

    def __init__(self, nursery: Nursery, root: Path) -> None:
        self.nursery = nursery
        self.folder = root / "project"
        self.finished = root / "finished"
        write_edited_project(self.folder)
        self.run()
        shutil.copytree(self.folder, self.finished)

    def restore(self) -> None:
        """Put back the folder as it was after the first run, times of files included."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.finished, self.folder)

    def make(self, edit: Edit) -> list[str]:
        """Edit the folder; words for the command line."""
        if isinstance(edit.action, str):
            return [edit.action]
        edit.action(self.folder)
        return []

    def run(self, *words: str) -> str:
        """Run in a process of its own; what it wrote."""
        log = self.folder.parent / "log"
        variables = {"HEPFLOW_CACHE_DIR": str(self.folder / "cache"), "COLUMNS": "200"}
        request = Request(str(self.folder), words, str(log), "tests.pipeline.edited:run", variables)
        child = self.nursery.start(request)
        assert child.status() == 0, child.told()
        return child.told()

    def forget(self) -> None:
        """Remove what runs have made."""
        for name in ("out", "cache"):
            shutil.rmtree(self.folder / name)

    def stages(self) -> dict[str, tuple[str, str]]:
        """Outcome and reason of each stage of the last run."""
        content = json.loads((self.folder / "out" / "report" / "run.json").read_text())
        return {one["name"]: (one["outcome"], one["why"]) for one in content["stages"]}

    def results(self) -> dict[str, Any]:
        """What a run gave, by path; histograms are compared by their values."""
        out = self.folder / "out"
        found = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
        return {name: _content(path) for name, path in found.items() if _is_result(name)}


def _is_result(name: str) -> bool:
    """Whether a file is a result; others tell how it was made, or have the time in them."""
    if name.startswith(("logs/", "skimmed/", "histograms/histograms.")):
        return False
    own = ("key.json", "metadata/files.json", "report/rates.json", "report/index.html")
    return not name.endswith((*own, "config/previous.json"))


def _content(path: Path) -> Any:
    """Content of a file, of the report without times."""
    if path.name == "run.json":
        report = json.loads(path.read_text())
        return {name: report[name] for name in ("ledger", "losses", "problems", "remarks")}
    if path.suffix == ".root":  # it has the time in it
        with uproot.open(path) as file:
            return {name: [part.tolist() for part in file[name].to_numpy()] for name in file}
    return path.read_bytes()


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Iterator[Project]:
    with Nursery([ROOT]) as nursery:
        yield Project(nursery, tmp_path_factory.mktemp("edits"))


def _again(stages: dict[str, tuple[str, str]], told: str) -> tuple[set[str], set[str], int]:
    """Which stages ran, which channels were filled, and how many parts were skimmed."""
    ran = {name for name, (outcome, _) in stages.items() if outcome == "ran"}
    filled = re.match(r"([\w, ]+) filled", stages["histograms"][1])
    made = re.search(r"skim: \d+ parts, (\d+) made", told)
    assert made, told
    return ran, set(filled[1].split(", ")) if filled else set(), int(made[1])


def _of_each_run(number: int) -> tuple[Any, ...]:
    """Marks: half of the edits are in each run of the tests, the others in the nightly one."""
    return () if number % 2 == 0 else (pytest.mark.nightly,)


@pytest.mark.parametrize(
    "edit",
    [pytest.param(one, id=one.name, marks=_of_each_run(n)) for n, one in enumerate(EDITS)],
)
def test_an_edit_runs_again_what_is_behind_it(project, edit):
    project.restore()
    words = project.make(edit)
    before = project.results()
    told = project.run(*words)
    stages = project.stages()
    again = (set(edit.again), set(edit.channels.split()), edit.parts)
    assert _again(stages, told) == again, stages
    if edit.again:
        assert edit.reason in stages[edit.again[0]][1]
    after = project.results()
    drawn = {name for name in after if name.startswith("plots/") and after[name] != before[name]}
    assert bool(drawn) == ("plots" in edit.again)  # the edit shows, or should not
    if edit.anew:
        assert_as_from_scratch(project, words, after)


def assert_as_from_scratch(project: Project, words: list[str], results: dict[str, Any]) -> None:
    found = templates(project.folder)
    project.forget()
    project.run(*words)
    assert_same_templates(found, templates(project.folder))
    anew = project.results()
    assert results.keys() == anew.keys()
    for name, content in anew.items():
        assert results[name] == content, name


def test_the_edits_reach_every_stage():
    stages = {name for edit in EDITS for name in edit.again}
    assert stages == {"metadata", "skim", "histograms", "normalisation", "statistics", "plots"}
    assert len({edit.name for edit in EDITS}) == len(EDITS) >= 28
