"""Parameters of a HistFactory model: names, start, range, and the auxiliary measurement of each.

The rules are those of pyhf 0.7: what a modifier asks for, what a measurement may set instead, and
the order in which the parameters stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hepflow.errors import WorkspaceError

Numbers = tuple[float, ...]
_TINY, _TOP = 1e-10, 10.0  # range of a factor on one bin
_SETTINGS = ("inits", "bounds", "auxdata", "factors", "sigmas", "fixed")


@dataclass(frozen=True)
class ParameterSet:
    """One or several parameters under one name."""

    name: str
    scalar: bool  # one parameter without an index
    init: Numbers
    bounds: tuple[tuple[float, float], ...]
    fixed: tuple[bool, ...]
    constraint: Literal["", "normal", "poisson"] = ""  # "": none
    auxdata: Numbers = ()  # as measured elsewhere
    width: Numbers = ()  # standard deviation of a normal constraint, factor of a Poisson rate

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of each parameter."""
        if self.scalar:
            return (self.name,)
        return tuple(f"{self.name}[{index}]" for index in range(len(self.init)))


def free_factor(name: str) -> ParameterSet:
    """What ``normfactor`` asks for."""
    return ParameterSet(name, True, (1.0,), ((0.0, _TOP),), (False,))


def free_bins(name: str, n_bins: int) -> ParameterSet:
    """What ``shapefactor`` asks for."""
    ranges = ((0.0, _TOP),) * n_bins
    return ParameterSet(name, False, (1.0,) * n_bins, ranges, (False,) * n_bins)


def interpolated(name: str) -> ParameterSet:
    """What ``normsys`` and ``histosys`` ask for."""
    ranges = ((-5.0, 5.0),)
    return ParameterSet(name, True, (0.0,), ranges, (False,), "normal", (0.0,), (1.0,))


def luminosity(name: str) -> ParameterSet:
    """What ``lumi`` asks for: everything must come from the measurement."""
    return ParameterSet(name, True, (), (), (False,), "normal")


def normal_bins(name: str, sigmas: Sequence[float]) -> ParameterSet:
    """What ``staterror`` asks for; a bin without uncertainty is held at one."""
    n_bins, fixed = len(sigmas), tuple(sigma == 0 for sigma in sigmas)
    width = tuple(1.0 if none else sigma for sigma, none in zip(sigmas, fixed, strict=True))
    ones, ranges = (1.0,) * n_bins, ((_TINY, _TOP),) * n_bins
    return ParameterSet(name, False, ones, ranges, fixed, "normal", ones, width)


def poisson_bins(name: str, nominal: Sequence[float], uncertainty: Sequence[float]) -> ParameterSet:
    """What ``shapesys`` asks for; a bin without yield or uncertainty is held at one."""
    pairs = list(zip(nominal, uncertainty, strict=True))
    fixed = tuple(not (content > 0 and spread > 0) for content, spread in pairs)
    factors = tuple(
        1.0 if held else (content / spread) ** 2
        for held, (content, spread) in zip(fixed, pairs, strict=True)
    )
    ones, ranges = (1.0,) * len(pairs), ((_TINY, _TOP),) * len(pairs)
    return ParameterSet(name, False, ones, ranges, fixed, "poisson", factors, factors)


def configured(
    sets: Sequence[ParameterSet], settings: Sequence[Mapping[str, Any]]
) -> tuple[ParameterSet, ...]:
    """Apply the ``parameters`` of a measurement.

    Parameters
    ----------
    sets : sequence of ParameterSet
        As the modifiers ask for them.
    settings : sequence of mapping
        Entries of the measurement; one without a parameter in the model is ignored.

    Returns
    -------
    tuple of ParameterSet

    Raises
    ------
    WorkspaceError
        A setting is unknown, is given twice, does not apply, or has another length; or the
        luminosity lacks one.
    """
    given: dict[str, Mapping[str, Any]] = {}
    for entry in settings:
        name = entry.get("name")
        if not isinstance(name, str):
            raise WorkspaceError("an entry of the measurement's parameters has no name.")
        if name in given:
            raise WorkspaceError(
                f"the measurement sets parameter {name!r} twice. Merge both entries."
            )
        unknown = sorted(set(entry) - {"name", *_SETTINGS})
        if unknown:
            raise WorkspaceError(
                f"the measurement sets {unknown[0]!r} of parameter {name!r}. "
                f"Known: {', '.join(_SETTINGS)}."
            )
        given[name] = entry
    return tuple(_complete(_changed(one, given.get(one.name, {}))) for one in sets)


