"""Values in commands: each is one word to the shell, whatever it holds.

yadage puts values in as they are, so that ``; rm -r .`` in a value is a command. Here a value is
quoted for the place at which it stands, and the program gets it unchanged. What differs for
workflows that were written for yadage: a text with blanks is one argument (a list of texts is one
argument each), an empty text is an empty argument, and ``*``, ``~`` and ``$HOME`` in a value are
not expanded.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from string import Formatter
from typing import Any, Final

from hepflow.errors import InputError
from hepflow.reinterpretation.workflows.shell import DOUBLE, OPEN, PLACE, SINGLE, contexts

_FIELD: Final = re.compile(r"([^\[\].!:{}]+)((?:\[[^\[\]{}]+\])*)")
# A width of many digits would fill the memory.
_UNFIT_LAYOUT: Final = re.compile(r"[{]|\d{4}")
_ENTRY: Final = re.compile(r"\[([^\]]+)\]")
_PLACES: Final = {OPEN, DOUBLE, SINGLE}
_SHELLS: Final = {"sh", "bash", "dash", "zsh", "ksh", "ash"}
_HARMLESS: Final = re.compile(r"[\w@%+=:,./ -]*")  # in any language: no quote, bracket, backslash
_IN_DOUBLE: Final = re.compile(r'([\\"$`])')


@dataclass(frozen=True, slots=True)
class Verbatim:
    """What the shell itself puts in, such as ``${TOKEN}``; or what is not known yet."""

    text: str
    is_variable: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """Text, and the placeholder that follows it."""

    text: str
    name: str | None  # None: there is no placeholder after the last text
    entries: tuple[str, ...] = ()  # of "files[0][name]": ("0", "name")
    layout: str = ""  # of "mass:.1f": ".1f"
    conversion: str = ""  # of "mass!r": "r"


def pieces(template: str) -> tuple[Piece, ...]:
    """Split a text at its placeholders.

    Raises
    ------
    InputError
        A brace is left open, or a placeholder is no name with indices.

    Examples
    --------
    >>> [piece.name for piece in pieces("cut --pt {pt:.1f} {files[0]}")]
    ['pt', 'files']
    """
    found = []
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise InputError(
            f"{error}. Write {{{{ and }}}} for braces that are no placeholder."
        ) from error
    for text, field, layout, conversion in parts:
        if field is None:
            found.append(Piece(text, None))
            continue
        match = _FIELD.fullmatch(field)
        if match is None or _UNFIT_LAYOUT.search(layout or ""):
            raise InputError(
                f"{{{field}}} is no placeholder: a name, with [entry] and :layout after it, is "
                "expected. Write {{ and }} for braces that are no placeholder."
            )
        entries = tuple(_ENTRY.findall(match[2]))
        found.append(Piece(text, match[1], entries, layout or "", conversion or ""))
    return tuple(found)


def names_in(template: str) -> list[str]:
    """Names of the placeholders in a text, each once."""
    return list(dict.fromkeys(one.name for one in pieces(template) if one.name is not None))


def places(template: str) -> list[tuple[str, str]]:
    """Placeholders of a shell command, each with what it stands in (see `shell.contexts`)."""
    if PLACE in template:
        raise InputError("there is a NUL sign in the command, which no shell takes.")
    parts = pieces(template)
    names = [one.name for one in parts if one.name is not None]
    joined = "".join(one.text + (PLACE if one.name is not None else "") for one in parts)
    return list(zip(names, contexts(joined), strict=True))


def misplaced(template: str) -> list[str]:
    """Say which placeholders of a shell command stand where no value may go."""
    return [_misplaced(name, one) for name, one in places(template) if one not in _PLACES]


def _misplaced(name: str, context: str) -> str:
    return (
        f"{{{name}}} stands in {context}, where no quoting keeps a value whole. Assign it to a "
        f"variable first: name={{{name}}}."
    )


def is_shell(interpreter: str) -> bool:
    """Whether an interpreter takes the language of ``sh``."""
    words = shlex.split(interpreter)
    names = [PurePath(word).name for word in words[:2]]
    return bool(names) and (names[0] in _SHELLS or (names[0] == "env" and names[-1] in _SHELLS))


def shell_command(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a shell command, each quoted for its place.

    Raises
    ------
    InputError
        A value has no such entry or can't be laid out, or a place takes no value.

    Examples
    --------
    >>> print(shell_command("skim {file} -t '{title}'", {"file": "a b.root", "title": "it; rm"}))
    skim 'a b.root' -t 'it; rm'
    """
    where = iter([context for _, context in places(template)])
    return "".join(
        one.text + ("" if one.name is None else _quoted(_value(one, values), one, next(where)))
        for one in pieces(template)
    )


