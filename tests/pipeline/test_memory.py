"""The client's memory does not grow with the sample: one part of it is in memory at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hepflow.output_manager import default_cache_dir

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = 50.0  # MB

PROGRAM = """
import resource
from analysis.nondiff import NonDiffAnalysis
from hepflow.pipeline import run
from user.configuration import config

config["general"]["output_dir"] = {folder!r}
result = run(config, NonDiffAnalysis)
events = sum(part.nevts for part in result.result.histograms.ledger.parts.values())
assert result.limit is not None and result.result.plots
print(events, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(events: int, folder: Path) -> tuple[int, float]:
    """Events that a run on a sample read, and the peak of the client's resident memory [MB]."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(folder=str(folder))],
        cwd=ROOT,
        env={**os.environ, "HEPFLOW_SAMPLE_EVENTS": str(events)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    read, kilobytes = done.stdout.split()[-2:]
    return int(read), int(kilobytes) / 1024


@pytest.mark.nightly
def test_ten_times_the_sample_needs_no_more_memory(tmp_path):
    from hepflow.samples import ensure_sample

    sizes = (100_000, 1_000_000)
    for size in sizes:  # made before: it is the run that is measured
        ensure_sample(default_cache_dir() / "samples", size)
    (few, small), (many, large) = (peak(size, tmp_path / str(size)) for size in sizes)
    assert many > 9 * few
    assert abs(large - small) < ALLOWED, f"{few} events: {small:.0f} MB, {many}: {large:.0f} MB"
