"""File lists of the CERN Open Data portal.

The portal is asked through its own program, ``cernopendata-client``. That is published under the
GPLv3 and has no binary wheel, so it is an optional extra and is called as a program, never
imported.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hepflow.errors import FileListError
from hepflow.remote import shown
from hepflow.storage import atomic_write, private_folder, safe_join

_log = logging.getLogger(__name__)
PROGRAM = "cernopendata-client"
TIMEOUT = 300.0  # [s] for the answer about one record
_SHOWN = 200  # characters of the program's output that a message quotes
# No blank, which would end an entry of a listing, and no "#", which begins a comment there.
_LOCATION = re.compile(r"(?:root|https?)://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~+%=-]*)+")
_SUFFIX = ".root"


@dataclass(frozen=True, slots=True)
class Record:
    """A dataset of the portal."""

    recid: int  # opendata.cern.ch/record/<recid>
    path: str  # part of the location of each of its files: says that it is this dataset
    files: int | None = None  # how many it had when it was written down; None: not known
    protocol: Literal["xrootd", "http"] = "xrootd"  # of the locations

    def __str__(self) -> str:
        """Name for messages."""
        return f"CERN Open Data record {self.recid}"


def listing_of(record: Record, folder: str | Path) -> Path:
    """Path of the record's listing, whether it is there or not: a text file, one URL a line."""
    return safe_join(folder, f"{record.recid:d}-{record.protocol}.txt")


def fetch_listing(record: Record, folder: str | Path, *, timeout: float = TIMEOUT) -> Path:
    """Ask for the files of a record, unless its listing is there already.

    Parameters
    ----------
    record
        The dataset.
    folder
        Where listings are kept: a folder of the user's own, made if missing.
    timeout
        Time for the answer [s].

    Returns
    -------
    Path
        The listing; remove it to have the portal asked again.

    Raises
    ------
    FileListError
        If the program is missing, fails or takes too long, or if what it says is no list of
        the record's files.
    StorageError
        If the folder cannot be written or is not the user's own.
    """
    path = listing_of(record, private_folder(folder))
    if path.exists():
        try:
            _check(record, _entries(path))
        except FileListError as error:
            _log.warning("%s is not used, and the portal is asked again: %s", path, error)
        else:
            return path
    found = ask_portal(record, timeout=timeout)
    head = f"# {record}: {len(found)} files; remove this file to have the portal asked again"
    atomic_write(path, "\n".join([head, *found]) + "\n")
    _log.info("%s: %d files", record, len(found))
    return path


def ask_portal(record: Record, *, timeout: float = TIMEOUT) -> tuple[str, ...]:
    """Locations of the files of a record, sorted, as the portal's program gives them.

    Raises
    ------
    FileListError
        If the program is missing, fails or takes too long, or if what it says is no list of
        the record's files.
    """
    options = ["--recid", str(record.recid), "--protocol", record.protocol]
    answer = _run([_program(record), "get-file-locations", *options], record, timeout)
    found = [line.strip() for line in answer.splitlines() if line.strip()]
    _check(record, found)
    if record.files is not None and len(found) != record.files:
        _log.warning(
            "%s: number of files %d, expected %d. If data is not complete, it has less than the "
            "configured luminosity.",
            record,
            len(found),
            record.files,
        )
    return tuple(sorted(found))


def _program(record: Record) -> str:
    """Path of the program: on PATH, or beside the Python that runs this."""
    found = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=str(Path(sys.executable).parent))
    if found is None:
        raise FileListError(
            f"{record}: its list of files is not cached yet, and the program {PROGRAM} that asks "
            "the portal for it is not installed. Install it: pip install 'hepflow[opendata]'"
        )
    return found


def _run(command: Sequence[str], record: Record, timeout: float) -> str:
    """What the program writes on standard output."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the arguments are numbers and constants
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise FileListError(
            f"{record}: {PROGRAM} gave no answer within {timeout:g} s. "
            "Check the network and run it again; lists that are complete are kept."
        ) from error
    except OSError as error:
        raise FileListError(
            f"{record}: {command[0]} cannot be run: {error.strerror}. Install it again: "
            "pip install --force-reinstall cernopendata-client"
        ) from error
    if done.returncode != 0:
        said = _last_line(done.stderr) or _last_line(done.stdout) or "nothing"
        raise FileListError(
            f"{record}: {PROGRAM} failed (exit status {done.returncode}); it said: {said}. "
            "Check the network and run it again; lists that are complete are kept."
        )
    return done.stdout.decode("utf-8", errors="replace")


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", errors="replace").splitlines()]
    return _quoted(next((line for line in reversed(lines) if line), "")).rstrip(".")


def _quoted(text: str) -> str:
    """Short, without secrets, and without what a terminal would act on."""
    short = shown(text)[:_SHOWN]
    return short if short.isprintable() else ascii(short)


def _check(record: Record, found: Sequence[str]) -> None:
    """Refuse what is no list of the files of this record."""
    if not found:
        raise FileListError(
            f"{record}: the list of files is empty. Check the number of the record."
        )
    for line in found:
        if not _LOCATION.fullmatch(line) or not line.endswith(_SUFFIX) or "/../" in line:
            raise FileListError(
                f"{record}: {_quoted(line)!r} is not the location of a ROOT file. Expected one "
                "root://, http:// or https:// address a line that ends in .root."
            )
        if record.path not in line:
            raise FileListError(
                f"{record}: {_quoted(line)} is of another dataset: expected {record.path!r} in "
                "each location. Check the number of the record."
            )
    if len(set(found)) < len(found):
        raise FileListError(f"{record}: a file is listed more than once: events would count twice.")


def _entries(path: Path) -> list[str]:
    """Lines of a cached listing without comments; none where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [line for line in text.splitlines() if line and not line.startswith("#")]
