"""Models and histograms that several tests of the statistics use."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepflow.records import Axis, Block, HistogramSet, Ledger
from hepflow.statistics.spec import (
    FitChannel,
    NormalisationSpec,
    NormFactorSpec,
    ShapeSpec,
    StatisticsSpec,
)

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def shared(path: str) -> Path:
    """A file of the shared data, or a skip that names it."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"{found} is not there")
    return found


@contextlib.contextmanager
def precise_pyhf() -> Iterator[Any]:
    """pyhf with Minuit at a tight tolerance, as a reference; restores what was set."""
    import pyhf

    _, before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    try:
        yield pyhf
    finally:
        pyhf.set_backend("numpy", before)


def counting(
    signal: float,
    background: float,
    observed: float,
    *modifiers: dict[str, Any],
    bounds: tuple[float, float] = (0.0, 10.0),
) -> dict[str, Any]:
    """One bin; `modifiers` act on the background."""
    poi = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [signal], "modifiers": [poi]},
        {"name": "background", "data": [background], "modifiers": list(modifiers)},
    ]
    parameters = [{"name": "mu", "inits": [1.0], "bounds": [list(bounds)]}]
    return {
        "channels": [{"name": "sr", "samples": samples}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "observations": [{"name": "sr", "data": [observed]}],
        "version": "1.0.0",
    }


def normsys(name: str, up: float, down: float) -> dict[str, Any]:
    return {"name": name, "type": "normsys", "data": {"hi": up, "lo": down}}


def all_modifiers() -> dict[str, Any]:
    """Three channels that between them hold every modifier type."""

    def sample(name: str, data: list[float], *modifiers: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "data": data, "modifiers": list(modifiers)}

    def simple(name: str, kind: str, data: Any = None) -> dict[str, Any]:
        return {"name": name, "type": kind, "data": data}

    shape = {"hi_data": [4.0, 6.5, 2.0], "lo_data": [6.0, 5.0, 1.0]}
    other = {"hi_data": [60.0, 42.0, 33.0], "lo_data": [49.0, 38.0, 27.0]}
    sr = [
        sample(
            "signal", [5.0, 6.0, 1.5],
            simple("mu", "normfactor"), simple("lumi", "lumi"), simple("jes", "histosys", shape),
            simple("staterror_sr", "staterror", [0.5, 0.3, 0.2]), normsys("id", 1.1, 0.93),
        ),
        sample(
            "background", [50.0, 40.0, 30.0],
            simple("k", "normfactor"), simple("lumi", "lumi"), simple("jes", "histosys", other),
            simple("staterror_sr", "staterror", [4.0, 0.0, 3.0]),
            simple("iso", "shapesys", [5.0, 4.0, 2.0]), normsys("id", 0.8, 1.3),
        ),
    ]  # fmt: skip
    cr = [
        sample("background", [500.0, 400.0], simple("k", "normfactor"), normsys("id", 0.9, 1.2)),
        sample("free", [20.0, 10.0], simple("any", "shapefactor"),
               simple("staterror_two", "staterror", [1.0, 0.5])),
    ]  # fmt: skip
    vr = [
        sample("free", [90.0, 40.0], simple("any", "shapefactor"),
               simple("staterror_two", "staterror", [2.0, 3.0])),
    ]  # fmt: skip
    lumi = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0],
            "bounds": [[0.5, 1.5]]}  # fmt: skip
    return {
        "channels": [
            {"name": "sr", "samples": sr},
            {"name": "cr", "samples": cr},
            {"name": "vr", "samples": vr},
        ],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [lumi]}}],
        "observations": [
            {"name": "sr", "data": [57.0, 44.0, 35.0]},
            {"name": "cr", "data": [533.0, 391.0]},
            {"name": "vr", "data": [97.0, 36.0]},
        ],
        "version": "1.0.0",
    }


def zprime_without_broken() -> dict[str, Any]:
    """The workspace of a real run without its two broken systematics."""
    workspace: dict[str, Any] = json.loads(shared("zprime_opendata_run/workspace.json").read_text())
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            sample["modifiers"] = [
                one for one in sample["modifiers"] if one["name"] not in ("MU_ID_SF", "PU_weight")
            ]
    return workspace


PROCESSES = ("signal", "ttbar", "wjets")
EDGES = tuple(np.linspace(200.0, 3000.0, 21).tolist())


def spec(**changes: Any) -> StatisticsSpec:
    """Two regions, three processes, three sources."""
    channels = tuple(
        FitChannel(name, name.upper(), kind, "mass", "m(tt) [GeV]", EDGES)
        for name, kind in (("sr", "signal"), ("cr", "control"))
    )
    values: dict[str, Any] = {
        "measurement": "test",
        "poi": "mu",
        "channels": channels,
        "processes": PROCESSES,
        "data_processes": ("data",),
        "norm_factors": (
            NormFactorSpec("mu", ("signal",), 1.0, (0.0, 10.0)),
            NormFactorSpec("ttbar_norm", ("ttbar",), 1.0, (0.0, 5.0)),
        ),
        "normalisations": (
            NormalisationSpec("lumi", 0.025, PROCESSES),
            NormalisationSpec("wjets_xs", 0.2, ("wjets",)),
        ),
        "shapes": (ShapeSpec("jes", PROCESSES), ShapeSpec("btag", ("signal", "ttbar"))),
        "scan_points": 5,
    }
    return StatisticsSpec(**{**values, **changes})


def histograms(*, signal: float = 1.0, n_shapes: int = 0, seed: int = 1) -> HistogramSet:
    """Falling spectra with a resonance; `data` are the rounded sum at signal strength `signal`."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(130.0, 3070.0, 22)
    names = ["nominal"]
    for source in ("jes", "btag", *(f"source{i}" for i in range(n_shapes))):
        names += [f"{source}_up", f"{source}_down"]
    blocks, axes = {}, {}
    for channel, scale in (("sr", 1.0), ("cr", 4.0)):
        axes[channel, "mass"] = Axis("mass", "m(tt) [GeV]", EDGES)
        shapes = {
            "signal": 60 / scale**2 * np.exp(-(((centres - 2000) / 250) ** 2) / 2),
            "ttbar": 900 * np.exp(-centres / 450),
            "wjets": 150 * scale * np.exp(-centres / 500),
        }
        total = np.zeros(22)
        for process, nominal in shapes.items():
            rows = [nominal]
            for _ in names[1::2]:
                tilt = 0.05 * rng.normal() + 0.05 * rng.normal() * (centres - 1000) / 1000
                rows += [nominal * (1 + tilt), nominal * (1 - tilt)]
            sumw = np.asarray(rows)
            blocks[channel, "mass", process] = Block(tuple(names), sumw, sumw * 0.3)
            total = total + nominal * (signal if process == "signal" else 1.0)
        observed = np.round(total)[np.newaxis]
        blocks[channel, "mass", "data"] = Block(("nominal",), observed, observed.copy())
    where = dict.fromkeys((*PROCESSES, "data"))
    return HistogramSet(
        axes, blocks, {}, frozenset({"data"}), {"": 1000.0}, Ledger(), {one: one for one in where}
    )
