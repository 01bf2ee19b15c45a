"""Whether events can be used: finite features and weights, positive cross-sections."""

from __future__ import annotations

import logging

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.records import EventTable, Floats

logger = logging.getLogger(__name__)

_MANY_NEGATIVE = 0.01  # share of the absolute weight from which negative weights are worth a word


def check_events(table: EventTable, where: str = "the events") -> EventTable:
    """Return the table if its content can be used, else say what is wrong with it.

    Parameters
    ----------
    table : EventTable
    where : str
        Where they come from, for the message.

    Raises
    ------
    InputError
        No event, a feature or weight that is not finite, a benchmark at which the weights have no
        positive sum, or events that say they are from a benchmark that there is not.
    """
    _check_finite(table, where)
    for index, benchmark in enumerate(table.benchmarks):
        _check_total(table.weights[:, index], benchmark.name, where)
    wrong = (table.sampled_from < -1) | (table.sampled_from >= len(table.benchmarks))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{where}: event {row} says that it is from benchmark number "
            f"{table.sampled_from[row]}; there are {len(table.benchmarks)} (-1 is none of them)."
        )
    return table


def _check_finite(table: EventTable, where: str) -> None:
    """Refuse a table without events, and features or weights that are not finite."""
    if not len(table):
        raise InputError(f"{where}: no event is left. Loosen the cuts or generate more events.")
    for index, observable in enumerate(table.observables):
        _check_column(table.x[:, index], f"observable {observable!r}", where)
    for index, benchmark in enumerate(table.benchmarks):
        _check_column(table.weights[:, index], f"the weight of benchmark {benchmark.name!r}", where)
    for name, column in table.nuisance_weights.items():
        _check_column(column, f"the weight {name!r}", where)


def _check_column(column: Floats, what: str, where: str) -> None:
    wrong = ~np.isfinite(column)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{where}: {what} is {column[row]} in event {row}, and not finite in {wrong.sum()} of "
            f"{len(column)} events. Look for a failed event of the generator or an observable "
            "without a value, and cut or mend it before."
        )


def _check_total(column: Floats, name: str, where: str) -> None:
    """Refuse weights of a benchmark without a positive sum; say if many are negative."""
    total = float(column.sum())
    if total <= 0:
        raise InputError(
            f"{where}: the weights of benchmark {name!r} add up to {total:.4g} pb, and a "
            "cross-section is positive. Negative weights outweigh the others: generate more "
            "events, or leave this benchmark out."
        )
    share = negative_share(column)
    if share > _MANY_NEGATIVE:
        logger.warning(
            "%s: %.1f %% of the absolute weight at benchmark %r is negative; events are drawn "
            "for training from the positive ones only, which shifts the samples by as much.",
            where,
            100 * share,
            name,
        )


def negative_share(weights: Floats) -> float:
    """Sum of the negative weights over that of all, in absolute value."""
    size = float(np.abs(weights).sum())
    return float(-weights[weights < 0].sum()) / size if size else 0.0


def effective_size(weights: Floats) -> float:
    """Number of equally weighted events of the same relative error: (sum w)^2 / sum w^2.

    Examples
    --------
    >>> effective_size(np.array([2.0, 2.0, 2.0]))
    3.0
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0
