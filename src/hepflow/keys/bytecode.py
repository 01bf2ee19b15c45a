"""A code object as a sequence that only its meaning changes, and the names it reads.

The bytecode as such won't do: constants stand in it by index, and adding a docstring shifts
the indices. Here constants and names stand by value and jumps by the number of the instruction.
"""

from __future__ import annotations

import bisect
import dis
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

# Flags of the signature, generators and coroutines; not whether there is a docstring.
_FLAGS = 0x0FFF
# Set by class bodies; the order of the last one is not even stable.
_TEXT_ONLY = {"__doc__", "__firstlineno__", "__static_attributes__"}
_JUMPS = {*dis.hasjrel, *dis.hasjabs}
_CONSTANTS = set(dis.hasconst)
# Python 3.13 joins these where both stand in one line: how a text is laid out would show.
_PAIRS = {
    "LOAD_FAST_LOAD_FAST": ("LOAD_FAST", "LOAD_FAST"),
    "STORE_FAST_LOAD_FAST": ("STORE_FAST", "LOAD_FAST"),
    "STORE_FAST_STORE_FAST": ("STORE_FAST", "STORE_FAST"),
}
_FREE = set(dis.hasfree)
_NAMES = {*dis.hasname, *dis.haslocal, *dis.hasfree}
_ROOTS = {
    "LOAD_GLOBAL",
    "LOAD_NAME",
    "LOAD_DEREF",
    "LOAD_CLASSDEREF",
    "LOAD_FROM_DICT_OR_GLOBALS",
    "LOAD_FROM_DICT_OR_DEREF",
}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that code reads, with the attributes that are read of it at once."""

    name: str
    attributes: tuple[str, ...]  # ("helper", "cut") for user.helper.cut


@dataclass(frozen=True, slots=True)
class LocalImport:
    """A module that code imports when it runs."""

    module: str
    level: int  # number of leading dots


def _instructions(code: CodeType) -> list[dis.Instruction]:
    """Instructions without the prefixes of long arguments and without docstrings."""
    items = [item for item in dis.get_instructions(code) if item.opname != "EXTENDED_ARG"]
    kept: list[dis.Instruction] = []
    for item in items:
        if item.opname == "STORE_NAME" and item.argval in _TEXT_ONLY:
            kept.pop()  # the constant, or in later versions the line number
            continue
        kept.append(item)
    return kept


def normalised(code: CodeType) -> tuple[Any, ...]:
    """Return signature, instructions and exception table; nested code objects stay in it."""
    items = _instructions(code)
    offsets = [item.offset for item in items]
    sizes = (len(_PAIRS.get(item.opname, ("",))) for item in items)
    places = [0, *itertools.accumulate(sizes)]  # of instructions among the steps
    steps: list[Any] = []
    for item in items:
        if item.opname in _PAIRS:
            steps += zip(_PAIRS[item.opname], item.argval, strict=True)
            continue
        argument: Any = item.arg
        if item.opcode in _CONSTANTS:
            argument = item.argval
        elif item.opcode in _JUMPS:
            # A target may be the prefix of a long argument: take the instruction after it.
            argument = places[bisect.bisect_left(offsets, item.argval)]
        elif item.opcode in _NAMES:
            argument = item.argval
        steps.append((item.opname, argument))
    signature = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & _FLAGS,
        code.co_varnames[: code.co_argcount + code.co_kwonlyargcount],
        code.co_freevars,
        code.co_cellvars,
    )
    return (signature, tuple(steps), code.co_exceptiontable)


def _chain(items: list[dis.Instruction], position: int) -> tuple[str, ...]:
    names: list[str] = []
    for item in items[position + 1 :]:
        if item.opname not in _ATTRIBUTES:
            break
        names.append(str(item.argval))
    return tuple(names)


def references(
    code: CodeType, closure: tuple[str, ...] | None = None
) -> Iterator[Reference | LocalImport]:
    """Names and modules that the code and the code nested in it read, in order.

    Of the variables of enclosing functions, those in `closure` only: others are locals of the
    code itself.
    """
    closure = code.co_freevars if closure is None else closure
    items = _instructions(code)
    for position, item in enumerate(items):
        if item.opcode in _FREE and item.argval not in closure:
            continue
        if item.opname in _ROOTS:
            yield Reference(str(item.argval), _chain(items, position))
        elif item.opname == "IMPORT_NAME":
            level = items[position - 2].argval
            yield LocalImport(str(item.argval), level if isinstance(level, int) else 0)
        elif item.opcode in _CONSTANTS and isinstance(item.argval, CodeType):
            yield from references(item.argval, closure)


def all_names(code: CodeType) -> set[str]:
    """Names of globals and attributes in the code and the code nested in it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= all_names(constant)
    return names
