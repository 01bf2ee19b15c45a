"""Modules of a bundle under their own names, without those of the current project."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from hepflow.errors import UnsafeContent
from hepflow.keys import is_user_module

_MAIN: Final = {"__main__", "__mp_main__"}


@contextlib.contextmanager
def modules_of(code: Path, kept: dict[str, ModuleType]) -> Iterator[None]:
    """Let the modules of a folder be those that are imported, in this block only.

    Modules of the same names that the current project has loaded step aside, and come back
    after it. Within it the folder is the first place of ``sys.path``, which worker processes that
    start there take over. It holds for the whole process: not for one of several threads.

    Parameters
    ----------
    code
        Folder of the modules.
    kept
        Modules that earlier blocks loaded, by name; those of this block are added.

    Raises
    ------
    UnsafeContent
        One has the name of a library, which it would replace.
    """
    if sys.path[:1] == [str(code)]:  # within itself
        yield
        return
    names = {path.stem for path in code.iterdir() if path.name != "__pycache__"}
    _refuse_libraries(names)
    aside = _loaded(names)
    _put(aside, kept)
    sys.path.insert(0, str(code))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(code))
        kept.update(_loaded(names))
        _put(_loaded(names), aside)
        importlib.invalidate_caches()


@contextlib.contextmanager
def without_user_modules() -> Iterator[None]:
    """Let no module of the user's be loaded at the start of this block; they come back after it."""
    aside = {name: one for name, one in _all() if is_user_module(one) and name not in _MAIN}
    _put(aside, {})
    try:
        yield
    finally:
        sys.modules.update(aside)


def strangers(code: Path) -> list[str]:
    """Modules of the user's that are loaded, and do not come from the bundle's code.

    Parameters
    ----------
    code
        Folder of the code; others count within `without_user_modules` only.
    """
    return sorted(
        name
        for name, one in _all()
        if is_user_module(one)
        and name not in _MAIN
        and not Path(getattr(one, "__file__", None) or code).is_relative_to(code)
    )


def _all() -> list[tuple[str, ModuleType]]:
    return [(name, one) for name, one in sys.modules.items() if isinstance(one, ModuleType)]


def _refuse_libraries(names: set[str]) -> None:
    for name in sorted(names):
        loaded = sys.modules.get(name)
        if name in sys.stdlib_module_names or name == "hepflow" or _is_library(loaded):
            raise UnsafeContent(
                f"the bundle has a module {name!r} of its own, which would take the place of the "
                "library of that name. It was not made by `hepflow preserve`."
            )


def _is_library(module: ModuleType | None) -> bool:
    # Without a file and a path it was made by hand, or is built in.
    placed = getattr(module, "__file__", None) or list(getattr(module, "__path__", ()))
    return module is not None and (not placed or not is_user_module(module))


def _loaded(names: set[str]) -> dict[str, ModuleType]:
    """Loaded modules that are, or lie in, one of these."""
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}


def _put(away: dict[str, ModuleType], there: dict[str, ModuleType]) -> None:
    for name in away:
        del sys.modules[name]
    sys.modules.update(there)
