"""Events of one job on disk, and the join of all jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from hepflow.errors import InputError, StorageError
from hepflow.inference.records import Benchmark, EventTable, Floats, Nuisance, Parameter
from hepflow.storage import atomic_writer
from hepflow.storage.atomic import storage_errors

_NUISANCE: Final = "nuisance:"
COMPONENTS: Final = "components"  # in the provenance: job whose replicas gave nuisance parameters


@dataclass(frozen=True)
class JobEvents:
    """Events of one job with what is needed to join it with others."""

    table: EventTable  # weights add up to the cross-section after cuts [pb]
    origin: int  # benchmark whose unweighted events these are; -1: weighted ones
    generated: int  # events before cuts
    cross_section: float  # at the benchmark they are of, before cuts [pb]
    notes: Mapping[str, Any] = field(default_factory=dict)  # for the record


def write_job(path: Path, job: JobEvents) -> None:
    """Write the events of a job, whole or not at all."""
    table = job.table
    meta = {
        "parameters": [asdict(one) for one in table.parameters],
        "benchmarks": [asdict(one) for one in table.benchmarks],
        "observables": list(table.observables),
        "nuisances": [asdict(one) for one in table.nuisances],
        "provenance": dict(table.provenance),
        "origin": job.origin,
        "generated": job.generated,
        "cross_section": job.cross_section,
        "notes": dict(job.notes),
    }
    arrays: dict[str, Any] = {
        "x": table.x,
        "weights": table.weights,
        "sampled_from": table.sampled_from,
    }
    arrays |= {f"{_NUISANCE}{name}": one for name, one in table.nuisance_weights.items()}
    with (
        atomic_writer(path) as temporary,
        storage_errors(path, "write"),
        temporary.open("wb") as file,
    ):
        arrays["meta"] = np.array(json.dumps(meta))
        np.savez(file, **arrays)


def read_job(path: Path) -> JobEvents:
    """Inverse of `write_job`.

    Raises
    ------
    StorageError
        The file is not what a job writes.
    """
    try:
        with storage_errors(path, "read"), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        table = EventTable(
            parameters=tuple(Parameter(**one) for one in meta["parameters"]),
            benchmarks=tuple(
                Benchmark(one["name"], tuple(one["values"])) for one in meta["benchmarks"]
            ),
            observables=tuple(meta["observables"]),
            x=arrays["x"],
            weights=arrays["weights"],
            sampled_from=arrays["sampled_from"],
            nuisances=tuple(Nuisance(**one) for one in meta["nuisances"]),
            nuisance_weights={
                name.removeprefix(_NUISANCE): one
                for name, one in arrays.items()
                if name.startswith(_NUISANCE)
            },
            provenance=meta["provenance"],
        )
        rest = (meta["origin"], meta["generated"], meta["cross_section"], meta["notes"])
    except (KeyError, TypeError, ValueError, EOFError) as error:
        raise StorageError(
            f"{path}: these are not the events of a job ({error}). Remove the file and run again."
        ) from error
    return JobEvents(table, *rest)


def join(jobs: Sequence[JobEvents], seed: int) -> EventTable:
    """All events in random order, so that weights again add up to cross-sections.

    Unweighted events of several benchmarks are weighted with the density of their mixture
    (Veach and Guibas 1995): no event weighs much because the benchmark that it happened to be
    drawn from has next to nothing there.

    Raises
    ------
    InputError
        No event passes the cuts.
    """
    first = jobs[0].table
    kept = sum(len(one.table) for one in jobs)
    if not kept:
        raise InputError(_nothing_left(jobs))
    _refuse_others(jobs)
    factors = _mixture(jobs) if min(one.origin for one in jobs) >= 0 else _shares(jobs)
    names = tuple(first.nuisance_weights)
    order = np.random.default_rng([seed, kept]).permutation(kept)
    provenance = {**first.provenance, "events_generated": sum(one.generated for one in jobs)}

    def joined(parts: list[Floats]) -> Floats:
        return np.concatenate(parts)[order]

    return EventTable(
        first.parameters,
        first.benchmarks,
        first.observables,
        joined([one.table.x for one in jobs]),
        joined([one.table.weights * f[:, None] for one, f in zip(jobs, factors, strict=True)]),
        np.concatenate([one.table.sampled_from for one in jobs])[order],
        first.nuisances,
        {
            name: joined(
                [one.table.nuisance_weights[name] * f for one, f in zip(jobs, factors, strict=True)]
            )
            for name in names
        },
        provenance,
    )


def _nothing_left(jobs: Sequence[JobEvents]) -> str:
    """Which requirement left no event."""
    made = sum(one.generated for one in jobs)
    last = next((name for name, events in count_cutflow(jobs).items() if not events), None)
    at = f", none after {last!r}" if last else ""
    return (
        f"none of {made} events is left{at}. Loosen the cuts (inference.cuts; thresholds are in "
        "GeV), give observables that not every event has a default, or look at inference.detector."
    )


def count_cutflow(jobs: Sequence[JobEvents]) -> dict[str, int]:
    """Events of all jobs after each requirement."""
    rows = [{one["name"]: one["events"] for one in job.notes.get("cutflow", ())} for job in jobs]
    found = dict.fromkeys((name for row in rows for name in row), 0)
    for row in rows:
        left = max(row.values(), default=0)
        for name in found:  # where an observable is always defined, there is no such requirement
            left = min(left, row.get(name, left))
            found[name] += left
    return found


def _refuse_others(jobs: Sequence[JobEvents]) -> None:
    """Events of different parameters, benchmarks or observables are no one sample."""
    first = jobs[0].table
    for number, one in enumerate(jobs[1:], start=2):
        for what in ("parameters", "benchmarks", "observables", "nuisances"):
            mine, its = getattr(first, what), getattr(one.table, what)
            if what == "parameters":
                mine, its = [p.name for p in mine], [p.name for p in its]
            if mine != its:
                raise InputError(
                    f"input {number} has other {what} than the first one, so that they cannot be "
                    f"joined: {its}, not {mine}."
                )
        if first.nuisances:
            _refuse_other_variations(number, first.provenance, one.table.provenance)


def _refuse_other_variations(
    number: int, first: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    """Varied weights are of one benchmark, and components of replicas of one sample."""
    if first.get("reference") != other.get("reference"):
        raise InputError(
            f"the varied weights of input {number} are at benchmark {other.get('reference')!r}, "
            f"those of the first one at {first.get('reference')!r}, so that they cannot be joined. "
            "Take files of one origin, or no nuisance parameters with weights."
        )
    if first.get(COMPONENTS) != other.get(COMPONENTS):
        raise InputError(
            "PDF replicas become components of the sample that they are in, which differ between "
            "several files. Give one file (inference.process.files), or a Hessian set."
        )


def _shares(jobs: Sequence[JobEvents]) -> list[Floats]:
    """Each job estimates the cross-sections: their mean, by their numbers of events."""
    total = sum(one.generated for one in jobs)
    return [np.full(len(one.table), one.generated / total) for one in jobs]


def _mixture(jobs: Sequence[JobEvents]) -> list[Floats]:
    drawn = np.zeros(len(jobs[0].table.benchmarks))
    for one in jobs:
        drawn[one.origin] += one.generated / one.cross_section
    return [_inverse(one.table.weights @ drawn) for one in jobs]


def _inverse(density: Floats) -> Floats:
    """Factors on the weights; an event without a density has no weight."""
    return np.divide(1.0, density, out=np.zeros_like(density), where=density > 0)
