"""Functions that expressions may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.inference.expression_values import (
    Number,
    Numbers,
    Objects,
    Truth,
    Truths,
    Value,
    Vector,
)
from hepflow.inference.records import Floats


class WrongArgument(Exception):
    """An argument that a function does not take; the message says what it takes."""


@dataclass(frozen=True)
class Function:
    """A function with what to call it with."""

    usage: str
    call: Callable[..., Value]


def delta_phi(one: Vector, other: Vector) -> Floats:
    """Difference of azimuths, in (-pi, pi]."""
    difference = one.get("phi") - other.get("phi")
    return np.asarray(np.pi - np.mod(np.pi - difference, 2 * np.pi), dtype=float)


def _delta_r(one: Vector, other: Vector) -> Floats:
    return np.hypot(one.get("eta") - other.get("eta"), delta_phi(one, other))


def _transverse_mass(one: Vector, other: Vector) -> Floats:
    product = 2 * one.get("pt") * other.get("pt")
    return np.asarray(np.sqrt(product * (1 - np.cos(delta_phi(one, other)))), dtype=float)


def collins_soper(one: Vector, other: Vector) -> Floats:
    """Cosine of the Collins-Soper angle of the negative of two leptons.

    Phys. Rev. D 16 (1977) 2219; the sign is that with the boost of the pair.
    """
    first = one.get("charge") < 0
    negative, positive = (
        [np.where(first == choice, a, b) for a, b in zip(_light(one), _light(other), strict=True)]
        for choice in (True, False)
    )
    pair = one.plus(other, 1)
    mass, pt = pair.get("mass"), pair.get("pt")
    product = negative[0] * positive[1] - negative[1] * positive[0]
    cosine = np.copysign(1.0, pair.pz) * product / (mass * np.hypot(mass, pt))
    return np.asarray(np.where(one.get("charge") * other.get("charge") < 0, cosine, np.nan))


def _light(vector: Vector) -> tuple[Floats, Floats]:
    """E + pz and E - pz."""
    return vector.energy + vector.pz, vector.energy - vector.pz


def _elementwise(function: Any, usage: str) -> Function:
    def call(argument: Value) -> Value:
        if isinstance(argument, Number | Numbers):
            return type(argument)(function(argument.value))
        raise WrongArgument(f"{usage} takes a number or a list of numbers, not {argument.kind}")

    return Function(usage, call)


def _of_two(function: Callable[[Vector, Vector], Floats], usage: str, *, full: bool) -> Function:
    def call(one: Value, other: Value) -> Value:
        for argument in (one, other):
            if not isinstance(argument, Vector):
                raise WrongArgument(f"{usage} takes objects such as j[0], not {argument.kind}")
            if full and argument.transverse:
                raise WrongArgument(f"{usage} needs momenta along the beam, which met has not")
        return Number(function(one, other))  # type: ignore[arg-type]  # both are vectors

    return Function(usage, call)


def _atan2(one: Value, other: Value) -> Value:
    if isinstance(one, Number) and isinstance(other, Number):
        return Number(np.arctan2(one.value, other.value))
    raise WrongArgument(f"atan2(y, x) takes numbers, not {one.kind} and {other.kind}")


def _extreme(name: str) -> Function:
    def call(*arguments: Value) -> Value:
        import awkward as ak

        if len(arguments) == 1 and isinstance(arguments[0], Numbers):
            found = getattr(ak, name)(arguments[0].value, axis=1)
            # awkward passes over NaN: of a list of nothing else the maximum would be -inf
            lacking = ak.any(np.isnan(arguments[0].value), axis=1)
            result = np.asarray(ak.to_numpy(ak.fill_none(found, np.nan)), dtype=float)
            return Number(np.where(np.asarray(lacking, dtype=bool), np.nan, result))
        numbers = [one.value for one in arguments if isinstance(one, Number)]
        if len(numbers) < len(arguments) or len(numbers) <= 1:
            raise WrongArgument(f"{name} takes a list such as j.pt, or two and more numbers")
        return Number(getattr(np, f"{name}imum").reduce(numbers))

    return Function(f"{name}(list) or {name}(x, y, ...)", call)


def _sum(argument: Value) -> Value:
    import awkward as ak

    if isinstance(argument, Objects):
        return argument.total()
    if isinstance(argument, Numbers):
        return Number(np.asarray(ak.sum(argument.value, axis=1), dtype=float))
    if isinstance(argument, Truths):
        number = np.asarray(ak.sum(argument.true, axis=1), dtype=float)
        known = np.asarray(ak.all(argument.known, axis=1), dtype=bool)
        return Number(np.where(known, number, np.nan))
    raise WrongArgument(f"sum takes a list such as j, j.pt or j.pt > 30, not {argument.kind}")


def _len(argument: Value) -> Value:
    import awkward as ak

    if isinstance(argument, Objects | Numbers | Truths):
        members = argument.true if isinstance(argument, Truths) else argument.value
        return Number(np.asarray(ak.num(members, axis=1), dtype=float))
    raise WrongArgument(f"len takes a list such as j, not {argument.kind}")


def _over(name: str) -> Function:
    def call(argument: Value) -> Value:
        import awkward as ak

        if not isinstance(argument, Truths):
            raise WrongArgument(f"{name} takes a list of conditions such as j.pt > 30")
        # one member decides, the others need not be known: a true one for any, a false one for all
        deciding = argument.true if name == "any" else argument.known & ~argument.true
        decided = np.asarray(ak.any(deciding, axis=1), dtype=bool)
        known = decided | np.asarray(ak.all(argument.known, axis=1), dtype=bool)
        return Truth(decided if name == "any" else known & ~decided, known)

    return Function(f"{name}(list of conditions)", call)


_OF_NUMBERS: Mapping[str, Any] = {
    "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "log10": np.log10, "abs": np.abs,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "sign": np.sign,
}  # fmt: skip
FUNCTIONS: Mapping[str, Function] = {
    **{name: _elementwise(function, f"{name}(x)") for name, function in _OF_NUMBERS.items()},
    "atan2": Function("atan2(y, x)", _atan2),
    "min": _extreme("min"),
    "max": _extreme("max"),
    "sum": Function("sum(list)", _sum),
    "len": Function("len(list)", _len),
    "any": _over("any"),
    "all": _over("all"),
    "delta_phi": _of_two(delta_phi, "delta_phi(a, b)", full=False),
    "delta_eta": _of_two(
        lambda one, other: one.get("eta") - other.get("eta"), "delta_eta(a, b)", full=True
    ),
    "delta_r": _of_two(_delta_r, "delta_r(a, b)", full=True),
    "transverse_mass": _of_two(_transverse_mass, "transverse_mass(a, b)", full=False),
    "collins_soper": _of_two(collins_soper, "collins_soper(a, b)", full=True),
}
