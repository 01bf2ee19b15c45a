"""Files in the layout of NanoAOD for the benchmark, made once and kept in a cache folder.

Values have the precision that NanoAOD keeps of them, so that files compress as real ones do.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.random import Generator
from numpy.typing import NDArray

CLUSTER = 32_000  # events
EVENTS = 16 * CLUSTER
CACHE = "HEPFLOW_BENCHMARK_CACHE"  # environment variable: where files are kept
VERSION = 3  # of the content; another one is another file
CODECS: Mapping[str, Any] = {
    "zlib": uproot.ZLIB(1),
    "zstd": uproot.ZSTD(5),
    "lzma": uproot.LZMA(4),
}
# Bits that NanoAOD keeps of a mantissa.
_COARSE, _FINE = 10, 12
_MEAN_JETS = 10.0
_JET_SCALE = 38.0  # [GeV] of the falling spectrum of jets
# Jagged objects and their columns beside those that the analysis reads; no analysis reads these.
_OTHERS = ("Electron", "Tau", "FatJet", "Photon")
_PER_OTHER = 10
_OTHER_MEAN = 0.6  # objects in an event
_NUMBERS = 40  # plain numbers; all else up to the number of branches are trigger bits

Column = NDArray[Any]


@dataclass(frozen=True)
class SampleFile:
    """One file of the sample."""

    codec: str = "zlib"
    branches: int = 150
    events: int = EVENTS

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"v{VERSION}_{self.codec}_{self.branches}_{self.events}.root"


def cache_folder(given: Path | None = None) -> Path:
    """Folder of the files: as given, from the environment, or in the user's cache folder."""
    if given is not None:
        return given
    named = os.environ.get(CACHE)
    if named:
        return Path(named)
    from hepflow.output_manager import default_cache_dir

    return default_cache_dir() / "benchmarks"


def ensure(file: SampleFile, folder: Path) -> Path:
    """Path of a file, which is made unless it is there.

    Parameters
    ----------
    file
        Which one.
    folder
        Where files are kept; made where it is missing.
    """
    path = folder / file.name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        temporary = Path(own) / file.name
        _write(temporary, file)
        temporary.replace(path)
    return path


