"""One analysis with 100 variations, three ways: ``python -m benchmarks.variations``.

All cases take turns, each in a process of its own, as often as `--repeat` says; medians count. It
is the CPU time of the second time that a process does the work, without imports and compilation.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.variations.bounds import bounds
from benchmarks.variations.cases import (
    Case,
    all_cases,
    histograms,
    kind_of,
    measure,
    root_python,
    searched,
)
from benchmarks.variations.page import (
    OPENING_HEAD,
    bound_rows,
    case_rows,
    opening_rows,
    table,
    write_page,
)
from benchmarks.variations.records import Found, differences
from benchmarks.variations.sample import EVENTS, cache_folder

_REPEAT = 3


def chosen(only: Sequence[str]) -> Callable[[Case], bool]:
    """Whether a case is wanted: each word of one of the texts is in its name."""
    wishes = [text.split() for text in only]
    return lambda case: (
        not wishes or any(all(word in case.name.split() for word in words) for words in wishes)
    )


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median of each figure; figures may be grouped."""
    first = runs[0]
    return {
        name: medians([run[name] for run in runs])
        if isinstance(value, dict)
        else statistics.median(run[name] for run in runs)
        for name, value in first.items()
    }


def best_chunks(cases: Sequence[Case], run: Callable[[Case], Mapping[str, Any]]) -> dict[str, int]:
    """Chunk size with the least CPU time, nominal and with variations; each is tried once."""
    found: dict[str, dict[int, float]] = {}
    for case in cases:
        found.setdefault(kind_of(case), {})[case.chunk] = run(case)["cpu"]
    return {kind: min(tried, key=lambda size: tried[size]) for kind, tried in found.items()}


def compared(results: Mapping[Case, Found]) -> tuple[int, list[str]]:
    """Compare each case with the first of the same events; how many histograms, and differences."""
    first: dict[tuple[int, bool], Case] = {}
    number, found = 0, []
    for case, filled in results.items():
        key = (case.file.events, case.variations)
        reference = first.setdefault(key, case)
        number += len(filled.histograms)
        both = f"{reference.name} and {case.name}"
        found += [f"{both}: {text}" for text in differences(results[reference], filled)]
    return number, found


def run_all(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measure, with all files below `work`."""
    wanted = chosen(given.only)
    folder = cache_folder(given.folder)

    def run(case: Case) -> Mapping[str, Any]:
        print(f"  {case.name} ...", flush=True)
        return measure(case, folder, work / case.name)

    cases = [one for one in all_cases(given.events) if wanted(one)]
    cases = [one for one in cases if one.peer != "root" or not given.without_root]
    print("best chunk size of coffea")
    best = best_chunks([one for one in searched(given.events) if wanted(one)], run)
    for case in searched(given.events):
        if best.get(kind_of(case)) == case.chunk and case not in cases:
            cases.append(case)
    taken: dict[str, list[Mapping[str, Any]]] = {one.name: [] for one in cases}
    for number in range(given.repeat):
        print(f"round {number + 1} of {given.repeat}")
        for case in cases:
            taken[case.name].append(run(case))
    filled = {one: histograms(work / one.name) for one in cases if one.compares}
    number, differing = compared(filled)
    return {
        "events": given.events,
        "repeat": given.repeat,
        "machine": dict(machine(folder, with_root=any(one.peer == "root" for one in cases))),
        "best_chunk": best,
        "medians": {name: medians(runs) for name, runs in taken.items()},
        "runs": taken,
        "histograms": number,
        "differences": differing,
    }


def machine(folder: Path, *, with_root: bool) -> Iterator[tuple[str, str]]:
    """What it was measured on."""
    yield "python", platform.python_version()
    yield "processor", _processor()
    for package in ("awkward", "coffea", "uproot", "numpy", "numba"):
        yield package, version(package)
    if with_root:
        code = "import ROOT; print(ROOT.gROOT.GetVersion())"
        command = [str(root_python(folder)), "-W", "ignore", "-c", code]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        yield "ROOT", done.stdout.strip()


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def show(results: Mapping[str, Any]) -> None:
    """Print the tables."""
    print(table(("case", "CPU [s]", "memory [GiB]"), case_rows(results)))
    opened = opening_rows(results)
    if opened:
        print(f"\nopening a file of 1500 branches, CPU [s]\n{table(OPENING_HEAD, opened)}")
    print()
    print(table(("asked", "bound", "measured", "reached"), bound_rows(bounds(results))))
    print(f"{results['histograms']} histograms compared, bin by bin (w and w^2):")
    for text in results["differences"][:20] or ["no difference"]:
        print(f"  {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit status 1 where peers differ, with --strict also for a bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variations", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="size of the sample")
    parser.add_argument("--repeat", type=int, default=_REPEAT, help="how often each case is run")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help='only cases whose name has all of these words, such as "hepflow 101 zlib"',
    )
    parser.add_argument("--folder", type=Path, help="cache folder; default in the user's")
    parser.add_argument("--without-root", action="store_true", help="leave RDataFrame out")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--page", type=Path, help="page whose tables are written anew")
    parser.add_argument(
        "--strict", action="store_true", help="exit status 1 where a bound is missed"
    )
    parser.add_argument("--from-json", type=Path, help="show earlier figures, and measure nothing")
    given = parser.parse_args(arguments)
    if given.from_json:
        results = json.loads(given.from_json.read_text(encoding="utf-8"))
    else:
        work = Path(tempfile.mkdtemp(prefix="hepflow-variations-"))
        try:
            results = run_all(given, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    show(results)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.page:
        write_page(given.page, results)
    missed = any(one.reached is False for one in bounds(results))
    return 1 if results["differences"] or (given.strict and missed) else 0


if __name__ == "__main__":
    raise SystemExit(main())
