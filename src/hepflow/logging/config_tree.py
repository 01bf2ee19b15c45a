"""A configuration as a tree of nodes, compared with another one entry by entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from hepflow.logging.sameness import same
from hepflow.logging.values import is_secret, printable


class Status(StrEnum):
    """What became of an entry; the words stand in the table."""

    SAME = ""
    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"


class _Absent:
    """Stands where a configuration has no value; None is a value."""


ABSENT: Final = _Absent()
_IDENTIFIERS: Final = ("name", "object")  # fields that tell the entries of a list apart


@dataclass(frozen=True, slots=True)
class Node:
    """One entry: a leaf with a value, or a branch with children."""

    label: str  # as shown: "binning", "[2] mass"
    key: str  # the field that the value stands in; list entries have that of their list
    value: Any  # plain value, ABSENT if removed
    before: Any  # plain value of the other configuration, ABSENT if new
    status: Status = Status.SAME  # of a branch: as a whole
    children: tuple[Node, ...] = field(default=())

    @property
    def differs(self) -> bool:
        """Whether anything in the entry changed."""
        return self.status is not Status.SAME or any(child.differs for child in self.children)

    @property
    def is_record(self) -> bool:
        """Whether the entry is a dict with fields."""
        return isinstance(self.value, dict) and bool(self.children)


def compare(label: str, new: Any, old: Any, key: str = "") -> Node:
    """Build the node of two plain values; for a tree without comparison pass one value twice.

    Parameters
    ----------
    label : str
        Name of the node.
    new, old : Any
        Values as `sameness.plain` returns them, or ABSENT on one side.
    key : str
        The field that the values stand in.
    """
    status = _status(new, old)
    pair = (new, old)
    if is_secret(key) or not any(_is_branch(value) for value in pair):
        return Node(label, key, new, old, status)
    if all(isinstance(value, dict | _Absent) for value in pair):
        children = _record_children(_or_empty(new, {}), _or_empty(old, {}))
    elif all(isinstance(value, list | _Absent) for value in pair):
        children = _list_children(_or_empty(new, []), _or_empty(old, []), key)
    else:
        return Node(label, key, new, old, status)
    whole = Status.SAME if status is Status.CHANGED else status
    return Node(label, key, new, old, whole, tuple(children))


def is_record_list(value: Any) -> bool:
    """Tell whether a value is a list with dicts in it, which gets an entry for each of them."""
    return isinstance(value, list) and any(
        isinstance(item, dict) or is_record_list(item) for item in value
    )


def identify(entries: list[Any]) -> list[str] | None:
    """Return the names that tell the entries of a list apart, None if they have none."""
    for identifier in _IDENTIFIERS:
        names = [item.get(identifier) if isinstance(item, dict) else None for item in entries]
        texts = [name for name in names if isinstance(name, str)]
        if len(set(texts)) == len(entries):
            return texts
    return None


def is_in_label(entry: Node, child: Node) -> bool:
    """Tell whether a child is the name that the label of its entry shows already."""
    value = child.before if child.value is ABSENT else child.value
    return (
        child.key in _IDENTIFIERS
        and isinstance(value, str)
        and entry.label.startswith("[")
        and entry.label.endswith(f"] {printable(value)}")
    )


def _status(new: Any, old: Any) -> Status:
    if new is ABSENT:
        return Status.REMOVED
    if old is ABSENT:
        return Status.NEW
    return Status.SAME if same(new, old) else Status.CHANGED


def _is_branch(value: Any) -> bool:
    return (isinstance(value, dict) and bool(value)) or is_record_list(value)


def _or_empty(value: Any, empty: Any) -> Any:
    return empty if value is ABSENT else value


def _record_children(new: dict[Any, Any], old: dict[Any, Any]) -> Iterator[Node]:
    for key in [*new, *(key for key in old if key not in new)]:
        label = printable(str(key)) or "''"
        yield compare(label, new.get(key, ABSENT), old.get(key, ABSENT), str(key))


def _list_children(new: list[Any], old: list[Any], key: str) -> Iterator[Node]:
    new_names, old_names = _names_of_both(new, old)
    was = dict(zip(old_names, old, strict=True))
    for index, (name, value) in enumerate(zip(new_names, new, strict=True)):
        yield compare(_entry_label(index, name), value, was.get(name, ABSENT), key)
    for index, (name, value) in enumerate(zip(old_names, old, strict=True)):
        if name not in set(new_names):
            yield compare(_entry_label(index, name), ABSENT, value, key)
    kept = [name for name in new_names if name in was]
    kept_before = [name for name in old_names if name in set(new_names)]
    if kept != kept_before:
        yield Node("(order)", "", kept, kept_before, Status.CHANGED)


def _names_of_both(new: list[Any], old: list[Any]) -> tuple[list[str], list[str]]:
    # Entries are matched by name, so that one more at the front does not change all others.
    new_names, old_names = identify(new), identify(old)
    if new_names is None or old_names is None:
        return [str(i) for i in range(len(new))], [str(i) for i in range(len(old))]
    return new_names, old_names


def _entry_label(index: int, name: str) -> str:
    return f"[{index}]" if name == str(index) else f"[{index}] {printable(name)}"
