"""Groups of nuisance parameters, for impacts that are told together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hepflow.statistics.spec import StatisticsSpec

MC_STATISTICS = "MC statistics"
FREE = "free normalisations"
TRANSFERS = "transfer factors"
OTHERS = "others"  # parameters that the configuration does not know, of a model of the user's own


def groups_of(spec: StatisticsSpec, labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Parameters of a model by group.

    Parameters
    ----------
    spec : StatisticsSpec
        Names the groups; the parameter of interest is in none.
    labels : iterable of str
        All parameters, those of several bins as ``name[0]``.

    Returns
    -------
    dict
        Group -> parameters, in the order of the configuration. Each parameter but that of
        interest is in one group.
    """
    known = dict(_known(spec))
    order = list(dict.fromkeys((*known.values(), MC_STATISTICS, OTHERS)))
    found: dict[str, list[str]] = {name: [] for name in order}
    for label in labels:
        name = re.sub(r"\[\d+\]$", "", label)
        if name == spec.poi:
            continue
        statistics = MC_STATISTICS if name.startswith("staterror_") else OTHERS
        found[known.get(name, statistics)].append(label)
    return {name: tuple(one) for name, one in found.items() if one}


def _known(spec: StatisticsSpec) -> Iterator[tuple[str, str]]:
    """Each parameter of the configuration with its group."""
    yield from ((one.name, FREE) for one in spec.norm_factors)
    yield from ((one.name, one.group) for one in spec.normalisations)
    yield from ((one.name, TRANSFERS) for one in spec.transfers)
    yield from ((one.name, one.group) for one in spec.shapes)
