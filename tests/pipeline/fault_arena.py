"""Where the cases of the matrix of faults happen: a folder, runs in it, a cluster, a small disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.forks import Child, Nursery, Request, command_line, processes_with
from benchmarks.whole import results
from tests.pipeline.fault_actions import CLUSTER_MARK
from tests.pipeline.fault_project import (
    BASKET,
    SICK,
    TARGET,
    columns_of,
    sick_columns,
    without_entries,
    write_events,
    write_fault_project,
    write_listing,
)
from tests.pipeline.projects import ROOT, templates

PLAIN = ("--execution.backend=inprocess", "--general.run_statistics=false")
PATIENCE = 120.0  # [s] for a run of a second


def _sick(folder: Path) -> None:
    write_events(folder / TARGET, sick_columns(TARGET))


def _without_file(folder: Path) -> None:
    write_listing(folder, "signal", ["signal_0"])


def _without_sick(folder: Path) -> None:
    write_events(folder / TARGET, without_entries(sick_columns(TARGET), SICK, SICK + 1))


def _without_basket(folder: Path) -> None:
    left = without_entries(columns_of(TARGET), 2 * BASKET, 3 * BASKET)
    write_events(folder / TARGET, left)


INPUTS: Mapping[str, Callable[[Path], None]] = {
    "": lambda _: None,
    "sick": _sick,
    "without file": _without_file,
    "without sick": _without_sick,
    "without basket": _without_basket,
}


class Arena:
    """One folder in which all cases happen, so that all that runs write can be compared.

    Parameters
    ----------
    root
        Folder for all of it.
    nursery
        Starts runs.
    scheduler
        Address of a Dask scheduler.
    """

    def __init__(self, root: Path, nursery: Nursery, scheduler: Callable[[], str]) -> None:
        self.root, self.nursery, self.scheduler = root, nursery, scheduler
        self.folder = root / "search"
        self.mark = f"HEPFLOW_CACHE_DIR={self.folder / 'cache'}"
        self._references: dict[tuple[str, ...], dict[str, Any]] = {}
        write_fault_project(root / "pristine")

    # -- the folder ---------------------------------------------------------------------------

    def put(self) -> None:
        """Let there be nothing but the project."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.root / "pristine", self.folder)
        (self.folder / "tmp").mkdir()

    def repair(self) -> None:
        """Put back what belongs to the user, open folders, and make room."""
        for path in (self.root / "pristine").iterdir():
            (self.folder / path.name).unlink(missing_ok=True)
            shutil.copy2(path, self.folder / path.name)
        for path in self.folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o700)
        for path in self.folder.glob("*/ballast"):
            path.unlink()
        (self.folder / "struck").unlink(missing_ok=True)

    # -- runs ---------------------------------------------------------------------------------

    def start(self, *words: str, **variables: str) -> Child:
        """Start the chain in a process of its own."""
        known = {
            "HEPFLOW_CACHE_DIR": str(self.folder / "cache"),
            "TMPDIR": str(self.folder / "tmp"),
            "COLUMNS": "200",
        }
        log = str(self.root / "log")
        call = "tests.pipeline.fault_actions:run"
        folder, known = str(self.folder), {**known, **variables}
        return self.nursery.start(Request(folder, (*PLAIN, *words), log, call, known))

    def complete(self, *words: str) -> None:
        """Run, and let nothing be in the way."""
        run = self.start(*words)
        assert run.status(PATIENCE) == 0, run.told()

    def reference(self, words: tuple[str, ...], what: str = "") -> dict[str, Any]:
        """Results of a run from nothing, and its histograms."""
        if (what, *words) not in self._references:
            self.put()
            INPUTS[what](self.folder)
            self.complete(*words)
            found = {**results(self.folder), "templates": templates(self.folder)}
            self._references[what, *words] = found
        return self._references[what, *words]

    def survivors(self) -> list[str]:
        """Processes of runs that go on although their client has ended."""
        until = time.monotonic() + 10.0
        while left := processes_with(self.mark):
            if time.monotonic() > until:
                return [command_line(pid) for pid in left]
            time.sleep(0.01)
        return []


@contextlib.contextmanager
def clusters(folder: Path) -> Iterator[Callable[[], str]]:
    """A cluster in a process of its own; what gives the address of one whose workers are there."""
    own = {
        CLUSTER_MARK: str(folder),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
    }
    with (
        (folder / "cluster.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.pipeline.fault_cluster"],
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        ) as process,
    ):

        def address() -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            found = process.stdout.readline().strip()
            assert found, (folder / "cluster.log").read_text()
            return found

        yield address


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a file system of so many bytes; the case is skipped where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(words, capture_output=True, check=False).returncode
    ):
        pytest.skip("a small file system needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
