"""Paths that are no files: reading a named pipe waits for ever, a device may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hepflow.errors import UnsafeContent

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def special_file(path: str | Path) -> str:
    """What a path is that is neither a file nor a folder, such as "a named pipe"; else "".

    Links are followed. What is not there, or can't be looked at, is for the reader to tell.

    Examples
    --------
    >>> special_file("/dev/null")
    'a device'
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - half of the time of Path's; for each part
    except (OSError, ValueError):
        return ""
    return _KINDS.get(stat.S_IFMT(mode), "")


def refuse_special(path: str | Path) -> None:
    """Refuse to read what is no file.

    Raises
    ------
    UnsafeContent
        It is a named pipe, a socket or a device.
    """
    kind = special_file(path)
    if kind:
        raise UnsafeContent(f"{path} is {kind}; a file is expected there. Remove it.")
