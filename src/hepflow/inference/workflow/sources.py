"""Where the events of a job come from: one function for each source."""

from __future__ import annotations

import functools
import glob
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.errors import FileListError
from hepflow.inference.records import EventTable
from hepflow.inference.workflow.generators import delphes_trees, les_houches, madgraph
from hepflow.inference.workflow.observing import measure
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.tables import JobEvents

if TYPE_CHECKING:
    from hepflow.inference.workflow.jobs import Job


def files_of(spec: PhysicsSpec) -> list[tuple[str, str]]:
    """Input files with patterns resolved, each with the file that has its weights.

    Raises
    ------
    FileListError
        A pattern matches nothing, a file stands there twice, or numbers of files differ.
    """
    files = _resolved(spec.files, "files")
    if not spec.weights_files:
        return [(one, "") for one in files]
    others = _resolved(spec.weights_files, "weights_files")
    if len(others) != len(files):
        raise FileListError(
            f"inference.process.weights_files: {len(others)} for {len(files)} files. Expected one "
            "for each, in the same order."
        )
    return list(zip(files, others, strict=True))


def _resolved(entries: Sequence[str], name: str) -> list[str]:
    found: list[str] = []
    for one in entries:
        matched = sorted(glob.glob(one, recursive=True)) if glob.has_magic(one) else [one]  # noqa: PTH207 - absolute patterns, which Path.glob does not take
        if not matched:
            raise FileListError(f"inference.process.{name}: no file matches {one!r}.")
        if not Path(matched[0]).is_file():
            raise FileListError(f"inference.process.{name}: there is no file {matched[0]!r}.")
        found += matched
    twice = {one for one in found if found.count(one) > 1}
    if twice:
        raise FileListError(f"inference.process.{name}: {min(twice)} stands there twice.")
    return found


def drell_yan(job: Job) -> JobEvents:
    """Events of the built-in process."""
    spec, process = job.spec, _process(drell_yan_settings(job.spec.settings))
    events = process.generate(job.events, spec.benchmarks, job.origin, job.seed)
    total = float(process.cross_section(np.array(spec.benchmarks[job.origin].values)))
    provenance = {**process.provenance, "seed": spec.seed}
    table = EventTable(
        spec.parameters,
        spec.benchmarks,
        process.features,
        process.observe(events),
        events.weights,
        np.full(len(events), job.origin, dtype=np.int64),
    )
    if is_exact(spec):
        told = {**provenance, "exact": asdict(process.settings), "detector": "none"}
        return JobEvents(replace(table, provenance=told), job.origin, job.events, total)
    particles, rows = _particles(events, job)
    measured = measure(particles, spec, events.weights[rows, job.origin], job.seed_of(1))
    kept = rows[measured.keep]
    told = {**provenance, "detector": dict(measured.detector)}
    seen = replace(table.select(kept), observables=measured.names, x=measured.x, provenance=told)
    # Events that the shower gave up are as if they had not been generated.
    return JobEvents(seen, job.origin, len(rows), total, {"cutflow": measured.cutflow})


@functools.lru_cache(maxsize=2)  # the jobs of a worker share its table of parton luminosities
def _process(settings: Any) -> Any:
    from hepflow.inference.physics.drell_yan import DrellYan

    return DrellYan(settings)


def _particles(events: Any, job: Job) -> tuple[Any, Any]:
    """Particles of the events, and which events they are."""
    if not job.spec.settings["shower"]:
        from hepflow.inference.physics.particles import of_pairs

        return of_pairs(events.muons()), np.arange(len(events))
    from hepflow.inference.physics.shower import ShowerSettings, shower

    showered = shower(events, ShowerSettings(), job.number_of(2, 900_000_000))
    return showered.particles, showered.rows


def is_exact(spec: PhysicsSpec) -> bool:
    """Whether the events are the built-in process with its own observables, all of them."""
    plain = spec.detector["kind"] == "none" and not spec.settings.get("shower")
    return plain and not spec.cuts and not spec.observables


def drell_yan_settings(settings: Mapping[str, Any]) -> Any:
    """Settings of the built-in process, from its section of the configuration."""
    from hepflow.inference.physics.drell_yan import DrellYanSettings

    names = ("mass_min", "mass_max", "pdf", "cos_axis")
    return DrellYanSettings(
        energy=1000.0 * settings["energy"], **{name: settings[name] for name in names}
    )


def event_file(job: Job) -> JobEvents:
    """Events of a file in MadMiner's layout."""
    from hepflow.inference.event_file import read_events

    table = read_events(job.source_file)
    told = {**table.provenance, "file": Path(job.source_file).name}
    return JobEvents(replace(table, provenance=told), -1, len(table), 0.0)


SOURCES: Final[Mapping[str, Callable[[Job], JobEvents]]] = {
    "drell_yan": drell_yan,
    "madgraph": madgraph,
    "lhe": les_houches,
    "delphes_trees": delphes_trees,
    "event_file": event_file,
}
