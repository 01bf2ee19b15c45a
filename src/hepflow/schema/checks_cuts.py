"""Checks of histograms without one of the cuts: each names a cut, and has a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.channels import N_MINUS_1
from hepflow.schema.fields import Name
from hepflow.schema.tree import Problems, Tree, entries, given, section

_NAME: TypeAdapter[str] = TypeAdapter(Name)


def n_minus_1_sensible(tree: Tree) -> Problems:
    """Cuts that are named exist; names are unique among the observables of a channel."""
    baseline = section(tree, "baseline_selection")
    yield from _known_cuts(baseline, "baseline_selection")
    common = list(_named(baseline, "baseline_selection"))
    for i, channel in entries(tree, "channels"):
        selection, where = section(channel, "selection"), f"channels[{i}].selection"
        yield from _known_cuts(selection, where)
        taken = {
            str(one.get("name")): f"channels[{i}].observables[{j}]"
            for j, one in entries(channel, "observables")
        }
        for path, name in [*common, *_named(selection, where)]:
            if name in taken:
                message = f"{taken[name]} of channel {i} is called {name!r} already."
                yield Problem(f"{path}.name", message, "Give this one a `name` of its own.")
            taken.setdefault(name, path)


def _known_cuts(selection: Mapping[str, Any], where: str) -> Problems:
    """Cuts that a list of cuts has; what a function returns is known when it runs."""
    known = [str(one.get("name")) for _, one in entries(selection, "cuts")]
    for j, one in entries(selection, "n_minus_1"):
        cut, path = one.get("cut"), f"{where}.n_minus_1[{j}]"
        if not isinstance(cut, str) or not cut:
            continue
        if known and cut not in known:
            yield Problem(f"{path}.cut", f"there is no cut {cut!r}.", did_you_mean(cut, known))
        elif not given(one.get("name")) and not _is_name(cut):
            message = f"missing. {cut!r} cannot be a part of a histogram's name."
            hint = 'Give a name of letters, digits and "_.+-".'
            yield Problem(f"{path}.name", message, hint)


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def _named(selection: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    """Path and name of each histogram without a cut."""
    for j, one in entries(selection, "n_minus_1"):
        name = one.get("name") or one.get("cut")
        if isinstance(name, str):
            yield f"{where}.n_minus_1[{j}]", f"{N_MINUS_1}{name}"
