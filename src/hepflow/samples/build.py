"""Make a sample once and reuse it; what was finished before an interruption is kept."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import StorageError, WorkerLost
from hepflow.samples import datataking, generate, truth
from hepflow.samples.corrections import write_corrections
from hepflow.samples.layout import DatasetInfo, SampleLayout, describe_sample
from hepflow.samples.write import write_file
from hepflow.storage import (
    atomic_write,
    private_folder,
    read_json,
    remove_stale_temporaries,
    sha256_file,
    write_json,
)

Progress = Callable[[int, int, str], None]  # files finished, files in all, name of the last one
SMALL = 60_000  # events below which a second process costs more than it brings
MADE_BY = "hepflow.samples.ensure_sample"


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make."""

    path: Path
    dataset: str
    index: int
    files: int  # of the dataset
    events: int | None  # of the dataset; None for data
    luminosity: float  # [1/pb]
    sample: tuple[int, int]  # seed and events asked


def ensure_sample(
    folder: str | Path,
    events: int = truth.DEFAULT_EVENTS,
    seed: int = truth.DEFAULT_SEED,
    progress: Progress | None = None,
    workers: int | None = None,
) -> SampleLayout:
    """Make the built-in sample unless it is there already.

    Parameters
    ----------
    folder : where samples are kept; each size and seed has its own folder in it
    events : number of events in all, at least 1000
    seed : of the random numbers; the same seed gives the same events, whatever the workers
    progress : called with (files finished, files in all, name) after each file
    workers : number of processes; default one for small samples, else two

    Returns
    -------
    Where everything lies, as `describe_sample` says.

    Raises
    ------
    InputError
        Too few events to make a sample of.
    StorageError
        The folder cannot be written.
    """
    layout = describe_sample(folder, events, seed)
    if is_whole(layout):
        return layout
    private_folder(folder)  # it may be the first below the user's cache folder
    with _locked(layout.root):
        if not is_whole(layout):  # another process may have finished it meanwhile
            _build(layout, progress, workers)
    return layout


def is_whole(layout: SampleLayout) -> bool:
    """Whether every file is there with the size it was written with."""
    return layout.manifest.is_file() and not _changed(layout)


def _changed(layout: SampleLayout) -> list[Path]:
    """Return the files of the manifest that are missing or have another size."""
    listed: Mapping[str, Mapping[str, Any]] = read_json(layout.manifest, MADE_BY)["files"]
    wrong = []
    for name, entry in listed.items():
        path = layout.root / name
        if not path.is_file() or path.stat().st_size != entry["size"]:
            wrong.append(path)
    return wrong


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one process at a time make the sample; the lock ends with the process."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise StorageError(
            f"the built-in sample cannot be made in {root}: {error.strerror or error}. "
            "Choose a folder that can be written."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _build(layout: SampleLayout, progress: Progress | None, workers: int | None) -> None:
    if layout.manifest.is_file():
        for path in _changed(layout):
            path.unlink(missing_ok=True)
        layout.manifest.unlink()
    for info in layout.datasets.values():
        remove_stale_temporaries(info.directory) if info.directory.is_dir() else None
    jobs = [job for info in layout.datasets.values() for job in _jobs(layout, info)]
    missing = [job for job in jobs if not job.path.is_file()]
    if workers is None:
        workers = 1 if layout.requested_events < SMALL else 2
    done = len(jobs) - len(missing)
    for count, name in enumerate(_run(missing, workers), start=done + 1):
        if progress is not None:
            progress(count, len(jobs), name)
    _write_sidecars(layout)
    _write_manifest(layout)


def _jobs(layout: SampleLayout, info: DatasetInfo) -> list[Job]:
    return [
        Job(
            path=path,
            dataset=info.name,
            index=index,
            files=len(info.files),
            events=info.events,
            luminosity=layout.luminosity,
            sample=(layout.seed, layout.requested_events),
        )
        for index, path in enumerate(info.files)
    ]


def make_file(job: Job) -> str:
    """Make one file and return its name. Runs in a worker."""
    rng = generate.generator(job.sample, job.dataset, job.index)
    data = job.events is None
    if job.events is None:
        events = generate.record(job.luminosity, job.index, job.files, rng)
    else:
        size = len(np.array_split(np.empty(job.events, dtype=np.int8), job.files)[job.index])
        events = generate.simulate(job.dataset, size, job.index, rng)
    try:
        write_file(job.path, events, data=data)
    except OSError as error:
        raise StorageError(
            f"{job.path} cannot be written: {error.strerror or error}. "
            "Free some space, or choose another folder."
        ) from error
    return job.path.name


def end_with_parent() -> None:
    """Watch the parent from a worker: one that was killed cannot stop its workers."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(jobs: list[Job], workers: int) -> Iterator[str]:
    """Yield the names of the files as they are finished."""
    if workers <= 1 or len(jobs) <= 1:
        yield from map(make_file, jobs)
        return
    from concurrent.futures import as_completed

    from loky import get_reusable_executor
    from loky.process_executor import BrokenProcessPool

    executor = get_reusable_executor(max_workers=workers, initializer=end_with_parent)
    futures = [executor.submit(make_file, job) for job in jobs]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise WorkerLost(
            "a process that makes the built-in sample died; it may have run out of memory. "
            "The finished files are kept: run it again, or with one worker."
        ) from error
    except BaseException:
        # An interrupted user does not want to wait for files that nobody will look at.
        executor.shutdown(wait=False, kill_workers=True)
        raise


def _write_sidecars(layout: SampleLayout) -> None:
    write_corrections(next(iter(layout.corrections.values())).parent)
    write_json(layout.golden_json, datataking.certified_list())
    write_json(layout.truth, truth.as_dict(layout.requested_events, layout.seed))
    for info in layout.datasets.values():
        lines = [os.path.relpath(path, info.listing.parent) for path in info.files]
        atomic_write(info.listing, "\n".join(lines) + "\n")


def _write_manifest(layout: SampleLayout) -> None:
    files = [path for info in layout.datasets.values() for path in (*info.files, info.listing)]
    files += [*layout.corrections.values(), layout.golden_json, layout.truth]
    content = {
        "version": truth.VERSION,
        "events": layout.requested_events,
        "seed": layout.seed,
        "files": {
            path.relative_to(layout.root).as_posix(): {
                "size": path.stat().st_size,
                "sha256": sha256_file(path),
            }
            for path in files
        },
    }
    write_json(layout.manifest, content)
