"""One job of the physics part: events of one benchmark, or of one file. Runs on workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hepflow.inference.soundness import check_events, effective_size
from hepflow.inference.workflow.sources import SOURCES
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.tables import JobEvents, write_job
from hepflow.keys import Key, library_version, make_key


@dataclass(frozen=True)
class Job:
    """Events that one worker makes."""

    name: str  # of its file
    label: str  # for messages
    spec: PhysicsSpec
    origin: int  # benchmark; -1 where it is a file
    events: int  # to generate; 0 where it is a file
    number: int  # of the job among those of the benchmark
    source_file: str  # "" where events are generated
    weights_file: str  # with the weights of `source_file`, where that has none
    output: str  # file to be written
    work: str  # folder for the files of generators

    @property
    def seed(self) -> np.random.SeedSequence:
        """Of its own, whatever other jobs there are."""
        return np.random.SeedSequence(self.spec.seed, spawn_key=(self.origin + 1, self.number))

    def seed_of(self, stream: int) -> np.random.SeedSequence:
        """Random numbers of a part of the job, independent of those of the others."""
        own = self.seed
        return np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, stream))

    def number_of(self, stream: int, largest: int) -> int:
        """Positive number, for generators that take one as seed."""
        return 1 + int(self.seed_of(stream).generate_state(1)[0]) % largest

    def key(self) -> Key:
        """What its events depend on."""
        spec = self.spec
        libraries = {"pythia8mc", "numpy", "pylhe"}
        return make_key(
            "inference job",
            parameters=[(one.name, one.lha_block, one.lha_id) for one in spec.parameters],
            benchmarks=spec.benchmarks,
            source=(spec.source, dict(spec.settings)),
            detector=dict(spec.detector),
            observables=[replace(one, label="") for one in spec.observables],
            cuts=spec.cuts,
            nuisances=(spec.nuisances, spec.groups),
            events=(self.origin, self.number, self.events),
            seed=spec.seed,
            file=(_identity(self.source_file), _identity(self.weights_file)),
            libraries={name: library_version(name) for name in sorted(libraries)},
        )


def _identity(file: str) -> str:
    from hepflow.storage import sha256_file

    return sha256_file(file) if file and Path(file).is_file() else file


@dataclass(frozen=True)
class JobReport:
    """What a job gave, for tables."""

    name: str
    origin: str  # benchmark or file
    generated: int
    kept: int
    effective: float  # equally weighted events at the benchmark of the job
    cross_section: float  # before cuts [pb]


def jobs_of(spec: PhysicsSpec, folder: Path) -> Iterator[Job]:
    """All jobs: so many for each benchmark, or one for each file."""
    work = str(folder / "generators")

    def job(
        name: str, label: str, made: tuple[int, int, int], files: tuple[str, str] = ("", "")
    ) -> Job:
        return Job(name, label, spec, *made, *files, str(folder / "jobs" / f"{name}.npz"), work)

    if spec.files:
        from hepflow.inference.workflow.sources import files_of

        for index, files in enumerate(files_of(spec)):
            yield job(f"file_{index}", files[0], (-1, 0, index), files)
        return
    names = [one.name for one in spec.benchmarks]
    for benchmark, events in spec.events.items():
        sizes = [len(part) for part in np.array_split(np.arange(events), spec.jobs)]
        for number, size in enumerate(one for one in sizes if one):
            label = f"benchmark {benchmark}, job {number + 1} of {spec.jobs}"
            yield job(f"{benchmark}_{number}", label, (names.index(benchmark), size, number))


def run_job(job: Job) -> JobReport:
    """Make the events of a job and write them.

    Raises
    ------
    InputError
        Events whose weights or observables cannot be used.
    UserFunctionError
        A configured function fails.
    """
    found = SOURCES[job.spec.source](job)
    if len(found.table):
        check_events(found.table, job.label)
    write_job(Path(job.output), found)
    return report_of(job, found)


def report_of(job: Job, found: JobEvents) -> JobReport:
    """Numbers about a job."""
    table = found.table
    column = table.weights[:, max(job.origin, 0)] if len(table) else np.zeros(0)
    named = table.benchmarks[job.origin].name if job.origin >= 0 else Path(job.source_file).name
    return JobReport(
        job.name, named, found.generated, len(table), effective_size(column), found.cross_section
    )
