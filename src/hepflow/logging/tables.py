"""Tables that stay readable at any width: long words break at separators, nothing is cut."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from numbers import Real

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

# Paths, module:names and snake_case break behind these characters.
_PIECES = re.compile(r"[^/:_,;=&?-]*[/:_,;=&?-]+|[^/:_,;=&?-]+")


class Folded:
    """Text of one cell that wraps at spaces, else at separators, and is never cut.

    Parameters
    ----------
    text : str
        What to show, without markup.
    style : str
        A rich style, such as ``"bold"``.
    indent : int
        Cells left free at the beginning of every line.
    """

    def __init__(self, text: str, style: str = "", indent: int = 0) -> None:
        self.text = text
        self.style = style
        self.indent = indent

    @property
    def natural_width(self) -> int:
        """Cells that the text takes without wrapping."""
        return self.indent + max(cell_len(line) for line in self.text.split("\n"))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell rich the narrowest and the natural width."""
        longest = max((cell_len(piece) for piece in _PIECES.findall(self.text)), default=1)
        wanted = Measurement(self.indent + longest, max(self.natural_width, 1))
        return wanted.with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw the lines."""
        indent = min(self.indent, max(options.max_width - 8, 0))
        for paragraph in self.text.split("\n"):
            for line in fold(paragraph, options.max_width - indent):
                yield Text(" " * indent + line, self.style, no_wrap=True, overflow="fold")


def fold(text: str, width: int) -> list[str]:
    """Split a text into lines of at most `width` cells.

    Examples
    --------
    >>> fold("user.cuts:signal_region at line 3", 16)
    ['user.cuts:', 'signal_region at', 'line 3']
    """
    width = max(width, 2)  # a cell of a wide character needs two
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _break_word(word, width)
        lines += full
    return [*lines, line]


def _break_word(word: str, width: int) -> list[str]:
    lines = [""]
    for piece in _PIECES.findall(word):
        if cell_len(lines[-1] + piece) <= width:
            lines[-1] += piece
        else:
            lines += chop_cells(piece, width)
    return [line for line in lines if line] or [""]


def new_table(title: str, *, caption: str | None = None) -> Table:
    """Return an empty table in the one look of hepflow."""
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption=Text(caption, style="dim") if caption else None,
        caption_justify="left",
        box=box.ROUNDED,
        header_style="bold cyan",
        highlight=False,
    )


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[str] = (),
    caption: str | None = None,
    width: int | None = None,
) -> None:
    """Print a table to standard output.

    Parameters
    ----------
    title : str
        Stands above the table.
    columns : sequence of str
        Names of the columns.
    rows : sequence of sequences
        One value a column. Floats are shown with six digits; give text for other formats.
    right : collection of str
        Columns to align to the right besides those that hold numbers only.
    caption : str, optional
        Stands below the table.
    width : int, optional
        Width in cells; by default that of the terminal.

    Raises
    ------
    ValueError
        If a row has another length than `columns`.
    """
    table = new_table(title, caption=caption)
    for index, name in enumerate(columns):
        values = [row[index] for row in rows if index < len(row) and row[index] is not None]
        numeric = bool(values) and all(isinstance(value, Real) for value in values)
        table.add_column(Folded(name), justify="right" if numeric or name in right else "left")
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"table {title!r}: a row of {len(row)} for {len(columns)} columns")
        table.add_row(*(_cell(value) for value in row))
    Console(width=width).print(table)


def _cell(value: object) -> Folded:
    if value is None:
        return Folded("")
    if isinstance(value, float):
        return Folded(f"{value:.6g}")
    return Folded(str(value))
