"""Where the parts of a sample lie and what they are worth, without making them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from hepflow.errors import InputError
from hepflow.samples import truth
from hepflow.samples.corrections import FILES as CORRECTION_FILES

MINIMUM_EVENTS = 1000
LARGEST_FILE = 45_000  # events; bounds the memory of one job
SMALL, FILES_OF_SMALL = 50_000, 2  # a file costs time of its own: small samples have fewer


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One dataset of the sample."""

    name: str  # "ttbar_semilep"
    process: str  # the same as the name in this sample
    is_data: bool
    cross_section: float | None  # [pb] of the generated events; None for data
    directory: Path  # holds the ROOT files and nothing else
    files: tuple[Path, ...]  # in order
    listing: Path  # text file, one path a line, relative to the listing
    events: int | None  # generated; None for data, which the luminosity decides


@dataclass(frozen=True, slots=True)
class SampleLayout:
    """The built-in sample."""

    root: Path
    requested_events: int
    seed: int
    luminosity: float  # [1/pb] of the certified data
    datasets: Mapping[str, DatasetInfo]
    corrections: Mapping[str, Path]  # "pileup", "muon", "btag", "toptag", "jes"
    golden_json: Path  # certified runs and luminosity blocks
    truth: Path  # JSON
    manifest: Path  # JSON with the size and sha256 of each file; there only when all is whole


def describe_sample(
    folder: str | Path,
    events: int = truth.DEFAULT_EVENTS,
    seed: int = truth.DEFAULT_SEED,
) -> SampleLayout:
    """Return where the sample of this size and seed lies; nothing is read or written.

    Parameters
    ----------
    folder : where samples are kept; each size and seed has its own folder in it
    events : number of events in all, at least 1000. The luminosity and with it the number of
        data events are proportional to it, so that data and simulation keep their ratio.
    seed : of the random numbers

    Raises
    ------
    InputError
        Too few events to make a sample of, or a negative seed.
    """
    if events < MINIMUM_EVENTS:
        raise InputError(
            f"the built-in sample was asked for {events} events; "
            f"it needs at least {MINIMUM_EVENTS}. Ask for more."
        )
    if seed < 0:
        raise InputError(f"the built-in sample was asked for the seed {seed}; use 0 or above.")
    digest = hashlib.sha256(f"{truth.VERSION}:{events}:{seed}".encode()).hexdigest()[:12]
    root = Path(folder) / digest
    datasets = {
        name: _simulated(root, name, known, events) for name, known in truth.PROCESSES.items()
    }
    datasets["data"] = _data(root, events)
    return SampleLayout(
        root=root,
        requested_events=events,
        seed=seed,
        luminosity=truth.luminosity(events),
        datasets=datasets,
        corrections={key: root / "corrections" / name for key, name in CORRECTION_FILES.items()},
        golden_json=root / "certified_runs.json",
        truth=root / "truth.json",
        manifest=root / "manifest.json",
    )


def _simulated(root: Path, name: str, known: truth.ProcessTruth, events: int) -> DatasetInfo:
    size = round(known.share * events)
    least = known.files if events >= SMALL else FILES_OF_SMALL
    count = max(least, ceil(size / LARGEST_FILE))
    return DatasetInfo(
        name=name,
        process=known.process,
        is_data=False,
        cross_section=known.cross_section,
        directory=root / name,
        files=_files(root, name, count),
        listing=root / "listings" / f"{name}.txt",
        events=size,
    )


def _data(root: Path, events: int) -> DatasetInfo:
    produced = truth.luminosity(events) * sum(
        known.cross_section * known.norm_factor for known in truth.PROCESSES.values()
    )
    least = truth.DATA_FILES if events >= SMALL else FILES_OF_SMALL
    count = max(least, ceil(produced / LARGEST_FILE))
    return DatasetInfo(
        name="data",
        process="data",
        is_data=True,
        cross_section=None,
        directory=root / "data",
        files=_files(root, "data", count),
        listing=root / "listings" / "data.txt",
        events=None,
    )


def _files(root: Path, name: str, count: int) -> tuple[Path, ...]:
    return tuple(root / name / f"{name}_{index:03d}.root" for index in range(count))
