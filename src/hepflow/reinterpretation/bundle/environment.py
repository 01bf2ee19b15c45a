"""Versions of all that an analysis runs with."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from typing import Any, Final

LOCK: Final = "environment/requirements.lock"
PYTHON: Final = "environment/python.json"
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def locked(modules: Iterable[str], run: Mapping[str, Any]) -> dict[str, str]:
    """Version of every distribution that hepflow or the user's code needs, by name.

    Parameters
    ----------
    modules
        Names of the libraries that the user's code imports.
    run
        ``report/run.json``: versions that the run was made with precede those of today.
    """
    owners = packages_distributions()
    wanted = [("hepflow", frozenset[str]())]
    wanted += [(owner, frozenset()) for name in modules for owner in owners.get(name, ())]
    seen: set[tuple[str, frozenset[str]]] = set()
    found: dict[str, str] = {}
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = version(name)
            wanted += _required(name, extras)
        except PackageNotFoundError:  # of another platform, or optional
            continue
    used = {_canonical(str(one)): str(of) for one, of in run.get("packages", {}).items()}
    return {name: used.get(name, found[name]) for name in sorted(found)}


def _required(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for text in distribution(name).requires or ():
        marker = _EXTRA.search(text)
        if marker is not None and _canonical(marker[1]) not in extras:
            continue
        match = _REQUIREMENT.match(text)
        if match is not None:
            more = frozenset(_canonical(one) for one in (match[2] or "").split(",") if one.strip())
            yield _canonical(match[1]), more


def _canonical(name: str) -> str:
    """Name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def lock_text(found: Mapping[str, str]) -> str:
    """Requirements as pip reads them."""
    return "".join(f"{name}=={number}\n" for name, number in found.items())


def differences(lock: str, python: str) -> list[str]:
    """What is another version here than in a bundle, for people."""
    found = []
    if _minor(python) != _minor(platform.python_version()):
        found.append(f"Python {platform.python_version()} instead of {python}")
    for line in lock.splitlines():
        name, _, wanted = line.partition("==")
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "none"
        if here != wanted:
            found.append(f"{name} {here} instead of {wanted}")
    return found


def _minor(number: str) -> str:
    return ".".join(number.split(".")[:2])
