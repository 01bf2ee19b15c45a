"""What is configured otherwise than in the last run, in the words of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hepflow.errors import StorageError
from hepflow.output_manager import OutputDirectoryManager
from hepflow.planning.records import Reason
from hepflow.provenance import resolved
from hepflow.schema import Config, Study
from hepflow.storage import read_json

_MADE_BY = "the start of a run"
LOOK = "look of the figures changed"
_FUNCTION = {"function", "fingerprint"}  # among what stands for a function
# Part of a key -> where in the configuration it comes from. The first pattern that fits counts.
Places = tuple[tuple[str, tuple[str, ...]], ...]
ANALYSIS: Places = (
    (r"channel ", ("channels", "general.blind", "systematics", "corrections")),
    (r"object mask ", ("good_object_masks",)),
    (r"ghost observable ", ("ghost_observables",)),
    (r"correction ", ("corrections",)),
    (r"systematic ", ("systematics",)),
    (r"baseline selection", ("baseline_selection",)),
    (r"(weight_mode|run_systematics)", ("general",)),
    (r"luminosity", ("general.lumi",)),
    (r"lumi_table", ("general.lumi_table",)),
    (r"on_missing", ("execution.on_missing",)),
    (r"(selection|use|static_kwargs)$", ("preprocess.skimming",)),
    (r"(branches|ignore_missing)$", ("preprocess",)),
    (r"(datasets|weight_branch|branch_map)$", ("datasets", "general")),
    (r"sources|labels|binning", ("systematics", "corrections", "channels")),
    (r".* of the model", ("statistics", "channels", "systematics", "plotting.fold_overflow")),
    (
        r"look of the figures",
        ("plotting", "channels", "general", "datasets", "systematics", "statistics"),
    ),
    (r"format of the parts", ("preprocess.skimming.output",)),
    (r"chunk_size", ("preprocess.skimming.chunk_size",)),
    (r"input changed", ("preprocess.skimming.chunk_size", "datasets", "general.max_files")),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of the configuration that is another one than in the last run."""

    path: str  # "channels[0].observables[0].binning"
    before: str
    now: str


def differences(config: Config | Study, folders: OutputDirectoryManager) -> tuple[Difference, ...]:
    """Values that differ from those of the last run; none where that left no record."""
    path = folders.get_config_dir() / "resolved.json"
    try:
        before = dict(_leaves(read_json(path, _MADE_BY))) if path.exists() else {}
    except StorageError:
        return ()
    now = dict(_leaves(resolved(config.to_dict())))
    if not before:
        return ()
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return tuple(_difference(name, before.get(name), now.get(name)) for name in names)


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping) and not set(tree) >= _FUNCTION:
        for name, value in tree.items():
            yield from _leaves(value, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, (list, tuple)) and any(isinstance(one, (Mapping, list)) for one in tree):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{path}[{number}]")
    else:
        yield path, list(tree) if isinstance(tree, tuple) else tree


def _difference(path: str, before: Any, now: Any) -> Difference:
    old, new = _shown(before), _shown(now)
    if old != new:
        return Difference(path, old, new)
    then, today = before.get("reads", {}), now.get("reads", {})  # two functions of one name
    names = [name for name in then if name in today and then[name] != today[name]]
    if not names:
        return Difference(path, old, "its code, or what it reads, changed")
    return Difference(path, *(f"{old} ({_listed(one, names)})" for one in (then, today)))


def _listed(numbers: Mapping[str, str], names: Iterable[str]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]} = {numbers[name]}" for name in names)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) >= _FUNCTION:
        return str(value["function"])
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not set" if value is None else str(value)


def behind(
    reasons: Iterable[Reason], found: Iterable[Difference], known: Places = ANALYSIS
) -> tuple[Difference, ...]:
    """Those of the differences that may have led to the reasons.

    Parameters
    ----------
    reasons
        Why something is made anew.
    found
        All differences.
    known
        Where parts of keys come from.
    """
    places = {place for reason in _all(reasons) for place in _places(reason.what, known)}
    return tuple(one for one in found if any(_is_below(one.path, place) for place in places))


def _all(reasons: Iterable[Reason]) -> Iterator[Reason]:
    for reason in reasons:
        yield reason
        yield from _all(reason.because)


def _places(what: str, known: Places) -> tuple[str, ...]:
    # A reason of one of several datasets begins with its name; it ends with "changed".
    name = re.sub(r" (changed|is new|is gone)$", "", what.rpartition(": ")[2])
    for pattern, places in known:
        if re.match(pattern, name):
            return places
    return ()


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))
