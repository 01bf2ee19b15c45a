"""Call a configured function on columns of the events."""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import (
    CorrectionError,
    MaskError,
    MissingBranch,
    UserFunctionError,
    did_you_mean,
)
from hepflow.events import numbers
from hepflow.raised import said_by
from hepflow.returned import array_of, described
from hepflow.schema import Functor

Mask = NDArray[np.bool_]
_EACH = "one boolean for each event"
Use = Iterable[tuple[str, str | None]]
_REFUSALS = ("readonly array", "buffer source array is read-only")  # of numba and Cython
_MODIFIED = "Cannot modify readonly array"  # numba has seen that a function writes to it


def column(events: Any, collection: str, field: str | None, where: str) -> Any:
    """One column, or a whole object, of the events; its numbers can be read only.

    Raises
    ------
    MissingBranch
        If the events do not carry it.
    """
    from hepflow.events.protection import protected
    from hepflow.events.quick import quick, quick_field

    names = [] if collection == "event" else [collection]
    found = quick_field(events, names if field is None else [*names, field])
    if found is not None:
        return protected(found)
    record = events if collection == "event" else _field(events, collection, where, "object")
    if field is None:
        return protected(quick(record))
    return protected(quick(_field(record, field, where, f"column of {collection!r}")))


def _field(record: Any, name: str, where: str, kind: str) -> Any:
    if name not in record.fields:
        hint = did_you_mean(name, record.fields)
        raise MissingBranch(
            f"{where}: {name!r} is not an {kind}. {hint} Add it to preprocess.branches, or compute "
            "it as a ghost observable."
            if kind == "object"
            else f"{where}: {name!r} is not a {kind}. {hint} Add it to preprocess.branches; if it "
            "is there, the file lacks it (preprocess.ignore_missing)."
        )
    return record[name]


def columns(events: Any, use: Use, where: str) -> list[Any]:
    """Columns in the order of `use`."""
    return [column(events, collection, field, where) for collection, field in use]


