"""Planning takes time in proportion to the number of work items, datasets and files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import hepflow
from benchmarks.many_items import ITEMS_OF_FILE, configuration, run_without_work, write_files
from hepflow.planning import forecast

OURS = str(Path(hepflow.__file__).parent)
DATASETS = (3, 6, 12)


def lines_run(call: Callable[[], Any]) -> int:
    """Lines of hepflow that a call runs, each turn of a loop or comprehension counted."""
    count = 0

    def inside(_: FrameType, __: str, ___: Any) -> Any:
        nonlocal count
        count += 1
        return inside

    def entered(frame: FrameType, _: str, __: Any) -> Any:
        return inside if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def growth(counts: list[int]) -> float:
    """Second increase over the first, of sizes that double: 2 where linear, 4 where quadratic."""
    first, second, third = counts
    return (third - second) / (second - first)


@pytest.fixture(scope="module")
def configurations(tmp_path_factory):
    found = []
    for datasets in DATASETS:
        folder = tmp_path_factory.mktemp(f"of_{datasets}")
        assert write_files(folder, 2 * ITEMS_OF_FILE * datasets, datasets) == 100 * datasets
        found.append(configuration(folder, datasets))
    return found


def test_the_counter_tells_what_is_quadratic():
    def pairs(n: int) -> int:
        return lines_run(lambda: hepflow_loop(n))

    scope: dict[str, Any] = {}
    code = "def loop(n):\n    return [i for i in range(n) for j in range(n) if i == j]\n"
    exec(compile(code, f"{OURS}/loop.py", "exec"), scope)  # noqa: S102 - a loop that counts as ours
    hepflow_loop = scope["loop"]
    assert growth([pairs(10), pairs(20), pairs(40)]) == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("one_pass", [False, True])
def test_a_run_plans_in_proportion_to_its_work_items(configurations, one_pass):
    counts = []
    for datasets, config in zip(DATASETS, configurations, strict=True):
        config["general"]["read_from_cache"] = False  # each size does the same
        run_without_work(config, one_pass=one_pass)  # leaves the manifests, as of an earlier run
        handed: dict[str, int] = {}
        counts.append(
            lines_run(lambda c=config, h=handed: h.update(run_without_work(c, one_pass=one_pass)))
        )
        assert handed.get("skimming") == (None if one_pass else 100 * datasets)
    assert growth(counts) < 2.4


def test_a_forecast_looks_at_each_work_item_a_few_times(configurations):
    counts = []
    for datasets, config in zip(DATASETS, configurations, strict=True):
        config["general"]["read_from_cache"] = True
        run_without_work(config)
        found = []
        counts.append(lines_run(lambda c=config, f=found: f.append(forecast(c))))
        assert found[0].stage("skim").count == f"{100 * datasets} of {100 * datasets} parts"
    assert growth(counts) < 2.4
