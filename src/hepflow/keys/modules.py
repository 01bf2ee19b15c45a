"""Which modules are the user's, and which version a library has."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

_INSTALLED = {"site-packages", "dist-packages"}
_MAIN = {"__main__", "__mp_main__"}


def _location(module: ModuleType) -> str | None:
    file = getattr(module, "__file__", None)
    if file is None:  # a namespace package has folders only
        file = next(iter(getattr(module, "__path__", ())), None)
    return file


@functools.cache
def _is_installed(location: str) -> bool:
    path = Path(location)
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    return path.is_relative_to(stdlib) or not _INSTALLED.isdisjoint(path.parts)


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is the user's own: not installed, not of the standard library, not ours.

    Such a module may be missing on a worker, and it changes while it is worked on.
    """
    name = str(getattr(module, "__name__", ""))
    if name in _MAIN:
        return True
    top = name.partition(".")[0]
    if top == "hepflow" or top in sys.stdlib_module_names:
        return False
    location = _location(module)
    return isinstance(location, str) and not _is_installed(location)


def is_library(name: str) -> bool:
    """Whether an import of this name gives a module that is not the user's own.

    Nothing is imported to find that out: a library may take a second, and what depends on it
    must not depend on whether something else has imported it. A name that does not exist may
    be the user's.
    """
    top = name.partition(".")[0]
    if top == "hepflow" or top in sys.stdlib_module_names:
        return True
    try:
        spec = None if top in _MAIN else importlib.util.find_spec(top)
    except ValueError:  # a module that was made by hand
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else spec.submodule_search_locations
    return bool(places) and all(_is_installed(str(place)) for place in places or ())


@functools.cache
def _owners() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def library_version(name: str) -> str:
    """Version of the library that holds module `name`, as ``numpy 2.4.6``.

    The standard library has the version of Python, ``3.11``. A module of unknown origin has
    its name alone.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"python {sys.version_info.major}.{sys.version_info.minor}"
    # Most libraries have the name of their module; the table of all takes 0.1 s to make.
    version = _version(top)
    owner = top if version else _owners().get(top, [top])[0]
    return f"{owner} {version or _version(owner)}".strip()
