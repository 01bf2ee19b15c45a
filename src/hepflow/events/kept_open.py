"""Files that stay open between the entry ranges of a worker."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from hepflow.events.open_file import OpenFile, open_tree

_MOST = 2  # open files: the entry ranges of one come one after the other
Status = tuple[int, ...]
_Key = tuple[str, str, tuple[tuple[str, str], ...], str, Status]


class _Kept(threading.local):
    def __init__(self) -> None:
        self.files: dict[_Key, OpenFile] = {}


_kept = _Kept()


@contextlib.contextmanager
def kept_open(
    filename: str, treename: str, branch_map: Mapping[str, str], version: str
) -> Iterator[OpenFile]:
    """Open a file, or take it as an earlier entry range has left it.

    To open a file of 1500 branches takes 0.3 s. A file is opened anew after an error, and where
    its size, time or `version` is another one.

    Parameters
    ----------
    filename, treename, branch_map
        As for `open_tree`.
    version
        What is known of the content, such as the file's uuid.

    Raises
    ------
    UnreadableFile, MissingTree
        As `open_tree` does.
    """
    key = _key(filename, treename, branch_map, version)
    file = _kept.files.pop(key, None)
    if file is None:
        file = open_tree(filename, treename, branch_map)
    yield file
    _keep(key, file)  # not reached after an error


def keep_open(file: OpenFile, version: str, before: Status) -> None:
    """Leave an open file to the entry ranges that this worker may read of it.

    Parameters
    ----------
    before
        Status of the file from before it was opened: it is not kept where it is another one.
    """
    if status_of(file.filename) == before:
        _keep(_key(file.filename, file.tree, file.branch_map, version), file)


def file_version(uuid: str, digest: str) -> str:
    """What is known of the content of a file, as one text."""
    return f"{uuid} {digest}"


def _keep(key: _Key, file: OpenFile) -> None:
    _kept.files[key] = file
    for oldest in list(_kept.files)[:-_MOST]:
        del _kept.files[oldest]


def _key(filename: str, treename: str, branch_map: Mapping[str, str], version: str) -> _Key:
    return (filename, treename, tuple(sorted(branch_map.items())), version, status_of(filename))


def status_of(filename: str) -> Status:
    """What tells that a local file was replaced: time, size and inode; () of a remote one."""
    try:
        found = Path(filename).stat()
    except (OSError, ValueError):
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
