"""What a report says, before it is a page: sections of tables, figures and notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["problem", "warning", "note", "good"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    sort: float | str | None = None  # what rows are sorted by; None: the text
    level: Level | None = None  # how it is marked; the text says the same


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    title: str
    numeric: bool = False  # flush right
    choice: bool = False  # the page has a menu that shows one of its values only


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns can be sorted; the first cell of a row is its name."""

    name: str  # unique in the report: letters, digits, hyphens
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    search: bool = False  # the page has a field that shows matching rows only
    folded: bool = False  # shown when it is asked for
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with what it shows in words."""

    name: str  # unique in the report; also the file name when it is saved
    title: str
    alt: str
    image: bytes
    media_type: str  # "image/png" or "image/svg+xml"
    size: tuple[int, int] | None = None  # width, height [px]; None where the image does not say


@dataclass(frozen=True, slots=True)
class Gallery:
    """Figures that belong together."""

    figures: tuple[Figure, ...]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that stands out."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled values."""

    pairs: tuple[tuple[str, str], ...]
    title: str = ""


Block = Table | Gallery | Notice | Facts


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a report."""

    name: str  # unique in the report: what links lead to
    title: str
    blocks: tuple[Block, ...]
    intro: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the results that stand in front."""

    label: str
    value: str
    detail: str = ""
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class ReportContent:
    """Everything that a report says."""

    title: str
    subtitle: str
    headlines: tuple[Headline, ...]
    notices: tuple[Notice, ...]  # problems and remarks, in front
    sections: tuple[Section, ...]
