"""From the particles of events to the table of observables, and which events pass the cuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import ConfigurationError, Problem, UserFunctionError
from hepflow.functors import Passed, as_mask, call_on, describe
from hepflow.inference.expression_values import Flags
from hepflow.inference.expressions import Want, parse
from hepflow.inference.physics.particles import Particles
from hepflow.inference.records import Floats


@dataclass(frozen=True, slots=True)
class Quantity:
    """An observable or a cut: an expression, or a function of the particles.

    A function gets one awkward record with ``j, l, e, mu, a`` (lists of Lorentz vectors) and
    ``met``, and returns one number (or, for a cut, one boolean) for each event.
    """

    name: str
    expression: str = ""
    function: Callable[..., Any] | None = None
    default: float | None = None  # where it is not defined; None: the event fails
    label: str = ""  # of axes


@dataclass(frozen=True)
class Observed:
    """Observables of all events, and which of them pass."""

    x: Floats  # shape (n_events, n_observables); not finite in some events that fail
    passed: Passed  # mask, and cumulative masks of the cuts in their order

    def table(self) -> Floats:
        """Observables of the events that pass."""
        return self.x[self.passed.mask]


@dataclass(frozen=True, slots=True)
class CutflowStep:
    """What is left after a requirement and those before it."""

    name: str
    events: int
    cross_section: float  # [pb], where weights were given


def observe(
    particles: Particles,
    observables: Sequence[Quantity],
    cuts: Sequence[Quantity] = (),
    where: str = "inference",
) -> Observed:
    """Compute observables and apply cuts.

    An event passes when it passes all cuts and has all observables that have no default. A cut
    that depends on what an event does not have fails, or takes its default (0 or 1).

    Parameters
    ----------
    particles : Particles
        Of any source.
    observables, cuts : sequence of Quantity
        What to compute, in the order of the columns and of the cutflow.
    where : str
        Path in the configuration, for messages.

    Raises
    ------
    ConfigurationError
        An expression is wrong; all that are wrong are named.
    UserFunctionError
        A function raised, or returned something else than one value for each event.
    """
    check(observables, cuts, where)
    mask = np.ones(len(particles), dtype=bool)
    steps: list[tuple[str, Flags]] = []
    alone: dict[str, Flags] = {}
    for i, cut in enumerate(cuts):
        alone[cut.name] = _passes(particles, cut, f"{where}.cuts[{i}]")
        mask = mask & alone[cut.name]
        steps.append((cut.name, mask))
    x = np.empty((len(particles), len(observables)))
    for i, one in enumerate(observables):
        x[:, i] = _values(particles, one, f"{where}.observables[{i}]")
        has = np.isfinite(x[:, i])
        if not has.all():
            alone[f"has {one.name}"] = has
            mask = mask & has
            steps.append((f"has {one.name}", mask))
    return Observed(x, Passed(mask, tuple(steps), alone))


def check(observables: Sequence[Quantity], cuts: Sequence[Quantity], where: str) -> None:
    """Read every expression before anything is computed.

    Raises
    ------
    ConfigurationError
        All that is wrong, each with its path.
    """
    problems: list[Problem] = []
    wants: tuple[tuple[str, Sequence[Quantity], Want], ...] = (
        ("observables", observables, "number"),
        ("cuts", cuts, "condition"),
    )
    for kind, entries, want in wants:
        for i, one in enumerate(entries):
            path = f"{where}.{kind}[{i}]"
            if bool(one.expression) == (one.function is not None):
                problems.append(Problem(path, "expected either an expression or a function."))
            elif kind == "cuts" and one.function is not None and one.default is not None:
                told = "a function has no default: it returns a boolean for every event."
                problems.append(Problem(path, told))
            elif one.expression:
                try:
                    parse(one.expression, f"{path}.expression", want)
                except ConfigurationError as error:
                    problems.extend(error.problems)
    if problems:
        raise ConfigurationError(problems)


def cutflow(passed: Passed, weights: Floats) -> tuple[CutflowStep, ...]:
    """Numbers of events and cross-sections after each requirement.

    Parameters
    ----------
    passed : Passed
        From `observe`.
    weights : array, shape (n_events,)
        [pb], of one benchmark.
    """
    everything = ("all events", np.ones(len(passed.mask), dtype=bool))
    return tuple(
        CutflowStep(name, int(mask.sum()), float(weights[mask].sum()))
        for name, mask in (everything, *passed.steps)
    )


def _values(particles: Particles, one: Quantity, where: str) -> Floats:
    if one.function is None:
        values = parse(one.expression, f"{where}.expression", "number").number(particles)
    else:
        values = _called(particles, one.function, f"{where}.function")
    if one.default is None:
        return values
    return np.where(np.isfinite(values), values, one.default)


def _called(particles: Particles, function: Callable[..., Any], where: str) -> Floats:
    import awkward as ak

    result = call_on(function, [_record(particles)], where)
    if isinstance(result, ak.Array) and result.ndim == 1:
        result = ak.to_numpy(ak.fill_none(result, np.nan))
    try:
        values = np.asarray(result, dtype=float)
    except (TypeError, ValueError) as error:
        raise UserFunctionError(
            f"{where}: {describe(function)} returned {type(result).__name__}, which is no array of "
            "numbers. Return one number for each event."
        ) from error
    if values.shape != (len(particles),):
        raise UserFunctionError(
            f"{where}: {describe(function)} returned shape {values.shape}; expected "
            f"({len(particles)},): one number for each event."
        )
    return values


def _record(particles: Particles) -> Any:
    from hepflow.events.protection import protected

    return protected(particles.record())


def _passes(particles: Particles, cut: Quantity, where: str) -> Flags:
    if cut.function is not None:
        result = call_on(cut.function, [_record(particles)], where)
        return as_mask(result, len(particles), f"{where}.function")
    expression = parse(cut.expression, f"{where}.expression", "condition")
    if cut.default is None:
        return expression.passes(particles)
    value = expression.number(particles)
    return np.asarray(np.where(np.isnan(value), cut.default, value) != 0)
