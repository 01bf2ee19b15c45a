"""Values of a configured correction on events."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.files import evaluate, open_correction
from hepflow.corrections.flat import flattened, floats, unflattened
from hepflow.corrections.random import inputs_of
from hepflow.corrections.smearing import smeared
from hepflow.errors import CorrectionError, UserFunctionError, did_you_mean
from hepflow.functors import call_on, naming
from hepflow.returned import numbers_of
from hepflow.schema import Correction, UncertaintySource
from hepflow.schema.systematics import SYSTEMATIC

Floats = NDArray[np.float64]
VALUES = "a number, or numbers (or lists of numbers, one for each object) for each event"
_INPUTS = "for each input a text, a number, or numbers (or lists of numbers) for each event"


@dataclass(frozen=True)
class Choice:
    """Which value of a correction is wanted."""

    source: str | None = None  # None: nominal
    direction: str = "nominal"  # "up" or "down" with a source


def sources_of(correction: Correction) -> tuple[str, ...]:
    """Names of the uncertainty sources of a correction, linked ones included."""
    own = (correction.name,) if correction.up_and_down_idx else ()
    return own + tuple(source.name for source in correction.uncertainty_sources)


def linked_sources_of(correction: Correction) -> tuple[UncertaintySource, ...]:
    """Sources that move with an object source instead of being nuisances of their own."""
    return tuple(one for one in correction.uncertainty_sources if one.varies_with is not None)


def correction_values(
    correction: Correction, digest: str, events: Any, choice: Choice, where: str
) -> Any:
    """Value of a correction on events: flat, or jagged like its inputs.

    Raises
    ------
    CorrectionError
        If the file or the inputs do not fit.
    UserFunctionError
        If a configured function raises.
    """
    arguments = _arguments(correction, events, where)

    def at(one: Choice) -> Any:
        return _evaluate(correction, digest, arguments, one, len(events), where)

    source = _source_of(correction, choice)
    if source is not None and source.is_delta:
        size = at(choice)
        value = at(Choice()) + size if choice.direction == "up" else at(Choice()) - size
    else:
        value = at(choice)
    transform = correction.transform_out
    if transform is not None:
        value = _called(transform, [value], f"{where}.transform_out")
    if correction.smearing is None:
        return value
    inputs = inputs_of(events, correction.smearing.use, correction.name, where)
    lookup = _Lookup(correction.smearing.key, beyond=0.0)
    resolution = _from_file(correction, lookup, digest, inputs, len(events), where)
    return smeared(correction, events, value, resolution, where)


def acts_nominally(correction: Correction) -> bool:
    """Whether a correction does something where none of its sources moves."""
    named = correction.key is not None or not correction.use_correctionlib
    return named or correction.transform_out is not None


def _source_of(correction: Correction, choice: Choice) -> UncertaintySource | None:
    if choice.source is None:
        return None
    return next((s for s in correction.uncertainty_sources if s.name == choice.source), None)


def _arguments(correction: Correction, events: Any, where: str) -> list[Any]:
    """Inputs in order: columns, transformed where asked for, and constants between them."""
    given = list(correction.args or correction.use)
    columns = [one for one in given if isinstance(one, tuple)]
    values = inputs_of(events, columns, correction.name, where)
    transform = correction.transform_in
    if transform is not None:
        result = call_on(transform, values, where)
        values = list(result) if isinstance(result, (tuple, list)) else [result]
        if correction.use_correctionlib:
            with naming(transform):
                values = [_as_input(one, f"{where}.transform_in") for one in values]
    if not correction.args:
        return values
    places = [i for i, one in enumerate(given) if isinstance(one, tuple)]
    if columns and places[-1] - places[0] == len(places) - 1:  # together: others in their place
        return [*given[: places[0]], *values, *given[places[-1] + 1 :]]
    if len(values) != len(columns):
        raise UserFunctionError(
            f"{where}.transform_in: returned {len(values)} columns, expected {len(columns)}, one "
            "for each column of `args`."
        )
    rest = iter(values)
    return [next(rest) if isinstance(one, tuple) else one for one in given]


def _evaluate(
    correction: Correction,
    digest: str,
    arguments: list[Any],
    choice: Choice,
    length: int,
    where: str,
) -> Any:
    if not correction.use_correctionlib:
        function = _function_for(correction, choice)
        return _called(function, arguments, where)
    lookup = _lookup(correction, choice)
    if lookup.key is None:
        return 1.0 if correction.op == "mult" else 0.0
    return _from_file(correction, lookup, digest, arguments, length, where)


def _called(function: Any, arguments: Sequence[Any], where: str) -> Any:
    """Value of a configured function, which is a number or has one for each event or object."""
    result = call_on(function, arguments, where)
    with naming(function):
        return numbers_of(result, where, VALUES)


def _as_input(value: Any, where: str) -> Any:
    """One of the inputs of a file: numbers, or a text for all objects."""
    return value if isinstance(value, str) else numbers_of(value, where, _INPUTS)


@dataclass(frozen=True)
class _Lookup:
    """Where in the file a value stands."""

    key: str | None  # name of the correction; None: there is no nominal one
    index: str | None = None  # name of nominal, up or down
    beyond: float = 1.0  # value outside the domain, where that is asked for
    accepts: Mapping[str, Sequence[float]] | None = None  # other objects read nominal
    of_source: bool = False  # not the nominal value


def _lookup(correction: Correction, choice: Choice) -> _Lookup:
    nominal = _Lookup(correction.key, correction.nominal_idx)
    up = choice.direction == "up"
    source = _source_of(correction, choice)
    if source is None:
        pair = correction.up_and_down_idx if choice.source == correction.name else None
        if pair is None:
            return nominal
        return replace(nominal, index=pair[0] if up else pair[1], of_source=True)
    beyond = 0.0 if source.is_delta else 1.0
    varied = _Lookup(source.key or correction.key, None, beyond, source.accepts, of_source=True)
    if source.up_and_down_idx is None:  # a correction of its own has the value of one side
        return varied if up or source.is_delta else nominal
    first, second = source.up_and_down_idx
    index = first if up or (second is None and source.is_delta) else second
    return nominal if index is None else replace(varied, index=index)  # no such side is nominal


def _from_file(
    correction: Correction,
    lookup: _Lookup,
    digest: str,
    arguments: list[Any],
    length: int,
    where: str,
) -> Any:
    """Value of the file for each object, or for each event."""
    try:
        flat, objects = flattened(arguments, where)
        value = functools.partial(_looked_up, correction, digest)
        if lookup.accepts is None:
            values = value(lookup, flat)
        else:
            mask = _accepted(correction, digest, lookup, flat)
            other = _Lookup(correction.key, correction.nominal_idx)
            values = np.full(mask.shape, lookup.beyond)
            values[mask] = value(lookup, _chosen(flat, mask))
            if lookup.beyond and other.key is not None:  # a difference of 0 is nominal
                values[~mask] = value(other, _chosen(flat, ~mask))
    except CorrectionError as error:
        error.add_note(f"Configured at {where}.")
        raise
    return unflattened(values, objects, length)


def _looked_up(correction: Correction, digest: str, lookup: _Lookup, flat: Sequence[Any]) -> Floats:
    evaluator = open_correction(correction.file or "", lookup.key or "", digest)
    index = lookup.index
    if any(map(_is_place, flat)):  # the place of the index is among the inputs
        flat, index = [lookup.index if _is_place(one) else one for one in flat], None
    way, beyond = correction.out_of_range, lookup.beyond
    return evaluate(evaluator, flat, index, way, beyond, of_source=lookup.of_source)


def _accepted(
    correction: Correction, digest: str, lookup: _Lookup, flat: Sequence[Any]
) -> NDArray[np.bool_]:
    """Which objects a source is for.

    Raises
    ------
    CorrectionError
        If an input that it names is none of the file's numbers.
    """
    evaluator = open_correction(correction.file or "", lookup.key or "", digest)
    given = lookup.index is None or any(map(_is_place, flat))
    names = [name for name, kind in evaluator.inputs if given or kind != "string"]
    columns = {
        name: one for name, one in zip(names, flat, strict=False) if isinstance(one, np.ndarray)
    }
    mask = np.ones(max(map(len, columns.values()), default=1), dtype=np.bool_)
    for name, values in (lookup.accepts or {}).items():
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise CorrectionError(
                f"correction {evaluator.key!r} of {evaluator.file}: `accepts` names {name!r}, "
                f"which is no column that it reads. {hint}"
            )
        mask &= np.isin(columns[name], values)
    return mask


def _chosen(flat: Sequence[Any], mask: NDArray[np.bool_]) -> list[Any]:
    return [one[mask] if isinstance(one, np.ndarray) and one.ndim else one for one in flat]


def _is_place(argument: Any) -> bool:
    return isinstance(argument, str) and argument == SYSTEMATIC


def _function_for(correction: Correction, choice: Choice) -> Any:
    nominal = correction.nominal_function  # also what a side that is not given reads as
    for source in correction.uncertainty_sources:
        if choice.source is not None and source.name == choice.source:
            down = source.down_function
            if source.is_delta and down is None:
                down = source.up_function
            return (source.up_function if choice.direction == "up" else down) or nominal
    return nominal


def per_event(values: Any, length: int, reduce: str, where: str) -> Floats:
    """One factor for each event: jagged values are multiplied (or summed) over the objects.

    Raises
    ------
    CorrectionError
        If there is not one finite number for each event.
    UserFunctionError
        If values are missing.
    """
    import awkward as ak

    if isinstance(values, ak.Array) and values.ndim > 1:
        floats(values, where)
        values = ak.prod(values, axis=1) if reduce == "prod" else ak.sum(values, axis=1)
    flat = floats(values, where)
    flat = np.broadcast_to(flat, (length,)) if flat.ndim == 0 else flat
    if flat.shape != (length,):
        found = " x ".join(map(str, flat.shape))
        raise CorrectionError(
            f"{where}: gave {found} factors for {length} events, expected one for each event."
        )
    if not np.isfinite(flat).all():
        bad = int((~np.isfinite(flat)).sum())
        raise CorrectionError(f"{where}: {bad} of {length} factors are not finite numbers.")
    return np.asarray(flat, dtype=np.float64)
