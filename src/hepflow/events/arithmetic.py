"""Find out whether a function is plain arithmetic, which treats each object by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import awkward as ak
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

_NUMBERS = (bool, int, float, np.number, np.bool_)


class _NotPlainError(ValueError):
    """Something else than arithmetic was done with a column."""


class _Column(NDArrayOperatorsMixin):
    """Stands for a column in a function: it can be computed with, and nothing else."""

    def __init__(self, seen: list[str]) -> None:
        self._seen = seen  # what else was tried, for a function that goes on after an error

    @property  # type: ignore[misc] # what the function would get is one
    def __class__(self) -> Any:
        return ak.Array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = method == "__call__" and ufunc.nout == 1 and ufunc.signature is None
        known = all(type(one) is _Column or isinstance(one, _NUMBERS) for one in inputs)
        if plain and known and not kwargs:
            return _Column(self._seen)
        return self._refuse()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        self._seen.append("")
        raise _NotPlainError

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse(name)

    __array__ = __array_function__ = __bool__ = __contains__ = __float__ = __getitem__ = _refuse
    __hash__ = __index__ = __int__ = __iter__ = __len__ = __setitem__ = _refuse
    __format__ = __repr__ = __str__ = _refuse


def is_arithmetic(function: Callable[..., Any], columns: int, *, number: bool = True) -> bool:
    """Whether a function computes each value from the numbers of one object.

    It is run once on stand-ins of its columns: they know arithmetic and functions of numpy that
    work element by element, and nothing that could look at values, lists or other objects.

    Parameters
    ----------
    columns
        How many the function takes.
    number
        Whether one number for all is such a result, too.

    Examples
    --------
    >>> is_arithmetic(lambda pt, eta: (pt > 30.0) & (abs(eta) < 2.4), 2)
    True
    >>> is_arithmetic(lambda pt: pt / ak.max(pt, axis=1), 1)
    False
    """
    seen: list[str] = []
    try:
        result = function(*(_Column(seen) for _ in range(columns)))
    except Exception:  # noqa: BLE001 - a user's function, which is not run in earnest here
        return False
    return not seen and (type(result) is _Column or (number and isinstance(result, _NUMBERS)))
