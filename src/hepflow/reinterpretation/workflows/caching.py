"""Finished steps are kept: what they ran, on which content, and what they left."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import logging
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.errors import HepflowError, InputError, StorageError
from hepflow.reinterpretation.workflows.commands import Verbatim
from hepflow.reinterpretation.workflows.selecting import Job
from hepflow.storage import (
    atomic_write,
    read_json,
    safe_join,
    sha256_bytes,
    sha256_file,
    write_json,
)

_log: Final = logging.getLogger(__name__)
_VERSION: Final = 1
_MOST_FILES: Final = 10_000  # of a folder that a value names
_MADE_BY: Final = "hepflow workflow run"


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a finished step."""

    key: str
    published: Any
    outputs: Mapping[str, str]  # SHA-256 of each file in the step's folder
    seconds: float
    command: str = ""  # without credentials
    version: int = _VERSION


@dataclass(slots=True)
class Store:
    """The folder of a run: one folder a step, ``logs``, and the records of finished steps."""

    workdir: Path
    lock: int  # file descriptor; handed to the steps, so that one left behind keeps the lock
    _digests: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def folder(self, job: Job) -> Path:
        """Folder in which a step runs."""
        return safe_join(self.workdir, job.name)

    def log(self, job: Job) -> Path:
        """Where what a step says is kept."""
        return safe_join(self.workdir, "logs", f"{job.name}.log")

    def key(self, job: Job, command: str) -> str:
        """Digest of all that decides what a step makes."""
        process = job.stage.process
        content = {
            "version": _VERSION,
            "command": command,
            "interpreter": process.interpreter if process else None,
            "publisher": {"kind": job.stage.publisher.kind, **job.stage.publisher.content},
            "parameters": _plain(job.parameters),
            "inputs": self._inputs(job, command),
        }
        return sha256_bytes(json.dumps(content, sort_keys=True, default=str).encode())

    def find(self, job: Job, key: str) -> tuple[Record | None, str]:
        """The record of a step that need not run again, or else why it must."""
        path = self._record(job)
        if not path.exists():
            return None, "it has not finished before"
        try:
            content = read_json(path, _MADE_BY)
            record = Record(**content)
        except (HepflowError, TypeError):
            return None, "its record can't be read"
        if record.version != _VERSION or record.key != key:
            return None, "its command or its inputs have changed"
        changed = self._changed(self.folder(job), record.outputs)
        return (None, f"{changed} was changed since") if changed else (record, "")

    def begin(self, job: Job) -> Path:
        """Make the empty folder of a step; what an earlier run of it left is removed.

        Raises
        ------
        InputError
            A folder of that name is there, and no run of a workflow has made it.
        """
        folder, record = self.folder(job), self._record(job)
        begun = record.with_suffix(".begun")
        if folder.exists() and not (record.exists() or begun.exists()):
            raise InputError(
                f"{folder} is there, and not from a run of a workflow: nothing in it is touched. "
                "Give another --workdir."
            )
        try:
            atomic_write(begun, "")
            record.unlink(missing_ok=True)
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            self.log(job).parent.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {folder} anew: {error.strerror}.") from error
        return folder

    def keep(self, job: Job, key: str, published: Any, seconds: float, command: str) -> Record:
        """Write down that a step has finished."""
        folder = self.folder(job)
        outputs = {name: self._digest(path) for name, path in _files(folder)}
        record = Record(key, _plain(published), outputs, round(seconds, 3), command)
        write_json(self._record(job), record)
        self._record(job).with_suffix(".begun").unlink(missing_ok=True)
        return record

    def _record(self, job: Job) -> Path:
        return safe_join(self.workdir, "_hepflow", f"{job.name}.json")

    def _changed(self, folder: Path, outputs: Mapping[str, str]) -> str:
        """Name of a file that is not as the step left it; empty where all are."""
        found = dict(_files(folder))
        if missing := sorted(set(outputs) - set(found)):
            return missing[0]
        return next((n for n, one in outputs.items() if self._digest(found[n]) != one), "")

    def _inputs(self, job: Job, command: str) -> dict[str, str]:
        """Digests of files that a step reads, as far as its values and its command name them."""
        own = self.folder(job)
        found = {}
        named = [Path(text) for text in _texts(job.parameters) if "\0" not in text]
        for path in (*named, *_words(command)):
            if not path.is_absolute() or path.is_relative_to(own) or not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a long text
                continue
            if path.is_file():
                found[str(path)] = self._digest(path)
            elif path.is_dir() and path in named:
                found.update(self._below(path))
        return found

    def _below(self, folder: Path) -> dict[str, str]:
        """Digests of the files in a folder, unless they are more than can be followed."""
        inside = folder.is_relative_to(self.workdir)
        files = (one for _, one in _files(folder) if inside or not one.is_relative_to(self.workdir))
        some = list(itertools.islice(files, _MOST_FILES + 1))
        if len(some) > _MOST_FILES:
            _log.warning(
                "%s has more than %d files: changes in it do not run a step again.",
                folder,
                _MOST_FILES,
            )
            return {}
        return {str(one): self._digest(one) for one in some}

    def _digest(self, path: Path) -> str:
        status = path.stat()
        stamp = (str(path), status.st_size, status.st_mtime_ns)
        if stamp not in self._digests:
            self._digests[stamp] = sha256_file(path)
        return self._digests[stamp]


@contextlib.contextmanager
def opened(workdir: Path) -> Iterator[Store]:
    """Give the folder of a run to one run at a time.

    Raises
    ------
    InputError
        Another run, or a step that one left behind, works in it.
    StorageError
        It can't be made.
    """
    workdir = workdir.absolute().resolve()
    try:
        (workdir / "_hepflow").mkdir(parents=True, exist_ok=True)
        lock = os.open(workdir / "_hepflow" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"cannot work in {workdir}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"another run, or a step that it left behind, works in {workdir}. Wait for it, or "
                "give another --workdir."
            ) from error
        yield Store(workdir, lock)
    finally:
        os.close(lock)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Regular files below a folder, each with its name in it."""
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            one = Path(path, name)
            if one.is_file():
                yield str(one.relative_to(folder)), one


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _words(command: str) -> list[Path]:
    """Absolute paths that a command names itself, such as a script."""
    try:
        words = shlex.split(command)
    except ValueError:  # a here-document, or what only the interpreter knows
        words = command.split()
    return [Path(word) for word in words if word.startswith("/")]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.text if isinstance(value, Verbatim) else value
