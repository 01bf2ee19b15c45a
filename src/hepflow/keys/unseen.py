"""What functions read in ways that a fingerprint cannot follow."""

from __future__ import annotations

import builtins
import importlib
import logging
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

from hepflow.keys.bytecode import LocalImport, Reference, all_names

_log = logging.getLogger(__name__)

_BUILTINS = ("globals", "eval", "exec", "open", "__import__")
_ATTRIBUTES = {
    "os": ("environ", "getenv"),
    "sys": ("modules",),
    "importlib": ("import_module",),
}
_UNSEEN: list[tuple[str, Any]] = [
    *((name, getattr(builtins, name)) for name in _BUILTINS),
    ("os.environ", os.environ),
    ("os.getenv", os.getenv),
    ("sys.modules", sys.modules),
    ("importlib.import_module", importlib.import_module),
]
_told: set[str] = set()


def unseen(
    reference: Reference | LocalImport, code: types.CodeType, names: Mapping[str, Any]
) -> list[str]:
    """Names such as ``open`` by which code reads what its fingerprint does not know.

    Parameters
    ----------
    reference : Reference or LocalImport
        One that is in the code.
    code : types.CodeType
    names : mapping
        Values of the names that the code reads: of Python, of its module, of its closure.
    """
    if isinstance(reference, LocalImport):
        top = "" if reference.level else reference.module.partition(".")[0]
        candidates = _ATTRIBUTES.get(top, ())
        used = all_names(code) if candidates else set()
        return [f"{top}.{name}" for name in candidates if name in used]
    value, rest = names.get(reference.name), list(reference.attributes)
    if isinstance(value, Mapping):
        return []  # a global that is os.environ or sys.modules counts with all that is in it
    while rest and isinstance(value, types.ModuleType):
        value = getattr(value, rest.pop(0), None)
    return [name for name, one in _UNSEEN if one is value]


def tell_unseen(function: str, found: set[str]) -> None:
    """Warn, once for a function, of names that `unseen` found in it."""
    if not found or function in _told:
        return
    _told.add(function)
    _log.warning(
        "%s uses %s: what %s reads that way is not part of its key; set "
        "general.read_from_cache to False after a change of it",
        function,
        ", ".join(sorted(found)),
        function,
    )
