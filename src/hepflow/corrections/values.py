"""Values of a configured correction on events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.files import evaluate, open_correction
from hepflow.corrections.random import inputs_of
from hepflow.errors import CorrectionError, UserFunctionError
from hepflow.functors import run_user_code
from hepflow.schema import Correction, UncertaintySource
from hepflow.schema.systematics import SYSTEMATIC

Floats = NDArray[np.float64]


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

    source = next((s for s in correction.uncertainty_sources if s.name == choice.source), None)
    if source is not None and source.is_delta:
        size = at(choice)
        value = at(Choice()) + size if choice.direction == "up" else at(Choice()) - size
    else:
        value = at(choice)
    transform = correction.transform_out
    if transform is None:
        return value
    return run_user_code(lambda: transform(value), transform, where)


def _arguments(correction: Correction, events: Any, where: str) -> list[Any]:
    """Inputs in order: columns, transformed where asked for, and constants between them."""
    given = list(correction.args or correction.use)
    columns = [one for one in given if isinstance(one, tuple)]
    values = inputs_of(events, columns, correction.name, where)
    transform = correction.transform_in
    if transform is not None:
        result = run_user_code(lambda: transform(*values), transform, where)
        values = list(result) if isinstance(result, (tuple, list)) else [result]
    if not correction.args:
        return values
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
        return run_user_code(lambda: function(*arguments), function, where)
    index = _index_for(correction, choice)
    if correction.args:  # the place of the index is among them
        arguments = [index if _is_place(one) else one for one in arguments]
        index = None
    try:
        evaluator = open_correction(correction.file or "", correction.key or "", digest)
        flat, structure = _flatten(arguments)
        values = evaluate(evaluator, flat, index, correction.out_of_range)
    except CorrectionError as error:
        error.add_note(f"Configured at {where}.")
        raise
    return _unflatten(values, structure, length)


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


def _index_for(correction: Correction, choice: Choice) -> str | None:
    pair: tuple[str, str | None] | None = None
    if choice.source is not None and choice.source == correction.name:
        pair = correction.up_and_down_idx
    for source in correction.uncertainty_sources:
        if choice.source is not None and source.name == choice.source:
            pair = source.up_and_down_idx
            if source.is_delta and pair is not None and pair[1] is None:
                pair = (pair[0], pair[0])
    if pair is None:
        return correction.nominal_idx
    given = pair[0] if choice.direction == "up" else pair[1]
    return correction.nominal_idx if given is None else given  # a side not given is nominal


def _flatten(arguments: Sequence[Any]) -> tuple[list[Any], Any]:
    """Flatten jagged inputs; flat ones beside them are repeated for each object.

    Raises
    ------
    CorrectionError
        If jagged inputs belong to different objects: equal totals would hide it.
    """
    import awkward as ak

    jagged = [one for one in arguments if isinstance(one, ak.Array) and one.ndim > 1]
    if not jagged:
        return [one if isinstance(one, (str, float)) else _numbers(one) for one in arguments], None
    counts = ak.num(jagged[0], axis=1)
    if any(not ak.array_equal(ak.num(one, axis=1), counts) for one in jagged[1:]):
        raise CorrectionError(
            "the inputs of a correction have different numbers of objects in the same event; "
            "take all columns from one object."
        )
    flat: list[Any] = []
    for one in arguments:
        if isinstance(one, (str, float)):
            flat.append(one)
        elif isinstance(one, ak.Array) and one.ndim > 1:
            flat.append(_numbers(ak.flatten(one, axis=1)))
        else:
            flat.append(np.repeat(_numbers(one), ak.to_numpy(counts)))
    return flat, counts


def _numbers(values: Any) -> Floats:
    import awkward as ak

    return np.asarray(ak.to_numpy(values) if isinstance(values, ak.Array) else values, np.float64)


def _unflatten(values: Floats, counts: Any, length: int) -> Any:
    import awkward as ak

    if counts is not None:
        return ak.unflatten(values, counts)
    return np.broadcast_to(values, (length,)) if values.shape in {(), (1,)} else values


def per_event(values: Any, length: int, reduce: str, where: str) -> Floats:
    """One factor for each event: jagged values are multiplied (or summed) over the objects.

    Raises
    ------
    CorrectionError
        If there is not one finite number for each event.
    """
    import awkward as ak

    if isinstance(values, ak.Array) and values.ndim > 1:
        values = ak.prod(values, axis=1) if reduce == "prod" else ak.sum(values, axis=1)
    flat = _numbers(values)
    flat = np.broadcast_to(flat, (length,)) if flat.ndim == 0 else flat
    if flat.shape != (length,):
        raise CorrectionError(f"{where}: gave {flat.shape[0]} factors for {length} events.")
    if not np.isfinite(flat).all():
        bad = int((~np.isfinite(flat)).sum())
        raise CorrectionError(f"{where}: {bad} of {length} factors are not finite numbers.")
    return np.asarray(flat, dtype=np.float64)
