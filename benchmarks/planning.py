"""CPU time and memory to plan a million work items: ``python -m benchmarks.planning``.

Measured is all that a run does itself between its start and the work that it hands to its
executor, and ``hepflow plan``. Each step is a process of its own; importing counts. Left out is
what workers do, and what the executor needs for each item. With ``--parts`` the parts of the skim
are on the disk then, as holes of the right size, and the run and the plan are made once more.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.many_items import NoWork, configuration, run_without_work, write_files, write_parts
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.execution.worker import collect_less_often
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.pipeline import make_output_manager
from hepflow.planning import forecast
from hepflow.planning.work import work_of
from hepflow.schema import Config

MOST_CPU, MOST_MEMORY = 60.0, 2.0 * 1024**3  # [s] [byte]
_ITEMS = 1_000_000
_MIB = 1024**2


def _first_run(folder: Path, items: int) -> dict[str, Any]:
    shutil.rmtree(folder / "out")
    return _run(folder, items)


def _run(folder: Path, _: int) -> dict[str, Any]:
    return {"handed": run_without_work(configuration(folder))}


def _one_pass(folder: Path, _: int) -> dict[str, Any]:
    return {"handed": run_without_work(configuration(folder), one_pass=True)}


def _read_back(folder: Path, _: int) -> dict[str, Any]:
    config = Config.of(configuration(folder))
    manager = ConfigurableDatasetManager(config.datasets)
    generator = NanoAODMetadataGenerator(manager, make_output_manager(config), executor=NoWork())
    generator.run(generate_metadata=False)
    return {"items": len(generator.workitems)}


def _plan(folder: Path, _: int) -> dict[str, Any]:
    found = forecast(configuration(folder))
    return {
        "stages": {one.name: f"{one.status}: {one.count}" for one in found.stages},
        "work": len(work_of(found)),
    }


STEPS: Mapping[str, Callable[[Path, int], dict[str, Any]]] = {
    "input files": lambda folder, items: {"items": write_files(folder, items)},
    "one pass": _one_pass,  # nothing is known; no skim on disk
    "metadata read back": _read_back,
    "hepflow plan": _plan,  # the files are known, and no part is there
    "first run": _first_run,  # nothing is known; tasks of the skim, manifests, tasks of the filling
    "parts": lambda folder, _: {"items": write_parts(folder)},
    "run with parts": _run,
    "plan with parts": _plan,
}
_MAKING = ("input files", "parts")  # what the measured steps find
_RUNS = ("one pass", "metadata read back", "first run", "run with parts")


def _used() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def _measured(step: str, folder: Path, items: int) -> dict[str, Any]:
    """Result of a step in a process of its own, with its CPU time [s] and memory [byte]."""
    words = [sys.executable, "-m", "benchmarks.planning", "--step", step]
    words += ["--items", str(items), "--folder", str(folder)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{step}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one_step(step: str, folder: Path, items: int) -> None:
    """Do one step in this process and print its result."""
    if step in _RUNS:
        collect_less_often()  # as a run does
    found = STEPS[step](folder, items)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({**found, "cpu_seconds": _used(), "peak_bytes": peak}) + "\n")


def measure(folder: Path, items: int, *, parts: bool) -> dict[str, dict[str, Any]]:
    """Do all steps, one after the other, or those without parts; print a line for each."""
    print(f"{'step':<24}{'CPU [s]':>10}{'peak [MiB]':>12}", flush=True)
    found = {}
    for step in STEPS:
        if parts or "parts" not in step:
            one = found[step] = _measured(step, folder, items)
            line = f"{step:<24}{one['cpu_seconds']:>10.1f}{one['peak_bytes'] / _MIB:>12.0f}"
            print(f"{line}   ({one['items']:,})" if step in _MAKING else line, flush=True)
    return found


def too_much(found: dict[str, dict[str, Any]]) -> list[str]:
    """Steps above the limits of CPU time or memory; making the input files does not count."""
    return [
        step
        for step, one in found.items()
        if step not in _MAKING
        and (one["cpu_seconds"] > MOST_CPU or one["peak_bytes"] > MOST_MEMORY)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit status 1 where it takes too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__)
    parser.add_argument("--items", type=int, default=_ITEMS, help="work items, about")
    parser.add_argument("--parts", action="store_true", help="also with a part for each item")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.step:
        one_step(given.step, given.folder, given.items)
        return 0
    with tempfile.TemporaryDirectory(prefix="hepflow-planning-") as folder:
        found = measure(given.folder or Path(folder), given.items, parts=given.parts)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    over = too_much(found)
    print(f"limits: {MOST_CPU:.0f} s, {MOST_MEMORY / _MIB:.0f} MiB: {', '.join(over) or 'kept'}")
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
