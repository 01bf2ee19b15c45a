"""Hash of functions, classes, modules and instances: what they do and what they read."""

from __future__ import annotations

import builtins
import functools
import hashlib
import importlib
import importlib.util
import logging
import sys
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from hepflow.keys.bytecode import LocalImport, Reference, all_names, normalised, references
from hepflow.keys.members import (
    HOLDERS,
    attributes,
    class_members,
    instance_state,
    stdlib_state,
)
from hepflow.keys.modules import is_library, is_user_module, library_version
from hepflow.keys.unseen import tell_unseen, unseen
from hepflow.keys.values import NoStableHash, Values, qualified_name

_BUILT_IN = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


def _is_users(module_name: object) -> bool:
    """Whether something of this module counts with its definition; unknown modules do."""
    module = sys.modules.get(str(module_name))
    return module is None or is_user_module(module)


def _is_library_global(obj: Any) -> bool:
    """Whether a library has the object under its own name."""
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or _is_users(module):
        return False
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is obj


_NUMBERS = {bool, int, float}  # shown to people; a text may be a secret
_SHOWN = 80  # longest value that is shown


class Definitions(Values):
    """Adds what `Values` leaves over.

    Attributes
    ----------
    numbers : dict
        Numbers that the user's functions read from their modules, by name, for people.
    """

    def __init__(self, *, ordered: bool) -> None:
        super().__init__(ordered=ordered)
        self.numbers: dict[str, str] = {}

    def add_library(self, obj: Any) -> None:
        """Add the name of something in a library, with the version of the library."""
        name = qualified_name(obj)
        self.piece("library", f"{name} {library_version(str(getattr(obj, '__module__', '')))}")

    def add_other(self, obj: Any, where: str) -> None:
        """Add a code object, module, class, callable or instance."""
        # Code may loop over what it reads. Our own records are read by name.
        with self.ordering(str(type(obj).__module__).partition(".")[0] != "hepflow"):
            self._add_any(obj, where)

    def _add_any(self, obj: Any, where: str) -> None:
        if isinstance(obj, types.CodeType):
            self.pieces(_pieces_of(obj))
        elif isinstance(obj, types.ModuleType):
            self.add_module(obj, where)
        elif isinstance(obj, type):
            self.add_class(obj, where)
        elif isinstance(obj, types.GenericAlias | types.UnionType):
            self.piece("alias", repr(obj))
        elif isinstance(obj, logging.Logger):
            self.piece("logger", obj.name)
        elif not self.add_callable(obj, where):
            self.add_instance(obj, where)

    # ------------------------------------------------------------ callables

    def add_callable(self, obj: Any, where: str) -> bool:
        """Add a function in one of its many forms; False if it is none."""
        compiled = getattr(obj, "py_func", None) or getattr(
            getattr(obj, "_dispatcher", None), "py_func", None
        )
        if isinstance(obj, types.FunctionType):
            self.add_function(obj, where)
        elif isinstance(obj, types.MethodType):
            self.piece("method")
            self.add(obj.__func__, where)
            self.add(obj.__self__, f"{where}.__self__")
        elif isinstance(obj, functools.partial):
            self.piece("partial")
            self.add((obj.func, obj.args, obj.keywords), where)
        elif isinstance(compiled, types.FunctionType):
            self.add_library(type(obj))
            self.add(getattr(obj, "targetoptions", None), f"{where}.targetoptions")
            self.add(compiled, where)
        elif isinstance(obj, staticmethod | classmethod):
            self.piece(type(obj).__name__)
            self.add(obj.__func__, where)
        elif isinstance(obj, property | functools.cached_property):
            self.piece(type(obj).__name__)
            names = ("fget", "fset", "fdel", "func")
            self.add([getattr(obj, name, None) for name in names], where)
        else:
            return self._add_foreign_callable(obj, where)
        return True

    def _add_foreign_callable(self, obj: Any, where: str) -> bool:
        if isinstance(obj, np.ufunc):
            if "vectorized" in obj.__name__:
                raise NoStableHash(f"{where} is a Python function behind numpy.frompyfunc.")
            self.piece("ufunc", f"{obj.__name__} {obj.signature} {library_version('numpy')}")
        elif isinstance(obj, _BUILT_IN):
            self.add_library(obj)
            owner = getattr(obj, "__self__", None)
            if not isinstance(owner, types.ModuleType | type | None):
                self.add(owner, f"{where}.__self__")
        elif _is_library_global(obj):
            self.add_library(obj)
        elif isinstance(getattr(obj, "__wrapped__", None), types.FunctionType):
            self.add_library(type(obj))
            self.add(obj.__wrapped__, where)
        else:
            return False
        return True

    def add_function(self, function: types.FunctionType, where: str) -> None:
        """Add a Python function: the user's by definition, a library's by name and version."""
        if self.repeats(function):
            return
        # functools.wraps copies __module__; the globals tell where the code really stands.
        module = function.__globals__.get("__name__")
        users = _is_users(module)
        if not users and _is_library_global(function):
            self.add_library(function)
            return
        if not users:
            self.piece("library", f"{module}.{function.__code__.co_qualname}")
            self.piece("version", library_version(str(module)))
            if "<" not in function.__code__.co_qualname:
                return  # fully named; a lambda or a closure is not
        self.piece("function")
        self.add(function.__code__, where)
        self.add((function.__defaults__, function.__kwdefaults__), f"default of {where}")
        cells = _closure(function)
        if not users:
            self.add(cells, where)
            return
        names: Mapping[str, Any] = {**builtins.__dict__, **function.__globals__, **cells}
        own = {key: value for key, value in vars(function).items() if key != "__wrapped__"}
        self.add(own, where)
        self.add_references(function.__code__, names, where)

    def add_references(self, code: types.CodeType, names: Mapping[str, Any], where: str) -> None:
        """Add the values of the names that the code reads."""
        done: set[Reference | LocalImport] = set()
        missed: set[str] = set()
        for reference in _references_of(code):
            if reference in done:
                continue
            done.add(reference)
            missed.update(unseen(reference, code, names))
            if isinstance(reference, LocalImport):
                self._add_import(reference, code, names, where)
            else:
                self._add_name(reference, names, where)
        tell_unseen(f"{names.get('__name__')}.{code.co_qualname}", missed)

    def _add_name(self, reference: Reference, names: Mapping[str, Any], where: str) -> None:
        label = f"{reference.name!r} in {where}"
        if reference.name not in names:
            self.piece("unset", reference.name)  # a local of an enclosing function, or a mistake
            return
        value, rest = names[reference.name], list(reference.attributes)
        owner, name = str(names.get("__name__", "")), reference.name
        self.piece("name", reference.name)
        if getattr(builtins, reference.name, names) is value:
            return  # Python's version stands for it
        while rest and isinstance(value, types.ModuleType) and is_user_module(value):
            attribute = rest.pop(0)
            label = f"{value.__name__}.{attribute} in {where}"
            if not hasattr(value, attribute):
                self.piece("unset", attribute)
                return
            owner, name, value = value.__name__, attribute, getattr(value, attribute)
        if _is_shown(value):
            self.numbers[f"{owner}.{name}"] = repr(value)
        self.add(value, label)

    def _add_import(
        self, found: LocalImport, code: types.CodeType, names: Mapping[str, Any], where: str
    ) -> None:
        name = "." * found.level + found.module
        try:
            absolute = importlib.util.resolve_name(name, names.get("__package__"))
            if is_library(absolute):
                self.add_library_module(absolute)
                return
            module = importlib.import_module(absolute)
        except ImportError:
            self.piece("not importable", name)
            return
        self.add_module(module, where, all_names(code))

    # ------------------------------------------------------------ modules, classes, instances

    def add_library_module(self, name: str) -> None:
        """Add the name of a library's module, with the version of the library."""
        self.piece("module", name)
        self.piece("version", library_version(name))

    def add_module(
        self, module: types.ModuleType, where: str, names: set[str] | None = None
    ) -> None:
        """Add a library's version, or these definitions of a user's module (None: all)."""
        if not is_user_module(module):
            self.add_library_module(module.__name__)
            return
        self.piece("module", module.__name__)
        if names is None and self.repeats(module):
            return
        for name in sorted(vars(module)):
            if not name.startswith("__") and (names is None or name in names):
                self.piece("name", name)
                self.add(vars(module)[name], f"{module.__name__}.{name} in {where}")

    def add_class(self, cls: type, where: str) -> None:
        """Add a class: the user's with bases and members, a library's by name and version."""
        if not _is_users(cls.__module__):
            self.add_library(cls)
            return
        if self.repeats(cls):
            return
        self.piece("class", cls.__qualname__)
        for base in cls.__bases__:
            self.add_class(base, where)
        if _is_users(type(cls).__module__):
            self.piece("metaclass")
            self.add_class(type(cls), where)
        with self.ordering(True):
            for name, member in class_members(cls):
                self.piece("member", name)
                self.add(member, f"{where}.{name}")

    def add_instance(self, obj: Any, where: str) -> None:
        """Add an object by its class and its state."""
        state = instance_state(obj)
        if state is None:
            state = stdlib_state(obj)
        if state is None:
            raise NoStableHash(
                f"{where} is a {qualified_name(type(obj))}, which has no stable hash. "
                "Make it inside the function, or keep plain data there."
            )
        with self.inside(obj) as is_new:
            if not is_new:
                return
            self.add_class(type(obj), where)
            self._add_state(state, where)

    def _add_state(self, state: Mapping[str, Any], where: str) -> None:
        self.piece("state", str(len(state)))
        for name in sorted(state):
            self.piece("field", name)
            self.add(state[name], f"{where}.{name}")

    def add_kind(self, obj: Any, where: str) -> None:
        """Add class and attributes of a container or an array of a class of its own."""
        self.add_class(type(obj), where)
        # The entries of a library's own kind of mapping are all that there is to it; its
        # attributes may be files and caches.
        if _is_users(type(obj).__module__) or isinstance(obj, HOLDERS):
            with self.ordering(True):
                self._add_state(attributes(obj), where)


