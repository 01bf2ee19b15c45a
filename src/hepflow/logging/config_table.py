"""`display_config_table`: the configuration as an analyst wants to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from hepflow.errors import InputError
from hepflow.logging.config_tree import ABSENT, Node, Status, compare, identify, is_in_label
from hepflow.logging.entry_table import entry_table
from hepflow.logging.sameness import plain
from hepflow.logging.tables import Folded, new_table
from hepflow.logging.values import function_line, value_text

_STYLES = {
    Status.SAME: "",
    Status.NEW: "green",
    Status.CHANGED: "yellow",
    Status.REMOVED: "red",
}
_BARE = "settings"  # title over values that stand outside of any section
_INDENT = 2
_SETTING_SHARE = 0.4  # of the width, before names of settings wrap
_SETTING_AND_VALUE = 2  # columns of a table without comparison
_NARROWEST = 6
_OWN_TABLE = frozenset({"observables"})  # lists within entries that are worth a table each


def display_config_table(
    config: Mapping[str, Any] | Any,
    expand: bool = False,
    compare_with: Mapping[str, Any] | Any | None = None,
    show_only_changes: bool = False,
    table_width: int | None = None,
) -> None:
    """Print a configuration as tables, one a section.

    Parameters
    ----------
    config : dict or Config
        The whole configuration, one section such as ``{"datasets": ...}``, or channels as a
        dict by name.
    expand : bool
        Show every value. By default long lists are summarised and a list of entries
        (datasets, channels, corrections) is one table with the main fields.
    compare_with : dict or Config, optional
        Another configuration of the same shape. A status column tells what is new, changed or
        removed in `config`, and what a changed value was before. Entries of a list are matched
        by name. Two different functions of the same name are a change.
    show_only_changes : bool
        Leave out what is the same in `compare_with`.
    table_width : int, optional
        Width in cells; by default that of the terminal.

    Raises
    ------
    InputError
        If one of the two is no configuration.
    """
    new = _sections(config, "config")
    old = new if compare_with is None else _sections(compare_with, "compare_with")
    nodes = compare("", new, old).children
    console = Console(width=table_width)
    if show_only_changes:
        nodes = tuple(node for node in nodes if node.differs)
        if not nodes:
            console.print(_nothing_to_show(compare_with), highlight=False)
            return
    elif not nodes:
        console.print("The configuration is empty.")
        return
    view = _View(expand=expand, comparing=compare_with is not None, only=show_only_changes)
    for table in view.tables(nodes, console.width):
        console.print(table, "")  # the empty line keeps titles apart from the table above


def _sections(config: Any, argument: str) -> dict[Any, Any]:
    sections = plain(config)
    if not isinstance(sections, dict):
        raise InputError(
            f"display_config_table: {argument} is a {type(config).__name__}; expected a Config, "
            'a dict of sections such as {"datasets": ...}, or channels as a dict by name.'
        )
    return sections


def _nothing_to_show(compare_with: Any) -> str:
    if compare_with is None:
        return "No changes to show: there is no configuration to compare with (compare_with)."
    return "No changes: both configurations are the same."


class _View:
    """What is shown of a tree of nodes."""

    def __init__(self, *, expand: bool, comparing: bool, only: bool) -> None:
        self.expand = expand
        self.comparing = comparing
        self.only = only

    def tables(self, nodes: tuple[Node, ...], width: int) -> Iterator[Table]:
        """Yield the tables of all sections, values outside of a section first."""
        bare = [node for node in nodes if not node.children]
        if bare:
            yield self._tree_table(_BARE, bare, width)
        for node in nodes:
            if node.children:
                yield from self._section(node, width)

    def _section(self, node: Node, width: int) -> Iterator[Table]:
        if self._as_entries(node):
            yield entry_table(node.label, node.children, width)
            for path, below in self._entry_lists(node.label, node):
                if below.key in _OWN_TABLE:
                    yield entry_table(path, below.children, width)
            return
        if node.status is Status.SAME:
            yield self._tree_table(node.label, node.children, width)
        else:  # the row of the section itself says that it is new or removed
            yield self._tree_table(node.label, [node], width)
        for path, below in self._entry_lists(node.label, node):
            yield entry_table(path, below.children, width)

    def _tree_table(self, title: str, nodes: Sequence[Node], width: int) -> Table:
        rows = [row for node in nodes for row in self._rows(node, 0)]
        with_before = any(_shows_before(node) for _, node in rows)
        cells = [self._cells(depth, node, with_before=with_before) for depth, node in rows]
        columns = ["setting", *["status"] * self.comparing, "value", *["before"] * with_before]
        table = new_table(title)
        naturals = [
            max(cell_len(name), *(row[index].natural_width for row in cells))
            for index, name in enumerate(columns)
        ]
        for name, cells_wide in zip(columns, _widths(naturals, width), strict=True):
            table.add_column(Folded(name), width=cells_wide)
        for row in cells:
            table.add_row(*row)
        return table

    def _cells(self, depth: int, node: Node, *, with_before: bool) -> list[Folded]:
        style = _STYLES[node.status]
        header = " bold" if self._is_header(node) else ""
        label = Folded(node.label, style + header, indent=_INDENT * depth)
        status = [Folded(str(node.status), style)] * self.comparing
        value, before = (Folded(text, style) for text in self._texts(node))
        return [label, *status, value, *[before] * with_before]

    def _texts(self, node: Node) -> tuple[str, str]:
        if self._as_entries(node):
            return f"{len(node.children)} entries, listed below", ""
        if self._is_header(node):
            return "", ""
        if node.children:
            return "unchanged", ""
        expand = self.expand or node.status is Status.CHANGED  # a change never hides in "..."
        value, before = (
            "" if each is ABSENT else value_text(each, node.key, expand=expand)
            for each in (node.value, node.before)
        )
        if node.status is Status.CHANGED and value == before:
            return _told_apart(value, node)
        return value, before if _shows_before(node) else ""

    def _rows(self, node: Node, depth: int) -> Iterator[tuple[int, Node]]:
        if self.only and not node.differs:
            return
        yield depth, node
        if not self._is_header(node):
            return
        for child in node.children:
            if not is_in_label(node, child):
                yield from self._rows(child, depth + 1)

    def _is_header(self, node: Node) -> bool:
        return bool(node.children) and not self._as_entries(node) and not self._is_folded(node)

    def _as_entries(self, node: Node) -> bool:
        """Whether a list of records gets a table of its own."""
        return (
            not (self.expand or self.comparing)
            and len(node.children) > 1
            and all(child.is_record for child in node.children)
            and _names_entries(node)
        )

    def _is_folded(self, node: Node) -> bool:
        """Whether an entry of a list is one row, because nothing in it changed."""
        unchanged = self.comparing and not self.expand and not node.differs
        return unchanged and node.label.startswith("[")

    def _entry_lists(self, path: str, node: Node) -> Iterator[tuple[str, Node]]:
        for child in node.children:
            separator = "" if child.label.startswith("[") else "."
            child_path = f"{path}{separator}{child.label}"
            if self._as_entries(child):
                yield child_path, child
            else:
                yield from self._entry_lists(child_path, child)


def _widths(naturals: list[int], width: int) -> list[int]:
    """Share the width out: names of settings first, then what is left among the values.

    rich would narrow the widest column only, and break names of settings in the middle.
    """
    free = width - 3 * len(naturals) - 1  # borders and padding
    fixed = [min(naturals[0], max(int(_SETTING_SHARE * width), _NARROWEST))]
    if len(naturals) > _SETTING_AND_VALUE:
        fixed.append(naturals[1])
    values = naturals[len(fixed) :]
    free -= sum(fixed)
    if len(values) == 1:
        return [*fixed, max(min(values[0], free), _NARROWEST)]
    value, before = values
    half = max(free // 2, _NARROWEST)
    shown = min(value, max(free - before, half))
    return [*fixed, shown, max(min(before, free - shown), _NARROWEST)]


def _names_entries(node: Node) -> bool:
    """Tell lists of records, and dicts that name each record as it names itself, from others."""
    if isinstance(node.value, list):
        return True
    return identify(list(node.value.values())) == list(node.value)


def _shows_before(node: Node) -> bool:
    return not node.children and node.before is not ABSENT and node.status is not Status.SAME


def _told_apart(text: str, node: Node) -> tuple[str, str]:
    """Say how two different values differ that read the same, such as functions of one name."""
    lines = function_line(node.value), function_line(node.before)
    if None in lines or lines[0] == lines[1]:
        return f"{text} (not the same)", text
    return f"{text} (now at line {lines[0]})", f"{text} (at line {lines[1]})"
