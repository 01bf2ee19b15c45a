"""What goes wrong in a run, and when: called in the process of the run, at the begin of a stage."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.forks import command_line, processes_with
from tests.pipeline.fault_project import (
    CHUNK,
    SICK_MET,
    TARGET,
    columns_of,
    write_events,
    write_weights,
)

VARIABLE = "HEPFLOW_FAULT"  # [moment, outcomes before, action, arguments] as JSON
CLUSTER_MARK = "HEPFLOW_FAULT_CLUSTER"  # in the environment of a cluster: its folder
LABELS = {  # stages whose work is mapped over items
    "metadata": "reading metadata",
    "skim": "skimming",
    "duplicates": "looking for repeated events",
    "histograms": "filling histograms",
    "plots": "drawing",
}
CALLS = {  # stages that the client does by itself
    "normalisation": "hepflow.analysis.results.write_cutflows",
    "statistics": "hepflow.analysis.results.run_statistics",
}
_DAC_OVERRIDE, _DAC_READ_SEARCH, _DROP_BOUND = 1, 2, 24  # of linux/capability.h, prctl.h
_VERSION = 0x20080522  # of capget and capset
_IEND = b"IEND\xaeB`\x82"


def run(words: Sequence[str]) -> int:
    """Run the chain in the forked process, with what goes wrong in it; exit status."""
    from hepflow.cli import main_for

    drop_capabilities()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    fault = os.environ.get(VARIABLE)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("hepflow.analysis.drawing.write_figure", write_figure))
        if fault:
            stack.enter_context(_struck(*json.loads(fault)))
        return main_for(config="mine:config", argv=list(words), prog="python analysis.py")


def write_figure(task: Any) -> list[Path]:
    """A picture that costs nothing but room."""
    from hepflow.storage import atomic_write

    path = Path(task.folder) / f"{task.name}.png"
    atomic_write(path, repr(task.content).encode() + bytes(20_000) + _IEND)
    return [path]


def drop_capabilities() -> None:
    """Let permissions count for root, too, as they do for everybody else."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for number in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        libc.prctl(_DROP_BOUND, number, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice for 64 bits
    libc.capget(header, sets)
    for i in range(3):
        sets[i] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    libc.capset(header, sets)


# -- when ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _struck(moment: str, after: int, name: str, arguments: Sequence[Any]) -> Iterator[None]:
    """Do something once at a moment of the run."""
    left = [1]

    def strike() -> None:
        if left:
            left.clear()
            globals()[name](Path.cwd(), *arguments)

    if moment in LABELS:
        with _in_map(LABELS[moment], after, strike):
            yield
    else:
        with _around_call(CALLS[moment], after, strike):
            yield


@contextlib.contextmanager
def _in_map(label: str, after: int, strike: Callable[[], None]) -> Iterator[None]:
    from hepflow.execution.retrying import RetryingExecutor

    original = RetryingExecutor.map

    def counted(outcomes: Iterator[Any]) -> Iterator[Any]:
        for number, outcome in enumerate(outcomes, start=1):
            if number == after:
                strike()
            yield outcome

    def patched(self: Any, function: Any, items: Any, *, label: str, **more: Any) -> Any:
        if label != wanted:
            return original(self, function, items, label=label, **more)
        if not after:
            strike()
        return counted(original(self, function, items, label=label, **more))

    wanted = label
    with mock.patch.object(RetryingExecutor, "map", patched):
        yield


@contextlib.contextmanager
def _around_call(target: str, after: int, strike: Callable[[], None]) -> Iterator[None]:
    from hepflow.analysis import results

    name = target.rpartition(".")[2]
    original = getattr(results, name)

    def patched(*arguments: Any, **more: Any) -> Any:
        if not after:
            strike()
        found = original(*arguments, **more)
        strike()
        return found

    with mock.patch(target, patched):
        yield


# -- input files -----------------------------------------------------------------------------


def remove(folder: Path, name: str = TARGET) -> None:
    (folder / name).unlink()