def _changed(one: ParameterSet, given: Mapping[str, Any]) -> ParameterSet:
    n_par = 1 if one.scalar else len(one.init)
    if "inits" in given:
        one = replace(one, init=_numbers(one, given, "inits", n_par))
    if "bounds" in given:
        one = replace(one, bounds=_ranges(one, given["bounds"], n_par))
    if "fixed" in given:
        if not isinstance(given["fixed"], bool):
            raise WorkspaceError(f"`fixed` of parameter {one.name!r} must be true or false.")
        one = replace(one, fixed=(given["fixed"],) * n_par)
    if "auxdata" in given:
        _applies(one, "auxdata", one.constraint != "")
        one = replace(one, auxdata=_numbers(one, given, "auxdata", n_par))
    for key, kind in (("sigmas", "normal"), ("factors", "poisson")):
        if key in given:
            # the width of an interpolated parameter is what its templates are made for
            _applies(one, key, one.constraint == kind and not _is_interpolated(one))
            one = replace(one, width=_positive(one, _numbers(one, given, key, n_par), key))
    return one


def _is_interpolated(one: ParameterSet) -> bool:
    return one.scalar and one.width == (1.0,)  # of the luminosity it is still empty


def _numbers(one: ParameterSet, given: Mapping[str, Any], key: str, n_par: int) -> Numbers:
    values = given[key]
    if not isinstance(values, list | tuple) or len(values) != n_par:
        raise WorkspaceError(
            f"`{key}` of parameter {one.name!r} is {values!r}; expected a list of {n_par} numbers."
        )
    return tuple(_number(one, value, key) for value in values)


def _number(one: ParameterSet, value: Any, key: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise WorkspaceError(
            f"`{key}` of parameter {one.name!r} holds {value!r}; expected a number."
        ) from error


def _ranges(one: ParameterSet, values: Any, n_par: int) -> tuple[tuple[float, float], ...]:
    place = f"`bounds` of parameter {one.name!r}"
    expected = f"{place} are {values!r}; expected {n_par} pairs [low, high]."
    if not isinstance(values, list | tuple) or len(values) != n_par:
        raise WorkspaceError(expected)
    found = []
    for pair in values:
        try:
            low, high = pair
        except (TypeError, ValueError) as error:
            raise WorkspaceError(expected) from error
        found.append((_number(one, low, "bounds"), _number(one, high, "bounds")))
    if any(not low <= high for low, high in found):
        raise WorkspaceError(f"{place} are {values!r}: low above high.")
    return tuple(found)


def _positive(one: ParameterSet, values: Numbers, key: str) -> Numbers:
    if not all(value > 0 for value in values):
        raise WorkspaceError(f"`{key}` of parameter {one.name!r} must be positive: {values}.")
    return values


def _applies(one: ParameterSet, key: str, applies: bool) -> None:
    if not applies:
        raise WorkspaceError(
            f"the measurement sets {key!r} of parameter {one.name!r}, which does not have it. "
            "Take it out of the measurement."
        )


def _complete(one: ParameterSet) -> ParameterSet:
    missing = [
        key
        for key, value in (
            ("inits", one.init),
            ("bounds", one.bounds),
            *((("auxdata", one.auxdata), ("sigmas", one.width)) if one.constraint else ()),
        )
        if not value
    ]
    if missing:
        raise WorkspaceError(
            f"the measurement must set {', '.join(missing)} of the luminosity {one.name!r}, "
            "as nothing else says how well it is known."
        )
    return one
