"""A small analysis folder as a user would have it, and commands run in it as processes."""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
# 400 events a work item: 2 of the signal, 4 of the background, 4 of data.
FILES = dict.fromkeys(("signal_0", "background_0", "background_1", "data_0", "data_1"), 800)
PARTS = 10

# The user's module: copied to the folder as `mine`, never imported from here.
MODULE = (Path(__file__).parent / "small.py").read_text(encoding="utf-8")


@functools.cache
def _inputs() -> Path:
    """Input files, written once a process."""
    from tests.builders import scale_node, toy_columns, write_corrections, write_nano

    folder = Path(tempfile.mkdtemp(prefix="inputs-", dir=os.environ.get("HEPFLOW_CACHE_DIR")))
    for seed, (name, events) in enumerate(FILES.items()):
        columns = toy_columns(events, seed, data=name.startswith("data"))
        if name.startswith("signal"):
            columns["MET_pt"] = columns["MET_pt"] * np.float32(2.5)
        write_nano(folder / f"{name}.root", columns)
    for process in ("signal", "background", "data"):
        names = sorted(f"{name}.root" for name in FILES if name.startswith(process))
        (folder / f"{process}.txt").write_text("\n".join(names) + "\n")
    values = {"nominal": [0.9, 1.1], "up": [1.0, 1.2], "down": [0.8, 1.0]}
    node = scale_node("pu", "x", [0.0, 30.0, 60.0], values, "error")
    write_corrections(folder / "pileup.json", node)
    return folder


def write_project(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the analysis into `folder`; each change replaces a text of its module."""
    shutil.copytree(_inputs(), folder, dirs_exist_ok=True)
    (folder / "mine.py").write_text(changed(MODULE, *changes))
    return folder


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Replace texts that must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


# -- processes -------------------------------------------------------------------------------


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Variables of a process in `folder`: a cache of its own, plain and wide output."""
    own = {"HEPFLOW_CACHE_DIR": str(folder / "cache"), "COLUMNS": "200", "NO_COLOR": "1"}
    # A module that is edited twice within a second would keep its old bytecode.
    return {**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1", **more}


def command(*words: str) -> list[str]:
    """``python analysis.py`` with the configuration of the folder it is started in."""
    return [sys.executable, str(ROOT / "analysis.py"), "--config=mine:config", *words]


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``python analysis.py`` in a folder."""
    return run_command(folder, command(*words), **variables)


def run_command(
    folder: Path, words: list[str], *, stdin: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and wait for its end."""
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(folder, **variables),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def start(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Start ``python analysis.py`` in a process group of its own, as a shell does."""
    return subprocess.Popen(
        command(*words),
        cwd=folder,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for something to become true; what it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def processes_of(folder: Path) -> list[int]:
    """Ids of the living processes that were started with `environment` of this folder."""
    mark = f"HEPFLOW_CACHE_DIR={folder / 'cache'}".encode()
    return [pid for pid, variables in _environments() if mark in variables.split(b"\0")]


def _environments() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield int(path.parent.name), path.read_bytes()  # empty for a process that has ended
        except OSError:
            continue


def workers_of(folder: Path, client: int) -> list[int]:
    """Ids of the processes that work for a client."""
    found = [pid for pid in processes_of(folder) if pid != client]
    return [pid for pid in found if b"loky" in _words(pid) and b"tracker" not in _words(pid)]


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def end(process: subprocess.Popen[str], how: signal.Signals, *, group: bool = False) -> tuple:
    """Send a signal to a process or to its group; exit status and what it wrote on stderr."""
    if group:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, told = process.communicate(timeout=60)
    return process.returncode, told


# -- in this process -------------------------------------------------------------------------


class Here:
    """Runs in a project within this process: no Python to start, messages to look at.

    Parameters
    ----------
    folder
        Holds the project.
    monkeypatch, capsys
        Those of pytest.
    """

    def __init__(self, folder: Path, monkeypatch: Any, capsys: Any) -> None:
        self.folder = folder
        self.capsys = capsys
        self.out = ""  # what the last run wrote on standard output
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        monkeypatch.setenv("HEPFLOW_CACHE_DIR", str(folder / "cache"))
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.delenv("HEPFLOW_DEBUG", raising=False)

    def run(self, *words: str, statistics: bool = False) -> tuple[int, str]:
        """Run the chain; its exit status and what it wrote on standard error."""
        from hepflow.cli import main_for

        sys.modules.pop("mine", None)
        importlib.invalidate_caches()
        wanted = f"--general.run_statistics={str(statistics).lower()}"
        argv = ["--execution.backend=inprocess", wanted, *words]
        status = main_for(
            config="mine:config", analysis="analysis.nondiff:NonDiffAnalysis", argv=argv
        )
        sys.modules.pop("mine", None)
        self.out, told = self.capsys.readouterr()
        return status, told


# -- what is there ---------------------------------------------------------------------------


def parts(folder: Path, output: str = "out") -> list[Path]:
    """Parts of the skim."""
    return sorted((folder / output / "skimmed").rglob("*.pkl"))


def assert_skim_is_whole(folder: Path) -> None:
    """Every part is listed in its manifest and can be read; nothing else lies there."""
    from hepflow.storage import read_part

    for manifest in (folder / "out" / "skimmed").rglob("manifest.json"):
        known = {one["name"]: one for one in json.loads(manifest.read_text())["parts"]}
        names = {path.name for path in manifest.parent.iterdir()} - {manifest.name}
        found = {name for name in names if not name.endswith(".tmp")}  # of a killed worker
        assert found == set(known)
        for name, one in known.items():
            events = read_part(manifest.parent / name)["events"]
            assert events["length"] == one["n_selected"]


def templates(folder: Path, output: str = "out") -> dict[str, np.ndarray]:
    """All histograms, with variances and flow, by name.

    Axes: observable, process, variation, and last (value, variance).
    """
    from hepflow.histograms import read_histograms

    found = read_histograms(folder / output / "histograms" / "histograms.zip")
    return {
        f"{channel}/{name}": np.asarray(found.hist(channel, name).view(flow=True).tolist())
        for channel in found.channels
        for name in found.observables(channel)
    }


def assert_same_templates(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    """Histograms that are equal to the last bit."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def stamps(folder: Path) -> dict[str, int]:
    """Time of the last change [ns] of each file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def made(told: str) -> dict[str, tuple[int, ...]]:
    """Numbers that the log tells of each stage: parts of skim, filling, figures."""
    found = {}
    for stage in ("skim", "histograms", "plots"):
        match = re.search(rf"{stage}: (\d+) (?:parts|figures), (\d+)", told)
        if match:
            found[stage] = tuple(int(number) for number in match.groups())
    return found
