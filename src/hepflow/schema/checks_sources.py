"""Checks that corrections and sources have what their kind needs, and nothing in vain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepflow.errors import Problem
from hepflow.schema.systematics import SYSTEMATIC
from hepflow.schema.tree import (
    Problems,
    Tree,
    by_year,
    entries,
    given,
    needs,
    no_effect,
    section,
    texts,
)

_FROM_FILE: Mapping[str, Any] = {
    "file": None,
    "key": None,
    "nominal_idx": None,
    "up_and_down_idx": None,
    "out_of_range": "error",
}
_ONLY_OBJECT: Mapping[str, Any] = {
    "target": None,
    "op": "mult",
    "propagate_to_met": None,
    "scale_mass": True,
}
_ONLY_JETS: Mapping[str, Any] = {"raw_factor": None, "smearing": None}  # what has a pt
_ONLY_MET: Mapping[str, Any] = {
    "met_threshold": 0.0,
    "met_excluded": None,
    "met_em_columns": None,
    "met_em_limit": 0.9,
}
_SIDES = ("up_function", "down_function")
_FUNCTIONS: Mapping[str, Any] = dict.fromkeys(_SIDES)
_ONLY_THEORY: Mapping[str, Any] = {
    **dict.fromkeys(("weights", "members", "combine", "lhapdf_id", "relative_to", "keep_yield")),
    "normalisation_only": False,
}
_PDF = ("pdf", "pdf_alpha_s")  # members that are combined as their LHAPDF ID tells
_WITH_ID = (*_PDF, "alpha_s")
_PAIR = 2  # members
_ONE_SIDE = "it reflects a side that is not given"


def corrections_complete(tree: Tree) -> Problems:
    """A correction has what its kind needs."""
    objects = section(tree, "preprocess", "branches")
    for where, _, one in by_year(tree, "corrections"):
        yield from _correction_target(one, where)
        from_file = one.get("use_correctionlib", True) is not False
        yield from _arguments(one, where, objects, from_file)
        word = f"{'with' if from_file else 'without'} use_correctionlib"
        if from_file:
            needed = ("file",) if _sources_alone(one) else ("file", "key")
            yield from needs(one, where, needed, word)
            yield from _nominal_named(one, where)
            yield from no_effect(one, where, {"nominal_function": None}, word)
        else:
            yield from needs(one, where, ("nominal_function",), word)
            yield from no_effect(one, where, {**_FROM_FILE, "smearing": None}, word)
        own = "without `up_and_down_idx`, which makes a source of the same name"
        if not given(one.get("up_and_down_idx")):
            yield from no_effect(one, where, {"correlation": "correlated", "smooth": False}, own)
            if not entries(one, "uncertainty_sources"):
                yield from no_effect(one, where, {"group": None}, "without a source")
        for j, source in entries(one, "uncertainty_sources"):
            yield from _source(source, f"{where}.uncertainty_sources[{j}]", word, from_file)


def _sources_alone(one: Mapping[str, Any]) -> bool:
    """Whether a correction has sources only, each with a correction of its own in the file."""
    rows = [source for _, source in entries(one, "uncertainty_sources")]
    own = given(one.get("up_and_down_idx")) or given(one.get("smearing"))
    return bool(rows) and not own and all(given(row.get("key")) for row in rows)


def _source(source: Mapping[str, Any], path: str, word: str, from_file: bool) -> Problems:
    """One source of a correction: its sides come from the file or from functions."""
    if from_file:
        if not given(source.get("key")):
            yield from needs(source, path, ("up_and_down_idx",), word)
        yield from no_effect(source, path, _FUNCTIONS, word)
        pair = source.get("up_and_down_idx")
        both = isinstance(pair, (list, tuple)) and all(given(one) for one in pair)
    else:
        yield from needs(source, path, ("up_function",), word)
        from_files = dict.fromkeys(("up_and_down_idx", "key", "accepts"))
        yield from no_effect(source, path, from_files, word)
        both = given(source.get("down_function"))
    if both:
        yield from no_effect(source, path, {"symmetrise": False}, f"for two sides: {_ONE_SIDE}")
    elif source.get("is_delta") is True:
        why = "for a difference, which serves both sides"
        yield from no_effect(source, path, {"symmetrise": False}, why)
    if given(source.get("varies_with")):
        why = "beside `varies_with`: the source is no nuisance of its own"
        unused = {"correlation": "correlated", "symmetrise": False, "smooth": False, "group": None}
        yield from no_effect(source, path, unused, why)


def _nominal_named(one: Mapping[str, Any], where: str) -> Problems:
    """Where the file has names for up and down, it has one for nominal."""
    rows = [one, *(source for _, source in entries(one, "uncertainty_sources"))]
    placed = any(text == SYSTEMATIC for _, text in texts(one.get("args")))
    rows = [row for row in rows if not given(row.get("key")) or row is one]
    if not placed and any(given(row.get("up_and_down_idx")) for row in rows):
        yield from needs(one, where, ("nominal_idx",), "beside the names of up and down")


def _arguments(
    one: Mapping[str, Any], where: str, objects: Mapping[str, Any], from_file: bool
) -> Problems:
    """Inputs are in `use` or in `args`, and the place of the systematic is there once."""
    arguments = one.get("args")
    if not given(arguments):
        return
    yield from no_effect(one, where, {"use": None}, "beside `args`")
    places = [j for j, text in texts(arguments) if text == SYSTEMATIC]
    named = given(one.get("nominal_idx"))
    if not from_file:
        for j in places:
            message = f"{SYSTEMATIC!r} has no effect without use_correctionlib."
            yield Problem(f"{where}.args[{j}]", message, "Remove it.")
    elif named and len(places) != 1:
        message = (
            f"expected {SYSTEMATIC!r} once, where nominal_idx goes, but got it {len(places)} times."
        )
        yield Problem(f"{where}.args", message)
    elif places and not named:
        yield Problem(
            f"{where}.nominal_idx", f"missing. `args` has a place for it ({SYSTEMATIC!r})."
        )
    yield from _no_columns(arguments, where, objects)


def _no_columns(arguments: Any, where: str, objects: Mapping[str, Any]) -> Problems:
    """A text among the inputs that looks like a column is none."""
    for j, text in texts(arguments):
        name, dot, field = text.partition(".")
        if dot and name in objects:
            hint = f'Write ("{name}", "{field}").'
            yield Problem(f"{where}.args[{j}]", f"{text!r} is a text, not a column.", hint)


def _target_column(one: Mapping[str, Any], where: str) -> Problems:
    """The target is of an object; what follows from a new pt has no effect for another column."""
    target = one.get("target")
    parts = target.split(".") if isinstance(target, str) else target
    if isinstance(parts, (list, tuple)) and parts and parts[0] == "event":
        message = "a branch without an object cannot be changed."
        yield Problem(f"{where}.target", message, 'Give a column of an object: ("Jet", "pt").')
    column = parts[-1] if isinstance(parts, (list, tuple)) and parts else "pt"
    if column != "pt":
        word = f"for the column {column!r}: it is for 'pt'"
        unused = {"propagate_to_met": None, "scale_mass": True, **_ONLY_JETS}
        yield from no_effect(one, where, unused, word)
    if one.get("op") == "add_vector":
        yield from _vector(one, where, column)


def _vector(one: Mapping[str, Any], where: str, column: Any) -> Problems:
    """A vector is added to a momentum, and nothing follows from that."""
    if column != "pt":
        message = f"{column!r} is no momentum, to which op 'add_vector' adds."
        yield Problem(f"{where}.target", message, 'Write for example target: ("MET", "pt").')
    alone = {"propagate_to_met": None, "scale_mass": True}
    yield from no_effect(one, where, alone, "beside op 'add_vector'")


def _correction_target(one: Mapping[str, Any], where: str) -> Problems:
    if one.get("type") == "object":
        if not given(one.get("target")):
            yield Problem(
                f"{where}.target",
                "missing. A correction of type 'object' needs the column that it changes.",
                'Write for example target: ("Jet", "pt").',
            )
        unused = {"reduce": "prod", "keep_yield": False}
        yield from no_effect(one, where, unused, "for type 'object'")
        yield from _target_column(one, where)
        yield from _smearing(one, where)
    if one.get("type") == "event":
        unused = {**_ONLY_OBJECT, **_ONLY_JETS, **_ONLY_MET}
        yield from no_effect(one, where, unused, "for type 'event'")
    elif not given(one.get("propagate_to_met")):
        yield from no_effect(one, where, _ONLY_MET, "without `propagate_to_met`")
    elif not given(one.get("met_em_columns")):
        yield from no_effect(one, where, {"met_em_limit": 0.9}, "without `met_em_columns`")


def _smearing(one: Mapping[str, Any], where: str) -> Problems:
    """A smearing multiplies pt, and a match needs the generated objects and their positions."""
    smearing = one.get("smearing")
    if not isinstance(smearing, Mapping):
        return
    yield from no_effect(one, where, {"op": "mult"}, "beside `smearing`, which multiplies")
    path = f"{where}.smearing"
    if given(smearing.get("generated")):
        yield from needs(smearing, path, ("index",), "beside `generated`")
    else:
        unused = {"index": None, "max_distance": 0.2}
        yield from no_effect(smearing, path, unused, "without `generated`")


def systematics_complete(tree: Tree) -> Problems:
    """A source has what its kind needs, and nothing that would have no effect."""
    needed: dict[Any, tuple[str, ...]] = {
        "normalisation": ("size",),
        "event": ("up_function",),
        "object": ("up_function", "target"),
        "sample": (),
        "theory": ("weights", "members"),
    }
    plain = {**_FUNCTIONS, **_ONLY_OBJECT, "use": None, "transform": None}
    alone: Mapping[str, Any] = {"processes": None, "correlation": "correlated"}
    sizes = dict.fromkeys(("size", "size_down"))
    unused: dict[Any, Mapping[str, Any]] = {
        "normalisation": {**plain, **_ONLY_THEORY, "symmetrise": False, "smooth": False},
        "event": {**_ONLY_OBJECT, **_ONLY_THEORY, **sizes},
        "object": {**_ONLY_THEORY, **sizes},
        "sample": {**plain, **_ONLY_THEORY, **alone, **sizes},
        "theory": {**plain, **sizes, "symmetrise": False},
    }
    for where, _, one in by_year(tree, "systematics"):
        kind = one.get("type")
        if isinstance(kind, str) and kind in needed:
            yield from needs(one, where, needed[kind], f"for type {kind!r}")
            yield from no_effect(one, where, unused[kind], f"for type {kind!r}")
        if kind == "object":
            yield from _target_column(one, where)
        if kind == "theory":
            yield from _members(one, where)
        if kind == "normalisation":
            yield from _sizes(one, where)
        if given(one.get("up_function")) and given(one.get("down_function")):
            yield from no_effect(one, where, {"symmetrise": False}, f"for two sides: {_ONE_SIDE}")


def _sizes(one: Mapping[str, Any], where: str) -> Problems:
    """A yield stays positive when the source is down."""
    size = one.get("size")
    if isinstance(size, (int, float)) and size >= 1 and not given(one.get("size_down")):
        message = f"expected a number below 1 without `size_down`, but got {size}."
        hint = "The yield would not be positive when down; a log-normal has 1 - 1/(1 + size) there."
        yield Problem(f"{where}.size", message, hint)


def _members(one: Mapping[str, Any], where: str) -> Problems:
    """Members by name know how they are combined, those by position do not."""
    members, combine = one.get("members"), one.get("combine")
    if isinstance(members, (list, tuple)):
        yield from needs(one, where, ("combine",), "for members by position")
        if combine == "pair" and len(members) != _PAIR:
            message = f"expected two positions for a pair, up and down, but got {len(members)}."
            yield Problem(f"{where}.members", message)
    elif isinstance(members, str) and members not in _PDF:
        word = f"for members {members!r}, of which it is known"
        yield from no_effect(one, where, {"combine": None}, word)
    elif members in _PDF and combine in {"envelope", "pair"}:
        message = f"{combine!r} is not how the members of a PDF set are combined."
        yield Problem(f"{where}.combine", message, "Give 'hessian' or 'replicas'.")
    if members not in _WITH_ID:
        yield from no_effect(one, where, {"lhapdf_id": None}, "for members without PDFs")
    if one.get("normalisation_only") is True:
        yield from no_effect(one, where, {"smooth": False}, "with normalisation_only: it is flat")
    if one.get("normalisation_only") is True and one.get("keep_yield") is True:
        message = "with normalisation_only nothing would be left of the source."
        yield Problem(f"{where}.keep_yield", message, "Remove one of them.")
