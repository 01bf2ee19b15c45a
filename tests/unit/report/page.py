"""A page read back with the standard library's parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from hepflow.report import collect, write_report

_VOID = {"meta", "link", "img", "input", "br"}
_RAW = {"style", "script"}


@dataclass
class Node:
    """An element."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def every(self, tag: str, **attributes: str) -> list[Node]:
        """Elements below, in order."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            one
            for one in self._all()
            if one.tag == tag and wanted.items() <= one.attributes.items()
        ]

    def one(self, tag: str, **attributes: str) -> Node:
        """The only such element."""
        (found,) = self.every(tag, **attributes)
        return found

    def _all(self) -> Iterator[Node]:
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child._all()

    @property
    def text(self) -> str:
        """All text below, without style and script."""
        if self.tag in _RAW:
            return ""
        parts = (one if isinstance(one, str) else one.text for one in self.children)
        return " ".join(" ".join(parts).split())

    def rows(self) -> list[list[str]]:
        """Texts of the body of a table."""
        body = self.one("tbody")
        return [[c.text for c in r.children if isinstance(c, Node)] for r in body.every("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root")
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parsed(html: str) -> Node:
    """The tree of a page, of which every element is closed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def page_of(folder: Path) -> Node:
    """The report of the run in a folder."""
    path = write_report(collect(folder), folder / "report" / "index.html")
    return parsed(path.read_text(encoding="utf-8"))


def section(page: Node, name: str) -> Node:
    """A section of the report."""
    return page.one("section", id=name)


def table(page: Node, name: str) -> Node:
    """A table of the report."""
    return page.one("table", data_name=name)
