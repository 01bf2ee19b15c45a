"""Stable hashes of values and functions: equal in every process, changed by every real edit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from hepflow.errors import HepflowError
from hepflow.keys.definitions import Definitions
from hepflow.keys.values import NoStableHash


class CannotFingerprint(HepflowError):
    """Something a function reads has no stable hash; results that depend on it are not cached."""

    code = "HF700"
    cause = (
        "A function of the configuration reads something (a global, a closure, an attribute) that "
        "has no stable hash, so that nobody can tell whether it has changed."
    )
    remedy = (
        "Make it inside the function, or keep plain data there; until then what depends on it is "
        "made anew by each run."
    )


def _hashed(obj: Any, where: str, *, ordered: bool) -> Definitions:
    hasher = Definitions(ordered=ordered)
    try:
        hasher.add(obj, where)
    except NoStableHash as error:
        raise CannotFingerprint(str(error)) from error
    except RecursionError as error:
        raise CannotFingerprint(f"{where} is nested too deeply to be hashed.") from error
    return hasher


def _hashed_function(function: Callable[..., Any]) -> Definitions:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    version = f"python {sys.version_info.major}.{sys.version_info.minor}"
    return _hashed((version, function), name, ordered=True)


def fingerprint(function: Callable[..., Any]) -> str:
    """Hash what a function does: its code and all that the code reads.

    That is its instructions, constants, defaults, closure values and the globals it reads,
    recursively through the user's own modules; a library counts with its version, Python with
    its minor version. Comments, docstrings, line numbers and file names do not count.

    Parameters
    ----------
    function : callable
        Function, lambda, method, partial, compiled numba function, callable object, class.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    CannotFingerprint
        It reads something without a stable hash, which the message names.
    """
    return _hashed_function(function).hexdigest()


def fingerprint_and_numbers(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Hash a function as `fingerprint` does, and name the numbers that it reads.

    Returns
    -------
    tuple
        The fingerprint, and ``module.NAME`` -> value for people, of numbers that stand in modules
        of the user and that the function or what it calls reads.

    Raises
    ------
    CannotFingerprint
        As `fingerprint`.
    """
    found = _hashed_function(function)
    return found.hexdigest(), found.numbers


def stable_hash(obj: Any) -> str:
    """Hash plain containers, dataclasses, pydantic models, arrays, paths, enums and functions.

    The order of the entries of a mapping or a set does not count, but for mappings that a
    function, a class or an object of the user holds, and those within `AsRead`; a float counts
    with all its digits; functions count as in `fingerprint`.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    CannotFingerprint
        It holds something without a stable hash, which the message names.

    Examples
    --------
    >>> stable_hash({"a": 1, "b": 2}) == stable_hash({"b": 2, "a": 1})
    True
    """
    return _hashed(obj, type(obj).__qualname__, ordered=False).hexdigest()
