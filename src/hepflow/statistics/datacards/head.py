"""The lines of a datacard up to `rate`: channels, processes, rates, and where histograms are."""

from __future__ import annotations

import re
from typing import Final

from hepflow.errors import WorkspaceError, did_you_mean
from hepflow.statistics.datacards.card import FAKE, Column, ShapeRule
from hepflow.statistics.datacards.draft import Draft, Line, not_a_number

_COUNTS: Final = ("imax", "jmax", "kmax")


def add_head(draft: Draft, line: Line) -> None:
    """Take in one line up to `rate`, with which the columns are complete.

    Raises
    ------
    WorkspaceError
        It cannot be understood, or does not fit the lines above.
    """
    keyword = line[0]
    if keyword in _COUNTS:
        line.at_least(2, f"{keyword} number")
        if line[1] != "*":
            draft.counts[keyword] = int(line.number(line[1]))
    elif keyword == "shapes":
        _add_rule(draft, line)
    elif keyword.lower() == "observation":
        draft.observed = [line.number(word) for word in line[1:]]
        if draft.head and draft.head[-1][0] == "bin":
            draft.channels = [not_a_number(word, "bin") for word in draft.head.pop()[1:]]
    elif keyword in {"bin", "process"}:
        draft.head.append(line)
    elif keyword == "rate":
        draft.columns = _columns(draft, line)
    else:
        hint = did_you_mean(keyword, (*_COUNTS, "shapes", "bin", "observation", "process", "rate"))
        raise WorkspaceError(
            f"{line.where}: {keyword!r} is not known before the line `rate`. {hint}"
        )


def _add_rule(draft: Draft, line: Line) -> None:
    line.at_least(4, "shapes process channel file histogram [varied histogram]")
    process, channel, file, *names = line[1:]
    if (process, channel) in draft.rules:
        raise WorkspaceError(f"{line.where}: there is a line `shapes {process} {channel}` already.")
    if file != FAKE and not names:
        raise WorkspaceError(f"{line.where}: no histogram is named behind {file}.")
    channel = channel if channel == "*" else not_a_number(channel, "bin")
    draft.rules[process, channel] = ShapeRule(process, channel, file, *names[:2])


def _columns(draft: Draft, rate: Line) -> tuple[Column, ...]:
    """Columns from the lines bin, process, process and rate."""
    bins = [line for line in draft.head if line[0] == "bin"]
    names = [line for line in draft.head if line[0] == "process"]
    if len(bins) != 1 or len(names) != 2:  # noqa: PLR2004 - one with names, one with numbers
        raise WorkspaceError(
            f"{rate.where}: expected one line `bin` and two lines `process` (names, and numbers "
            f"that are 0 or negative for signals) above; there are {len(bins)} and {len(names)}."
        )
    labels, indices = names if _integers(names[1]) else reversed(names)
    sizes = {len(line) for line in (*bins, labels, indices, rate)}
    if len(sizes) != 1 or not _integers(indices):
        raise WorkspaceError(
            f"{rate.where}: the lines bin, process, process and rate must have one entry for each "
            "column, and one of the lines `process` must have integers only."
        )
    cells = zip(bins[0][1:], labels[1:], indices[1:], rate[1:], strict=True)
    found = tuple(
        Column(not_a_number(channel, "bin"), process, int(index), _rate(rate, value))
        for channel, process, index, value in cells
    )
    _check_columns(draft, found, rate.where)
    return found


def _integers(line: Line) -> bool:
    return all(re.fullmatch(r"[+-]?\d{1,9}", word) for word in line[1:])


def _rate(line: Line, word: str) -> float | None:
    value = line.number(word)
    if value == -1:
        return None
    if value < 0:
        raise WorkspaceError(f"{line.where}: the rate {word} is negative.")
    return value


def _check_columns(draft: Draft, columns: tuple[Column, ...], where: str) -> None:
    channels = list(dict.fromkeys(one.channel for one in columns))
    draft.channels = draft.channels or channels
    if len(draft.channels) != len(draft.observed) or set(draft.channels) != set(channels):
        raise WorkspaceError(
            f"{where}: {len(draft.observed)} observations of {', '.join(draft.channels)}, but "
            f"columns of {', '.join(channels)}. Expected one observation for each channel."
        )
    places = [(one.channel, one.process) for one in columns]
    if len(set(places)) != len(places):
        raise WorkspaceError(f"{where}: a process is there twice in one channel. Rename one.")
    signal = {one.process: one.signal for one in columns}
    for one in columns:
        if signal[one.process] != one.signal:
            raise WorkspaceError(
                f"{where}: process {one.process!r} is a signal in one channel and none in another."
            )
