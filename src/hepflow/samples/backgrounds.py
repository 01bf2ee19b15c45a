"""A sample with the backgrounds that analyses really have, and with their truth.

Two years; W + jets as an inclusive sample and as slices of the generator's HT, which overlap;
collision data in two primary datasets, which share events; muons that are not prompt in the data,
for which no simulation is needed, and a simulated sample of them to test an estimate with.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator

from hepflow.errors import InputError
from hepflow.samples import backgrounds_truth as truth
from hepflow.samples.backgrounds_events import Simple, events_of, joined
from hepflow.samples.columns import Column
from hepflow.samples.write import write_tree
from hepflow.storage import atomic_writer, private_folder

_log = logging.getLogger(__name__)
SMALLEST = 0.01
EVENTS_PER_BLOCK = 500
PRIMARY: Mapping[str, str] = {"SingleMuon": "HLT_Mu50", "JetHT": "HLT_PFHT250"}


@dataclass(frozen=True, slots=True)
class BackgroundFile:
    """One file: a dataset of a year."""

    name: str  # "wjets_ht100to300"
    year: str
    path: Path
    cross_section: float | None  # [pb]; None for data
    process: str  # that is simulated; "data" for data
    events: int = 0  # simulated
    slice_: tuple[float, float] | None = None  # of the generator's HT [GeV]


@dataclass(frozen=True, slots=True)
class BackgroundSample:
    """Where everything lies."""

    root: Path
    luminosity: Mapping[str, float]  # [1/pb] by year
    files: Mapping[tuple[str, str], BackgroundFile] = field(repr=False)  # by name and year
    size: float
    seed: int


def describe_backgrounds(folder: str | Path, size: float = 1.0, seed: int = 2) -> BackgroundSample:
    """Return where the sample lies; nothing is read or written.

    Parameters
    ----------
    folder : where samples are kept; each size and seed has its own folder in it
    size : factor on the luminosity and on the number of simulated events
    seed : of the random numbers

    Raises
    ------
    InputError
        The size is too small to make a sample of.
    """
    if not size >= SMALLEST:
        raise InputError(
            f"the sample of backgrounds was asked for {size:g} times its size; it needs at least "
            f"{SMALLEST:g}. Ask for more."
        )
    digest = hashlib.sha256(f"{truth.VERSION}:{size}:{seed}".encode()).hexdigest()[:12]
    root = Path(folder) / f"backgrounds_{digest}"
    files = {(one.name, one.year): one for one in _files(root, size)}
    luminosity = {year: size * one for year, one in truth.LUMINOSITY.items()}
    return BackgroundSample(root, luminosity, files, size, seed)


def _files(root: Path, size: float) -> Iterator[BackgroundFile]:
    low, high = truth.SLICES
    for year in truth.LUMINOSITY:

        def path(name: str, year: str = year) -> Path:
            return root / year / f"{name}.root"

        for name, one in truth.PROCESSES.items():
            count = round(size * one.events)
            yield BackgroundFile(name, year, path(name), one.cross_section, name, count)
        slices = ((f"ht{low:g}to{high:g}", (low, high)), (f"ht{high:g}", (high, np.inf)))
        for (label, range_), count in zip(slices, truth.SLICED_EVENTS, strict=True):
            name, section = f"wjets_{label}", truth.wjets_cross_section(*range_)
            events = round(size * count)
            yield BackgroundFile(name, year, path(name), section, "wjets", events, range_)
        for name in PRIMARY:
            yield BackgroundFile(name, year, path(name), None, "data")


def prepare_backgrounds(folder: str | Path, size: float = 1.0, seed: int = 2) -> BackgroundSample:
    """Make the sample unless it is there already, as ``datasets.prepare`` calls it.

    Parameters
    ----------
    folder, size, seed : as of `describe_backgrounds`

    Raises
    ------
    InputError
        The size is too small to make a sample of.
    StorageError
        The folder cannot be written.
    """
    sample = describe_backgrounds(folder, size, seed)
    missing = [one for one in sample.files.values() if not one.path.exists()]
    if missing:
        _log.info("making the sample of backgrounds: %d files in %s", len(missing), sample.root)
        private_folder(Path(folder))
    for one in missing:
        if one.cross_section is not None:
            _write(one.path, _simulated(one, seed))
    for year in dict.fromkeys(one.year for one in missing if one.cross_section is None):
        recorded = _recorded(year, sample.luminosity[year], seed)
        for name, trigger in PRIMARY.items():
            one = sample.files[name, year]
            if one in missing:
                _write(one.path, recorded.take(recorded.plain[trigger]))
    return sample


def _random(seed: int, *words: str) -> Generator:
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])


def _simulated(file: BackgroundFile, seed: int) -> Simple:
    rng, known = _random(seed, file.name, file.year), truth.PROCESSES[file.process]
    events = events_of(file.process, file.events, rng, file.slice_)
    sign = np.where(rng.random(file.events) < known.negative_fraction, -1.0, 1.0)
    weights = (known.weight * sign).astype(np.float32)
    return events.with_columns(**_identity(file.events, 1), genWeight=weights)


def _recorded(year: str, luminosity: float, seed: int) -> Simple:
    """All collisions of a year that a trigger kept, each once."""
    rng = _random(seed, "data", year)
    parts = []
    for number, name in enumerate(truth.DATA_ORDER):
        known = truth.PROCESSES[name]
        size = int(rng.poisson(known.cross_section * luminosity))
        found = events_of(name, size, rng)
        # What a worse muon identification loses is lost as a whole event here.
        found = found.take(rng.random(size) < truth.MUON_SCALE[year])
        count = len(found.plain["MET_pt"])
        parts.append(found.with_columns(Truth_process=np.full(count, number, np.int8)))
    events = joined(parts)
    count = len(events.plain["MET_pt"])
    order = rng.permutation(count)
    numbers = {name: one[order] for name, one in _identity(count, truth.FIRST_RUN[year]).items()}
    fired = np.any([events.plain[name] for name in PRIMARY.values()], axis=0)
    seen = {name: one for name, one in events.plain.items() if not name.startswith("LHE")}
    return Simple(seen | numbers, events.jagged).take(fired)


def _identity(size: int, run: int) -> dict[str, Column]:
    number = np.arange(1, size + 1)
    return {
        "run": np.full(size, run, dtype=np.uint32),
        "luminosityBlock": (number // EVENTS_PER_BLOCK + 1).astype(np.uint32),
        "event": number.astype(np.uint64),
    }


def _write(path: Path, events: Simple) -> None:
    import uproot

    # A file that is made again counts as the same one.
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, "/".join(path.parts[-3:]))
    compression = uproot.ZLIB(1)
    with (
        atomic_writer(path) as temporary,
        uproot.recreate(
            temporary, compression=compression, uuid_function=lambda: identifier
        ) as file,
    ):
        write_tree(file, "Events", events.plain, events.jagged)
