"""The order of what happens to events, as pure functions around the overridable steps."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.spec import AnalysisSpec
from hepflow.corrections import (
    Choice,
    correction_values,
    linked_sources_of,
    per_event,
    sources_of,
)
from hepflow.errors import MaskError, UserFunctionError
from hepflow.events import COORDINATES, Lists, replace_object
from hepflow.functors import call, column, naming
from hepflow.normalisation import event_weights, generator_weights
from hepflow.object_order import keep_objects, keep_sorted
from hepflow.raised import said_by
from hepflow.records import NOMINAL, Dataset, Ledger, PartCounts, Variation
from hepflow.returned import array_of, column_from, described
from hepflow.schema import Correction, GhostObservable, GoodObjectMask, Systematic
from hepflow.skimming import Skim
from hepflow.sources import applies
from hepflow.variations import place_of, systematic_value, varied_function

Floats = NDArray[np.float64]


def ledger_of(parts: Iterable[Mapping[str, Any]]) -> Ledger:
    """Ledger of parts, from the metadata that comes with their events."""
    known = list(parts)
    return Ledger.of_parts(map(_counts_of, known)) + file_facts(known)


def file_facts(parts: Iterable[Mapping[str, Any]]) -> Ledger:
    """What is known about the files of parts, as a ledger without the parts."""
    events: dict[str, dict[str, int]] = {}
    runs: dict[str, dict[str, float]] = {}
    files: dict[str, int] = {}
    for one in parts:
        dataset, file = one["dataset"], one["file"]
        if one.get("file_nevts") is not None:
            events.setdefault(dataset, {})[file] = one["file_nevts"]
        if one.get("file_runs_sum") is not None:
            runs.setdefault(dataset, {})[file] = one["file_runs_sum"]
        if one.get("n_files") is not None:
            files[dataset] = one["n_files"]
    return Ledger(file_events=events, runs_sums=runs, files_expected=files)


def files_known(skims: Iterable[Skim]) -> Ledger:
    """What is known about the files of all skims, as a ledger without parts and losses."""
    return Ledger.merged([skim.files for skim in skims])


def item_key_of(metadata: Mapping[str, Any]) -> tuple[str, str, int, int]:
    """What makes the part of this metadata unique within a run, as `PartCounts.item_key`."""
    return (metadata["dataset"], metadata["file"], metadata["entrystart"], metadata["entrystop"])


def _counts_of(metadata: Mapping[str, Any]) -> PartCounts:
    return PartCounts(
        dataset=metadata["dataset"],
        file=metadata["file"],
        entrystart=metadata["entrystart"],
        entrystop=metadata["entrystop"],
        nevts=metadata["part_nevts"],
        sum_weights=metadata["part_sum_weights"],
        sum_signs=metadata.get("part_sum_signs", math.nan),
        repeated=metadata.get("part_repeated", 0),
        theory=metadata.get("part_theory", ()),
    )


def base_weights(events: Any, dataset: Dataset, weight_mode: str) -> Floats:
    """Generator weight (or its sign) of each event; 1 for data. Shape (n_events,)."""
    if dataset.is_data or dataset.weight_branch is None:
        return np.ones(len(events))
    raw = np.asarray(events[dataset.weight_branch])
    return event_weights(generator_weights(raw, len(events)), weight_mode)


def apply_object_masks(
    events: Any,
    masks: Sequence[GoodObjectMask],
    only: Collection[int] | None = None,
    unsorted: Collection[int] = (),
) -> Any:
    """Keep good objects, one mask after the other.

    Parameters
    ----------
    only
        Positions of the masks that are applied; default all.
    unsorted
        Positions of those whose objects are not sorted by pt yet: they are behind their mask.
    """
    for i, mask in enumerate(masks):
        if only is None or i in only:
            with naming(mask.function):
                where = f"good_object_masks.analysis[{i}] ({mask.object})"
                events = apply_object_mask(events, mask, where, sort=i in unsorted)
    return events


def apply_object_mask(events: Any, mask: GoodObjectMask, where: str, *, sort: bool = False) -> Any:
    """Keep the objects that the configured function accepts, and `sort` them by pt.

    Raises
    ------
    MaskError
        If the function's result does not have one boolean for each object.
    """
    target = column(events, mask.object, None, f"{where}.object")
    result = call(mask.function, mask.use, events, where)
    array = array_of(result)
    if array is None:
        raise MaskError(
            f"{where}: returned {described(result)}, expected lists of booleans, one for each "
            "object."
        )
    if len(array) != len(target) or array.ndim != target.ndim:
        raise MaskError(f"{where}: expected one value for each {mask.object} of each event.")
    if target.ndim == 1:
        raise MaskError(f"{where}: {mask.object} is one for each event and cannot be masked.")
    objects = Lists.of(target)
    try:
        found = Lists.of(array)
        flat = found.numbers()
    except UserFunctionError as error:
        raise MaskError(
            f"{where}: the mask has missing values. Fill them: ak.fill_none(x, False)."
        ) from error
    if found.offsets is not objects.offsets and not np.array_equal(found.offsets, objects.offsets):
        raise MaskError(f"{where}: its lists differ in length from those of {mask.object}.")
    if len(flat) and flat.dtype != np.bool_:
        raise MaskError(f"{where}: the mask has type {flat.dtype}, expected bool.")
    keep = keep_sorted if sort else keep_objects
    return keep(events, mask.object, objects, flat.astype(np.bool_, copy=False))


def add_ghosts(events: Any, ghost: GhostObservable, where: str) -> Any:
    """Compute ghost observables and put them where the configuration says.

    Raises
    ------
    UserFunctionError
        If the function does not return one column for each name.
    """
    result = call(ghost.function, ghost.use, events, where)
    values = list(result) if isinstance(result, (tuple, list)) else [result]
    if len(values) != len(ghost.names):
        raise UserFunctionError(
            f"{where}: returned {len(values)} columns for {len(ghost.names)} names "
            f"({', '.join(ghost.names)}). A list or a tuple holds a column for each name, and each "
            "column is an array."
        )
    for (collection, name), value in zip(ghost.columns, values, strict=True):
        events = _put(events, collection, name, value, where)
    return events


def _put(events: Any, collection: str, name: str, value: Any, where: str) -> Any:
    import awkward as ak

    if isinstance(value, np.ndarray):
        value = value.view()  # the events' numbers can be read only, the function's need not
    found = column_from(value, where, name)
    if len(found) != len(events):
        raise UserFunctionError(
            f"{where}: {name!r} has {len(found)} entries for {len(events)} events."
        )
    if collection == "event":
        return ak.with_field(events, found, name)
    if collection not in events.fields:
        return replace_object(events, collection, ak.zip({name: found}, depth_limit=1))
    target = events[collection]
    if not target.fields:
        raise UserFunctionError(
            f"{where}: {collection!r} is no object, so that {name!r} cannot be a column of it. "
            "Expected an object, a new name, or 'event' for a column of the event."
        )
    try:
        changed = ak.with_field(target, found, name)
    except (TypeError, ValueError) as error:
        first = said_by(error).split(" (in compiled code", maxsplit=1)[0]
        hint = (
            f"{collection} is a vector and has such a coordinate already: give another name."
            if name in COORDINATES
            else f"Expected one value for each event, or for each {collection} of each event."
        )
        raise UserFunctionError(
            f"{where}: {name!r} cannot be a column of {collection!r} ({first}). {hint}"
        ) from error
    return replace_object(events, collection, changed)


@dataclass(frozen=True)
class Factor:
    """One factor of the event weight, and its values when its sources move."""

    nominal: Floats | None  # shape (n_events,); None: 1, of a source without a correction
    varied: Mapping[str, Floats]  # variation name -> shape (n_events,)


def weight_factors(
    spec: AnalysisSpec,
    events: Any,
    dataset: Dataset,
    variations: tuple[Variation, ...],
    shift: Variation = NOMINAL,
) -> list[Factor]:
    """Evaluate each event correction and each weight systematic once for what is wanted.

    Parameters
    ----------
    shift
        Object variation of the events: sources that are linked to it move with it.
    """
    wanted = [one for one in variations if one.kind == "weight"]
    factors = [
        _correction_factor(spec, one, f"corrections[{i}]", events, wanted, shift)
        for i, one in enumerate(spec.corrections_of(dataset))
        if one.type == "event" and applies(one.applies_to, dataset)
    ]
    for i, source in enumerate(spec.systematics_of(dataset)):
        mine = [one for one in wanted if one.source == source.name]
        if source.type == "event" and mine:
            factors.append(_source_factor(source, f"systematics[{i}]", events, mine))
    return factors


def _correction_factor(
    spec: AnalysisSpec,
    correction: Correction,
    path: str,
    events: Any,
    wanted: list[Variation],
    shift: Variation,
) -> Factor:
    mine = [one for one in wanted if one.source in sources_of(correction)]
    varied = {
        one.name: _factor(spec, correction, path, events, Choice(one.source, one.direction))
        for one in mine
    }
    return Factor(correction_factor(spec, correction, path, events, shift), varied)


def correction_factor(
    spec: AnalysisSpec, correction: Correction, path: str, events: Any, shift: Variation = NOMINAL
) -> Floats:
    """One factor of the nominal weight; sources that are linked to `shift` move with it."""
    moved = [one for one in linked_sources_of(correction) if one.varies_with == shift.source]
    choice = Choice(moved[0].name, shift.direction) if moved else Choice()
    return _factor(spec, correction, path, events, choice)


def _factor(
    spec: AnalysisSpec, correction: Correction, path: str, events: Any, choice: Choice
) -> Floats:
    where = place_of(correction, path)
    digest = spec.digests.get(correction.file or "", "")
    found = correction_values(correction, digest, events, choice, where)
    return per_event(found, len(events), correction.reduce, where)


def _source_factor(source: Systematic, path: str, events: Any, mine: list[Variation]) -> Factor:
    where = place_of(source, path)
    varied = {}
    for one in mine:
        result = systematic_value(source, one, events, where)
        with naming(varied_function(source, one)):
            varied[one.name] = per_event(result, len(events), "prod", where)
    return Factor(None, varied)


def check_weights(
    weights: Any, length: int, where: str, wanted: Sequence[str] = ("nominal",)
) -> dict[str, Floats]:
    """Weights as finite numbers, one for each event.

    Parameters
    ----------
    weights
        What the step gave.
    wanted
        Names that must be there; there may be others.

    Raises
    ------
    UserFunctionError
        If an overridden step gave something else.
    """
    if not isinstance(weights, Mapping):
        raise UserFunctionError(
            f"event_weights, {where}: returned {type(weights).__name__}, expected a dict with the "
            "weights of 'nominal' and of each of `variations`, by name."
        )
    found: dict[str, Floats] = {}
    for name, values in weights.items():
        try:
            flat = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserFunctionError(
                f"event_weights, {where}: {name!r} is no array of numbers, expected one for each "
                "event."
            ) from error
        if flat.shape != (length,):
            raise UserFunctionError(
                f"event_weights, {where}: {name!r} has shape {flat.shape}, expected ({length},)."
            )
        bad = int((~np.isfinite(flat)).sum())
        if bad:
            raise UserFunctionError(
                f"event_weights, {where}: {bad} of {length} weights {name!r} are not finite."
            )
        found[name] = flat
    if next(iter(found), None) != "nominal":
        raise UserFunctionError(f"event_weights, {where}: the first weight must be 'nominal'.")
    missing = [repr(name) for name in wanted if name not in found]
    if missing:
        raise UserFunctionError(
            f"event_weights, {where}: returned no weights of {', '.join(missing)}. Return those of "
            "'nominal' and of each of `variations`, as super().event_weights does; where one "
            "changes nothing, they are those of 'nominal'."
        )
    return found


def combine_weights(
    base: Floats, factors: list[Factor], variations: tuple[Variation, ...]
) -> dict[str, Floats]:
    """Weights of nominal and of each weight variation, nominal first.

    The nominal weight is the product of all factors; a variation replaces one of them and
    keeps all others.
    """
    nominal = base.copy()
    for factor in factors:
        if factor.nominal is not None:
            nominal = nominal * factor.nominal
    weights = {"nominal": nominal}
    for variation in variations:
        if variation.kind == "weight":
            weights[variation.name] = _varied_weight(base, factors, variation.name, nominal)
    return weights


def _varied_weight(base: Floats, factors: list[Factor], name: str, nominal: Floats) -> Floats:
    mine = [one for one in factors if name in one.varied]
    if all(one.nominal is None for one in mine):  # nothing is replaced
        for one in mine:
            nominal = nominal * one.varied[name]
        return nominal
    product = base
    for one in factors:
        factor = one.varied.get(name, one.nominal)
        product = product if factor is None else product * factor
    return product
