"""Models for the benchmark: a bump on two falling backgrounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIGNAL = 0.5  # strength in the data, which are the rounded expectation


def bump(bins: int, parameters: int, *, mc_stat: bool, seed: int = 1) -> dict[str, Any]:
    """Workspace with one channel.

    Parameters
    ----------
    bins : int
    parameters : int
        Nuisance parameters besides those of MC statistics: in turns a shape and a normalisation.
    mc_stat : bool
        One parameter more for each bin.
    seed : int
        Of sizes and shapes.
    """
    rng = np.random.default_rng(seed)
    x = np.arange(bins) * 60 / bins
    yields = {
        "signal": 5 * np.exp(-0.5 * ((x - 35) / 6) ** 2),
        "steep": 300 * np.exp(-x / 20),
        "flat": 80 * np.exp(-x / 45),
    }
    samples = []
    for name, nominal in yields.items():
        modifiers = [_source(f"source{k}", k, nominal, rng) for k in range(parameters)]
        if name == "signal":
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        if mc_stat:
            errors = (0.5 * np.sqrt(nominal)).tolist()
            modifiers.append({"name": "staterror_sr", "type": "staterror", "data": errors})
        samples.append({"name": name, "data": nominal.tolist(), "modifiers": modifiers})
    expected = SIGNAL * yields["signal"] + yields["steep"] + yields["flat"]
    observed = np.round(expected).tolist()
    return {
        "channels": [{"name": "sr", "samples": samples}],
        "observations": [{"name": "sr", "data": observed}],
        "measurements": [{"name": "benchmark", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def _source(name: str, index: int, nominal: Floats, rng: np.random.Generator) -> dict[str, Any]:
    if index % 2:
        up, down = 1 + 0.05 * rng.random(), 1 - 0.05 * rng.random()
        return {"name": name, "type": "normsys", "data": {"hi": up, "lo": down}}
    tilt = 0.04 * rng.normal() * np.linspace(-1, 1, len(nominal)) + 0.02 * rng.normal()
    sides = {"hi_data": nominal * (1 + tilt), "lo_data": nominal * (1 - 0.8 * tilt)}
    data = {side: values.tolist() for side, values in sides.items()}
    return {"name": name, "type": "histosys", "data": data}
