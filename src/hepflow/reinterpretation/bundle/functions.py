"""Functions of a stored configuration: named there, and found again by name and fingerprint."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from hepflow.keys import describe_function
from hepflow.reinterpretation.bundle.manifest import Address

_RECORD: Final = {"function", "fingerprint", "reads"}
_DEEPEST: Final = 20  # containers within containers
_MAIN: Final = {"__main__", "__mp_main__"}


@dataclass(frozen=True)
class Named:
    """A function as a configuration on disk has it."""

    path: str  # "channels[0].selection.function"
    function: str  # "module:name"
    fingerprint: str | None  # None where it has none

    @property
    def module(self) -> str:
        """Module that it says to come from; of a partial, that of `functools`."""
        return self.function.partition(":")[0]


def functions_in(tree: Any, path: str = "") -> Iterator[Named]:
    """All functions of a stored configuration."""
    if _is_function(tree):
        yield Named(path, str(tree["function"]), tree["fingerprint"])
    elif isinstance(tree, Mapping):
        for name, one in tree.items():
            yield from functions_in(one, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, list):
        for i, one in enumerate(tree):
            yield from functions_in(one, f"{path}[{i}]")


def with_functions(tree: Any, functions: Mapping[str, Any], path: str = "") -> Any:
    """The configuration with functions, by their path, in the place of their names."""
    if _is_function(tree):
        return functions[path]
    if isinstance(tree, Mapping):
        return {
            name: with_functions(one, functions, f"{path}.{name}" if path else str(name))
            for name, one in tree.items()
        }
    if isinstance(tree, list):
        return [with_functions(one, functions, f"{path}[{i}]") for i, one in enumerate(tree)]
    return tree


def _is_function(tree: Any) -> bool:
    return isinstance(tree, Mapping) and set(tree) == _RECORD


def follow(address: Address) -> Any:
    """What stands at an address; its module is imported.

    Raises
    ------
    ImportError, AttributeError, LookupError, TypeError
        There is nothing.
    """
    found: Any = importlib.import_module(address.module)
    for step in address.steps:
        inside = isinstance(found, Mapping | list | tuple)
        found = found[step] if inside else getattr(found, str(step))
    return found


@dataclass(frozen=True)
class Search:
    """Where functions are looked for that have no name of their own."""

    places: tuple[str, ...]  # modules, the best first

    def address_of(self, wanted: Named) -> Address | str:
        """Where a function stands, or why it cannot be told.

        A function that has no name of its own (a lambda, a partial, a closure, an object) is
        found where a name of a module, or an entry of a dict or a list there, holds it.
        """
        if wanted.module in _MAIN:
            return "it was defined in a script or a notebook; put it into a module"
        direct = _by_name(wanted)
        if isinstance(direct, Address) and _is_it(follow(direct), wanted):
            return direct
        for place in dict.fromkeys(self.places):
            found = _within(place, wanted)
            if found is not None:
                return found
        if isinstance(direct, Address) and wanted.fingerprint is None:
            return "an object without a fingerprint cannot be told from its class"
        if isinstance(direct, Address):
            return "it is not what it was in the run: its code, or what it reads, has changed"
        return direct


def _by_name(wanted: Named) -> Address | str:
    """Address that the name is, or what is wrong with it."""
    module, _, name = wanted.function.partition(":")
    if "<" in name:
        return "it has no name by which it is found again; define it with def in a module"
    address = Address(module, tuple(name.split(".")))
    try:
        found = follow(address)
    # Importing a module of the user's runs it: whatever it raises is told.
    except Exception as error:  # noqa: BLE001
        return f"{address} cannot be imported ({type(error).__name__}: {error})"
    return address if callable(found) else f"{address} is no function"


def _is_it(found: Any, wanted: Named) -> bool:
    """Whether a function is the one of the run; one without a fingerprint is by its name."""
    described = describe_function(found)
    if described["function"] != wanted.function:
        return False
    if wanted.fingerprint is None:
        return not isinstance(found, type)  # an object goes by the name of its class
    return bool(described["fingerprint"] == wanted.fingerprint)


def _within(place: str, wanted: Named) -> Address | None:
    """Address of a function among what a module holds; None where it is not there."""
    if wanted.fingerprint is None:
        return None
    try:
        module = importlib.import_module(place)
    # As above; a place that cannot be imported holds nothing.
    except Exception:  # noqa: BLE001
        return None
    for steps, found in _callables(vars(module), (), frozenset()):
        if _may_be(found, wanted) and _is_it(found, wanted):
            return Address(place, steps)
    return None


def _may_be(found: Callable[..., Any], wanted: Named) -> bool:
    """Whether the name fits, which is told much faster than the fingerprint."""
    kind = type(found)
    module = getattr(found, "__module__", None) or kind.__module__
    name = getattr(found, "__qualname__", None) or kind.__qualname__
    return f"{module}:{name}" == wanted.function


_Steps = tuple[str | int, ...]


def _callables(
    tree: Any, steps: _Steps, above: frozenset[int]
) -> Iterator[tuple[_Steps, Callable[..., Any]]]:
    """Functions within mappings, lists and tuples, with the way to them."""
    if id(tree) in above or len(steps) > _DEEPEST:
        return
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(tree, dict):
        entries = [(key, one) for key, one in tree.items() if isinstance(key, str | int)]
    elif isinstance(tree, list | tuple):
        entries = enumerate(tree)
    for key, one in entries:
        if isinstance(key, str) and key.startswith("__"):
            continue
        if isinstance(one, dict | list | tuple):
            yield from _callables(one, (*steps, key), above | {id(tree)})
        elif callable(one) and not isinstance(one, ModuleType):
            yield (*steps, key), one


def addresses(
    wanted: Sequence[Named], places: Sequence[str]
) -> tuple[dict[str, Address], list[str]]:
    """Address of each function by its path, and what is wrong with the others."""
    search = Search(tuple(places))
    known: dict[tuple[str, str | None], Address | str] = {}
    found: dict[str, Address] = {}
    problems = []
    for one in wanted:
        kind = (one.function, one.fingerprint)
        if kind not in known:
            known[kind] = search.address_of(one)
        address = known[kind]
        if isinstance(address, Address):
            found[one.path] = address
        else:
            problems.append(f"{one.path} ({one.function}): {address}")
    return found, problems