def truncate(folder: Path, name: str = TARGET) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def corrupt(folder: Path, branch: str, name: str = TARGET, basket: int = 2) -> None:
    """Change bytes in one basket of a branch, and leave the rest of the file as it is."""
    import uproot

    with uproot.open(folder / name) as file:
        own = file["Events"][branch]
        start = int(own.member("fBasketSeek")[basket])
        size = int(own.member("fBasketBytes")[basket])
    with (folder / name).open("r+b") as raw:
        raw.seek(start + size - 60)
        bad = bytes(one ^ 0x5A for one in raw.read(40))
        raw.seek(start + size - 60)
        raw.write(bad)


def rename_tree(folder: Path, name: str = TARGET) -> None:
    write_events(folder / name, columns_of(name), tree="Evts")


def retype(folder: Path, branch: str, kind: str, name: str = TARGET) -> None:
    """Write a branch with values of another type."""
    import awkward as ak
    import numpy as np

    columns = columns_of(name)
    length = len(columns["MET_pt"])
    kinds: dict[str, Callable[[], Any]] = {
        "text": lambda: ak.Array(["a", "bc"] * (length // 2)),
        "lists": lambda: ak.values_astype(ak.Array([[1.0, 2.0]] * length), np.float32),
        "numbers": lambda: np.full(length, 50.0, np.float32),
    }
    ends = [0, CHUNK - 1, CHUNK, length - 1]  # of work items: these pass what comes before
    columns["MET_pt"][ends], columns["HLT_Mu50"][ends] = 50.0, True
    write_events(folder / name, {**columns, branch: kinds[kind]()})


def other_events(folder: Path, name: str = TARGET) -> None:
    write_events(folder / name, columns_of(name, seed=7))


def heat(folder: Path, name: str = TARGET) -> None:
    """Let all events of a work item be such that functions refuse them."""
    columns = columns_of(name)
    columns["MET_pt"][CHUNK:] = SICK_MET
    write_events(folder / name, columns)


def deny(folder: Path, name: str = TARGET) -> None:
    (folder / name).chmod(0)


# -- corrections, parts, what is kept --------------------------------------------------------


def other_weights(folder: Path) -> None:
    write_weights(folder, low=0.5)


def narrow_weights(folder: Path) -> None:
    write_weights(folder, last=40.0)


def damage(folder: Path, pattern: str, how: str) -> None:
    """Damage the first file that a pattern names."""
    path, *others = sorted(folder.glob(pattern))
    content = path.read_bytes()
    if how == "remove":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif how == "corrupt":  # of the same size
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 0x5A]) + content[middle + 1 :])
    else:  # another whole one in its place
        shutil.copy(others[0], path)


# -- room and permission ---------------------------------------------------------------------


def close_folder(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name).chmod(0o500)


def fill_disk(folder: Path, name: str, left: int) -> None:
    """Leave only so many bytes free in a file system."""
    status = os.statvfs(folder / name)
    with (folder / name / "ballast").open("wb") as file:
        file.write(bytes(max(status.f_bavail * status.f_frsize - left, 0)))


def limit_files(folder: Path, largest: int) -> None:
    """Let writing fail where a file gets too large, as with a quota."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    anything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    atexit.register(resource.setrlimit, resource.RLIMIT_FSIZE, anything)  # coverage writes then
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))


# -- processes -------------------------------------------------------------------------------


def kill(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt(folder: Path) -> None:
    """Ctrl-C: a signal to all processes of the group."""
    os.killpg(os.getpgid(0), signal.SIGINT)


def kill_worker(folder: Path, executor: str, cluster: str) -> None:
    end = time.monotonic() + 30.0
    while not (found := workers(folder, executor, cluster)):
        if time.monotonic() > end:
            raise TimeoutError("there is no worker to kill")
        time.sleep(0.01)
    os.kill(found[0], signal.SIGKILL)


def workers(folder: Path, executor: str, cluster: str) -> list[int]:
    """Ids of the processes that work for a run in a folder, or of a cluster."""
    if executor == "dask":
        found = processes_with(f"{CLUSTER_MARK}={cluster}")
        return [pid for pid in found if "spawn_main" in command_line(pid)]
    found = processes_with(f"HEPFLOW_CACHE_DIR={folder / 'cache'}")
    words = {pid: command_line(pid) for pid in found if pid != os.getpid()}
    return [pid for pid, one in words.items() if "loky" in one and "tracker" not in one]
