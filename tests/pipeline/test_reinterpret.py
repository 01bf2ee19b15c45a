"""The built-in analysis, preserved, meets a resonance of another mass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hepflow.output_manager import default_cache_dir
from hepflow.samples import write_resonance
from tests.conftest import SAMPLE_EVENTS

ROOT = Path(__file__).resolve().parents[2]
MASS, CROSS_SECTION = 1500.0, 0.4  # [GeV], [pb]


def command(*words: str) -> None:
    """Run from the project, as users do."""
    variables = {
        "HEPFLOW_CACHE_DIR": str(default_cache_dir()),
        "HEPFLOW_SAMPLE_EVENTS": str(SAMPLE_EVENTS),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def built_in(folder: Path, *words: str) -> dict:
    """Run the built-in analysis; its limit."""
    fast = ("--plotting.enabled=False", "--general.report=False")
    command("analysis.py", f"--general.output_dir={folder}", *fast, *words)
    return dict(json.loads((folder / "statistics" / "limit.json").read_text()))


def limit_of(bundle: Path, output: Path, files: str, size: str) -> dict:
    """Reinterpret; the limit."""
    signal = ("--signal", files, "--cross-section", size, "--no-plots", "--workers=1")
    words = ("reinterpret", str(bundle), "--trust", *signal, "--output", str(output))
    command("-m", "hepflow.cli", *words)
    return dict(json.loads((output / "limit.json").read_text()))


@pytest.mark.campaign
@pytest.mark.slow
def test_own_and_another_mass_give_the_limits_of_full_runs(small_sample, tmp_path):
    full = built_in(tmp_path / "run")
    bundle = tmp_path / "bundle.zip"
    command("-m", "hepflow.cli", "preserve", str(tmp_path / "run"), "--output", str(bundle))
    info = small_sample.datasets["signal"]
    size = f"{info.cross_section} pb"
    own = limit_of(bundle, tmp_path / "own", str(info.directory / "*.root"), size)
    assert own["observed"] == pytest.approx(full["observed"], rel=1e-6)
    assert own["expected"] == pytest.approx(full["expected"], rel=1e-6)
    file = write_resonance(tmp_path / "m1500.root", MASS, 2000)
    again = built_in(
        tmp_path / "other",
        f"--datasets.datasets[0].files={file}",
        f"--datasets.datasets[0].cross_section={CROSS_SECTION}",
    )
    new = limit_of(bundle, tmp_path / "new", str(file), f"{CROSS_SECTION} pb")
    assert new["observed"] == pytest.approx(again["observed"], rel=1e-6)
    assert new["expected"] == pytest.approx(again["expected"], rel=1e-6)
    assert new["model"] == again["model"]
    assert abs(new["observed"] / own["observed"] - 1) > 0.1
    assert [one["dataset"] for one in new["input"]] == ["signal__nominal"]
    parts = new["input"][0]
    assert (parts["files_expected"], parts["events_processed"]) == (1, 2000)
