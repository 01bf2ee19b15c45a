"""The matrix of faults: kind x stage x executor. The result is right, or there is none, and why."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.forks import LIBRARIES, Nursery
from benchmarks.whole import broken_files, differences, leftovers, results
from hepflow.planning.inventory import Places
from hepflow.planning.verification import verify
from tests.pipeline import fault_actions
from tests.pipeline.fault_actions import VARIABLE
from tests.pipeline.fault_arena import INPUTS, PATIENCE, Arena, clusters, small_disk
from tests.pipeline.fault_case import Case, Fault
from tests.pipeline.fault_kinds import FAULTS, cases
from tests.pipeline.fault_project import write_module
from tests.pipeline.projects import ROOT, templates

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(sys.platform != "linux", reason="runs are forked, and mounts made"),
]
INTERRUPTED = (
    "hepflow: interrupted. What was finished is kept; the same command goes on from there."
)


@pytest.fixture(scope="module")
def arena(tmp_path_factory) -> Iterator[Arena]:
    root = tmp_path_factory.mktemp("faults")
    libraries = [*LIBRARIES, "tests.pipeline.fault_actions"]
    with clusters(root) as address, Nursery([ROOT], libraries) as nursery:
        yield Arena(root, nursery, address)


# -- one case --------------------------------------------------------------------------------


def _prepare(arena: Arena, case: Case) -> dict[str, str]:
    """Bring about what is wrong before the run; variables that do it within."""
    fault = case.fault
    if fault.finished:
        arena.complete(*fault.words)
    write_module(arena.folder, *fault.changes)
    if fault.sick:
        INPUTS["sick"](arena.folder)
    if not fault.action:
        return {}
    name, *arguments = fault.action
    if name == "kill_worker":
        arguments = [case.executor, str(arena.root)]
    if fault.at == "start":
        getattr(fault_actions, str(name))(arena.folder, *arguments)
        return {}
    return {VARIABLE: json.dumps([fault.at or fault.stage, fault.after, name, arguments])}


def _words(arena: Arena, case: Case) -> list[str]:
    """Words of the run that goes wrong."""
    words = [*case.fault.words, f"--execution.backend={case.executor}"]
    if case.executor == "dask":
        words.append(f"--execution.scheduler={arena.scheduler()}")
    if case.policy != "fail":
        words.append(f"--execution.on_missing={case.policy}")
    if case.policy == "rescale":
        words.append("--execution.missing_limit=1")
    return words


def assert_refused(case: Case, status: int, told: str) -> None:
    """One message that says what, where, and what to do."""
    assert "Traceback" not in told
    assert "bug in hepflow" not in told
    own = [line for line in told.splitlines() if line.startswith("hepflow: ")]
    assert len(own) == 1, told
    message = told[told.index(own[0]) :]
    missing = [text for text in case.fault.says if text not in message]
    assert missing == [], told
    assert re.search(r"\[HF\d{3}, see ", message)
    assert status in case.fault.status, told


def assert_went_on(arena: Arena, case: Case, told: str) -> None:
    """What is left is what a run on only that gives, and exactly the rest is lost."""
    fault = case.fault
    report = json.loads((arena.folder / "out" / "report" / "run.json").read_text())
    lost = [
        (Path(one["file"]).name, one["entrystart"], one["entrystop"]) for one in report["losses"]
    ]
    assert sorted(lost) == sorted(fault.lost), told
    assert {one["stage"] for one in report["losses"]} == {fault.stage}
    assert "execution.on_missing is" in told
    if case.policy == "drop_dataset":
        assert report["remarks"] == ["without signal"]
        return
    assert any("% of simulation" in remark for remark in report["remarks"])
    _assert_close(templates(arena.folder), arena, fault.remains, fault)


def _assert_close(
    found: Mapping[str, Any], arena: Arena, what: str, fault: Fault, *, exact: bool = False
) -> None:
    expected = _references_of(arena, what, fault)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        tolerance = 0.0 if exact else 1e-12
        np.testing.assert_allclose(
            values, expected[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


def _references_of(arena: Arena, what: str, fault: Fault) -> dict[str, Any]:
    found: dict[str, Any] = arena.reference(_plain_words(fault), what)["templates"]
    return found


def _plain_words(fault: Fault) -> tuple[str, ...]:
    """Words that bear on results."""
    return tuple(word for word in fault.words if "max_retries" not in word)


def assert_ended_as_it_may(arena: Arena, case: Case, status: int, told: str) -> None:
    fault = case.fault
    if fault.ends == "dies":
        assert status == -signal.SIGKILL, told
    elif fault.ends == "interrupted":
        assert status == 130, told
        assert [line for line in told.splitlines() if "hepflow: " in line] == [INTERRUPTED]
        assert "Traceback" not in told
    elif fault.ends == "completes":
        assert status == 0, told
        what = "sick" if fault.sick else ""
        _assert_close(templates(arena.folder), arena, what, fault, exact=not fault.repartitioned)
    elif case.policy == "fail" or not fault.lost:
        assert_refused(case, status, told)
    else:
        assert status == 0, told
        assert_went_on(arena, case, told)


def assert_nothing_is_half_written(arena: Arena, case: Case) -> None:
    assert arena.survivors() == []
    if not case.fault.damages:
        assert broken_files(arena.folder) == []


def assert_the_next_run_completes(arena: Arena, case: Case, expected: dict[str, Any]) -> None:
    """Without a clean-up, and with all that a run gives which nothing happened to."""
    words = _plain_words(case.fault)
    arena.complete(*words)
    aside = {"templates", "report/rates.json"}  # compared as results; how fast the stages were
    found = differences(results(arena.folder), expected)
    assert [name for name in found if name not in aside] == []
    assert broken_files(arena.folder) == []
    assert leftovers(arena.folder) == []
    out = arena.folder / "out"
    places = Places(arena.folder / "cache", out, out / "metadata", out / "skimmed")
    assert verify(places).damaged == ()


def _of_each_run(number: int) -> tuple[Any, ...]:
    """Marks: a third of the cases is in each run of the tests, the rest in the nightly one."""
    return () if number % 3 == 0 else (pytest.mark.nightly,)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=_of_each_run(n)) for n, case in enumerate(cases())],
)
def test_a_fault_does_no_harm(arena, case):
    fault = case.fault
    expected = arena.reference(_plain_words(fault))
    for what in {fault.remains, "sick" if fault.sick else ""}:
        _references_of(arena, what, fault)  # made in the same folder
    arena.put()
    with contextlib.ExitStack() as stack:
        if fault.disk:
            name, size = fault.disk
            stack.enter_context(small_disk(arena.folder / name, size))
        variables = _prepare(arena, case)
        run = arena.start(*_words(arena, case), **variables)
        status = run.status(PATIENCE)
        assert_ended_as_it_may(arena, case, status, run.told())
        assert_nothing_is_half_written(arena, case)
        arena.repair()
        assert_the_next_run_completes(arena, case, expected)


def test_the_matrix_has_all_kinds_stages_and_executors():
    known = cases()
    assert 75 <= len(known) <= 110
    assert len({case.name for case in known}) == len(known)
    assert {case.executor for case in known} == {"inprocess", "loky", "dask"}
    stages = {"metadata", "skim", "duplicates", "histograms", "normalisation", "statistics"}
    assert {fault.stage for fault in FAULTS} == {*stages, "plots"}