def other_script(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a script of another language, where no quoting is known.

    Raises
    ------
    InputError
        A value holds a sign that could end a text of that language.
    """
    parts = []
    for one in pieces(template):
        parts.append(one.text)
        if one.name is None:
            continue
        value = _value(one, values)
        values_there = _flat(value)
        if any(isinstance(part, Verbatim) and part.is_variable for part in values_there):
            raise InputError(
                f"{{{one.name}}} is a credential, which is not written into a script. Read the "
                "environment variable in the script."
            )
        text = " ".join(_texts(value, one))
        known = [part for part in values_there if not isinstance(part, Verbatim)]
        if not _HARMLESS.fullmatch(" ".join(_texts(known, one))):
            raise InputError(
                f"{{{one.name}}}: {text[:60]!r} holds signs that could end a text of the script; "
                "only a shell's script takes any value. Pass it as an argument of a command."
            )
        parts.append(text)
    return "".join(parts)


def plain_text(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a text that is no command, such as a published path."""
    return "".join(
        one.text + ("" if one.name is None else " ".join(_texts(_value(one, values), one)))
        for one in pieces(template)
    )


def _value(piece: Piece, values: Mapping[str, Any]) -> Any:
    value = values[str(piece.name)]
    for entry in piece.entries:
        try:
            value = value[int(entry) if isinstance(value, list) else entry]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{{{piece.name}}} has no entry [{entry}].") from error
    return value


def _texts(value: Any, piece: Piece) -> list[str]:
    """The words of a value: one, or one for each entry of a list."""
    if isinstance(value, list):
        return [text for one in _flat(value) for text in _texts(one, piece)]
    if isinstance(value, Verbatim):
        return [value.text]
    if isinstance(value, Mapping):
        raise InputError(
            f"{{{piece.name}}} is a mapping; name an entry, such as {{{piece.name}[key]}}."
        )
    shown: Any = repr(value) if piece.conversion == "r" else value
    try:
        text = format(shown, piece.layout) if piece.layout else str(shown)
        text.encode()
    except (ValueError, TypeError) as error:
        raise InputError(f"{{{piece.name}}}: {value!r} can't be written there: {error}.") from error
    if "\0" in text:
        raise InputError(f"{{{piece.name}}}: {value!r} holds a NUL sign, which no command takes.")
    return [text]


def _quoted(value: Any, piece: Piece, context: str) -> str:
    if context not in _PLACES:
        raise InputError(_misplaced(str(piece.name), context))
    words = [word for one in _flat(value) for word in _words(one, piece, context)]
    return " ".join(words)


def _words(value: Any, piece: Piece, context: str) -> list[str]:
    texts = _texts(value, piece)
    if isinstance(value, Verbatim):
        closed = {OPEN: f'"{value.text}"', DOUBLE: value.text, SINGLE: f"'\"{value.text}\"'"}
        return [closed[context]] if value.is_variable else texts
    if context == OPEN:
        return [shlex.quote(text) for text in texts]
    if context == DOUBLE:
        return [_IN_DOUBLE.sub(r"\\\1", text) for text in texts]
    return [text.replace("'", "'\"'\"'") for text in texts]


def _flat(value: Any) -> list[Any]:
    return [one for part in value for one in _flat(part)] if isinstance(value, list) else [value]
