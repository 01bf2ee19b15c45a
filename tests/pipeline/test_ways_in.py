"""Ways to start a run, and what its switches and overrides do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.projects import (
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

    monkeypatch.setattr("hepflow.analysis.results.write_figure", write)
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
    kept = {"skimmed", "metadata", "histograms"}
    before = {k: v for k, v in stamps(here.folder / "out").items() if k.split("/")[0] in kept}
    for switch in ("run_skimming", "run_metadata_generation"):
        status, told = here.run(f"--general.{switch}=false")
        assert status == 0, told
        assert "histograms: reused" in told
    status, told = here.run("--general.run_histogramming=false", statistics=True)
    assert status == 0, told
    assert limit_of(here.folder)["observed"] > 0
    after = {k: v for k, v in stamps(here.folder / "out").items() if k.split("/")[0] in kept}
    assert {name: after[name] for name in before if "skimmed" in name or "histograms" in name} == {
        name: time for name, time in before.items() if "skimmed" in name or "histograms" in name
    }
    again = limit_of(here.folder)
    status, told = here.run(statistics=True)
    assert status == 0, told
    assert limit_of(here.folder) == again  # from stored histograms and from filled ones alike


def test_json_of_a_run(tmp_path):
    folder = write_project(tmp_path)
    done = run(folder, "--json=-", "--general.max_files=1")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["exit_status"] == 1
    assert found["limit"]["observed"] is None
    assert len(found["problems"]) == 1
