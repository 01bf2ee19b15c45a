"""Where in a shell command a place stands: in the open, in quotes, or where no value may go."""

from __future__ import annotations

import re
from typing import Final

PLACE: Final = "\0"  # stands for a placeholder; no shell command can hold this sign
OPEN: Final = "open"
DOUBLE: Final = "double"
SINGLE: Final = "single"
_HERE: Final = re.compile(r"<<-?[ \t]*(['\"\\]?)([\w.\0-]+)['\"]?")
_ORDINARY: Final = re.compile(r"[^\0\"'\\$`#()<}\n]+")
_OPENING: Final = (  # in the order in which they are tried: text, kind
    ("$((", "an arithmetic expression"),
    ("$(", OPEN),
    ("${", "an expansion ${...}"),
    ("`", "backticks"),
    ('"', DOUBLE),
)
_CLOSING: Final = {
    "an arithmetic expression": "))",
    "an expansion ${...}": "}",
    "backticks": "`",
    DOUBLE: '"',
    SINGLE: "'",
    "$'...'": "'",
}


def contexts(command: str) -> list[str]:
    """Tell for each `PLACE` in a command what it stands in.

    Returns
    -------
    list of str
        `OPEN`, `DOUBLE`, `SINGLE`, or in words something in which no quoting keeps a value whole.

    Examples
    --------
    >>> contexts(f'echo {PLACE} "{PLACE}" # {PLACE}')
    ['open', 'double', 'a comment']
    """
    return _Reader(command).read()


class _Reader:
    """Reads a command sign by sign, as far as quoting goes."""

    def __init__(self, command: str) -> None:
        self.text = command
        self.at = 0
        self.stack = [OPEN]
        self.found: list[str] = []
        self.awaited: list[str] = []  # ends of here-documents that begin in the next line

    def read(self) -> list[str]:
        while self.at < len(self.text):
            state = self.stack[-1]
            if ordinary := _ORDINARY.match(self.text, self.at):
                self.at = ordinary.end()
            elif self.text[self.at] == PLACE:
                # "$" and a value are the name of a variable, or a quotation of bash.
                after = self.at > 0 and self.text[self.at - 1] == "$" and state != SINGLE
                self.found.append("what follows a dollar sign" if after else state)
                self.at += 1
            elif self._starts(_CLOSING.get(state, PLACE)):
                self.stack.pop()
            elif state == SINGLE or not self._escaped(state):
                self._other(state)
        return self.found

    def _starts(self, text: str) -> bool:
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def _escaped(self, state: str) -> bool:
        """Go past a backslash and what it protects."""
        if self.text[self.at] != "\\" or state == SINGLE:
            return False
        if self.text.startswith(PLACE, self.at + 1):
            self.found.append("what a backslash protects")
        self.at += 2
        return True

    def _other(self, state: str) -> None:
        if state in {SINGLE, "$'...'"}:
            self.at += 1
            return
        if state == OPEN and self._only_open():
            return
        for text, kind in _OPENING:
            if self._starts(text):
                self.stack.append(kind)
                return
        self.at += 1

    def _only_open(self) -> bool:
        """What counts outside of quotes only."""
        sign = self.text[self.at]
        if sign == "\n" and self.awaited:
            self.at += 1
            self._documents()
        elif sign == "#" and (self.at == 0 or self.text[self.at - 1] in " \t\n;&|("):
            end = self.text.find("\n", self.at)
            self._skip(end if end >= 0 else len(self.text), "a comment")
        elif self._starts("$'"):
            self.stack.append("$'...'")
        elif self._starts("'"):
            self.stack.append(SINGLE)
        elif self._starts("("):
            self.stack.append(OPEN)
        elif sign == ")":
            self.at += 1
            if len(self.stack) > 1:
                self.stack.pop()
        elif self._starts("<<<"):
            pass
        elif here := _HERE.match(self.text, self.at):
            self.found += ["the name of a here-document"] * here[2].count(PLACE)
            self.awaited.append(here[2])
            self.at = here.end()
        else:
            return False
        return True

    def _documents(self) -> None:
        for end in self.awaited:
            closing = re.compile(rf"^\t*{re.escape(end)}$", re.MULTILINE)
            found = closing.search(self.text, self.at)
            self._skip(found.end() if found else len(self.text), "a here-document")
        self.awaited = []

    def _skip(self, end: int, kind: str) -> None:
        self.found += [kind] * self.text.count(PLACE, self.at, end)
        self.at = end
