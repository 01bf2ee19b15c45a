"""Serialise functions and items so that workers need none of the user's modules."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from hepflow.errors import ExecutionError
from hepflow.execution.outcome import Failure
from hepflow.execution.worker import Payload
from hepflow.keys.modules import is_user_module

_UNPICKLABLE = (
    pickle.PicklingError,
    TypeError,
    AttributeError,
    ValueError,
    NotImplementedError,
    RecursionError,
)


def _registries() -> Iterator[ModuleType]:
    import cloudpickle

    yield cloudpickle
    # numba pickles its functions with a copy of cloudpickle that has a registry of its own.
    copy = getattr(sys.modules.get("numba"), "cloudpickle", None)
    if copy is not None and hasattr(copy, "register_pickle_by_value"):
        yield copy


def _user_modules() -> list[ModuleType]:
    # The main module is always pickled by value; a module under a second name counts once.
    loaded = {n: m for n, m in list(sys.modules.items()) if isinstance(m, ModuleType)}
    return [
        module
        for name, module in loaded.items()
        if module.__name__ == name != "__main__" and is_user_module(module)
    ]


@contextlib.contextmanager
def user_modules_by_value() -> Iterator[None]:
    """Have the user's modules pickled by value within the block.

    All of them are registered, so that helpers of a helper are found as well; only what the
    pickled object reaches is written.
    """
    modules = _user_modules()
    with contextlib.ExitStack() as stack:
        for registry in _registries():
            known = registry.list_registry_pickle_by_value()
            for module in modules:
                if module.__name__ not in known:
                    registry.register_pickle_by_value(module)
                    stack.callback(registry.unregister_pickle_by_value, module)
        yield


def make_payload(function: Callable[[Any], Any]) -> Payload:
    """Serialise a function with all that it reaches.

    Raises
    ------
    ExecutionError
        It holds something that can't be sent, such as an open file.
    """
    import cloudpickle

    try:
        with user_modules_by_value():
            content = cloudpickle.dumps(function)
    except _UNPICKLABLE as error:
        name = getattr(function, "__qualname__", repr(function))
        raise ExecutionError(
            f"{name} can't be sent to worker processes: {error}. Something it reads (a global, "
            "a closure, an attribute) is no plain data; make it inside the function instead, or "
            "set execution.backend to 'inprocess'."
        ) from error
    return Payload(hashlib.sha256(content).hexdigest(), content)


def pickle_items(items: Sequence[Any]) -> tuple[dict[int, bytes], dict[int, Failure]]:
    """Serialise items one by one; what can't be sent is a failure of that item alone.

    Returns
    -------
    tuple of dict
        Pickles by index, failures by index.
    """
    import cloudpickle

    contents: dict[int, bytes] = {}
    failures: dict[int, Failure] = {}
    with user_modules_by_value():
        for index, item in enumerate(items):
            try:
                contents[index] = cloudpickle.dumps(item)
            except _UNPICKLABLE as error:
                failures[index] = Failure.of(error)
    return contents, failures
