"""JSON that says one thing: no repeated keys, no NaN, and no nesting that ends the program."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse_json(text: str | bytes, *, finite: bool = True, repeated_keys: bool = False) -> Any:
    """Parse JSON.

    Parameters
    ----------
    text
    finite : bool, default True
        Refuse NaN and Infinity, which JSON does not have and some files do.
    repeated_keys : bool, default False
        Take the last of several equal keys, which takes half of the time: for large files that
        nothing else than the result is made of.

    Raises
    ------
    ValueError
        It is no JSON, has a key twice (readers differ in which one they take), is nested too
        deep, or has a number of thousands of digits.

    Examples
    --------
    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' is there twice
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=None if repeated_keys else _once,
            parse_constant=_refuse_constant if finite else None,
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None
