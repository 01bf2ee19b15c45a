"""Fail where no test has executed a message: ``python tests/check_messages.py`` after the tests.

Reads the data of coverage that a run of the whole suite has left, and the places where messages
are made from the source, as the page of errors has them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from coverage import Coverage

ROOT = Path(__file__).resolve().parents[1]


def sites_of_the_source() -> tuple[Any, ...]:
    """All places where a message is made, as ``docs/reference_errors.py`` finds them."""
    name = "reference_errors"
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks for its module while it is made
    spec.loader.exec_module(module)
    found: tuple[Any, ...] = module.sites()
    return found


def never_made(sites: Iterable[Any], lines_of: Callable[[str], set[int]]) -> list[str]:
    """Messages of which no line was executed.

    Parameters
    ----------
    sites
        With ``file``, ``first``, ``last`` (lines), ``made_by`` and ``text``.
    lines_of
        Lines of a file below ``src`` that were executed.
    """
    return [
        f"src/{one.file}:{one.first}: {one.made_by}: {one.text or 'text made elsewhere'}"
        for one in sites
        if lines_of(one.file).isdisjoint(range(one.first, one.last + 1))
    ]


def main() -> int:
    """Report; exit status 1 if a message is left, 2 without data."""
    coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    data = coverage.get_data()
    if not data.measured_files():
        sys.stderr.write(f"no data of coverage in {data.data_filename()}: run the tests first.\n")
        return 2
    sites = sites_of_the_source()
    left = never_made(sites, lambda file: set(data.lines(str(ROOT / "src" / file)) or ()))
    told = f"{len(left)} of {len(sites)} messages are made by no test"
    sys.stdout.write("\n".join([*left, f"{told}.\n"]))
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
