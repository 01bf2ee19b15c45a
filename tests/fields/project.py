"""A project so small that all its numbers are known: what the tests of the fields change."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.records import HistogramSet
from tests.builders import make_skims, manager_of, observable, write_nano

N_EVENTS = 8
SIMULATION: Mapping[str, Any] = {
    "run": np.ones(N_EVENTS, np.uint32),
    "luminosityBlock": np.arange(1, 9, dtype=np.uint32),
    "event": np.arange(1, 9, dtype=np.uint64),
    "genWeight": np.ones(N_EVENTS, np.float32),
    "x": np.array([0.5, 0.5, 0.5, 1.5, 1.5, 2.5, 3.5, 3.5], np.float32),
    "MET_pt": np.array([10, 20, 30, 40, 50, 60, 70, 80], np.float32),
    "MET_phi": np.zeros(N_EVENTS, np.float32),
    "Jet_pt": ak.values_astype(
        ak.Array([[100, 50], [90], [80, 40], [70], [60], [50, 30], [], [30]]), np.float32
    ),
    "Jet_eta": ak.values_astype(ak.Array([[0, 0], [0], [0, 0], [0], [0], [0, 0], [], [0]]), "f4"),
    "Jet_phi": ak.values_astype(ak.Array([[0, 0], [0], [0, 0], [0], [0], [0, 0], [], [0]]), "f4"),
    "Jet_mass": ak.values_astype(ak.Array([[9, 5], [9], [8, 4], [7], [6], [5, 3], [], [3]]), "f4"),
}
MC = [3.0, 2.0, 1.0, 2.0]  # of `x`, in 4 bins from 0 to 4, at a scale of 1
DATA = [1.0, 2.0, 1.0, 0.0]


def columns(**changes: Any) -> dict[str, Any]:
    """Branches of the simulation, some of them changed."""
    return {**SIMULATION, **changes}


def data_columns(*values: float, first: int = 1) -> dict[str, Any]:
    """Branches of data with these values of `x`, their event numbers from `first` on."""
    n = len(values)
    kept = {name: one[:n] for name, one in SIMULATION.items() if name != "genWeight"}
    events = np.arange(first, first + n, dtype=np.uint64)
    return {**kept, "x": np.array(values, np.float32), "event": events}


@functools.cache
def _contents() -> dict[str, bytes]:
    """Files of the project: writing them takes longer than copying."""
    with tempfile.TemporaryDirectory() as folder:
        mc = write_nano(Path(folder) / "mc.root", columns())
        data = write_nano(Path(folder) / "data.root", data_columns(0.5, 1.5, 1.5, 2.5))
        return {"mc.root": mc.read_bytes(), "data.root": data.read_bytes()}


def inputs(folder: Path) -> Path:
    """Write ``mc.root`` and ``data.root``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _contents().items():
        (folder / name).write_bytes(content)
    return folder


def simulation(folder: Path, **fields: Any) -> dict[str, Any]:
    """Describe the simulated dataset: 2 pb at 4 /pb are its 8 events."""
    given = {"directory", "directories", "slices", "files"} & set(fields)
    files = {} if given else {"files": [str(folder / "mc.root")]}
    return {"name": "mc", "cross_section": 2.0, **files, **fields}


def real(folder: Path, **fields: Any) -> dict[str, Any]:
    """Describe the dataset of data."""
    return {"name": "data", "files": [str(folder / "data.root")], "is_data": True, **fields}


def itself(values: Any) -> Any:
    """A column as it is."""
    return values


def make_config(
    folder: Path, datasets: Sequence[Mapping[str, Any]] | None = None, **sections: Any
) -> dict[str, Any]:
    """Write the input and build a configuration that runs in this process.

    Keyword arguments replace sections; those of ``general`` and ``preprocess`` are merged.
    """
    here = inputs(folder / "in")
    general = {
        "lumi": 4.0,
        "output_dir": str(folder / "out"),
        "cache_dir": str(folder / "cache"),
        "run_statistics": False,
        **sections.pop("general", {}),
    }
    preprocess = {
        "branches": {
            "event": ["run", "luminosityBlock", "event", "x"],
            "MET": ["pt", "phi"],
            "Jet": ["pt", "eta", "phi", "mass"],
        },
        "mc_branches": {"event": ["genWeight"]},
        **sections.pop("preprocess", {}),
    }
    channel = {"name": "SR", "observables": [of_x()], "fit_observable": "x"}
    return {
        "general": general,
        "datasets": {"datasets": [simulation(here)] if datasets is None else list(datasets)},
        "preprocess": preprocess,
        "channels": [channel],
        "plotting": {"enabled": False},
        "execution": {"backend": "inprocess"},
        **sections,
    }


def of_x(**changes: Any) -> dict[str, Any]:
    """Observable `x` in 4 bins from 0 to 4."""
    return {**observable("x", "0,4,4", itself, [("event", "x")]), **changes}


def fill(config: Mapping[str, Any]) -> HistogramSet:
    """Metadata, skim and histograms of a configuration."""
    return Analysis(config, make_skims(config), manager_of(config)).fill_histograms()


def filled(folder: Path, *args: Any, **sections: Any) -> HistogramSet:
    """Histograms of the project with changes."""
    return fill(make_config(folder, *args, **sections))


def values(
    found: HistogramSet,
    variation: str = "nominal",
    process: str = "mc",
    name: str = "x",
    channel: str = "SR",
) -> list[float]:
    """Contents of the bins of a template, to 12 digits."""
    template = found.template(channel, name, process, variation)
    return [float(f"{one:.12g}") for one in template.values]


def one_more(x: Any) -> Any:
    """Twice the nominal value of one."""
    return x * 0 + 2.0


def one_less(x: Any) -> Any:
    """Half of the nominal value of one."""
    return x * 0 + 0.5


def two_years(tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same events in two years: 8 in 2016, 16 in 2017."""
    here = inputs(tmp_path / "in")
    datasets = [
        {**simulation(here), "name": f"mc_{year}", "process": "mc", "year": year,
         "files": [str(inputs(tmp_path / year) / "mc.root")]}
        for year in ("2016", "2017")
    ]  # fmt: skip
    return {"datasets": datasets}, {"lumi": {"2016": 4.0, "2017": 8.0}}


def sum_of(first: Sequence[float], second: Sequence[float]) -> Any:
    """Template of 2016 plus twice the one of 2017."""
    return pytest.approx([a + 2 * b for a, b in zip(first, second, strict=True)])


def times(factor: float, counts: Sequence[float] = MC) -> list[float]:
    """Contents of the bins times a factor."""
    return [factor * one for one in counts]


def added(*rows: Sequence[float]) -> list[float]:
    """Sum of templates."""
    return [sum(row) for row in zip(*rows, strict=True)]
