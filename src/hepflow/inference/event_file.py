"""Event files in MadMiner's HDF5 layout, read and written.

Groups and data sets (arXiv:1907.10621, and the package itself, version 0.9.6):

======================  ==========================================================================
``parameters``          names, lha_blocks, lha_ids, max_power, val_ranges, transforms
``benchmarks``          names, values, is_nuisance, is_reference
``morphing``            components, morphing_matrix
``observables``         names, definitions
``samples``             observations, weights [pb], sampling_benchmarks (-1: none of them)
``sample_summary``      signal_events (of each benchmark), background_events
``nuisance_parameters`` names, systematics, benchmark_positive, benchmark_negative
``systematics``         names, types, values, scales
``hepflow``             ours, ignored by MadMiner: record (JSON), origin (benchmark of the events)
======================  ==========================================================================

In the file the weights of the events from **each** benchmark add up to the cross-section. An
`EventTable` has weights that add up to it over **all** events, whatever benchmark they are from;
so events from benchmark k are scaled by n_k / sum n on reading, as MadMiner does when it loads
them, and back on writing. MadMiner draws at a parameter point from the events of the nearest
benchmark alone, so these must be a fair sample of it by themselves. Where they are not, because
they have the weights of a mixture of all, the file says -1 (events that always count), and their
benchmark stands in ``hepflow/origin``. Transforms of parameters are not evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.event_layout import numbers, opened
from hepflow.inference.event_setup import NO_TRANSFORM, Setup, read_setup, write_setup
from hepflow.inference.morphing import Morphing
from hepflow.inference.records import EventTable, Floats, Ints
from hepflow.inference.soundness import check_events
from hepflow.storage import atomic_writer

_NO_DEFINITION = "None"
_ORIGIN = "hepflow/origin"
_EQUAL = 1e-6  # relative difference up to which weights are equal


def read_events(path: str | Path) -> EventTable:
    """Read a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    EventTable
        `provenance` has besides what was stored: ``definitions`` of the observables,
        ``reference`` (benchmark of the varied weights) and, where the file has them,
        ``components`` of the morphing and ``transforms`` of the parameters.

    Raises
    ------
    UnreadableFile
        The file is missing, truncated or not HDF5.
    InputError
        Something is missing or does not fit, weights that are not finite, a cross-section that
        is not positive.
    """
    with opened(path) as file:
        table = _table(file, read_setup(file))
    return check_events(table, str(path))


def _table(file: Any, setup: Setup) -> EventTable:
    x = numbers(file, "samples/observations", None, len(setup.observables))
    stored = numbers(file, "samples/weights", len(x), setup.n_columns)
    sampled = _sampled_from(file, len(x), len(setup.benchmarks))
    stored = stored * _factors(_signal(file, sampled, len(setup.benchmarks)), sampled)[:, None]
    if _ORIGIN in file:
        sampled = numbers(file, _ORIGIN, len(x)).astype(np.int64)
    provenance = {**setup.provenance, "reference": setup.reference}
    provenance["definitions"] = dict(zip(setup.observables, setup.definitions, strict=True))
    if setup.components is not None:
        provenance["components"] = setup.components.tolist()
    if set(setup.transforms) != {NO_TRANSFORM}:
        provenance["transforms"] = list(setup.transforms)
    return EventTable(
        setup.parameters,
        setup.benchmarks,
        setup.observables,
        x,
        np.ascontiguousarray(stored[:, list(setup.columns)]),
        sampled,
        setup.nuisances,
        {name: stored[:, column].copy() for name, column in setup.varied.items()},
        provenance,
    )


def _sampled_from(file: Any, n_events: int, n_benchmarks: int) -> Ints:
    """Index of the benchmark of each event that its weights are scaled for, -1 for none."""
    if "samples/sampling_benchmarks" not in file:
        # Written before MadMiner counted: nothing to scale by.
        return np.full(n_events, -1, dtype=np.int64)
    ids = numbers(file, "samples/sampling_benchmarks", n_events).astype(np.int64)
    wrong = (ids < -1) | (ids >= n_benchmarks)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{file.filename}: event {row} is from benchmark number {ids[row]} "
            f"('samples/sampling_benchmarks'); there are {n_benchmarks}."
        )
    return ids


def _signal(file: Any, sampled_from: Ints, n_benchmarks: int) -> Ints:
    """Events from each benchmark, as the file states them: they scale the weights."""
    counted = _counts(sampled_from, n_benchmarks)
    if "sample_summary/signal_events" not in file:
        return counted
    stated = numbers(file, "sample_summary/signal_events", None).astype(np.int64)[:n_benchmarks]
    if len(stated) < n_benchmarks or ((stated == 0) & (counted > 0)).any():
        raise InputError(
            f"{file.filename}: 'sample_summary/signal_events' says {stated.tolist()} events of "
            f"the benchmarks, but there are {counted.tolist()}; combine the files again "
            "so that they are counted anew."
        )
    return stated


def _counts(sampled_from: Ints, n_benchmarks: int) -> Ints:
    return np.bincount(sampled_from[sampled_from >= 0], minlength=n_benchmarks)


def _factors(signal: Ints, sampled_from: Ints) -> Floats:
    """Factors from the weights in a file to those of a table, shape (n_events,)."""
    factors: Floats = np.append(signal / max(int(signal.sum()), 1), 1.0)
    return factors[sampled_from]


def morphing_of(table: EventTable) -> Morphing:
    """Morphing between the benchmarks of a table, with the components of its file if it has any.

    Raises
    ------
    InputError
        The benchmarks do not determine the model.
    """
    components = table.provenance.get("components")
    chosen = None if components is None else np.array(components, dtype=np.int64)
    return Morphing.of(table.parameters, table.benchmarks, chosen)


def _setup_of(table: EventTable, definitions: Mapping[str, str] | None = None) -> Setup:
    """What the file of a table says besides its events."""
    known = {**table.provenance.get("definitions", {}), **(definitions or {})}
    n_benchmarks = len(table.benchmarks)
    components = table.provenance.get("components")
    own = {"reference", "definitions", "components", "transforms"}
    transforms = table.provenance.get("transforms", [NO_TRANSFORM] * len(table.parameters))
    return Setup(
        table.parameters,
        table.benchmarks,
        tuple(range(n_benchmarks)),
        {name: n_benchmarks + index for index, name in enumerate(table.nuisance_weights)},
        table.observables,
        tuple(str(known.get(name, _NO_DEFINITION)) for name in table.observables),
        table.nuisances,
        str(table.provenance.get("reference", table.benchmarks[0].name)),
        None if components is None else np.array(components, dtype=np.int64),
        tuple(transforms),
        {key: value for key, value in table.provenance.items() if key not in own},
    )


def write_events(
    path: str | Path, table: EventTable, definitions: Mapping[str, str] | None = None
) -> None:
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : str or Path
    table : EventTable
    definitions : mapping of str to str, optional
        How observables are computed, by name; default those of the table's provenance.

    Raises
    ------
    InputError
        Events that can't be used, or a name that does not fit into the layout.
    StorageError
        The folder can't be written.
    """
    check_events(table, f"the events for {path}")
    sampled = table.sampled_from
    own = _own_samples(table)
    if not own:
        sampled = np.full(len(table), -1, dtype=np.int64)
    signal = _counts(sampled, len(table.benchmarks))
    varied = [one[:, None] for one in table.nuisance_weights.values()]
    weights = np.concatenate([table.weights, *varied], axis=1)
    with atomic_writer(path) as temporary, opened(temporary, "w") as file:
        write_setup(file, _setup_of(table, definitions))
        file["samples/observations"] = table.x
        file["samples/weights"] = weights / _factors(signal, sampled)[:, None]
        file["samples/sampling_benchmarks"] = sampled
        if not own:
            file[_ORIGIN] = table.sampled_from
        file["sample_summary/signal_events"] = signal
        file["sample_summary/background_events"] = len(table) - int(signal.sum())


def _own_samples(table: EventTable) -> bool:
    """Whether events from each benchmark all have the same weight there.

    Then they are a fair sample of that benchmark by themselves. Weights that differ may be those
    of a mixture, which only all events together represent.
    """
    for index in range(len(table.benchmarks)):
        own = table.weights[table.sampled_from == index, index]
        if len(own) and not np.allclose(own, own[0], rtol=_EQUAL, atol=0.0):
            return False
    return True
