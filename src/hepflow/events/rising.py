"""Find out whether a cut can only fail where objects are taken away: ``ak.num(pt) >= 4``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import awkward as ak
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

_NUMBERS = (bool, int, float, np.number, np.bool_)
_COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)
_JUNCTIONS = (np.bitwise_and, np.bitwise_or, np.logical_and, np.logical_or)
_OF_TRUTHS = (*_JUNCTIONS, np.logical_not, np.invert)
_AT_LEAST = (np.greater, np.greater_equal)
_AT_MOST = (np.less, np.less_equal)
_LIST_AXES = (1, -1)


@dataclass(frozen=True)
class Given:
    """What is known of a column that a cut takes: a list of numbers for each event."""

    objects: str  # columns of one name have the same lists
    fixed: bool  # whether the numbers of the objects that are left stay as they are


class _NotRisingError(ValueError):
    """Something else was done than what only falls with the objects."""


@dataclass(frozen=True)
class _Known:
    """What is known of something that a cut computes."""

    kind: str  # "objects": a value of each of them; "count": how many; "passes": of the event
    of: object = None  # of which objects
    fixed: bool = True
    truth: bool = True  # whether it is true or false


class _Value(NDArrayOperatorsMixin):
    """Stands for what a cut computes: of each object, how many of them, whether an event passes."""

    def __init__(self, seen: list[str], known: _Known) -> None:
        self._seen = seen  # what else was tried, for a function that goes on after an error
        self._known = known

    @property  # type: ignore[misc] # what the function would get is one
    def __class__(self) -> Any:
        return ak.Array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        given = [_known(one) for one in inputs]
        numbers = all(
            known or isinstance(one, _NUMBERS) for one, known in zip(inputs, given, strict=True)
        )
        plain = method == "__call__" and ufunc.nout == 1 and ufunc.signature is None and not kwargs
        found = _computed(ufunc, given) if plain and numbers else None
        return self._refuse() if found is None else _Value(self._seen, found)

    def __awkward_function__(self, function: Any, _: Any, given: Any, named: Any) -> Any:
        rest = dict(zip(("array", "axis"), given, strict=False)) | named
        mine = rest.pop("array", None) is self and len(given) <= len(("array", "axis"))
        axis = rest.pop("axis", 1 if function is ak.num else None)
        listed = mine and not rest and type(axis) is int and axis in _LIST_AXES
        found = _reduced(function, self._known) if listed else None
        return self._refuse() if found is None else _Value(self._seen, found)

    def __getitem__(self, where: Any) -> Any:
        mine, mask = self._known, _known(where)
        if mask is None or {mine.kind, mask.kind} != {"objects"} or mask.of != mine.of:
            return self._refuse()
        if not (mask.truth and mask.fixed):
            return self._refuse()
        return _Value(self._seen, replace(mine, of=object()))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        self._seen.append("")
        raise _NotRisingError

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse(name)

    __array__ = __array_function__ = __bool__ = __contains__ = __float__ = _refuse
    __hash__ = __index__ = __int__ = __iter__ = __len__ = __setitem__ = _refuse
    __format__ = __repr__ = __str__ = _refuse


def _known(value: Any) -> _Known | None:
    """What is known of a stand-in; None of anything else."""
    return value._known if type(value) is _Value else None  # noqa: SLF001


def _computed(ufunc: Any, given: Sequence[_Known | None]) -> _Known | None:
    """What a ufunc makes of stand-ins and numbers (None); None where it may not rise."""
    values = [one for one in given if one is not None]
    kinds = {one.kind for one in values}
    if kinds == {"objects"} and len({one.of for one in values}) == 1:
        truths = len(values) == len(given) and all(one.truth for one in values)
        truth = ufunc in _COMPARISONS or (ufunc in _OF_TRUTHS and truths)
        fixed = all(one.fixed for one in values)
        return _Known("objects", values[0].of, fixed=fixed, truth=truth)
    if kinds == {"count"} and len(values) == 1:
        rises = ufunc in (_AT_MOST if given[0] is None else _AT_LEAST)
        return _Known("passes") if rises else None
    if kinds == {"passes"} and len(values) == len(given) and ufunc in _JUNCTIONS:
        return _Known("passes")
    return None


def _reduced(function: Any, known: _Known) -> _Known | None:
    """What a function of awkward makes of the objects of an event; None where it may not rise."""
    if known.kind != "objects":
        return None
    if function is ak.num:
        return _Known("count")
    if function is ak.any and known.fixed:
        return _Known("passes")
    return _Known("count") if function is ak.sum and known.fixed and known.truth else None


def is_rising(function: Callable[..., Any], columns: Sequence[Given]) -> bool:
    """Whether an event that passes a cut passes it with any more objects, too.

    The cut is run once on stand-ins of its columns: these can be counted, compared and joined,
    and know nothing that could look at values, at lists or at the order of objects.

    Parameters
    ----------
    columns
        What is known of each column that the cut takes.

    Examples
    --------
    >>> jets = Given("Jet", fixed=False)
    >>> is_rising(lambda pt: ak.num(pt, axis=1) >= 4, [jets])
    True
    >>> is_rising(lambda pt: ak.num(pt, axis=1) == 4, [jets])
    False
    >>> is_rising(lambda pt: ak.any(pt > 100.0, axis=1), [jets])
    False
    >>> is_rising(lambda tag: ak.any(tag > 0.5, axis=1), [Given("Jet", fixed=True)])
    True
    """
    seen: list[str] = []
    known = (_Known("objects", one.objects, fixed=one.fixed, truth=False) for one in columns)
    try:
        result = _known(function(*(_Value(seen, one) for one in known)))
    except Exception:  # noqa: BLE001 - a user's function, which is not run in earnest here
        return False
    return not seen and result is not None and result.kind == "passes"
