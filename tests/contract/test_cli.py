"""The commands as users call them: words, exit statuses, one message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = {
    "general": {"lumi": 100.0, "analysis": "skip", "output_dir": "outputs"},
    "datasets": {"datasets": [{"name": "dy", "files": ["missing.root"], "cross_section": 1.0}]},
    "preprocess": {"branches": {"Muon": ["pt"]}},
}


def call(*words, cwd, script=None, **environment):
    """Run a command in a folder as a user does."""
    program = [str(script)] if script else ["-m", "hepflow.cli"]
    return subprocess.run(
        [sys.executable, *program, *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", "HEPFLOW_DEBUG": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(f"config = {MINIMAL!r}\nnumber = 3\n")
    return tmp_path


@pytest.mark.parametrize("name", ["run", "plan"])
def test_help_lists_the_commands_that_exist(name, tmp_path):
    assert f"\n  {name} " in call("--help", cwd=tmp_path).stdout
    told = call(name, "--help", cwd=tmp_path)
    assert told.returncode == 0
    assert "--general.max_files=10" in told.stdout


def test_help_of_the_script_names_its_defaults(tmp_path):
    told = call("--help", cwd=tmp_path, script=ROOT / "analysis.py")
    assert told.returncode == 0
    text = " ".join(told.stdout.split())
    assert "user.configuration:config" in text
    assert "analysis.nondiff:NonDiffAnalysis" in text


def test_version(tmp_path):
    assert call("--version", cwd=tmp_path).stdout.startswith("hepflow 0.")


def test_an_unknown_command_is_status_2_with_the_nearest_name(tmp_path):
    told = call("rum", cwd=tmp_path)
    assert told.returncode == 2
    assert "Did you mean 'run'?" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--config=mine:config", "--general.lumy=3"],
            "general.lumy: unknown key. Did you mean 'lumi'?",
        ),
        (["--config=mine:config", "--general.lumi=-3"], "general.lumi"),
        (["--config=mine:confg"], "Did you mean 'config'?"),
        (["--config=mime:config"], "Did you mean 'mine'?"),
        (["--config=mine:number"], "expected a dict"),
        (["--config=mine"], "expected module:attribute"),
        (["--cofnig=mine:config"], "Did you mean '--config'?"),
        ([], "which configuration?"),
    ],
)
def test_wrong_input_is_status_2_with_one_message(folder, words, expected):
    told = call("plan", *words, cwd=folder)
    assert told.returncode == 2, told.stderr
    assert expected in told.stderr
    assert told.stderr.count("hepflow: error:") == 1
    assert "Traceback" not in told.stderr


def test_debug_shows_the_traceback(folder):
    for words, environment in ((["--debug"], {}), ([], {"HEPFLOW_DEBUG": "1"})):
        told = call("plan", "--config=mine:confg", *words, cwd=folder, **environment)
        assert told.returncode == 2
        assert "Traceback (most recent call last)" in told.stderr


def test_plan_lists_the_stages_for_people_and_for_programs(folder):
    told = call(
        "plan", "--config=mine:config", "general.run_skimming=false", "--json=-", cwd=folder
    )
    assert told.returncode == 0, told.stderr
    stages = {stage["name"]: stage["runs"] for stage in json.loads(told.stdout)}
    assert stages["metadata"] is True
    assert stages["skim"] is False
    assert "left out" in told.stderr


def test_a_missing_input_file_is_one_message_and_status_2(folder):
    told = call("run", "--config=mine:config", cwd=folder)
    assert told.returncode == 2, told.stderr
    assert "missing.root" in told.stderr
    assert "Traceback" not in told.stderr


def test_configuration_and_analysis_of_another_folder(folder):
    (folder / "other.py").write_text(
        textwrap.dedent("""
            from hepflow.analysis import Analysis

            class Mine(Analysis):
                pass
        """)
    )
    told = call(
        "--config=mine:config", "--analysis=other:NotMine", cwd=folder, script=ROOT / "analysis.py"
    )
    assert told.returncode == 2
    assert "Did you mean 'Mine'?" in told.stderr


def test_ctrl_c_is_status_130_and_one_line(folder):
    (folder / "slow.py").write_text(
        "import sys, time\nsys.stdout.write('here\\n'); sys.stdout.flush()\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "hepflow.cli", "plan", "--config=slow:config"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "here\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert told.count("\n") == 1
    assert "interrupted" in told
