"""Ctrl-C and killed processes: one clear line, nothing half-written, and the next run goes on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.pipeline.projects import (
    Here,
    assert_same_templates,
    assert_skim_is_whole,
    end,
    made,
    parts,
    processes_of,
    run,
    start,
    templates,
    wait_until,
    workers_of,
    write_project,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
# Twenty parts, so that there is time.
WORDS = ("--general.run_statistics=false", "--preprocess.skimming.chunk_size=200")
SLOW_SKIM = {"SLOW_SKIM": "0.1"}
SLOW_FILL = {"SLOW_FILL": "0.1"}


def filled(folder: Path) -> list[Path]:
    """Parts of the histograms."""
    return list((folder / "cache" / "histograms" / "parts").glob("*.pkl"))


def no_process_is_left(folder: Path) -> bool:
    return not processes_of(folder)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Histograms of a run that nothing happened to."""
    folder = write_project(tmp_path_factory.mktemp("uninterrupted"))
    done = run(folder, *WORDS)
    assert done.returncode == 0, done.stderr
    return templates(folder)


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    write_project(tmp_path)
    return Here(tmp_path, monkeypatch, capsys)


def assert_the_next_run_completes(here: Here, expected) -> dict[str, tuple[int, ...]]:
    for path in parts(here.folder):
        from hepflow.storage import read_part

        read_part(path)  # whole, or there would be an error
    status, told = here.run(*WORDS)
    assert status == 0, told
    assert_same_templates(templates(here.folder), expected)
    assert_skim_is_whole(here.folder)
    assert list(here.folder.rglob("*.tmp")) == []
    return made(told)


@pytest.mark.parametrize("group", [True, False], ids=["group", "client"])
@pytest.mark.parametrize(("slow", "stage"), [(SLOW_SKIM, parts), (SLOW_FILL, filled)])
def test_ctrl_c(here, uninterrupted, group, slow, stage):
    process = start(here.folder, *WORDS, **slow)
    wait_until(lambda: len(stage(here.folder)) >= 3)
    status, told = end(process, signal.SIGINT, group=group)
    kept = len(stage(here.folder))
    assert status == 130
    assert "Traceback" not in told
    assert told.splitlines()[-1] == (
        "hepflow: interrupted. What was finished is kept; the same command goes on from there."
    )
    wait_until(lambda: no_process_is_left(here.folder), 5.0)
    assert len(stage(here.folder)) == kept < 20
    again = assert_the_next_run_completes(here, uninterrupted)
    assert again["skim" if stage is parts else "histograms"] == (20, 20 - kept)


def test_ctrl_c_while_workers_start(here, uninterrupted):
    process = start(here.folder, *WORDS)
    wait_until(lambda: workers_of(here.folder, process.pid))
    status, told = end(process, signal.SIGINT, group=True)
    assert status == 130
    assert "Traceback" not in told
    assert "KeyboardInterrupt\n" not in told
    wait_until(lambda: no_process_is_left(here.folder), 5.0)
    assert_the_next_run_completes(here, uninterrupted)


@pytest.mark.parametrize(("slow", "stage"), [(SLOW_SKIM, parts), (SLOW_FILL, filled)])
def test_a_killed_client(here, uninterrupted, slow, stage):
    process = start(here.folder, *WORDS, **slow)
    wait_until(lambda: len(stage(here.folder)) >= 3)
    status, _ = end(process, signal.SIGKILL)
    assert status == -signal.SIGKILL
    wait_until(lambda: no_process_is_left(here.folder), 5.0)
    kept = len(stage(here.folder))
    again = assert_the_next_run_completes(here, uninterrupted)
    assert again["skim" if stage is parts else "histograms"] == (20, 20 - kept)


@pytest.mark.parametrize(("slow", "stage"), [(SLOW_SKIM, parts), (SLOW_FILL, filled)])
def test_a_killed_worker_costs_nothing_but_time(here, uninterrupted, slow, stage):
    process = start(here.folder, *WORDS, **slow)
    wait_until(lambda: len(stage(here.folder)) >= 3)
    os.kill(workers_of(here.folder, process.pid)[0], signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "a worker process died" in told
    assert "Traceback" not in told
    assert_same_templates(templates(here.folder), uninterrupted)
    assert_skim_is_whole(here.folder)
    wait_until(lambda: no_process_is_left(here.folder), 5.0)


def test_temporaries_of_a_killed_process_count_for_nothing(here, uninterrupted):
    status, told = here.run(*WORDS)
    assert status == 0, told
    part = parts(here.folder)[0]
    content = part.read_bytes()
    part.unlink()
    half = part.with_name(f".{part.name}.{os.uname().nodename.replace('-', '_')}-999999999-0.tmp")
    half.write_bytes(content[:100])
    again = assert_the_next_run_completes(here, uninterrupted)
    assert again["skim"] == (20, 1)
