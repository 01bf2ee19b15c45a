"""Members of theory weights beside the events: only the nominal ones have them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.spec import AnalysisSpec
from hepflow.errors import InputError
from hepflow.records import Dataset, Ledger
from hepflow.records.theory import rows_of, set_of_column
from hepflow.sources import applies, parameter_of

Floats = NDArray[np.float64]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Members:
    """Weights of the members over the nominal one, by column of the events."""

    columns: Mapping[str, NDArray[np.float32]]  # each of shape (n_events, n_members)

    @property
    def nbytes(self) -> int:
        """Memory that they take [byte]."""
        return sum(values.nbytes for values in self.columns.values())

    def select(self, mask: NDArray[np.bool_]) -> Members:
        """Keep the events that pass; those behind are of object variations."""
        return Members({name: values[mask[: len(values)]] for name, values in self.columns.items()})


def split_members(
    spec: AnalysisSpec, events: Any, dataset: Dataset, metadata: Iterable[Mapping[str, Any]]
) -> tuple[Any, Members | None]:
    """Take the members of theory weights out of the events, which object variations multiply.

    Parameters
    ----------
    metadata
        Of the parts that the events are of.

    Raises
    ------
    InputError
        If the skim did not look for the weights of a source.
    """
    import awkward as ak

    wanted = {one.name for one in _wanted(spec, dataset)}
    there = {name: set_of_column(name) for name in events.fields}
    columns = {name: found[0] for name, found in there.items() if found is not None}
    for one in metadata:
        known = {source for source, *_ in one.get("part_theory", ())}
        missing = sorted(wanted - known)
        if missing:
            raise InputError(
                f"{one['dataset']}: the events of {one['file']} come without the theory weights "
                f"of {', '.join(missing)}. Make the skim with this configuration "
                "(general.run_skimming)."
            )
    if not columns:
        return events, None
    kept = {n: ak.to_numpy(events[n]) for n, source in columns.items() if source in wanted}
    return ak.without_field(events, list(columns)), Members(kept) if kept else None


def _wanted(spec: AnalysisSpec, dataset: Dataset) -> Iterator[Any]:
    """Sources of theory weights whose members are filled for a dataset."""
    if not spec.run_systematics or dataset.is_data or dataset.variation != "nominal":
        return
    for one in spec.systematics_of(dataset):
        filled = one.type == "theory" and not one.normalisation_only
        if filled and applies(one.processes, dataset):
            yield one


def member_weights(
    spec: AnalysisSpec,
    members: Members | None,
    weights: Mapping[str, Floats],
    dataset: Dataset,
    channel: str | None,
) -> dict[str, Floats]:
    """Weights of each member, by row of the raw histograms.

    Parameters
    ----------
    members
        Of these events; None where the dataset has none.
    weights
        Of the events, all corrections included, each of shape (n_events,); nominal is one.
    channel
        Sources that do not act there are left out; None for all.
    """
    if members is None:
        return {}
    elsewhere = {one.name for one in spec.sources if channel and not one.acts_in(channel)}
    parameters = {
        one.name: parameter_of(one.name, one.correlation, dataset) for one in _wanted(spec, dataset)
    }
    found: dict[str, Floats] = {}
    nominal = weights["nominal"]
    for column, values in members.columns.items():
        source, own = set_of_column(column) or ("", "")
        parameter = parameters[source]
        if parameter not in elsewhere:
            rows = rows_of(own, parameter)
            found |= {row: nominal * values[:, i] for i, row in enumerate(rows)}
    return found


def tell_assumed_order(ledger: Ledger) -> None:
    """Warn, once a dataset, where no title tells the order of the weights of the shower."""
    found: dict[str, list[str]] = {}
    for source, datasets in ledger.assumed_theory().items():
        for dataset in datasets:
            found.setdefault(dataset, []).append(source)
    for dataset, sources in sorted(found.items()):
        _log.warning(
            "%s: no title tells the order of the weights of %s. That of NanoAOD 9 and later is "
            "assumed, twice the scale first; in files of older versions up and down are swapped. "
            "Half the scale has the larger spread: if that is first, give members [2, 0] (initial "
            "state) or [3, 1] (final state) with combine 'pair'; if not, [0, 2] or [1, 3].",
            dataset,
            ", ".join(sources),
        )
