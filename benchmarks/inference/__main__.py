"""CLs scan and ranking beside pyhf and cabinetry: ``python -m benchmarks.inference``.

Each is a process of its own with one thread on one core; its CPU time counts, without imports and
compilation. pyhf takes minutes for a scan, so that by default it computes only some of its points;
the ratio is that of the time per point.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inference.environment import jax_python, measure
from benchmarks.inference.models import bump
from benchmarks.variations.sample import cache_folder

CLS_EQUAL = 1e-5  # absolute
IMPACT_EQUAL = 1e-3  # of the uncertainty of the parameter of interest
LEAST = {"pyhf, numpy": 50.0, "pyhf, JAX": 10.0, "cabinetry": 30.0}  # times as fast, at least


@dataclass(frozen=True)
class Line:
    """One comparison."""

    task: str
    peer: str
    ours: float  # CPU time [s]
    theirs: float  # of the same work, CPU time [s]
    difference: float
    allowed: float

    @property
    def ratio(self) -> float:
        """Times as fast."""
        return self.theirs / self.ours

    @property
    def fine(self) -> bool:
        """Fast enough, and equal."""
        return self.ratio >= LEAST[self.peer] and self.difference <= self.allowed


def scan_lines(options: argparse.Namespace) -> list[Line]:
    """Compare scans with and without MC statistics."""
    lines = []
    values = np.linspace(0.1, 3.0, options.points).tolist()
    for mc_stat in (False, True):
        workspace = bump(options.bins, options.parameters, mc_stat=mc_stat)
        ours = measure("ours.py", "scan", workspace, values)
        task = f"CLs scan, {'with' if mc_stat else 'without'} MC statistics"
        lines.append(_scan_line(task, "pyhf, numpy", workspace, values, ours, options.numpy_points))
        if not options.without_jax:
            python = jax_python(cache_folder(options.folder))
            points = options.jax_points
            lines.append(_scan_line(task, "pyhf, JAX", workspace, values, ours, points, python))
    return lines


def _scan_line(  # noqa: PLR0913, PLR0917 - what one scan is
    task: str,
    peer: str,
    workspace: dict[str, Any],
    values: Sequence[float],
    ours: Mapping[str, Any],
    points: int,
    python: Path | None = None,
) -> Line:
    """Compare with some of the points, and the time that all would take."""
    every = max(1, len(values) // points)
    chosen = slice(every // 2, None, every)
    backend = "jax" if python else "numpy"
    theirs = measure("pyhf_scan.py", backend, workspace, values[chosen], python)
    same, found = np.array(ours["found"][chosen]), np.array(theirs["found"])
    whole = theirs["cpu"] * len(values) / len(found)
    return Line(task, peer, ours["cpu"], whole, float(np.max(np.abs(same - found))), CLS_EQUAL)


def ranking_line(options: argparse.Namespace) -> Line:
    """Compare the ranking of all parameters of a smaller model."""
    workspace = bump(options.ranking_bins, options.ranking_parameters, mc_stat=True)
    ours = measure("ours.py", "ranking", workspace)
    theirs = measure("ours.py", "cabinetry", workspace)
    impacts = ours["found"]["impacts"]
    differences = [
        np.max(np.abs(np.array(impacts[name]) - np.array(theirs_of[: len(impacts[name])])))
        for name, theirs_of in theirs["found"]["impacts"].items()
    ]
    difference = float(max(differences)) / ours["found"]["uncertainty"]
    return Line("ranking", "cabinetry", ours["cpu"], theirs["cpu"], difference, IMPACT_EQUAL)


def show(lines: Sequence[Line]) -> None:
    """Print a table."""
    print(f"{'':38}{'peer':14}{'hepflow [s]':>12}{'peer [s]':>10}{'ratio':>8}{'difference':>12}")
    for one in lines:
        mark = "" if one.fine else "  MISSED"
        print(
            f"{one.task:38}{one.peer:14}{one.ours:12.3f}{one.theirs:10.1f}{one.ratio:8.0f}"
            f"{one.difference:12.1e}{mark}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    add = parser.add_argument
    add("--bins", type=int, default=60)
    add("--parameters", type=int, default=60, help="nuisance parameters besides MC statistics")
    add("--points", type=int, default=41, help="of the scan")
    add("--numpy-points", type=int, default=3, help="of these, those that pyhf computes with numpy")
    add("--jax-points", type=int, default=9, help="the same with JAX")
    add("--ranking-bins", type=int, default=20)
    add("--ranking-parameters", type=int, default=20)
    add("--without-jax", action="store_true", help="leave pyhf with JAX out")
    add("--folder", type=Path, help="for the environment with JAX; default the user's cache")
    add("--json", type=Path, help="write all figures into this file")
    options = parser.parse_args(arguments)
    lines = [*scan_lines(options), ranking_line(options)]
    show(lines)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in lines], indent=2))
    return int(not all(one.fine for one in lines))


if __name__ == "__main__":
    raise SystemExit(main())
