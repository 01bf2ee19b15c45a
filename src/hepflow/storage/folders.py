"""Folders that belong to the user, paths that stay inside them, and caches that stay small."""

from __future__ import annotations

import contextlib
import os
import stat
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

from hepflow.errors import UnsafeContent
from hepflow.storage.atomic import storage_errors

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_LONGEST_NAME = 255  # [byte] of one component, of the file systems in use
_SHOWN = 60  # characters of a name that a message quotes
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode: control, direction, no character


def private_folder(path: str | Path) -> Path:
    """Make a folder with mode 0700 if missing, parents too, and check that only its owner writes.

    Raises
    ------
    UnsafeContent
        It is a symbolic link or not a folder, belongs to someone else, or group or others
        may write it: files in it could be exchanged between writing and reading. Or everybody
        may rename folders on the way to it.
    StorageError
        It can't be made.
    """
    path = Path(path)
    with storage_errors(path, "make the folder"):
        missing = [one for one in path.parents if not one.exists()]
        for folder in (*reversed(missing), path):
            if not folder.is_symlink():
                folder.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeContent(f"{path} is a link or a file; a folder of your own is expected there.")
    if status.st_uid != os.geteuid():
        raise UnsafeContent(f"{path} belongs to user id {status.st_uid}. Choose another folder.")
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise UnsafeContent(
            f"{path} is writable by others (mode {stat.S_IMODE(status.st_mode):04o}). "
            f"Run: chmod go-w {path}"
        )
    _check_way(path)
    return path


def _check_way(path: Path) -> None:
    """Refuse a way on which everybody may put another folder in place of this one."""
    for parent in path.absolute().parents:
        with storage_errors(parent, "look at"):
            mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise UnsafeContent(
                f"{path} is private, but everybody may rename it: {parent} is writable by all "
                f"(mode {stat.S_IMODE(mode):04o}). Run: chmod o-w {parent}, or choose another "
                "folder."
            )


def safe_join(root: str | Path, *names: str) -> Path:
    """Return ``root/name/...`` for names that come from input; it never leaves `root`.

    Each name is one component: no separator, not empty, not ``.`` or ``..``, of at most 255
    bytes, and without signs that can't be seen or that turn the direction of a text.

    Raises
    ------
    UnsafeContent
        A name is not one component, or a link leads out of `root`.

    Examples
    --------
    >>> safe_join("out", "ttbar__nominal").as_posix()
    'out/ttbar__nominal'
    """
    root = Path(root)
    for name in names:
        if name in {"", ".", ".."} or any(sign in name for sign in "/\\\0"):
            raise UnsafeContent(
                f"{name!r} can't be the name of a file or folder under {root}: "
                "one name without separators is expected."
            )
        if len(os.fsencode(name)) > _LONGEST_NAME or _hides(name):
            raise UnsafeContent(
                f"{name[:_SHOWN]!a} can't be the name of a file or folder under {root}: at most "
                f"{_LONGEST_NAME} bytes of visible signs are expected. Choose another name."
            )
    path = root.joinpath(*names)
    try:
        found = path.resolve()
        # What is still a link after all of them were followed leads to itself (Python 3.13).
        inside = found.is_relative_to(root.resolve()) and not found.is_symlink()
    except (OSError, RuntimeError):  # links that lead to each other
        inside = False
    if not inside:
        raise UnsafeContent(
            f"{path} leads out of {root} through a link. Remove the link, or name the folder that "
            "it leads to in the configuration."
        )
    return path


def _hides(name: str) -> bool:
    """Whether a name shows something else than it is, in a terminal or a list of files."""
    if name.isascii():
        return not name.isprintable()
    return any(unicodedata.category(sign) in _UNSEEN for sign in name)


def forget_oldest(folder: Path, most: float, keep: Collection[Path] = ()) -> None:
    """Remove the files that were not used for longest, until all take at most `most` [byte].

    Parameters
    ----------
    folder : Path
        Its ``*.pkl`` are looked at.
    most : float
        [byte].
    keep : collection of Path
        Files that stay whatever they take.
    """
    found = []
    for path in folder.glob("*.pkl"):
        with contextlib.suppress(FileNotFoundError):  # another run may clean as well
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total = 0
    for _, size, path in sorted(found, key=lambda one: -one[0]):
        total += size
        if total > most and path not in keep:
            path.unlink(missing_ok=True)


def mark_used(paths: Iterable[Path]) -> None:
    """Let files count as used now."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)


def file_name(text: str) -> str:
    """Name of a file for a text that may hold any characters, such as a parameter.

    Examples
    --------
    >>> file_name("jes/pileup 2018"), file_name("mu")
    ('jes-pileup-2018', 'mu')
    """
    return "".join(one if one.isalnum() or one in "._-" else "-" for one in text)
