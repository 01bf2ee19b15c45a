"""Events of generators and detector simulations of the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.inference.records import EventTable, Floats
from hepflow.inference.workflow.observing import Measured, measure
from hepflow.inference.workflow.tables import COMPONENTS, JobEvents

if TYPE_CHECKING:
    from hepflow.inference.workflow.jobs import Job

_LARGEST = 900_000_000  # seed that generators take


def les_houches(job: Job) -> JobEvents:
    """Events of a Les Houches file, with the weights of its benchmarks."""
    from hepflow.inference.lhe import read_lhe
    from hepflow.inference.physics.lhe_particles import particles_of

    events = read_lhe(job.source_file)
    return _of_file(job, events, particles_of(events))


def delphes_trees(job: Job) -> JobEvents:
    """Events of a tree of Delphes, with the weights of its Les Houches file."""
    from hepflow.inference.lhe import read_lhe
    from hepflow.inference.physics.adapters.delphes import check_order, read_trees

    events, found = read_lhe(job.weights_file), read_trees(job.source_file)
    check_order(found, events.nominal, f"{job.source_file} and {job.weights_file}")
    return _of_file(job, events, found.particles, "Delphes")


def _of_file(job: Job, events: Any, particles: Any, detector: str = "") -> JobEvents:
    from hepflow.inference.lhe import event_table

    spec, number = job.spec, len(events.counts)
    measured = measure(particles, spec, events.nominal * events.factor, job.seed_of(1))
    x = np.zeros((number, len(measured.names)))
    x[measured.keep] = measured.x
    whole = event_table(events, measured.names, x, spec.parameters or None)
    table = _with_nuisances(whole, events, job).select(measured.keep)
    told = {**table.provenance, "detector": detector or dict(measured.detector)}
    notes = {"cutflow": measured.cutflow}
    total = float(events.cross_section)
    return JobEvents(replace(table, provenance=told), -1, number, total, notes)


def _with_nuisances(table: EventTable, events: Any, job: Job) -> EventTable:
    """The table with the weights that nuisance parameters are made of."""
    from hepflow.inference.lhe_systematics import add_group, add_variations, has_replicas

    spec = job.spec
    found = add_variations(table, events, spec.nuisances) if spec.nuisances else table
    for one in spec.groups:
        found = add_group(found, events, one)
    if any(one.kind == "pdf" and has_replicas(events, one.group) for one in spec.groups):
        # Components of replicas are those of one sample.
        found = replace(found, provenance={**found.provenance, COMPONENTS: job.name})
    return found


def madgraph(job: Job) -> JobEvents:
    """Events of MadGraph at one benchmark, of Delphes behind it where that is configured."""
    from hepflow.inference.physics.adapters.madgraph import (
        MadGraphSettings,
        Point,
        generate,
        read_run,
        read_weights,
    )

    spec, own = job.spec, job.spec.settings
    settings = MadGraphSettings(
        tuple(own["process"]), own["model"], own["executable"], own["run_card"], own["shower"]
    )
    folder = Path(job.work) / job.name
    point = Point(spec.parameters, spec.benchmarks, job.origin)
    made = generate(settings, point, job.events, job.number_of(2, _LARGEST), folder)
    events = read_run(made)
    weights = read_weights(events, spec.benchmarks)
    particles, detector = _seen(job, made, events)
    measured = measure(particles, spec, weights[:, job.origin], job.seed_of(1))
    table = _table(job, measured, weights, events, detector or dict(measured.detector))
    total = float(weights[:, job.origin].sum())
    return JobEvents(table, job.origin, len(weights), total, {"cutflow": measured.cutflow})


def _seen(job: Job, made: Any, events: Any) -> tuple[Any, str]:
    """Particles of the generator, or what Delphes makes of them."""
    detector = job.spec.detector
    if detector["kind"] != "delphes":
        from hepflow.inference.physics.lhe_particles import particles_of

        return particles_of(events), ""
    from hepflow.inference.physics.adapters.delphes import check_order, read_trees, simulate

    output = made.folder / "delphes.root"
    card = Path(detector["card"])
    found = read_trees(simulate(detector["executable"], card, made.hepmc, output))
    check_order(found, events.nominal, job.label)
    return found.particles, f"Delphes with {card.name}"


def _table(job: Job, measured: Measured, weights: Floats, events: Any, detector: Any) -> EventTable:
    spec, keep = job.spec, measured.keep
    whole = EventTable(
        spec.parameters,
        spec.benchmarks,
        measured.names,
        np.zeros((len(weights), len(measured.names))),
        weights,
        np.full(len(weights), job.origin, dtype=np.int64),
        provenance={"generator": events.generator, "detector": detector, "seed": spec.seed},
    )
    return replace(_with_nuisances(whole, events, job).select(keep), x=measured.x)
