"""Sums of theory weights over all events, and the names of the members of their sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SEPARATOR = "__"  # which names of sources do not have
PREFIX = "theory"  # of columns with members
_ASSUMED = "_assumed"  # end of the name of a set of members whose order no title told
# Source, set of its members (`set_name`; "" where the events have none), and for each member its
# sums over all events that were read: times the generator weight, and times the sign of that.
# A plain tuple: it is part of the JSON of a million parts.
MemberSums = tuple[str, str, tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class TheoryRule:
    """How the members of a source of theory weights become its sides."""

    source: str  # name of the entry, without a year
    members: str  # "scale", "pdf", ...; "" for positions
    combine: str | None  # None: as the LHAPDF ID of the set tells
    normalisation_only: bool = False


def member_name(source: str, members: str, number: int) -> str:
    """Row of a member in raw histograms.

    Examples
    --------
    >>> member_name("pdf", "pdf306000", 7)
    'pdf__pdf306000__7'
    """
    return SEPARATOR.join((source, members, str(number)))


def set_name(members: str, numbers: tuple[int, ...]) -> str:
    """Name of a set of members, from which their rows follow.

    Examples
    --------
    >>> set_name("pdf306000", (0, 1, 2, 3, 101))
    'pdf306000__0-3_101'
    """
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return f"{members}{SEPARATOR}{'_'.join(texts)}"


def rows_of(members: str, parameter: str) -> tuple[str, ...]:
    """Rows of the members of a set.

    Examples
    --------
    >>> rows_of("pdf306000__0-1_101", "pdf_2018")
    ('pdf_2018__pdf306000__0', 'pdf_2018__pdf306000__1', 'pdf_2018__pdf306000__101')
    """
    name, _, numbers = members.partition(SEPARATOR)
    found: list[int] = []
    for run in numbers.split("_"):
        first, _, last = run.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(member_name(parameter, name, one) for one in found)


def column_name(source: str, members: str) -> str:
    """Column of the events that holds a set of members of a source."""
    return SEPARATOR.join((PREFIX, source, members))


def set_of_column(column: str) -> tuple[str, str] | None:
    """Source and set of members that a column of the events holds; None for other columns.

    Examples
    --------
    >>> set_of_column("theory__pdf__pdf306000__0-100"), set_of_column("genWeight")
    (('pdf', 'pdf306000__0-100'), None)
    """
    start, *rest = column.split(SEPARATOR)
    if start != PREFIX or len(rest) != 3:  # noqa: PLR2004 - source, set, numbers
        return None
    return rest[0], SEPARATOR.join(rest[1:])


def member_of(row: str, source: str) -> tuple[str, int] | None:
    """Set and number of a member of this source; None for other rows."""
    name, *rest = row.split(SEPARATOR)
    if name != source or not rest[1:]:
        return None
    return rest[0], int(rest[1])


def without_weights(theory: Iterable[MemberSums]) -> tuple[str, ...]:
    """Sources that found no weights in the events of a part."""
    return tuple(source for source, members, *_ in theory if not members)


def with_assumed_order(members: str) -> str:
    """Name of a set of members that are read in an order that their file does not tell.

    Examples
    --------
    >>> with_assumed_order("isr")
    'isr_assumed'
    """
    return members + _ASSUMED


def of_assumed_order(theory: Iterable[MemberSums]) -> tuple[str, ...]:
    """Sources whose members were read in an order that the file of a part does not tell.

    Examples
    --------
    >>> of_assumed_order([("a", "isr_assumed__0-1", (), ()), ("b", "fsr__0-1", (), ())])
    ('a',)
    """
    return tuple(
        source
        for source, members, *_ in theory
        if members.partition(SEPARATOR)[0].endswith(_ASSUMED)
    )


def from_plain(theory: Iterable[Iterable[object]]) -> tuple[MemberSums, ...]:
    """Sums of a part from JSON, in which tuples are lists."""
    return tuple(
        (str(source), str(members), tuple(sums), tuple(signs))  # type: ignore[arg-type]  # of JSON
        for source, members, sums, signs in theory
    )


MemberTotals = Mapping[str, tuple[float, ...]]  # set of members -> total of each
