"""What makes up a class and an instance, without what Python and libraries add by themselves."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

# Kinds of entries; what a subclass has beside them are its attributes.
HOLDERS = (dict, list, tuple, set, frozenset, np.ndarray, np.generic)

_ADDED_BY_PYTHON = {
    "__abstractmethods__",
    "__annotations__",
    "__annotations_cache__",
    "__annotate__",
    "__annotate_func__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__match_args__",
    "__module__",
    "__orig_bases__",
    "__parameters__",
    "__protocol_attrs__",
    "__qualname__",
    "__slotnames__",  # appears when an instance is pickled
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
    "_is_protocol",
    "_is_runtime_protocol",
}
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE; as in copyreg
_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: heap types written in C, as in _io
_GENERATED = "<string>"  # file name of the methods that dataclasses and named tuples make


def _is_descriptor_of_a_slot(member: Any) -> bool:
    kinds = types.MemberDescriptorType | types.GetSetDescriptorType
    return isinstance(member, kinds) or type(member).__name__ == "_tuplegetter"


def _is_generated(member: Any) -> bool:
    code = getattr(getattr(member, "__func__", member), "__code__", None)
    return code is not None and code.co_filename == _GENERATED


def _fields(cls: type) -> Iterator[tuple[str, Any]]:
    """Fields of a dataclass or a pydantic model, with their defaults."""
    if dataclasses.is_dataclass(cls):
        for field in dataclasses.fields(cls):
            for kind in ("default", "default_factory"):
                value = getattr(field, kind)
                # By type: a class that was sent by value has a copy of the sentinel.
                missing = isinstance(value, type(dataclasses.MISSING))
                shown = None if missing else (value,)
                yield f"field {field.name} {kind}", shown
            yield f"field {field.name} options", (field.init, field.compare, field.kw_only)


def _pydantic_members(cls: type) -> Iterator[tuple[str, Any]]:
    for name, field in getattr(cls, "model_fields", {}).items():
        default = () if field.is_required() else (field.default, field.default_factory)
        yield f"field {name}", (repr(field.annotation), *default)
    for name, member in sorted(vars(cls).items()):
        if isinstance(member, types.FunctionType | staticmethod | classmethod | property):
            yield name, member


def class_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Names and values that the author of a class has put into it, in a fixed order."""
    if hasattr(cls, "__pydantic_core_schema__"):
        yield from _pydantic_members(cls)
        return
    yield from _fields(cls)
    names = vars(cls)
    if issubclass(cls, enum.Enum):
        yield from ((f"member {name}", cls[name].value) for name in cls.__members__)
        written = {n: m for n, m in vars(cls).items() if isinstance(m, types.FunctionType)}
        names = types.MappingProxyType(written)
    for name in sorted(names):
        member = names[name]
        if name in _ADDED_BY_PYTHON or _is_descriptor_of_a_slot(member) or _is_generated(member):
            continue
        yield name, member


def _slots(obj: Any) -> dict[str, Any]:
    found = {}
    for cls in type(obj).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(obj, name):
                found[name] = getattr(obj, name)
    return found


def _is_pure(cls: type) -> bool:
    """Whether no class written in C, which may hide state, is among the bases."""
    for base in cls.__mro__[:-1]:
        new = base.__new__
        in_c = not base.__flags__ & _HEAP_TYPE or base.__flags__ & _IMMUTABLE_TYPE
        if in_c or getattr(new, "__self__", None) is base:
            return False
    return True


def _is_cached(cls: type, name: str) -> bool:
    return isinstance(getattr(cls, name, None), functools.cached_property)


def instance_state(obj: Any) -> dict[str, Any] | None:
    """Attributes of an instance by name; None where the state is not in attributes."""
    if hasattr(type(obj), "__pydantic_core_schema__") and hasattr(obj, "model_extra"):
        fields = type(obj).model_fields
        return {**{name: getattr(obj, name) for name in fields}, **(obj.model_extra or {})}
    if not _is_pure(type(obj)):
        return None
    has_slots = any("__slots__" in vars(cls) for cls in type(obj).__mro__)
    if not hasattr(obj, "__dict__") and not has_slots:
        return None
    state = {**_slots(obj), **getattr(obj, "__dict__", {})}
    # A cached property appears when it is first read; the class says what it will be.
    return {name: value for name, value in state.items() if not _is_cached(type(obj), name)}


def _masked_state(obj: np.ma.MaskedArray[Any, Any]) -> dict[str, Any]:
    """State of a masked array; its private attributes change when it is used."""
    if obj is np.ma.masked:
        return {}  # there is but one
    ours = vars(np.ma.MaskedArray([0]))
    added = {name: value for name, value in vars(obj).items() if name not in ours}
    known = {"mask": obj.mask, "fill_value": obj.fill_value, "hardmask": obj.hardmask}
    return {**added, **known}


def attributes(obj: Any) -> dict[str, Any]:
    """What a container or an array of a class of its own has beside its entries, by name."""
    if isinstance(obj, np.ma.MaskedArray):
        return _masked_state(obj)
    own = getattr(obj, "__dict__", {})
    state = {**_slots(obj), **({} if own is obj else own)}  # a dict may be its own attributes
    if isinstance(obj, collections.defaultdict):
        state["default_factory"] = obj.default_factory
    return {name: value for name, value in state.items() if not _is_cached(type(obj), name)}


def stdlib_state(obj: Any) -> dict[str, Any] | None:
    """State of an object of the standard library as it would be pickled; None if it can't be."""
    if type(obj).__module__.partition(".")[0] not in sys.stdlib_module_names:
        return None
    try:
        reduced = obj.__reduce_ex__(2)
    except TypeError:  # "cannot pickle": a lock, an open file
        return None
    return {"reduced": reduced[1:]} if isinstance(reduced, tuple) else {"name": reduced}
