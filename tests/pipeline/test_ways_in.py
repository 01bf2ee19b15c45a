"""Ways to start a run, and what its switches and overrides do."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from hepflow.cli import main
from tests.pipeline.projects import (
    ROOT,
    Here,
    made,
    parts,
    run,
    run_command,
    stamps,
    templates,
    write_project,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it

SCRIPT = """\
from hepflow import pipeline
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.output_manager import OutputDirectoryManager
from hepflow.schema import Config
from hepflow.skimming import process_workitems_with_skimming
from mine import config

PT = 40.0


def harder(pt):
    return pt > PT


config["general"]["run_statistics"] = False
config["good_object_masks"]["analysis"][0]["function"] = harder
manager = OutputDirectoryManager(root_output_dir="own")
generator = NanoAODMetadataGenerator(
    dataset_manager=ConfigurableDatasetManager(Config(**config).datasets), output_manager=manager
)
generator.run()
skims = process_workitems_with_skimming(generator.workitems, config, manager)
print("PARTS", sum(len(skim) for skim in skims.values()))
print("STATUS", pipeline.run(config).exit_status)
"""

OWN = '''\
from hepflow.analysis import Analysis

import shared
from mine import config


class Doubled(Analysis):
    """Weights twice as large, and the signal region without its lowest events."""

    def event_weights(self, events, dataset, variations):
        weights = super().event_weights(events, dataset, variations)
        return {name: shared.FACTOR * values for name, values in weights.items()}

    def select_channel(self, events, channel):
        passed = super().select_channel(events, channel)
        return shared.above(passed, events.MET.pt, 50.0) if channel.name == "SR" else passed
'''
SHARED = """\
from hepflow.functors import as_passed

FACTOR = 2.0


def above(passed, values, threshold):
    mask = passed.mask & (values > threshold).to_numpy()
    return as_passed(mask, len(mask), "SR")
"""


STEPS = """\
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.output_manager import OutputDirectoryManager
from hepflow.schema import Config, load_config_with_restricted_cli
from hepflow.skimming import process_workitems_with_skimming
from analysis.nondiff import NonDiffAnalysis
from mine import config
---
cfg = Config(**load_config_with_restricted_cli(config, {words}))
manager = OutputDirectoryManager(root_output_dir=cfg.general.output_dir)
generator = NanoAODMetadataGenerator(
    dataset_manager=ConfigurableDatasetManager(cfg.datasets), output_manager=manager
)
generator.run()
---
skims = process_workitems_with_skimming(
    generator.workitems, cfg, manager, generator.fileset, generator.nanoaods_summary
)
analysis = NonDiffAnalysis(cfg, skims, manager)
---
for pairs in skims.values():
    for events, metadata in pairs:
        analysis.process(events, metadata)
"""
SAME = """\
from hepflow.analysis import Analysis
from hepflow.cli import main_for


class Same(Analysis):
    def select_channel(self, events, channel):
        return super().select_channel(events, channel)


if __name__ == "__main__":
    raise SystemExit(main_for(config="mine:config", analysis="own_script:Same"))
