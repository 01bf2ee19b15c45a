"""Observables and cuts as text, such as ``(mu[0] + mu[1]).mass`` or ``len(j) >= 2``.

The text is read with Python's own parser and walked; nothing of it is ever executed. Only what is
listed here has a meaning: the collections ``j, l, e, mu, a`` (jets, leptons, electrons, muons,
photons, by falling transverse momentum) and ``met``, their properties, numbers, arithmetic,
comparisons, ``and or not``, ``x if condition else y`` and the functions of
`hepflow.inference.expression_functions`. Everything is computed for all events at once.

Of what an event does not have, numbers are NaN, and a cut that depends on it fails: with one jet
``j[1].pt > 30`` fails; ``len(j) < 2 or j[1].pt > 30`` does not depend on it there and passes.
The same holds member by member in lists, where conditions join likewise:
``sum(j.pt > 30 and abs(j.eta) < 2.5) >= 2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from hepflow.errors import ConfigurationError, Problem
from hepflow.inference.expression_values import Flags, Truth
from hepflow.inference.expression_walk import Walk
from hepflow.inference.physics.particles import Particles, collection, missing_momentum
from hepflow.inference.records import Floats

Want = Literal["number", "condition"]


@dataclass(frozen=True)
class Expression:
    """An expression that has been checked."""

    text: str
    where: str  # in the configuration
    kind: str  # "a number" or "a condition"

    def number(self, particles: Particles) -> Floats:
        """Return its value for each event, NaN where it has none; a condition gives 1 and 0."""
        value = Walk(self.text, self.where, particles).result()
        if isinstance(value, Truth):
            return np.where(value.known, value.true.astype(float), np.nan)
        return np.asarray(value.value, dtype=float)

    def passes(self, particles: Particles) -> Flags:
        """Whether each event fulfils the condition; not where that is unknown."""
        value = Walk(self.text, self.where, particles).result()
        if not isinstance(value, Truth):
            raise ConfigurationError([_not_a(self.text, self.where, "condition", value.kind)])
        return value.true & value.known


def parse(text: str, where: str = "expression", want: Want | None = None) -> Expression:
    """Read an expression and check it, its names and what is done with them.

    Parameters
    ----------
    text : str
        The expression.
    where : str
        Its path in the configuration, for messages.
    want : str, optional
        ``number`` (an observable; a condition will do) or ``condition`` (a cut).

    Raises
    ------
    ConfigurationError
        It names the expression, the place in it, what is wrong and what is allowed.

    Examples
    --------
    >>> parse("(mu[0] + mu[1]).mass").kind
    'a number'
    >>> parse("j[0].ptt")
    Traceback (most recent call last):
        ...
    hepflow.errors.ConfigurationError: the configuration has 1 problem:
      expression: 'j[0].ptt', at column 1, 'j[0].ptt': an object has no 'ptt'. Did you mean 'pt'?
    """
    value = Walk(text, where, _example()).result()
    if want == "condition" and not isinstance(value, Truth):
        raise ConfigurationError([_not_a(text, where, want, value.kind)])
    return Expression(text, where, value.kind)


def _not_a(text: str, where: str, want: str, kind: str) -> Problem:
    return Problem(
        where,
        f"{text!r} is {kind}; expected a {want}",
        "A cut compares, such as j[0].pt > 30; any(...) and all(...) make one condition of a list.",
    )


@lru_cache(maxsize=1)
def _example() -> Particles:
    """Two events with some objects of each kind, on which expressions are tried."""
    lists = []
    for length in (2, 3, 1, 4):  # different, so that mixing them up is seen
        ladder = 10.0 + np.arange(2.0 * length)
        columns = {"pt": ladder, "eta": ladder / 50, "phi": ladder / 30, "mass": ladder / 10}
        columns |= {"charge": np.cos(np.pi * ladder), "btag": np.ones(2 * length)}
        lists.append(collection(np.array([length, length]), columns))
    e, mu, a, j = lists
    return Particles(e, mu, a, j, missing_momentum(np.array([20.0, 5.0]), np.array([3.0, 40.0])))
