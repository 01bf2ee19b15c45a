"""From particles to the table of a job: detector, cuts, observables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.inference.observables import Quantity, cutflow, observe
from hepflow.inference.records import Floats
from hepflow.inference.workflow.specs import PhysicsSpec

if TYPE_CHECKING:
    from hepflow.inference.physics.particles import Particles

# The observables of the built-in process, from what a detector measures.
BUILT_IN: Final = (
    Quantity("mass", "(mu[0] + mu[1]).mass"),
    Quantity("rapidity", "(mu[0] + mu[1]).rapidity"),
    Quantity("cos_theta", "collins_soper(mu[0], mu[1])"),
)
_ALONG_THE_BEAM: Final = Quantity(
    "cos_theta", "collins_soper(mu[0], mu[1]) * (1 if (mu[0] + mu[1]).rapidity >= 0 else -1)"
)


@dataclass(frozen=True)
class Measured:
    """Observables of the events that pass."""

    x: Floats  # shape (n_kept, n_observables)
    keep: Any  # mask, shape (n_events,)
    names: tuple[str, ...]
    detector: Mapping[str, Any]  # for the record
    cutflow: tuple[Mapping[str, Any], ...]  # name, events, cross_section [pb]


def measure(
    particles: Particles, spec: PhysicsSpec, weights: Floats, seed: np.random.SeedSequence
) -> Measured:
    """Measure particles, and compute what is configured.

    Parameters
    ----------
    particles
        As generated.
    spec
        With detector, cuts and observables.
    weights
        At one benchmark [pb], shape (n_events,), for the cutflow.
    seed
        Of the detector.

    Raises
    ------
    UserFunctionError
        A function raises, or returns something else than a number for each event.
    """
    detector = detector_of(spec)
    chosen = spec.observables or built_in(spec.settings)
    found = observe(detector.apply(particles, seed), chosen, spec.cuts)
    return Measured(
        found.table(),
        found.passed.mask,
        tuple(one.name for one in chosen),
        _finite(detector.provenance),
        tuple(asdict(one) for one in cutflow(found.passed, weights)),
    )


def built_in(settings: Mapping[str, Any]) -> tuple[Quantity, ...]:
    """Observables of the built-in process, with the axis that its settings ask for."""
    if settings.get("cos_axis") == "beam":
        return (*BUILT_IN[:-1], _ALONG_THE_BEAM)
    return BUILT_IN


def detector_of(spec: PhysicsSpec) -> Any:
    """What turns particles into what is measured, in this process."""
    from hepflow.inference.physics.detector import (
        GENERAL_PURPOSE,
        NoDetector,
        ParametrisedDetector,
        regions_of,
    )

    if spec.detector["kind"] != "parametrised":
        return NoDetector()
    return ParametrisedDetector(regions_of(spec.detector["regions"]) or GENERAL_PURPOSE)


def _finite(value: Any) -> Any:
    """The same for JSON, which knows no infinity: a range without an end has None."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