"""
# Ways through the stages that must give the same templates: words on the command line.
PATHS = {
    "as configured": (),
    "one pass": ("--execution.one_pass=true",),
    "parts in ROOT files": ("--preprocess.skimming.output.format=root",),
    "parts in Parquet files": ("--preprocess.skimming.output.format=parquet",),
}


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    write_project(tmp_path)
    return Here(tmp_path, monkeypatch, capsys)


@pytest.fixture
def figures(monkeypatch):
    """Figures that were asked for, by name: what is written on them; nothing is drawn."""
    found: dict[str, tuple[str, ...]] = {}

    def write(task):
        found[f"{task.folder.name}/{task.name}"] = task.remarks
        path = task.folder / f"{task.name}.png"
        path.write_bytes(b"")
        return [path]

    monkeypatch.setattr("hepflow.analysis.drawing.write_figure", write)
    return found


def limit_of(folder: Path) -> dict:
    found: dict = json.loads((folder / "out" / "statistics" / "limit.json").read_text())
    return found


# -- ways to start ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_script_without_main_guard(way, tmp_path):
    folder = write_project(tmp_path)
    (folder / "script.py").write_text(SCRIPT)
    words = [sys.executable, "script.py" if way == "file" else "-"]
    done = run_command(folder, words, stdin=None if way == "file" else SCRIPT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["PARTS 10", "STATUS 0"]
    assert "Traceback" not in done.stderr
    hardest = templates(folder)["SR/muon_pt"]
    assert hardest[..., 0].sum() > 0


def test_a_subclass_and_its_modules_that_no_worker_can_import(tmp_path):
    folder = write_project(tmp_path)
    (folder / "own.py").write_text(OWN)
    (folder / "shared.py").write_text(SHARED)
    words = [sys.executable, "-m", "hepflow.cli", "run", "--config=own:config"]
    switches = ["--general.run_statistics=false", "--general.output_dir=doubled"]
    done = run_command(folder, [*words, "--analysis=own:Doubled", *switches])
    assert done.returncode == 0, done.stderr
    plain = run_command(folder, [*words, "--general.run_statistics=false"])
    assert plain.returncode == 0, plain.stderr
    mine, base = templates(folder, "doubled"), templates(folder)
    np.testing.assert_allclose(mine["CR/met"][..., 0], 2 * base["CR/met"][..., 0], rtol=1e-14)
    np.testing.assert_allclose(mine["CR/met"][..., 1], 4 * base["CR/met"][..., 1], rtol=1e-14)
    lowest = (slice(0, 2), ...)  # underflow, and 0 to 50 GeV
    assert base["SR/met"][lowest].any()
    assert not mine["SR/met"][lowest].any()
    np.testing.assert_allclose(mine["SR/met"][2:, ..., 0], 2 * base["SR/met"][2:, ..., 0])


def by_script(folder, words):
    return _script(ROOT / "analysis.py", "--config=mine:config", *words)


def by_subclass(folder, words):
    (folder / "own_script.py").write_text(SAME)
    return _script(folder / "own_script.py", *words)


def _script(path, *words):
    """Run a script as ``python <path>`` does, in this process: status."""
    with mock.patch.object(sys, "argv", [str(path), *words]), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    return ended.value.code


def by_command(folder, words):
    return main(["run", "--config=mine:config", *words])


def by_notebook(folder, words):
    import nbformat

    cells = STEPS.format(words=list(words)).split("---\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    nbformat.write(notebook, folder / "steps.ipynb")
    execute = "from nbclient.cli import main; main()"
    call = [sys.executable, "-c", execute, "steps.ipynb", "--timeout=120"]
    own = {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT)}  # for analysis.nondiff
    return run_command(folder, call, **own).returncode


WAYS = {
    "script": by_script,
    "command": by_command,
    "subclass": by_subclass,
    "notebook": by_notebook,
}


def test_all_paths_give_the_same_templates(here):
    alone = ("--execution.backend=inprocess", "--general.run_statistics=false")
    found = {}
    for i, (name, words) in enumerate(PATHS.items()):
        shutil.rmtree(here.folder / "cache", ignore_errors=True)  # nothing is shared
        status, told = here.run(*words, *alone, f"--general.output_dir=out{i}")
        assert status == 0, told
        found[name] = contents(here.folder, f"out{i}")
    assert all(content == found["as configured"] for content in found.values())


@pytest.mark.parametrize("path", ["as configured", "one pass"])
def test_all_ways_give_the_same_templates(path, here):
    found = {}
    for name, way in WAYS.items():
        # Nothing that another way has filled or imported is taken.
        shutil.rmtree(here.folder / "cache", ignore_errors=True)
        for module in ("mine", "own_script"):
            sys.modules.pop(module, None)
        words = (*PATHS[path], f"--general.output_dir={name}", "--general.run_statistics=false")
        # The notebook fills part by part, the command on workers, the others in this process.
        alone = ("--execution.backend=inprocess", "--execution.workers=null")
        assert way(here.folder, words if name == "command" else (*words, *alone)) == 0, name
        found[name] = contents(here.folder, name)
    first = found.pop("script")
    assert {"SR__met_storage_values.npy", "SR__met_storage_variances.npy"} <= first.keys()
    for name, content in found.items():
        different = {key for key in first | content if first.get(key) != content.get(key)}
        assert different == set(), name


def contents(folder: Path, output: str) -> dict[str, Any]:
    """Values, variances and axes in ``histograms.zip``, byte by byte, and what it was made of."""
    with zipfile.ZipFile(folder / output / "histograms" / "histograms.zip") as file:
        found: dict[str, Any] = {name: file.read(name) for name in file.namelist()}
    made_of = json.loads(found["hepflow.json"])
    made_of["cutflows"] = sorted(made_of["cutflows"])  # their order is that of the filling
    return {**found, "hepflow.json": made_of}


# -- incomplete data -------------------------------------------------------------------------


def test_a_part_of_the_files_gives_expected_limits_alone(here, figures):
    status, told = here.run("--general.max_files=1", "--plotting.enabled=true", statistics=True)
    assert status == 1
    assert "not a success: data is incomplete (data 50 %)" in told
    assert "observed limit is refused" in told
    assert "observed not given" in here.out
    limit = limit_of(here.folder)
    assert limit["observed"] is None
    assert limit["cls_at_observed"] is None
    assert limit["expected"] == sorted(limit["expected"])
    assert limit["expected"][0] > 0
    assert {"SR/met", "statistics/limit_scan", "statistics/postfit_SR"} <= set(figures)
    assert set(figures.values()) == {("50 % of data",)}
    status, told = here.run("--plotting.enabled=true", statistics=True)
    assert status == 0, told
    assert limit_of(here.folder)["observed"] > 0
    assert set(figures.values()) == {()}  # drawn anew, without the mark
    assert made(told)["skim"] == (10, 4)  # those of the first files are reused


# -- overrides -------------------------------------------------------------------------------


def test_overrides_reach_the_depth_of_lists(here):
    status, told = here.run()
    assert status == 0, told
    before = templates(here.folder)
    status, told = here.run(
        "channels[1].observables[0].binning=0,100,2",
        "--datasets.datasets[1].cross_section=16",
        "--statistics.norm_factors[1].bounds=0,3",
        "--general.output_dir=other",
    )
    assert status == 0, told
    after = templates(here.folder, "other")
    assert after["CR/met"].shape[0] == 4  # two bins, and those beyond
    assert after["SR/met"].shape == before["SR/met"].shape
    total_before, total_after = before["SR/met"].sum(axis=0), after["SR/met"].sum(axis=0)
    changed = ~np.isclose(total_before, total_after, rtol=1e-12, atol=0.0)
    assert changed[:, 0, 0].sum() == 1  # one process of three
    np.testing.assert_allclose(
        total_after[changed[:, 0, 0], :, 0], 2 * total_before[changed[:, 0, 0], :, 0]
    )
    resolved = json.loads((here.folder / "other" / "config" / "resolved.json").read_text())
    assert resolved["statistics"]["norm_factors"][1]["bounds"] == [0.0, 3.0]


# -- a failed fit ----------------------------------------------------------------------------


def test_a_failed_fit_leaves_nothing_that_looks_like_a_result(here, figures):
    status, told = here.run("--plotting.enabled=true", statistics=True)
    assert status == 0, told
    assert "Upper limit on mu" in here.out
    assert {"statistics/limit_scan", "statistics/pulls", "statistics/postfit_SR"} <= set(figures)
    figures.clear()
    factor = "--statistics.norm_factors[1]"
    bounds = (f"{factor}.bounds=0,0.5", f"{factor}.nominal=0.4")
    status, told = here.run("--plotting.enabled=true", *bounds, statistics=True)
    assert status == 1
    assert "not a success: the fit has no result: " in told
    assert "background_norm is at its bound 0.5" in told
    assert "Upper limit" not in here.out
    assert "Best fit" not in here.out
    statistics = here.folder / "out" / "statistics"
    assert json.loads((statistics / "fit.json").read_text())["converged"] is False
    assert not (statistics / "limit.json").exists()
    left = {path.stem for path in (here.folder / "out" / "plots" / "statistics").glob("*.png")}
    assert left == {"prefit_SR", "prefit_CR"}
    status, told = here.run("--plotting.enabled=true", *bounds, statistics=True)
    assert status == 1  # also where the fit is read back
    assert "Upper limit" not in here.out


# -- switches --------------------------------------------------------------------------------


def test_switches(here):
    status, told = here.run("--general.analysis=skip")
    assert status == 0, told
    assert len(parts(here.folder)) == 10
    assert not (here.folder / "out" / "histograms").exists()
    status, told = here.run()
    assert status == 0, told
    assert made(told) == {"skim": (10, 0), "histograms": (10, 10)}
    assert not (here.folder / "out" / "statistics" / "fit.json").exists()
    before = results(here.folder)
    for switch in ("run_skimming", "run_metadata_generation"):
        status, told = here.run(f"--general.{switch}=false")
        assert status == 0, told
        assert "histograms: reused" in told
    status, told = here.run("--general.run_histogramming=false", statistics=True)
    assert status == 0, told
    assert limit_of(here.folder)["observed"] > 0
    assert results(here.folder) == before
    again = limit_of(here.folder)
    status, told = here.run(statistics=True)
    assert status == 0, told
    assert limit_of(here.folder) == again  # from stored histograms and from filled ones alike


def results(folder: Path) -> dict[str, int]:
    """When the parts of the skim and the histograms were written."""
    kept = ("skimmed", "histograms")
    found = stamps(folder / "out").items()
    return {k: v for k, v in found if k.startswith(kept) and not Path(k).name.startswith(".")}


def test_json_of_a_run(tmp_path):
    folder = write_project(tmp_path)
    done = run(folder, "--json=-", "--general.max_files=1")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["exit_status"] == 1
    assert found["limit"]["observed"] is None
    assert len(found["problems"]) == 1
