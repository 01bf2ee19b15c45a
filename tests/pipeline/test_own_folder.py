"""The analysis of the README, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    return tmp_path


@pytest.mark.slow
def test_a_subclass_in_another_folder_does_what_it_overrides(folder, small_sample):
    import uproot

    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "analysis.py"),
            "--config=mine:config",
            "--analysis=mine:HardMuons",
            "--general.run_statistics=false",
            "--general.run_systematics=false",
            "--plotting.enabled=false",
        ],
        cwd=folder,
        env={**os.environ, "HEPFLOW_SAMPLE_EVENTS": str(small_sample.requested_events)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    with uproot.open(folder / "my_outputs" / "histograms" / "histograms.root") as file:
        values, edges = file["SR__muon_pt__ttbar_semilep"].to_numpy()
    assert values[edges[:-1] >= 75.0].sum() > 0
    assert values[edges[1:] <= 75.0].sum() == 0  # muons below 80 GeV are gone
