"""Nuisance parameters as factors of the events' weights.

A weight depends on a nuisance parameter nu (1 is one standard deviation) as

    w(theta, nu) = w(theta) exp(a nu + b nu^2),
    a = log(w_up / w_down) / 2,  b = log(w_up w_down / w^2) / 2,

so that it is exact at -1, 0 and 1 and never changes sign (arXiv:1907.10621, section 2.4; the
model of MadMiner). With an upward variation only, a = log(w_up / w) and b = 0. Several nuisance
parameters multiply, and their effect is taken to be the same at every theta.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hepflow.errors import InputError, did_you_mean
from hepflow.inference.records import EventTable, Floats, Nuisance

logger = logging.getLogger(__name__)

# |a| and |b| beyond this (a factor of 22 000 at one standard deviation) are numerical accidents.
_LARGEST = 10.0


@dataclass(frozen=True)
class Response:
    """How each event's weight answers to the nuisance parameters."""

    linear: Floats  # a, shape (n_events, n_nuisances)
    quadratic: Floats  # b, shape (n_events, n_nuisances)

    def factors(self, nu: Floats, rows: slice | np.ndarray = slice(None)) -> Floats:
        """Factors of the weights.

        Parameters
        ----------
        nu : ndarray, shape (n_nuisances,) or one row per event
        rows : slice or ndarray of int
            Of which events.

        Returns
        -------
        ndarray, shape (n_rows,)
        """
        exponent = self.linear[rows] * nu + self.quadratic[rows] * nu**2
        factors: Floats = np.exp(exponent.sum(axis=-1))
        return factors

    def slopes(self, nu: Floats, rows: slice | np.ndarray = slice(None)) -> Floats:
        """Derivatives of the logarithms of the factors by `nu`, shape (n_rows, n_nuisances)."""
        return self.linear[rows] + 2 * self.quadratic[rows] * nu


def reference_index(table: EventTable) -> int:
    """Index of the benchmark at which the varied weights are given: named or the first.

    Raises
    ------
    InputError
        The benchmark that `provenance["reference"]` names is not there.
    """
    names = [benchmark.name for benchmark in table.benchmarks]
    wanted = str(table.provenance.get("reference", names[0] if names else ""))
    if wanted not in names:
        raise InputError(
            f"the reference benchmark {wanted!r} of the varied weights is not among those of the "
            f"events. {did_you_mean(wanted, names)}"
        )
    return names.index(wanted)


def response_of(table: EventTable) -> Response:
    """Exponents a and b of the table's nuisance parameters, a column for each.

    Events for which a ratio of weights is not positive get no response; how many these are is
    logged.

    Raises
    ------
    InputError
        A nuisance parameter whose weights are not there.
    """
    shape = (len(table), len(table.nuisances))
    linear, quadratic = np.zeros(shape), np.zeros(shape)
    if not table.nuisances:
        return Response(linear, quadratic)
    nominal = table.weights[:, reference_index(table)]
    for index, nuisance in enumerate(table.nuisances):
        up = _log_ratio(_column(table, nuisance, nuisance.up), nominal)
        down = (
            _log_ratio(_column(table, nuisance, nuisance.down), nominal) if nuisance.down else -up
        )
        linear[:, index] = (up - down) / 2
        quadratic[:, index] = (up + down) / 2
        unknown = ~(np.isfinite(linear[:, index]) & np.isfinite(quadratic[:, index]))
        linear[unknown, index] = quadratic[unknown, index] = 0.0
        if unknown.any():
            logger.warning(
                "nuisance parameter %r: %d of %d events have a weight that is zero or of the "
                "other sign at its variations; they are taken as not varied.",
                nuisance.name,
                int(unknown.sum()),
                len(table),
            )
    return Response(np.clip(linear, -_LARGEST, _LARGEST), np.clip(quadratic, -_LARGEST, _LARGEST))


def _column(table: EventTable, nuisance: Nuisance, name: str) -> Floats:
    found = table.nuisance_weights.get(name)
    if found is None:
        raise InputError(
            f"the weight {name!r} of nuisance parameter {nuisance.name!r} is not in the events. "
            f"{did_you_mean(name, table.nuisance_weights)}"
        )
    return found


def _log_ratio(varied: Floats, nominal: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = varied / nominal
        result: Floats = np.where(ratio > 0, np.log(np.where(ratio > 0, ratio, 1.0)), np.nan)
    return result


def with_nuisances(
    table: EventTable, nuisances: Sequence[Nuisance], weights: Mapping[str, Floats]
) -> EventTable:
    """The table with more nuisance parameters; `weights` by name, (n_events,) [pb].

    Raises
    ------
    InputError
        A name that is taken.
    """
    taken = {nuisance.name for nuisance in table.nuisances}
    for nuisance in nuisances:
        if nuisance.name in taken:
            raise InputError(
                f"two nuisance parameters are named {nuisance.name!r}; rename one of them."
            )
        taken.add(nuisance.name)
    return replace(
        table,
        nuisances=(*table.nuisances, *nuisances),
        nuisance_weights={**table.nuisance_weights, **weights},
    )


def add_normalisation(table: EventTable, name: str, size: float) -> EventTable:
    """The table with an uncertainty of its normalisation: a log-normal factor (1 + size)^nu.

    Parameters
    ----------
    table : EventTable
    name : str
    size : float
        Relative, such as 0.025 for a luminosity known to 2.5 %.

    Raises
    ------
    InputError
        A size that is not positive and finite.
    """
    if not (math.isfinite(size) and size > 0):
        raise InputError(
            f"the normalisation uncertainty {name!r} is {size}; expected a positive relative "
            "size, such as 0.025."
        )
    nominal = table.weights[:, reference_index(table)]
    up, down = f"{name}_up", f"{name}_down"
    added = {up: nominal * (1 + size), down: nominal / (1 + size)}
    return with_nuisances(table, [Nuisance(name, up, down, "normalisation")], added)
