"""What a result was made from: versions, the state of the user's code, input digests."""

from __future__ import annotations

import functools
import inspect
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hepflow.keys import describe_function, is_user_module
from hepflow.remote import shown

PACKAGES = (
    "hepflow",
    "awkward",
    "boost-histogram",
    "cabinetry",
    "coffea",
    "correctionlib",
    "dask",
    "dask-awkward",
    "hist",
    "iminuit",
    "mplhep",
    "numpy",
    "pyhf",
    "scipy",
    "uproot",
)


_version = functools.cache(version)  # of what this process runs with


def software() -> dict[str, Any]:
    """Versions of Python, the platform and the packages that numbers depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = _version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": found,
    }


def functions_of(tree: Any) -> Iterator[Any]:
    """All functions in a configuration given as plain containers."""
    if callable(tree):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from functions_of(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from functions_of(value)


def user_folders(tree: Any) -> list[Path]:
    """Folders of the user's modules that a configuration's functions come from, sorted."""
    folders = set()
    for function in functions_of(tree):
        module = inspect.getmodule(function)
        file = getattr(module, "__file__", None)
        if module is not None and file and is_user_module(module):
            folders.add(Path(file).resolve().parent)
    return sorted(folders)


def code_state(folder: Path) -> dict[str, Any]:
    """Commit of the git repository that holds a folder, and whether files differ from it."""
    git = shutil.which("git")
    state: dict[str, Any] = {"folder": str(folder), "commit": None, "modified": None}
    if git is None:
        return state
    commit = _git(git, folder, "rev-parse", "HEAD")
    if commit is None:
        return state
    changes = _git(git, folder, "status", "--porcelain", "--", ".")
    return {**state, "commit": commit, "modified": None if changes is None else bool(changes)}


def _git(git: str, folder: Path, *words: str) -> str | None:
    """Output of a git command; None where it fails, as outside a repository."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, the program found on the path
            [git, "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def resolved(tree: Any) -> Any:
    """Contents for JSON that is handed on: functions as ``module:name`` with their fingerprint.

    URLs are without user, password and query, which may hold secrets.
    """
    if callable(tree):
        return describe_function(tree)
    if isinstance(tree, Mapping):
        return {shown(str(key)): resolved(one) for key, one in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [resolved(one) for one in tree]
    if isinstance(tree, (int, float, bool, type(None))):
        return tree
    return shown(str(tree))
