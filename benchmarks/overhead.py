"""What the ledger, keys and checksums cost: ``python -m benchmarks.overhead``.

The built-in analysis runs on its sample of 500 000 events from an empty cache, while the CPU time
of the functions that do nothing else is measured in the client and in its workers (`meter`). What
the clocks themselves take counts as overhead, too. The run is that of a user: analysis.py.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.meter import environment, figures

ROOT = Path(__file__).resolve().parents[1]
MOST = 0.03  # of the CPU time
_EVENTS = 500_000
# Name of a run -> further words of the command line.
RUNS: Mapping[str, tuple[str, ...]] = {
    "from an empty cache": (),
    "read_from_cache off": ("--general.read_from_cache=false",),
}


def make_sample(events: int) -> None:
    """Make the sample in the user's cache, unless it is there."""
    code = "from user.configuration import config; config['datasets']['prepare']()"
    variables = {**os.environ, "HEPFLOW_SAMPLE_EVENTS": str(events)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, check=True)


def measure(folder: Path, events: int, words: Sequence[str]) -> dict[str, Any]:
    """Run the analysis once, with output and cache below `folder`.

    Returns
    -------
    dict
        CPU time of all processes and by function [s], and the share of the functions.

    Raises
    ------
    RuntimeError
        If the run fails.
    """
    variables = {**environment(folder, ROOT), "HEPFLOW_SAMPLE_EVENTS": str(events)}
    places = (f"--general.output_dir={folder / 'out'}", f"--general.cache_dir={folder / 'cache'}")
    command = [sys.executable, str(ROOT / "analysis.py"), *places, *words]
    before = _children()
    done = subprocess.run(
        command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    found, total, processes = figures(folder)
    spent = sum(seconds for seconds, _ in found.values())
    return {
        "cpu_seconds": total,
        "cpu_seconds_waited_for": _children() - before,
        "processes": processes,
        "overhead_seconds": spent,
        "share": spent / total,
        "functions": {name: {"seconds": s, "calls": n} for name, (s, n) in found.items()},
    }


def _children() -> float:
    """CPU time of the processes that were started from here and have ended [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(name: str, found: Mapping[str, Any]) -> None:
    """Print the table of one run."""
    print(f"{name}: {found['cpu_seconds']:.1f} s CPU in {found['processes']} processes")
    print(f"  {'function':<56}{'calls':>8}{'CPU [ms]':>10}{'share':>9}")
    functions = sorted(found["functions"].items(), key=lambda one: -one[1]["seconds"])
    for place, one in functions:
        if one["calls"]:
            share = one["seconds"] / found["cpu_seconds"]
            print(f"  {place:<56}{one['calls']:>8}{1000 * one['seconds']:>10.1f}{share:>9.3%}")
    spent = 1000 * found["overhead_seconds"]
    print(f"  {'all':<64}{spent:>10.1f}{found['share']:>9.3%}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit status 1 where the share is too large."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--events", type=int, default=_EVENTS, help="size of the sample")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--only", choices=RUNS, help="one of the runs")
    given, words = parser.parse_known_args(arguments)
    make_sample(given.events)
    results = {}
    for name, further in RUNS.items():
        if given.only in {None, name}:
            with tempfile.TemporaryDirectory(prefix="hepflow-overhead-") as folder:
                results[name] = measure(Path(folder), given.events, [*further, *words])
            show(name, results[name])
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if any(one["share"] > MOST for one in results.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