def _write(path: Path, file: SampleFile) -> None:
    with uproot.recreate(path, compression=CODECS[file.codec]) as root:
        tree = None
        for columns in clusters(file.events, file.branches):
            if tree is None:
                tree = root.mktree(
                    "Events",
                    {name: _type(values) for name, values in columns.items()},
                    initial_basket_capacity=-(-file.events // CLUSTER),
                )
            tree.extend(columns)


def _type(values: Any) -> Any:
    if not isinstance(values, ak.Array):
        return values.dtype
    fields = [f'"{name}": {ak.to_numpy(ak.flatten(values[name])).dtype}' for name in values.fields]
    return f"var * {{{', '.join(fields)}}}"


def clusters(events: int, branches: int) -> Iterator[dict[str, Any]]:
    """Columns of the events, cluster by cluster; whole clusters are those of any larger sample.

    Parameters
    ----------
    events
        How many in all.
    branches
        How many in all, counters included; what the analysis reads needs 31.
    """
    for number, start in enumerate(range(0, events, CLUSTER)):
        size = min(CLUSTER, events - start)
        rng = np.random.default_rng([VERSION, number, size])
        found = _read_columns(rng, number * CLUSTER, size)
        count = sum(1 + len(v.fields) if isinstance(v, ak.Array) else 1 for v in found.values())
        yield found | _fillers(np.random.default_rng([VERSION, number, 1]), size, branches - count)


def _read_columns(rng: Generator, start: int, n: int) -> dict[str, Any]:
    """Columns that the analysis reads, and what belongs to them."""
    return {
        "run": np.ones(n, dtype=np.uint32),
        "luminosityBlock": (1 + np.arange(start, start + n) // 1000).astype(np.uint32),
        "event": np.arange(start, start + n, dtype=np.uint64),
        "genWeight": np.where(rng.random(n) < 0.05, -1.25, 1.25).astype(np.float32),
        "Pileup_nTrueInt": rng.poisson(32.0, n).astype(np.float32),
        "HLT_IsoMu24": rng.random(n) < 0.8,
        "MET_pt": kept_bits(rng.rayleigh(45.0, n), _COARSE),
        "MET_phi": kept_bits(rng.uniform(-np.pi, np.pi, n), _FINE),
        "Muon": _muons(rng, n),
        "Jet": _jets(rng, n),
    }


def kept_bits(values: Any, bits: int) -> NDArray[np.float32]:
    """Round to so many bits of the mantissa, as NanoAOD does before it writes.

    Examples
    --------
    >>> float(kept_bits(np.array([100.3]), 10)[0])
    100.3125
    """
    found = np.asarray(values, dtype=np.float32).copy().view(np.uint32)
    drop = 23 - bits
    half = np.uint32(1 << (drop - 1))
    return ((found + half) >> np.uint32(drop) << np.uint32(drop)).view(np.float32)


def _jagged(counts: Column, columns: Mapping[str, Column]) -> Any:
    offsets = ak.index.Index64(np.concatenate([[0], np.cumsum(counts)]))
    contents = [ak.contents.NumpyArray(values) for values in columns.values()]
    record = ak.contents.RecordArray(contents, list(columns))
    return ak.Array(ak.contents.ListOffsetArray(offsets, record))


def _falling(rng: Generator, counts: Column, least: float, scale: float) -> Column:
    """Transverse momenta [GeV] that fall in each event."""
    values = least + rng.exponential(scale, int(counts.sum()))
    event = np.repeat(np.arange(len(counts)), counts)
    return np.asarray(values[np.lexsort((-values, event))])


def _muons(rng: Generator, n: int) -> Any:
    counts = rng.poisson(1.1, n)
    m = int(counts.sum())
    return _jagged(
        counts,
        {
            "pt": _falling(rng, counts, 3.0, 45.0).astype(np.float32),
            "eta": kept_bits(rng.normal(0.0, 1.3, m).clip(-2.4, 2.4), _FINE),
            "phi": kept_bits(rng.uniform(-np.pi, np.pi, m), _FINE),
            "mass": np.full(m, 0.10571, dtype=np.float32),
            "charge": rng.choice([-1, 1], m).astype(np.int32),
            "tightId": rng.random(m) < 0.97,
            "pfRelIso04_all": rng.exponential(0.02, m).astype(np.float32),
        },
    )


def _jets(rng: Generator, n: int) -> Any:
    counts = rng.poisson(_MEAN_JETS, n)
    m = int(counts.sum())
    pt = _falling(rng, counts, 15.0, _JET_SCALE)
    flavour = rng.choice([0, 4, 5], m, p=[0.78, 0.09, 0.13])
    score = np.where(flavour == 5, rng.beta(4, 1.5, m), rng.beta(0.8, 6, m))
    return _jagged(
        counts,
        {
            "pt": kept_bits(pt, _COARSE),
            "eta": kept_bits(rng.normal(0.0, 1.8, m).clip(-4.7, 4.7), _FINE),
            "phi": kept_bits(rng.uniform(-np.pi, np.pi, m), _FINE),
            "mass": kept_bits(0.12 * pt * rng.gamma(8, 0.125, m), _COARSE),
            "btagDeepFlavB": kept_bits(score, _COARSE),
            "jetId": rng.choice([0, 2, 6], m, p=[0.02, 0.03, 0.95]).astype(np.int32),
            "muEF": kept_bits(rng.beta(0.5, 20.0, m), 6),
            "hadronFlavour": flavour.astype(np.int32),
        },
    )


def _fillers(rng: Generator, n: int, branches: int) -> dict[str, Any]:
    """Branches that no one reads: jagged objects, numbers and trigger bits."""
    found: dict[str, Any] = {}
    left = branches
    for name in _OTHERS:
        if left > _PER_OTHER:
            counts = rng.poisson(_OTHER_MEAN, n)
            m = int(counts.sum())
            columns = {f"v{i}": kept_bits(rng.normal(size=m), 6) for i in range(_PER_OTHER)}
            found[name] = _jagged(counts, columns)
            left -= 1 + _PER_OTHER
    for i in range(min(left, _NUMBERS)):
        found[f"Number_{i}"] = kept_bits(rng.normal(size=n), 4)
    for i in range(max(left - _NUMBERS, 0)):
        found[f"HLT_Path{i}"] = rng.random(n) < 0.01
    return found
