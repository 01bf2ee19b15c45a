"""Lists of records (datasets, channels, corrections) as one row an entry with its main fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.table import Table

from hepflow.logging.config_tree import Node
from hepflow.logging.sameness import same
from hepflow.logging.tables import Folded, new_table
from hepflow.logging.values import summary

# What an analyst looks for first; other fields follow in the order of the configuration.
_MAIN_FIELDS: Final = (
    "name", "object", "process", "variation", "type", "kind", "cross_section", "cross_sections",
    "is_data", "year", "fit_observable", "binning", "label", "selection", "function",
    "observables", "target", "use", "args", "uncertainty_sources", "directory", "directories",
    "files", "file", "key", "size", "processes", "up_function", "down_function",
)  # fmt: skip
_WIDEST: Final = 30  # cells that a column may ask for; longer texts wrap
_NARROW: Final = 18  # cells that it must get at least if it wants more
_BORDER: Final = 3  # cells between columns
_FEWEST: Final = 3


def entry_table(title: str, entries: Sequence[Node], width: int) -> Table:
    """Return the table of two or more records.

    Fields that are the same in all of them stand in the caption, and so do the names of the
    fields for which the width does not suffice.

    Parameters
    ----------
    title : str
        Path of the list.
    entries : sequence of Node
        Nodes whose values are dicts.
    width : int
        Cells that may be used.
    """
    records = [entry.value for entry in entries]
    fields = _fields(records)
    common = {name: records[0][name] for name in fields if _is_common(name, records)}
    repeated = [name for name in fields if _as_name(name, records)]
    varied = [name for name in fields if name not in {*common, *repeated}]
    texts = {name: [_text(record, name) for record in records] for name in varied}
    shown = _that_fit(texts, width)
    left_out = [name for name in varied if name not in shown]
    caption = _caption(common, repeated, left_out)
    table = new_table(f"{title}: {len(records)} entries", caption=caption)
    for name in shown:
        numbers = all(_is_number(record.get(name)) for record in records)
        table.add_column(Folded(str(name)), justify="right" if numbers else "left")
    for row in range(len(records)):
        table.add_row(*(Folded(texts[name][row]) for name in shown))
    return table


def _fields(records: list[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for record in records for name in record))
    main = [name for name in _MAIN_FIELDS if name in names]
    return [*main, *(name for name in names if name not in main)]


def _is_common(name: str, records: list[dict[str, Any]]) -> bool:
    if name == "name" or any(name not in record for record in records):
        return False
    return all(same(record[name], records[0][name]) for record in records)


def _as_name(name: str, records: list[dict[str, Any]]) -> bool:
    """Whether a field repeats the name, as the process of most datasets does."""
    if name == "name" or not all(isinstance(record.get("name"), str) for record in records):
        return False
    return all(name in record and record[name] == record["name"] for record in records)


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    return "" if value is None else summary(value, str(name))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _that_fit(texts: dict[str, list[str]], width: int) -> list[str]:
    shown: list[str] = []
    used = 1
    for name, column in texts.items():
        longest = max(cell_len(text) for text in column)
        natural = max(longest, cell_len(str(name)))
        need = min(natural, _WIDEST) + _BORDER
        squeezed = min(natural, _NARROW) + _BORDER
        if used + squeezed <= width or len(shown) < _FEWEST:
            shown.append(name)
            used += need
    return shown


def _caption(common: dict[str, Any], repeated: list[str], left_out: list[str]) -> str | None:
    known = [
        f"{name} = {summary(value, str(name))}"
        for name, value in common.items()
        if value not in (None, "", [], {})
    ]
    known += [f"{name} = name" for name in repeated]
    lines = []
    if known:
        lines.append(f"the same in all: {', '.join(known)}")
    if left_out:
        lines.append(f"more with expand=True: {', '.join(map(str, left_out))}")
    return "\n".join(lines) or None
