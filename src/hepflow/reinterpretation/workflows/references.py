"""YAML files whose parts stand elsewhere: ``{$ref: "steps.yml#/skim"}``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from hepflow.errors import Problem, StorageError, did_you_mean
from hepflow.storage import read_yaml

_DEEPEST: Final = 60  # of nesting: what is deeper refers to what it is in


@dataclass(slots=True)
class Source:
    """Files of a workflow, each read once, and what is wrong in them."""

    problems: list[Problem] = field(default_factory=list)
    files: dict[Path, Any] = field(default_factory=dict)

    def open(self, path: str | Path) -> Node:
        """Root of a file; its value is None where the file can't be read."""
        path = Path(path).absolute()
        return Node(self._read(path, path.name), path, "", self).followed()

    def _read(self, path: Path, where: str) -> Any:
        if path not in self.files:
            self.files[path] = None
            try:
                self.files[path] = read_yaml(path)
            except StorageError as error:
                self.problems.append(Problem(where, str(error)))
        return self.files[path]

    def target(self, reference: str, asked: Node) -> Node:
        """What a ``$ref`` refers to; a problem and a node without value where it is not there."""
        name, _, pointer = reference.partition("#")
        if "://" in name:
            message = f"$ref {reference!r} is a URL; files of this machine are read."
            self.problems.append(Problem(asked.where, message, "Download it beside the workflow."))
            return Node(None, asked.file, asked.path, self)
        file = (asked.file.parent / unquote(name)) if name else asked.file
        node = Node(self._read(file, asked.where), file, "", self)
        for part in [unquote(one) for one in pointer.split("/")[1:]]:
            key = part.replace("~1", "/").replace("~0", "~")
            node = node.followed()
            if node.value is None:
                return node
            found = node.step(key)
            if found is None:
                known = node.value if isinstance(node.value, dict) else ()
                message = f"$ref {reference!r}: {file.name} has no {key!r}."
                self.problems.append(Problem(asked.where, message, did_you_mean(key, known)))
                return Node(None, file, "", self)
            node = found
        return node


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a file, with where it stands."""

    value: Any
    file: Path
    path: str  # "stages[0].scheduler"; empty: the whole file
    source: Source

    @property
    def where(self) -> str:
        """File and path, for messages."""
        return f"{self.file.name}: {self.path}" if self.path else self.file.name

    def wrong(self, message: str, hint: str = "") -> None:
        """Note what is wrong here."""
        self.source.problems.append(Problem(self.where, message, hint))

    def step(self, key: str | int) -> Node | None:
        """One entry, as it stands: a ``$ref`` there is not followed; None where there is none."""
        value = self.value
        if isinstance(value, list) and str(key).isdecimal() and int(key) < len(value):
            return Node(value[int(key)], self.file, f"{self.path}[{key}]", self.source)
        if isinstance(value, dict) and key in value:
            path = f"{self.path}.{key}" if self.path else str(key)
            return Node(value[key], self.file, path, self.source)
        return None

    def child(self, key: str | int) -> Node | None:
        """One entry, with ``$ref`` followed; None where there is none."""
        found = self.step(key)
        return None if found is None else found.followed()

    def children(self) -> Iterator[tuple[str, Node]]:
        """All entries of a mapping or a list, with ``$ref`` followed."""
        keys = self.value if isinstance(self.value, dict) else range(len(self.value or ()))
        for key in keys:
            found = self.child(key)
            if found is not None:
                yield str(key), found

    def followed(self) -> Node:
        """Where a chain of ``$ref`` ends."""
        node, seen = self, set()
        while isinstance(node.value, dict) and isinstance(node.value.get("$ref"), str):
            place = (node.file, node.path)
            if place in seen:
                self.wrong(f"$ref {node.value['$ref']!r} leads back to itself.")
                return Node(None, self.file, self.path, self.source)
            seen.add(place)
            node = self.source.target(node.value["$ref"], node)
        return node

    def plain(self, depth: int = 0) -> Any:
        """All of the value, with every ``$ref`` in it replaced."""
        if depth > _DEEPEST:
            self.wrong("a $ref leads back to what it is in.")
            return None
        if isinstance(self.value, dict | list):
            parts = {key: one.plain(depth + 1) for key, one in self.children()}
            return parts if isinstance(self.value, dict) else list(parts.values())
        return self.value
