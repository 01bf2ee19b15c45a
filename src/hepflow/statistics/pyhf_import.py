"""Import pyhf in half the time."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_GRAMMAR = "rfc3987_syntax"  # of internationalised addresses, 0.8 s to build
_DISTRIBUTIONS = "scipy.stats"  # 0.3 s, for random numbers and the normal distribution


def import_pyhf() -> Any:
    """Import pyhf, and not yet what neither a workspace nor a likelihood needs.

    jsonschema, which pyhf imports, imports every optional package that it finds. The grammar is
    built when jsonschema checks an address for the first time, and the distributions are imported
    when pyhf draws random numbers.
    """
    with _later(_GRAMMAR), _later(_DISTRIBUTIONS):
        return importlib.import_module("pyhf")


@contextlib.contextmanager
def _later(module: str) -> Iterator[None]:
    """Whoever imports something from this module gets what imports it when it is used."""
    if module in sys.modules:
        yield
        return
    stand_in = ModuleType(module)
    stand_in.__getattr__ = lambda name: _Later(module, name)  # type: ignore[method-assign]  # PEP 562
    sys.modules[module] = stand_in
    try:
        yield
    finally:
        del sys.modules[module]


class _Later:
    """A member of a module that is imported when it is used."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the member."""
        return self._member()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Attribute of the member."""
        if name.startswith("_"):  # asked by Python, such as `__wrapped__`
            raise AttributeError(name)
        return getattr(self._member(), name)

    def _member(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)
