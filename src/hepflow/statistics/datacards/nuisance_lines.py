"""The lines of a datacard below `rate`: parameters and what they act on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from hepflow.errors import WorkspaceError, did_you_mean
from hepflow.statistics.datacards.card import (
    SHAPES,
    Constraint,
    Effect,
    Nuisance,
    RateParameter,
    Statistics,
)
from hepflow.statistics.datacards.draft import Draft, Line, not_a_number

_KINDS: Final = ("lnN", "lnU", "gmN", *SHAPES, *(f"{one}?" for one in SHAPES))
_OTHERS: Final = ("rateParam", "param", "flatParam", "group", "autoMCStats")
_NONE: Final = re.compile(r"-+|0+(\.0*)?")  # entries that say: no effect


def add_nuisance(draft: Draft, line: Line) -> None:
    """Take in one line below `rate`.

    Raises
    ------
    WorkspaceError
        It cannot be understood, or HistFactory has nothing for it.
    """
    line.at_least(2, "name kind effects")
    kind = line[1]
    if kind in _KINDS:
        _add_effects(draft, line)
    elif kind in _READERS:
        _READERS[kind](draft, line)
    else:
        raise WorkspaceError(
            f"{line.where}: HistFactory has nothing for {kind!r} of {line[0]!r}. "
            f"Understood are {', '.join((*_KINDS, *_OTHERS))}."
        )


def _add_effects(draft: Draft, line: Line) -> None:
    name, kind = line[0].removesuffix("[nofloat]"), line[1]
    if name != line[0]:
        raise WorkspaceError(f"{line.where}: [nofloat] is not understood. Leave the line out.")
    name, start, events = not_a_number(name, "theta"), 2, 0
    if kind == "gmN":
        line.at_least(3, "name gmN events effects")
        events, start = _count(line, line[2]), 3
    line.at_least(start + len(draft.columns), "one effect for each column")
    if any(one.name == name for one in draft.nuisances):
        raise WorkspaceError(f"{line.where}: {name!r} is there twice. Rename one, or join them.")
    effects = {
        position: _effect(line, word, kind)
        for position, word in enumerate(line[start : start + len(draft.columns)])
        if not _NONE.fullmatch(word)
    }
    if kind == "lnN":
        effects = {at: one for at, one in effects.items() if one.factors != (1.0, 1.0)}
    draft.nuisances.append(Nuisance(name, kind, effects, events))


def _count(line: Line, word: str) -> int:
    if not re.fullmatch(r"\d{1,9}", word):
        raise WorkspaceError(f"{line.where}: gmN has a number of events, not {word!r}.")
    return int(word)


def _effect(line: Line, word: str, kind: str) -> Effect:
    low, slash, high = word.partition("/")
    if slash and kind not in {"lnN", *(f"{one}?" for one in SHAPES)}:
        raise WorkspaceError(f"{line.where}: {word!r} has two sides, which {kind} cannot have.")
    values = [line.number(one) for one in (low, high) if one]
    if any(value <= 0 for value in values) or len(values) != 1 + bool(slash):
        raise WorkspaceError(f"{line.where}: {word!r} is no positive effect.")
    return Effect(values[1], values[0]) if slash else Effect(values[0])


def _add_rate(draft: Draft, line: Line) -> None:
    line.at_least(5, "name rateParam channel process value [low,high]")
    name, _, channel, process, value, *rest = line
    if not re.fullmatch(r"[-+.\deE]+", value) or any("," in one and "[" not in one for one in rest):
        raise WorkspaceError(
            f"{line.where}: rateParam {name!r} is a formula or comes from a file ({value}). "
            "Understood are numbers."
        )
    bounds = _bounds(line, rest[0]) if rest else None
    found = [
        one
        for one in draft.columns
        if fnmatchcase(one.channel, not_a_number(channel, "bin"))
        and fnmatchcase(one.process, process)
    ]
    if not found:
        raise WorkspaceError(
            f"{line.where}: rateParam {name!r} is on {process} in {channel}, which is no column."
        )
    for one in found:
        key = (name, one.channel, one.process)
        draft.rates[key] = RateParameter(*key, line.number(value), bounds)


def _bounds(line: Line, word: str) -> tuple[float, float]:
    low, comma, high = word.removeprefix("[").removesuffix("]").partition(",")
    if not comma:
        raise WorkspaceError(f"{line.where}: {word!r} is no range. Expected [low,high].")
    return line.number(low), line.number(high)


def _add_constraint(draft: Draft, line: Line) -> None:
    line.at_least(4, "name param mean width")
    name, _, mean, width, *_rest = line
    low, slash, high = width.partition("/")
    down = abs(line.number(low))
    up = abs(line.number(high)) if slash else down
    if not (down > 0 and up > 0):
        raise WorkspaceError(f"{line.where}: param {name!r} has no width.")
    draft.constraints[name] = Constraint(name, line.number(mean), down, up)


def _add_flat(draft: Draft, line: Line) -> None:
    draft.flat[line[0]] = line.where


def _add_group(draft: Draft, line: Line) -> None:
    line.at_least(4, "name group = parameters")
    name, _, sign, *members = line
    known = name in draft.groups
    if sign not in {"=", "+="} or known != (sign == "+="):
        raise WorkspaceError(
            f"{line.where}: group {name!r} begins with `=` once, and is continued with `+=`."
        )
    draft.groups.setdefault(name, []).extend(members)


def _add_statistics(draft: Draft, line: Line) -> None:
    line.at_least(3, "channel autoMCStats threshold [include-signal] [hist-mode]")
    pattern = line[0] if line[0] == "*" else not_a_number(line[0], "bin")
    numbers = [line.number(word) for word in line[2:5]]
    found = [one for one in draft.channels if fnmatchcase(one, pattern)]
    if not found:
        raise WorkspaceError(
            f"{line.where}: there is no channel {pattern!r}. "
            f"{did_you_mean(pattern, draft.channels)}"
        )
    more = {"with_signal": bool(numbers[1])} if len(numbers) > 1 else {}
    mode = int(numbers[2]) if len(numbers) > 2 else 1  # noqa: PLR2004 - the third is the mode
    for one in found:
        draft.statistics[one] = Statistics(numbers[0], **more, mode=mode)


_READERS: Final[Mapping[str, Callable[[Draft, Line], None]]] = {
    "rateParam": _add_rate,
    "param": _add_constraint,
    "flatParam": _add_flat,
    "group": _add_group,
    "autoMCStats": _add_statistics,
}
