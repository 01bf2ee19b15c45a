"""What expressions compute with: numbers, truths, objects and lists, for all events at once.

What an event does not have, such as the second jet of an event with one, is NaN in numbers and
unknown in truths; both spread as one expects: `unknown or true` is true, `unknown and false` is
false, anything else with it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.inference.records import Floats

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Number:
    """One number an event; NaN where there is none."""

    value: Floats
    kind = "a number"


@dataclass(frozen=True)
class Truth:
    """True, false or unknown for each event."""

    true: Flags
    known: Flags
    kind = "a condition"


@dataclass(frozen=True)
class Truths:
    """The same for each member of a list in each event."""

    true: Any  # awkward arrays
    known: Any
    kind = "a list of conditions"


Condition = Truth | Truths


def condition(true: Any, known: Any, *of: Any) -> Condition:
    """Make a list where one of the values that it was made `of` is a list."""
    return (Truths if any(isinstance(one, Numbers | Truths) for one in of) else Truth)(true, known)


def negation(one: Condition) -> Condition:
    """Unknown stays unknown."""
    return condition(one.known & ~one.true, one.known, one)


def conjunction(one: Condition, other: Condition) -> Condition:
    """False where one of the two is, whether or not the other is known."""
    false = (one.known & ~one.true) | (other.known & ~other.true)
    return condition(one.true & other.true, (one.known & other.known) | false, one, other)


def disjunction(one: Condition, other: Condition) -> Condition:
    """True where one of the two is, whether or not the other is known."""
    true = one.true | other.true
    return condition(true, (one.known & other.known) | true, one, other)


@dataclass(frozen=True)
class Numbers:
    """A list of numbers in each event."""

    value: Any
    kind = "a list of numbers"


@dataclass(frozen=True)
class Objects:
    """A list of objects in each event."""

    value: Any  # awkward array of records
    kind = "a list of objects"

    def item(self, index: int) -> Vector:
        """One object of each event; NaN where there is none."""
        import awkward as ak

        if index >= 0:
            array = ak.pad_none(self.value, index + 1, axis=1)[:, index]
        else:
            enough = ak.num(self.value, axis=1) >= -index
            array = ak.mask(ak.pad_none(self.value, -index, axis=1), enough)[:, index]
        given = {
            name: np.asarray(ak.to_numpy(ak.fill_none(array[name], np.nan)), dtype=float)
            for name in self.value.fields
        }
        return Vector.of(given)

    def total(self) -> Vector:
        """Sum of all objects of an event; zero where there is none."""
        import awkward as ak

        sums = {name: ak.sum(self.column(name).value, axis=1) for name in _CARTESIAN}
        charge = np.asarray(ak.sum(self.value.charge, axis=1), dtype=float)
        px, py, pz, energy = (np.asarray(sums[name], dtype=float) for name in _CARTESIAN)
        return Vector(px, py, pz, energy, {"charge": charge})

    def column(self, name: str) -> Numbers:
        """One property of all objects."""
        array = self.value
        if name in array.fields:
            return Numbers(array[name])
        return Numbers(_DERIVED[name](array.pt, array.eta, array.phi, array.mass))


@dataclass(frozen=True)
class Vector:
    """One object an event, or a sum of objects."""

    px: Floats
    py: Floats
    pz: Floats
    energy: Floats
    given: Mapping[str, Floats] = field(default_factory=dict)  # as they were, without rounding
    transverse: bool = False  # missing momentum, and what it is added to
    kind = "an object"

    @classmethod
    def of(cls, given: Mapping[str, Floats], *, transverse: bool = False) -> Vector:
        """From pt, eta, phi, mass and what else there is."""
        polar = [given[name] for name in ("pt", "eta", "phi", "mass")]
        parts = {name: _DERIVED[name](*polar) for name in _CARTESIAN}
        return cls(**parts, given=given, transverse=transverse)

    def plus(self, other: Vector, sign: int) -> Vector:
        """Sum or difference."""
        parts = {name: getattr(self, name) + sign * getattr(other, name) for name in _CARTESIAN}
        charges = {}
        if "charge" in self.given and "charge" in other.given:
            charges["charge"] = self.given["charge"] + sign * other.given["charge"]
        return Vector(**parts, given=charges, transverse=self.transverse or other.transverse)

    def names(self) -> tuple[str, ...]:
        """Properties that it has."""
        if self.transverse:
            return TRANSVERSE
        lacking = {"charge", "btag"} - set(self.given)
        return tuple(name for name in PROPERTIES if name not in lacking)

    def get(self, name: str) -> Floats:
        """One property."""
        if name in self.given:
            return self.given[name]
        found = _OF_CARTESIAN[name](self.px, self.py, self.pz, self.energy)
        return np.asarray(found, dtype=float)


_CARTESIAN = ("px", "py", "pz", "energy")

_DERIVED: Mapping[str, Callable[..., Any]] = {
    "px": lambda pt, _eta, phi, _mass: pt * np.cos(phi),
    "py": lambda pt, _eta, phi, _mass: pt * np.sin(phi),
    "pz": lambda pt, eta, _phi, _mass: pt * np.sinh(eta),
    "energy": lambda pt, eta, _phi, mass: np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2),
    "p": lambda pt, eta, _phi, _mass: pt * np.cosh(eta),
    "theta": lambda _pt, eta, _phi, _mass: 2 * np.arctan(np.exp(-eta)),
    "rapidity": lambda pt, eta, _phi, mass: np.arcsinh(
        pt * np.sinh(eta) / np.sqrt(pt**2 + mass**2)
    ),
}  # fmt: skip


def _mass(px: Floats, py: Floats, pz: Floats, energy: Floats) -> Floats:
    squared = energy**2 - px**2 - py**2 - pz**2
    return np.asarray(np.sign(squared) * np.sqrt(np.abs(squared)), dtype=float)


_OF_CARTESIAN: Mapping[str, Callable[..., Any]] = {
    "px": lambda px, _py, _pz, _energy: px,
    "py": lambda _px, py, _pz, _energy: py,
    "pz": lambda _px, _py, pz, _energy: pz,
    "energy": lambda _px, _py, _pz, energy: energy,
    "pt": lambda px, py, _pz, _energy: np.hypot(px, py),
    "eta": lambda px, py, pz, _energy: np.arcsinh(pz / np.hypot(px, py)),
    "phi": lambda px, py, _pz, _energy: np.arctan2(py, px),
    "mass": _mass,
    "p": lambda px, py, pz, _energy: np.sqrt(px**2 + py**2 + pz**2),
    "theta": lambda px, py, pz, _energy: np.arctan2(np.hypot(px, py), pz),
    "rapidity": lambda _px, _py, pz, energy: np.arctanh(pz / energy),
}
PROPERTIES = (
    "pt", "eta", "phi", "mass", "energy", "px", "py", "pz", "p", "theta", "rapidity", "charge",
    "btag",
)  # fmt: skip
TRANSVERSE = ("pt", "phi", "px", "py")
Value = Number | Truth | Numbers | Truths | Objects | Vector
