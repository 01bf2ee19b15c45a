"""Analyses in folders of their own: what `hepflow init` writes, and that of the README."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.projects import stamps

ROOT = Path(__file__).resolve().parents[2]
HEPFLOW = [sys.executable, "-m", "hepflow.cli"]


def run(words, folder, sample, **more):
    """Run a command in a folder as a user does, on the small sample."""
    size = {"HEPFLOW_SAMPLE_EVENTS": str(sample.requested_events), "COLUMNS": "200"}
    # Away from the source tree: its `user` and `analysis` must not be needed.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        words,
        cwd=folder,
        env={**kept, **size, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def written(folder):
    """When each result was written."""
    found = stamps(folder / "outputs")
    return {name: time for name, time in found.items() if name.endswith((".zip", ".root", ".pdf"))}


@pytest.mark.slow
def test_what_init_writes_runs_unchanged_from_any_place(tmp_path, small_sample):
    made = run([*HEPFLOW, "init", "my_search"], tmp_path, small_sample)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "my_search"
    script = [sys.executable, "my_search/analysis.py", "--json=script.json"]
    done = run(script, tmp_path, small_sample)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    assert "Upper limit on signal_norm (95 % CL)  observed" in done.stdout
    told = json.loads((tmp_path / "script.json").read_text())
    assert told["limit"]["observed"] > 0
    assert told["output_dir"] == str(folder / "outputs")
    plots = {path.stem for path in (folder / "outputs" / "plots").rglob("*.pdf")}
    assert {"mass", "muon_pt", "limit_scan", "postfit_SR"} <= plots

    before = written(folder)
    words = ["run", "--config=configuration:config", "--analysis=analysis:Search"]
    again = run([*HEPFLOW, *words, "--json=command.json"], folder, small_sample)
    assert again.returncode == 0, again.stderr[-4000:]
    assert json.loads((folder / "command.json").read_text())["limit"] == told["limit"]
    assert written(folder) == before  # the same keys: nothing was made anew


@pytest.mark.slow
def test_the_subclass_of_the_readme_does_what_it_overrides(tmp_path, small_sample):
    import uproot

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    words = [
        "--config=mine:config",
        "--analysis=mine:HardMuons",
        "--general.channels=SR",
        "--general.run_statistics=false",
        "--general.run_systematics=false",
        "--plotting.enabled=false",
    ]
    done = run([sys.executable, str(ROOT / "analysis.py"), *words], tmp_path, small_sample)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    with uproot.open(tmp_path / "my_outputs" / "histograms" / "histograms.root") as file:
        values, edges = file["SR__muon_pt__ttbar_semilep"].to_numpy()
    assert values[edges[:-1] >= 75.0].sum() > 0
    assert values[edges[1:] <= 75.0].sum() == 0  # muons below 80 GeV are gone
