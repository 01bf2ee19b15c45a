"""Import pyhf in half the time."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_GRAMMAR = "rfc3987_syntax"  # of internationalised addresses, 0.8 s to build


def import_pyhf() -> Any:
    """Import pyhf, and build no grammar of addresses, which no workspace has.

    pyhf imports jsonschema, which imports every optional package that it finds. The grammar is
    built when jsonschema checks an address for the first time.
    """
    if "jsonschema" in sys.modules or _GRAMMAR in sys.modules:
        return importlib.import_module("pyhf")
    later = ModuleType(_GRAMMAR)
    later.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined]  # the module's only use
    sys.modules[_GRAMMAR] = later
    try:
        return importlib.import_module("pyhf")
    finally:
        del sys.modules[_GRAMMAR]


def _is_valid_syntax(*args: Any) -> bool:
    return bool(importlib.import_module(_GRAMMAR).is_valid_syntax(*args))
