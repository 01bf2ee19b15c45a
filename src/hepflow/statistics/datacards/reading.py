"""The text of a datacard as a `Card`. Nothing in it is evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hepflow.errors import UnreadableFile, WorkspaceError
from hepflow.statistics.datacards.card import Card, RateParameter
from hepflow.statistics.datacards.draft import Draft, Line
from hepflow.statistics.datacards.head import add_head
from hepflow.statistics.datacards.nuisance_lines import add_nuisance
from hepflow.storage import refuse_special

_COMMENT: Final = re.compile(r"\s*#.*")


def read_card(path: str | Path) -> Card:
    """Read a datacard.

    Raises
    ------
    UnreadableFile
        It is not there, or no text.
    WorkspaceError
        It says something that cannot be understood, or that HistFactory has no word for.
    """
    path = Path(path)
    refuse_special(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"{path}: cannot be read as the text of a datacard ({error})."
        ) from error
    return parse_card(text, path.name)


def parse_card(text: str, name: str = "the card") -> Card:
    """Read the text of a datacard.

    Parameters
    ----------
    text : str
    name : str
        For messages.

    Raises
    ------
    WorkspaceError
        As `read_card`.
    """
    draft = Draft()
    for line in _lines(text, name):
        if draft.columns:
            add_nuisance(draft, line)
        else:
            add_head(draft, line)
    if not draft.columns:
        raise WorkspaceError(f"{name} has no line `rate`. Expected a datacard of Combine.")
    _check_counts(draft, name)
    _check_parameters(draft, name)
    observed = dict(zip(draft.channels, draft.observed, strict=True))
    return Card(
        {one: None if count == -1 else count for one, count in observed.items()},
        draft.columns,
        tuple(draft.nuisances),
        tuple(draft.rules.values()),
        tuple(draft.rates.values()),
        tuple(draft.constraints.values()),
        draft.statistics,
        {group: tuple(members) for group, members in draft.groups.items()},
    )


def _lines(text: str, name: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), start=1):
        words = _COMMENT.sub("", line).split()
        if words and not line.startswith("--"):
            yield Line(words, f"{name}, line {number}")


def _check_counts(draft: Draft, name: str) -> None:
    there = {
        "imax": len(draft.channels),
        "jmax": len({one.process for one in draft.columns}) - 1,
        "kmax": len(draft.nuisances) + len(draft.constraints),
    }
    for key, said in draft.counts.items():
        without_effect = sum(not one.effects for one in draft.nuisances) if key == "kmax" else 0
        if said not in {there[key], there[key] - without_effect}:
            raise WorkspaceError(
                f"{name}: {key} says {said}, but there are {there[key]} (channels, processes less "
                f"one, parameters for imax, jmax, kmax). Correct it, or write `{key} *`."
            )


def _check_parameters(draft: Draft, name: str) -> None:
    rates: dict[str, RateParameter] = {}
    for one in draft.rates.values():
        first = rates.setdefault(one.name, one)
        if (first.value, first.bounds) != (one.value, one.bounds):
            raise WorkspaceError(
                f"{name}: rateParam {one.name!r} has different values or ranges on its lines."
            )
    for loose in sorted({*draft.constraints, *draft.flat} - rates.keys()):
        raise WorkspaceError(
            f"{name}: nothing in the card uses the parameter {loose!r}. Understood are parameters "
            "of a rateParam; those of functions have no counterpart in HistFactory."
        )
    for both in sorted(rates.keys() & {one.name for one in draft.nuisances}):
        raise WorkspaceError(f"{name}: {both!r} is a rateParam and a nuisance. Rename one.")
