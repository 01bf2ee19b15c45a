"""Tables of results: cells that know their uncertainty, for the terminal and for LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.plotting.latex import escaped, tabular
from hepflow.storage import atomic_write, file_name, safe_join

_TWO_DIGITS, _ONE_DIGIT = 354, 949  # up to these three digits of an error keep two, or one
_LEAST, _ONE = 0.005, 0.995  # percent from which an effect has two decimals, and one


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its uncertainty; None where it has none."""

    value: float
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """Relative changes of a number, up and down, in percent."""

    up: float
    down: float


@dataclass(frozen=True, slots=True)
class Label:
    """A name that LaTeX writes in another way."""

    name: str
    tex: str  # with TeX between dollar signs


Cell = str | Label | Value | Sides | None  # None: there is no number


@dataclass(frozen=True)
class Table:
    """A table: the first column names the rows."""

    name: str  # of the file: "yields_postfit"
    title: str
    columns: tuple[str | Label, ...]  # heads
    rows: tuple[tuple[Cell, ...] | None, ...]  # None is a rule between the rows around it
    notes: tuple[str, ...] = ()  # what a reader of the numbers must know


def decimals_of(error: float) -> int:
    """Decimals to which a value is rounded; negative ones are tens, hundreds, and so on.

    Notes
    -----
    Particle Data Group, Review of Particle Physics, Introduction, section 5.3: two digits of
    the error where its three highest ones are between 100 and 354, one up to 949, and above that
    they are rounded up to 1000, of which two digits are kept.

    Examples
    --------
    >>> decimals_of(0.119), decimals_of(0.367), decimals_of(0.0963), decimals_of(1234.0)
    (2, 1, 2, -2)
    """
    power, three = _three_digits(error)
    return 1 - power if three <= _TWO_DIGITS else -power


def _three_digits(error: float) -> tuple[int, int]:
    """Power of ten and the three highest digits; those above 949 are 100 of the next power."""
    power = int(np.floor(np.log10(error)))
    three = round(error / 10.0 ** (power - 2))
    return (power, three) if three <= _ONE_DIGIT else (power + 1, 100)


def rounded(value: float, error: float) -> tuple[str, str]:
    """Value and error, both with the decimals of `decimals_of`.

    Examples
    --------
    >>> rounded(0.827, 0.119), rounded(0.827, 0.367), rounded(0.827, 0.0963)
    (('0.83', '0.12'), ('0.8', '0.4'), ('0.83', '0.10'))
    >>> rounded(12345.6, 234.5), rounded(12345.6, 456.7)
    (('12350', '230'), ('12300', '500'))
    """
    decimals = decimals_of(error)
    shown = max(decimals, 0)
    power, three = _three_digits(error)
    centre = round(value, decimals) or 0.0  # never a negative zero
    return f"{centre:.{shown}f}", f"{round(three * 10.0 ** (power - 2), decimals):.{shown}f}"


