"""What an exception of user code says, in one line."""

from __future__ import annotations

import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_STEP = re.compile(r"Failed in \w+ mode pipeline")  # says only that it was not compiled
_PLACE = re.compile(r'^File "(?P<file>[^"]+)", line (?P<line>\d+)')
_UNMATCHED = "No matching definition for argument type(s)"
_MORE = (">>> ", "- argument ")  # the call that does not fit, or an argument of no type
_LONGEST = 240  # of a message that is shown [characters]
_TYPES = {"ak.ArrayView(": "awkward array", "ak.RecordView(": "awkward record"}


def said_by(error: Exception) -> str:
    r"""First line of the message of an error; of one of numba its cause, and where it is.

    Examples
    --------
    >>> said_by(ValueError("wrong\nmore about it"))
    'wrong'
    """
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return "no message"
    if lines[0].startswith(_UNMATCHED):
        return (
            f"{_cut(_shortened(lines[0]))}. Convert the columns with ak.to_numpy before the "
            "compiled function is called, or leave out the signature of its decorator"
        )
    if not _STEP.match(lines[0]) or len(lines) == 1:
        return lines[0]
    cause = lines[1]
    more = [line.lstrip(">- ") for line in lines if line.startswith(_MORE)]
    if more:
        cause = f"{cause} {more[0]}" if cause.endswith(":") else f"{cause}: {more[0]}"
    return f"{_cut(_shortened(cause))}{_place(lines)}"


def _place(lines: list[str]) -> str:
    """Where the error is, as numba says it, with the line itself."""
    for i, line in enumerate(lines):
        found = _PLACE.match(line)
        if found is not None:
            below = lines[i + 1 :]
            end = below.index("^") if "^" in below else 0
            source = f": {below[end - 1]}" if end else ""
            return f" (line {found['line']} of {found['file']}{source})"
    return ""


def _shortened(text: str) -> str:
    """The same with a few words for the types of awkward arrays, which fill pages."""
    for start, words in _TYPES.items():
        while start in text:
            head, tail = text.split(start, 1)
            text = f"{head}{words}{_behind(tail)}"
    return text


def _behind(text: str) -> str:
    """What is behind the bracket that closes one which is open."""
    depth = 1
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[i + 1 :]
    return ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
