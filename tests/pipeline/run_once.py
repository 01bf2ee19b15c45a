"""A project that ran once, to be changed, planned and run again; each test finds it as it was."""

from __future__ import annotations

import importlib
import shutil
import sys

import pytest

from tests.pipeline.projects import MODULE, changed, write_project

RAN = {"runs": "ran", "partly": "ran", "reused": "reused", "left out": "left out"}
WORDS = ("execution.backend=inprocess", "plotting.enabled=true")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project that ran once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = write_project(tmp_path_factory.mktemp("why") / "project")
        prepare(folder, patch)
        run(folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    """A copy of it in the same place, so that the paths in its keys are the same."""
    kept = tmp_path / "kept"
    shutil.copytree(finished, kept, copy_function=shutil.copy2)
    prepare(finished, monkeypatch)
    yield finished
    shutil.rmtree(finished)
    shutil.copytree(kept, finished, copy_function=shutil.copy2)


def prepare(folder, patch):
    def write(task):
        path = task.folder / f"{task.name}.png"
        path.write_bytes(repr(task.content).encode())
        return [path]

    patch.setattr("hepflow.analysis.drawing.write_figure", write)  # pictures that cost nothing
    patch.chdir(folder)
    patch.setattr(sys, "path", [str(folder), *sys.path])
    patch.setattr(sys, "dont_write_bytecode", True)
    patch.setenv("HEPFLOW_CACHE_DIR", str(folder / "cache"))


def configured(*words):
    from hepflow.schema import Config, load_config_with_restricted_cli

    sys.modules.pop("mine", None)
    importlib.invalidate_caches()
    config = importlib.import_module("mine").config
    return Config(**load_config_with_restricted_cli(config, [*WORDS, *words]))


def analysis():
    from analysis.nondiff import NonDiffAnalysis

    return NonDiffAnalysis


def run(folder, *words):
    from hepflow import pipeline

    result = pipeline.run(configured(*words), analysis())
    assert result.exit_status == 0, result.problems
    return {one.name: one.outcome for one in result.stages}


def planned(*words):
    from hepflow.planning import forecast

    return {one.name: one for one in forecast(configured(*words), analysis()).stages}


def edit(folder, *changes):
    (folder / "mine.py").write_text(changed(MODULE, *changes))


def touch(folder):
    path = folder / "signal_0.root"
    path.write_bytes(path.read_bytes())


def exchange(folder):
    shutil.copy(folder / "background_0.root", folder / "signal_0.root")


def correct(folder):
    path = folder / "pileup.json"
    path.write_text(path.read_text().replace("1.1", "1.3"))


def damage(name):
    def do(folder):
        (folder / "out" / name).unlink()

    return do


def source(*changes):
    return lambda folder: edit(folder, *changes)