def _plain(value: float) -> str:
    """Number of events without an uncertainty: three digits, and none behind the point of many."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    digits = max(2 - int(np.floor(np.log10(abs(value)))), 0)
    return f"{value:.{min(digits, 4)}f}"


def cell_text(cell: Cell) -> str:
    """Cell as text for people.

    Examples
    --------
    >>> cell_text(Value(12.345, 0.234)), cell_text(Sides(3.21, 2.9)), cell_text(None)
    ('12.35 ± 0.23', '+3.2 / +2.9', '')
    """
    if cell is None:
        return ""
    if isinstance(cell, Sides):
        return " / ".join(percent_text(one) for one in (cell.up, cell.down))
    if isinstance(cell, Label):
        return cell.name
    if isinstance(cell, str):
        return cell
    if cell.error is None or not (np.isfinite(cell.error) and cell.error > 0):
        return _plain(cell.value).replace("-", "\N{MINUS SIGN}")
    return " ± ".join(rounded(cell.value, cell.error)).replace("-", "\N{MINUS SIGN}")


def percent_text(value: float) -> str:
    """Relative change with its sign, the digits that matter.

    Examples
    --------
    >>> percent_text(4.96), percent_text(0.123), percent_text(0.0001)
    ('+5.0', '+0.12', '0')
    """
    if abs(value) < _LEAST:
        return "0"
    text = f"{value:+.1f}" if abs(value) >= _ONE else f"{value:+.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def cell_latex(cell: Cell) -> str:
    r"""Cell in LaTeX.

    Examples
    --------
    >>> cell_latex(Value(-12.345, 0.234)), cell_latex(Sides(3.21, -2.9)), cell_latex("W_jets")
    ('$-12.35 \\pm 0.23$', '$+3.2\\,/\\,-2.9$', 'W\\_jets')
    """
    if isinstance(cell, Label):
        return escaped(cell.tex)
    if isinstance(cell, str) or cell is None:
        return escaped(cell or "")
    text = cell_text(cell)
    for sign, tex in (("\N{MINUS SIGN}", "-"), (" ± ", r" \pm "), (" / ", r"\,/\,")):
        text = text.replace(sign, tex)
    return f"${text}$"


def latex(table: Table) -> str:
    r"""Table as a LaTeX ``tabular`` for the package ``booktabs``."""
    return tabular(
        [cell_latex(one) for one in table.columns],
        [None if row is None else [cell_latex(one) for one in row] for row in table.rows],
        [escaped(one) for one in table.notes],
    )


def markdown(table: Table) -> str:
    """Table in Markdown, as code platforms and notebooks show it."""
    rows = [[cell_text(one) for one in row] for row in table.rows if row is not None]
    head = [heads(table), ["---", *["---:"] * (len(table.columns) - 1)]]
    lines = [
        "| " + " | ".join(one.replace("|", r"\|") for one in row) + " |" for row in head + rows
    ]
    return "\n".join([*lines, *(f"\n{one}" for one in table.notes)]) + "\n"


def heads(table: Table) -> list[str]:
    """Heads of the columns as texts for people."""
    return [cell_text(one) for one in table.columns]


def text_rows(table: Table) -> list[list[str]]:
    """Rows as texts for people, without the rules between them."""
    return [[cell_text(one) for one in row] for row in table.rows if row is not None]


def table_json(table: Table) -> dict[str, Any]:
    """Plain containers with the numbers as they are, before rounding."""
    return {
        "name": table.name,
        "title": table.title,
        "columns": heads(table),
        "rows": [[_json_cell(one) for one in row] for row in table.rows if row is not None],
        "notes": list(table.notes),
    }


def _json_cell(cell: Cell) -> Any:
    if isinstance(cell, Value):
        return {"value": cell.value, "error": cell.error}
    if isinstance(cell, Sides):
        return {"up": cell.up, "down": cell.down}
    return cell.name if isinstance(cell, Label) else cell


def text_table(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str] = (),
    *,
    labels: Mapping[str, str] | None = None,
) -> Table:
    """Make a table of texts that are there, such as those of a cutflow.

    Parameters
    ----------
    name, title : str
        Of the file, and above the table.
    columns : sequence of str
        Heads.
    rows : sequence of sequences
        The first cell names the row.
    notes : sequence of str
        What a reader must know.
    labels : mapping, optional
        Head -> its label, as of processes.
    """
    known = labels or {}
    named = tuple(Label(one, known[one]) if one in known else one for one in columns)
    return Table(name, title, named, tuple(tuple(row) for row in rows), tuple(notes))


def write_tables(tables: Iterable[Table], folder: str | Path) -> list[Path]:
    """Write each table as LaTeX, where it is not there yet; the files.

    Parameters
    ----------
    tables : iterable of Table
        With different names.
    folder : str or Path
        Where to; made if missing.

    Raises
    ------
    StorageError
        The folder can't be written.
    """
    paths = []
    for table in tables:
        path, text = safe_join(Path(folder), f"{file_name(table.name)}.tex"), latex(table)
        if not path.exists() or path.read_bytes() != text.encode():
            atomic_write(path, text)
        paths.append(path)
    return paths
