"""Whose code raised: the user's, or ours."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_OURS = Path(__file__).resolve().parents[1]
_INSTALLED = {"site-packages", "dist-packages"}
_STDLIB = tuple(Path(sysconfig.get_paths()[key]) for key in ("stdlib", "platstdlib"))


def place_in_user_code(error: BaseException) -> str | None:
    """Say where the user's own code raised, as ``<file>, line <number>``.

    None where the last frame that is not a library's is one of hepflow: then the user's
    code did nothing wrong.
    """
    if isinstance(error, SyntaxError) and error.filename and is_users(error.filename):
        return f"{_shown(error.filename)}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if is_users(frame.filename):
            return f"{_shown(frame.filename)}, line {frame.lineno}, in {frame.name}"
        if _is_ours(frame.filename):
            return None
    return None


def one_line(error: BaseException) -> str:
    """Return the error's type and first line of text."""
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_ours(filename: str) -> bool:
    return Path(filename).is_relative_to(_OURS)


def is_users(filename: str) -> bool:
    """Whether a file is the user's: not ours, nor of an installed package."""
    path = Path(filename)
    if filename.startswith("<") or _is_ours(filename):
        return False
    installed = not _INSTALLED.isdisjoint(path.parts)
    return not installed and not any(path.is_relative_to(folder) for folder in _STDLIB)


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
