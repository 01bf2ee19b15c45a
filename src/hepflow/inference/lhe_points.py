"""Parameter points of weights: param_card blocks and the commands of MadGraph's reweighting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from hepflow.errors import InputError
from hepflow.inference.records import Parameter

Entry = tuple[str, int]  # block in lower case, id
Card = Sequence[tuple[str, int, float, str]]  # block, id, value, comment

_BLOCK = re.compile(r"^\s*block\s+(\S+)", re.IGNORECASE)
_LINE = re.compile(r"^\s+(\d+)\s+([-+.\deE]+)\s*(?:#\s*(.*?)\s*)?$")
_SET = re.compile(r"^\s*set\s+(?:param_card\s+)?(.+?)\s*(?:#(.*))?$", re.IGNORECASE)
_ORIGINAL = re.compile(r"orig\s*:\s*(\S+)")


def parse_card(text: str) -> list[tuple[str, int, float, str]]:
    r"""Entries with one id of a param_card: block (lower case), id, value, comment.

    Examples
    --------
    >>> parse_card("BLOCK SMEFT #\n  7 1.0e-01 # chw\nDECAY 6 1.3")
    [('smeft', 7, 0.1, 'chw')]
    """
    entries = []
    block = ""
    for line in text.splitlines():
        head = _BLOCK.match(line)
        if head or line[:1].strip() not in {"", "#"}:
            block = head[1].lower() if head else ""
            continue
        found = _LINE.match(line)
        if found and block:
            entries.append((block, int(found[1]), _number(found[2], line), found[3] or ""))
    return entries


def _number(word: str, line: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise InputError(
            f"{word!r} in {line.strip()!r} is no number; expected the value of a parameter."
        ) from error


def set_by(text: str, card: Card) -> dict[Entry, float]:
    """Values that a weight's commands set, by block and id.

    Examples
    --------
    >>> set_by("set param_card smeft 8 0.1 # orig: 0.0", [])
    {('smeft', 8): 0.1}
    """
    return {entry: value for entry, value, _ in _commands(text, card)}


def _commands(text: str, card: Card) -> Iterable[tuple[Entry, float, str]]:
    for line in text.splitlines():
        found = _SET.match(line)
        if not found:
            continue
        words = found[1].split()
        remark = found[2] or ""
        if len(words) == 3 and words[1].isdigit():  # noqa: PLR2004  (block, id, value)
            yield (words[0].lower(), int(words[1])), _number(words[2], line), remark
        elif len(words) == 2:  # noqa: PLR2004  (name, value)
            yield _named(words[0], card, line), _number(words[1], line), remark


def _named(name: str, card: Card, line: str) -> Entry:
    known = {comment.lower(): (block, number) for block, number, _, comment in card}
    if name.lower() not in known:
        raise InputError(
            f"{line.strip()!r} sets {name!r}, which the param_card in the head does not have; "
            "name the parameter by block and id."
        )
    return known[name.lower()]


def base_point(
    texts: Sequence[str], card: Card, parameters: Sequence[Parameter]
) -> tuple[float, ...]:
    """Values of the parameters where a weight sets none.

    The remark ``# orig:`` of a command is the value at that time and decides. Without one it is
    the card in the head, unless that has the entry twice with different values (as where the
    block was appended to change it).

    Raises
    ------
    InputError
        A parameter without block, not in the card, or with two values.
    """
    original = _originals(texts, card)
    return tuple(_base(parameter, original, card) for parameter in parameters)


def _originals(texts: Sequence[str], card: Card) -> Mapping[Entry, set[float]]:
    found: dict[Entry, set[float]] = {}
    for text in texts:
        for entry, _, remark in _commands(text, card):
            word = _ORIGINAL.search(remark)
            if word:
                found.setdefault(entry, set()).add(_number(word[1], remark))
    return found


def _base(parameter: Parameter, original: Mapping[Entry, set[float]], card: Card) -> float:
    entry = (parameter.lha_block.lower(), parameter.lha_id)
    values = original.get(entry) or {
        value for block, number, value, _ in card if (block, number) == entry
    }
    if len(values) != 1:
        what = f"the values {sorted(values)}" if values else "no value"
        raise InputError(
            f"the Les Houches event file has {what} of parameter {parameter.name!r} (block "
            f"{parameter.lha_block!r}, id {parameter.lha_id}) where a weight does not set it; "
            "expected one. Give the values of the base point, or the right block and id."
        )
    return next(iter(values))


def point_of(
    text: str, card: Card, parameters: Sequence[Parameter], base: Sequence[float]
) -> tuple[float, ...]:
    """Parameter point of a weight: the base, changed by its commands.

    Raises
    ------
    InputError
        A command sets something that is not one of the parameters.
    """
    values = set_by(text, card)
    known = {(p.lha_block.lower(), p.lha_id): index for index, p in enumerate(parameters)}
    point = list(base)
    for entry, value in values.items():
        if entry not in known:
            raise InputError(
                f"a weight sets entry {entry[1]} of block {entry[0]!r}, which is not one of the "
                f"parameters ({', '.join(p.name for p in parameters)}); add it to them."
            )
        point[known[entry]] = value
    return tuple(point)