def call(
    function: Callable[..., Any],
    use: Use,
    events: Any,
    where: str,
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Call a user's function on columns of the events.

    Parameters
    ----------
    where
        Path in the configuration, for messages.

    Raises
    ------
    UserFunctionError
        If the function raises; its own error is the cause.
    """
    return call_on(function, columns(events, use, where), where, kwargs)


def call_on(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    where: str,
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Call a user's function on columns that it cannot change.

    Compiled code may take only what can be written to (as numba's does where types are declared):
    then it is given a copy.

    Raises
    ------
    UserFunctionError
        If the function raises; its own error is the cause.
    """

    def called() -> Any:
        try:
            return function(*arguments, **(kwargs or {}))
        except Exception as error:
            if not _wants_to_write(error):
                raise
        from hepflow.events.protection import own_copy

        return function(*map(own_copy, arguments), **(kwargs or {}))

    return run_user_code(called, function, where)


def _wants_to_write(error: Exception) -> bool:
    """Whether compiled code refuses what is read only, though it may not write to it."""
    text = str(error)
    return any(one in text for one in _REFUSALS) and _MODIFIED not in text


def run_user_code(thunk: Callable[[], Any], function: Callable[..., Any] | None, where: str) -> Any:
    """Run code of the user and say where it came from when it raises."""
    try:
        return thunk()
    except Exception as error:
        raise UserFunctionError(
            f"{where}: {describe(function)} raised {type(error).__name__}: {said_by(error)}"
            f"{_line_of(function, error)}{_hint_for(error)}"
        ) from error


def _hint_for(error: Exception) -> str:
    """What to do where a function writes to what it was given."""
    text = str(error)
    if "read-only" not in text and _MODIFIED not in text:
        return ""
    return (
        ". What a function is given is read by others, too, so that it cannot be changed in place. "
        "Work on a copy: np.array(x)."
    )


def _line_of(function: Any, error: Exception) -> str:
    """Where in the function's own file it raised; nothing for a compiled function."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if code is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == code.co_filename]
    return f" (line {lines[-1]} of {code.co_filename})" if lines else ""


def describe(function: Any) -> str:
    """Name a function for a message: ``module.name``."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None) or repr(function)
    return f"{module}.{name}" if module else name


@contextlib.contextmanager
def naming(function: Any) -> Iterator[None]:
    """Name the function in an error about what it returned."""
    try:
        yield
    except (CorrectionError, UserFunctionError) as error:
        name = describe(function)
        if name not in str(error):
            error.add_note(f"The function is {name}.")
        raise


@dataclass(frozen=True)
class Passed:
    """Which events pass, and the requirements on the way."""

    mask: Mask  # shape (n_events,)
    steps: tuple[tuple[str, Mask], ...]  # (name, cumulative mask), the last one is `mask`
    # each requirement by itself, for N-1 histograms; the name that joins them all is none
    alone: Mapping[str, Mask] | None = None


def as_mask(result: Any, length: int, where: str) -> Mask:
    """Turn what a function returned into a flat mask.

    Raises
    ------
    MaskError
        If its length is not that of the events, it is not boolean or has missing values.
    """
    import awkward as ak

    from hepflow.events.quick import taken_apart

    if result is None or np.isscalar(result):
        raise MaskError(f"{where}: returned {result!r}, expected one value for each event.")
    offsets, flat = taken_apart(result) or (None, None)
    if offsets is None and flat is not None and len(flat) == length and flat.dtype == np.bool_:
        return np.asarray(flat)
    if _is_packed(result):
        raise MaskError(
            f"{where}: returned a PackedSelection, expected {_EACH}. A PackedSelection is for "
            "`function` of a selection: return one of its masks here, as selection.all(name)."
        )
    array = array_of(result)
    if array is None:
        raise MaskError(f"{where}: returned {described(result)}, expected {_EACH}.")
    if len(array) != length:
        raise MaskError(
            f"{where}: returned a mask of {len(array)} entries for {length} events. A selection "
            "returns exactly one value for each event."
        )
    if array.ndim != 1:
        raise MaskError(
            f"{where}: returned a nested mask. Expected one value for each event; use ak.any or "
            "ak.all over the objects."
        )
    try:
        flat = numbers(ak.to_layout(array))
    except UserFunctionError as error:
        raise MaskError(
            f"{where}: the mask has missing values. Fill them: ak.fill_none(x, False)."
        ) from error
    if len(flat) and flat.dtype != np.bool_:
        raise MaskError(f"{where}: the mask has type {flat.dtype}, expected bool.")
    return np.asarray(flat, dtype=np.bool_)


def mask_of(wanted: Functor, events: Any) -> Mask:
    """Mask that a configured function gives, shape (n_events,).

    Raises
    ------
    MaskError
        If it does not return one boolean for each event.
    """
    with naming(wanted.function):
        result = call(wanted.function, wanted.use, events, wanted.path)
        return as_mask(result, len(events), wanted.path)


def _is_packed(result: Any) -> bool:
    """Whether it is a PackedSelection of coffea, which is not imported for this."""
    return getattr(result, "names", None) is not None and hasattr(result, "all")


def as_passed(result: Any, length: int, where: str, name: str = "selection") -> Passed:
    """Turn a PackedSelection or a mask into what passes; a selection's last name is the mask."""
    if not _is_packed(result):
        mask = as_mask(result, length, where)
        return Passed(mask, ((name, mask),), {name: mask})
    names = result.names
    if not names:
        raise MaskError(f"{where}: the PackedSelection has no requirement.")
    final = as_mask(result.all(names[-1]), length, where)
    alone = {str(step): as_mask(result.all(step), length, where) for step in names[:-1]}
    steps: list[tuple[str, Mask]] = []
    running = np.ones(length, dtype=np.bool_)
    for step, mask in alone.items():
        running = running & mask
        steps.append((step, running))
    steps.append((str(names[-1]), final))
    return Passed(final, tuple(steps), alone or {str(names[-1]): final})


def select(selection: Any, events: Any, where: str, only: Collection[int] | None = None) -> Passed:
    """Apply a configured selection: one function, or named cuts that are all required.

    Parameters
    ----------
    only
        Positions of the cuts that are required; default all.
    """
    if selection.function is not None:
        with naming(selection.function):
            result = call(selection.function, selection.use, events, where)
            return as_passed(result, len(events), where)
    running = np.ones(len(events), dtype=np.bool_)
    steps: list[tuple[str, Mask]] = []
    alone: dict[str, Mask] = {}
    for i, cut in enumerate(selection.cuts):
        if only is not None and i not in only:
            continue
        place = f"{where}.cuts[{i}]"
        with naming(cut.function):
            mask = as_mask(call(cut.function, cut.use, events, place), len(events), place)
        running = running & mask
        steps.append((cut.name, running))
        alone[cut.name] = mask
    return Passed(running, tuple(steps), alone)


def check_passed(result: Any, length: int, where: str) -> Passed:
    """What a step returned: as it is, or made from a PackedSelection or a mask.

    Raises
    ------
    MaskError
        If it does not have one boolean for each event.
    """
    if not isinstance(result, Passed):
        return as_passed(result, length, where)
    as_mask(result.mask, length, where)
    return result