class _Pieces(Definitions):
    """Keeps what is added, to be added again."""

    def __init__(self, *, ordered: bool) -> None:
        super().__init__(ordered=ordered)
        self.content = bytearray()

    def pieces(self, data: bytes | bytearray) -> None:
        """Add pieces that were put together before."""
        self.content += data

    def hexdigest(self) -> str:
        """Return the digest of all that was added."""
        return hashlib.sha256(self.content).hexdigest()


@functools.lru_cache(maxsize=10_000)  # each stage hashes functions; a hundred sources share few
def _pieces_of(code: types.CodeType) -> bytes:
    """Pieces of a code object: it and its constants never change."""
    found = _Pieces(ordered=True)
    found.add(normalised(code), code.co_qualname)
    return bytes(found.content)


@functools.lru_cache(maxsize=10_000)
def _references_of(code: types.CodeType) -> tuple[Reference | LocalImport, ...]:
    return tuple(references(code))


def _closure(function: types.FunctionType) -> dict[str, Any]:
    """Values of the closure by name; a cell that is still empty is left out."""
    code, cells = function.__code__, function.__closure__ or ()
    values = {}
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:
            continue
    return values


def _is_shown(value: Any) -> bool:
    """Whether a value is a number, or a short row of numbers."""
    if type(value) in {tuple, list}:
        return all(type(one) in _NUMBERS for one in value) and len(repr(value)) <= _SHOWN
    return type(value) in _NUMBERS
