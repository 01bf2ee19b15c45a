"""An inference as yadage workflows: written, and run by the engines themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hepflow.cli import main
from hepflow.errors import InputError
from hepflow.reinterpretation.workflows.export.study import export_study
from hepflow.schema import Study
from tests.unit.inference.workflow.small import study

pytest.importorskip("jax", reason="needs the extra sbi")
PROGRAMS = Path(sys.executable).parent


def run(program, *words, cwd):
    if not (PROGRAMS / program).exists():
        pytest.skip(f"{program} is not installed")
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [PROGRAMS / program, *words],
        cwd=cwd,
        env={**os.environ, "PATH": path, "PACKTIVITY_LOGGING_DISABLE": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-1000:]


@pytest.fixture
def folder(tmp_path):
    methods, training = [{"method": "sally"}], {"hidden": [4], "epochs": 1}
    small = study(tmp_path / "out", methods=methods, training=training, plots=["contours"])
    found = export_study(small, tmp_path / "made")
    assert set(found.files) == {
        "README.md", "inputs.yml", "inputs_ml.yml", "inputs_physics.yml", "ml.yml",
        "physics.yml", "steps.yml", "study.json", "workflow.yml",
    }  # fmt: skip
    return found.folder


@pytest.mark.nightly
def test_the_whole_by_yadage(folder):
    run("yadage-run", "--no-visualize", "-d", f"initdir={folder}", "work", "workflow.yml",
        "inputs.yml", cwd=folder)  # fmt: skip
    state = json.loads((folder / "work/_yadage/yadage_snapshot_workflow.json").read_text())
    published = {node["name"]: node["result"] for node in state["dag"]["nodes"]}
    limits = Path(published["learning"]["limits"])
    assert "sally" in json.loads(limits.read_text())
    assert Path(published["learning"]["report"]).is_file()
    assert Path(published["physics"]["events"]).name == "events.h5"


def test_a_step_by_packtivity(folder):
    out = folder / "alone"
    values = {"study": folder / "study.json", "events_per_benchmark": 100, "seed": 3,
              "outputs": out, "events": out / "inference/events.h5"}  # fmt: skip
    words = [word for name, value in values.items() for word in ("-p", f"{name}={value}")]
    run("packtivity-run", "steps.yml#/physics", *words, "-w", str(out), cwd=folder)
    summary = json.loads((out / "inference/events.json").read_text())
    assert summary["events_generated"] == 6 * 100


def test_the_command_and_what_it_refuses(tmp_path, capsys):
    assert main(["workflow", "sbi", "--output", str(tmp_path / "made"), "--json", "-"]) == 0
    assert "workflow.yml" in json.loads(capsys.readouterr().out)["files"]
    assert main(["workflow", "sbi", "--output", str(tmp_path / "made")]) == 2
    assert "not empty" in capsys.readouterr().err
    cuts = [{"name": "c", "function": len}]
    with pytest.raises(InputError, match="holds functions"):
        export_study(Study(inference={"cuts": cuts}), tmp_path / "other")
