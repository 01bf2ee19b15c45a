"""Simulation-based inference beside madminer: ``python -m benchmarks.sbi``.

Both train the same methods on the same event file and are compared with the exact likelihood of the
built-in process. Each is a process of its own with one thread on one core; CPU time counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.sbi.accuracy import judge
from benchmarks.sbi.comparison import lines
from benchmarks.sbi.environment import MADMINER, TORCH, madminer_python, measure
from benchmarks.sbi.page import comparison, write_page
from benchmarks.sbi.truth import Settings, prepare
from benchmarks.variations.sample import cache_folder

METHODS = ("sally", "alice", "alices")
NAMES = {"training": "training, CPU [s]", "grid": "grid, CPU [s]"}  # of what a process tells


def figures(module: str, work: Path, method: str, seed: int, python: Path | None) -> dict[str, Any]:
    """Measure one method with one seed, and judge it."""
    print(f"  {module.removesuffix('_side')} {method}, seed {seed} ...", flush=True)
    told = measure(module, work, method, seed, python)
    times = {NAMES[name]: value for name, value in told.items() if name in NAMES}
    return {**times, **judge(Path(told["arrays"]), work / "test.npz")}


def run_all(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measure everything."""
    few = {"test_events": given.events // 10, "many_events": given.events}
    settings = replace(Settings(events=given.events, epochs=given.epochs), **few)
    prepare(work, settings, seed=given.seed)
    python = None if given.without_madminer else madminer_python(cache_folder(given.folder))
    seeds = {"hepflow": given.seeds, "madminer": 0 if python is None else given.madminer_seeds}
    results: dict[str, Any] = {
        peer: {
            method: [
                figures(f"{peer}_side", work, method, given.seed + k, python_of)
                for k in range(seeds[peer])
            ]
            for method in given.methods
        }
        for peer, python_of in (("hepflow", None), ("madminer", python))
    }
    machine = {name: version(name) for name in ("numpy", "jax")}
    if python is not None:
        machine |= dict(one.split("==") for one in (MADMINER, TORCH))
    return {**results, "settings": asdict(settings), "seeds": seeds, "machine": machine}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; exit status 1 where something that is asked is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sbi", description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=5, help="of hepflow's trainings; medians count")
    add("--madminer-seeds", type=int, default=1, help="of madminer's")
    add("--seed", type=int, default=1, help="the first one")
    add("--events", type=int, default=Settings.events, help="for training")
    add("--epochs", type=int, default=Settings.epochs)
    add("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    add("--without-madminer", action="store_true", help="leave madminer out")
    add("--folder", type=Path, help="for madminer's environment; default the user's cache")
    add("--json", type=Path, help="write all figures into this file")
    add("--page", type=Path, help="page whose tables are written anew")
    add("--from-json", type=Path, help="show earlier figures, and measure nothing")
    given = parser.parse_args(arguments)
    if given.from_json:
        results: Mapping[str, Any] = json.loads(given.from_json.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="hepflow-sbi-") as work:
            results = run_all(given, Path(work))
    print(comparison(results))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.page:
        write_page(given.page, results)
    return int(any(one.reached is False for one in lines(results)))


if __name__ == "__main__":
    raise SystemExit(main())
