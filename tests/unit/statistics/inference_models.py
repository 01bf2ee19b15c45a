"""Larger models for the tests of impacts, scans, intervals and toys."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepflow.statistics import fit, load_likelihood


def shapes(
    n_bins: int, n_parameters: int, *, staterror: bool = False, seed: int = 3
) -> dict[str, Any]:
    """A bump on a falling background; half of the parameters tilt shapes, half scale yields."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, 1.0, n_bins)
    background = 4000 / n_bins * np.exp(-2 * x) * 3
    signal = 120 / n_bins * 5 * np.exp(-(((x - 0.5) / 0.12) ** 2) / 2)
    modifiers: dict[str, list[dict[str, Any]]] = {"signal": [], "background": []}
    modifiers["signal"].append({"name": "mu", "type": "normfactor", "data": None})
    modifiers["background"].append({"name": "k", "type": "normfactor", "data": None})
    for k in range(n_parameters):
        for sample, nominal in (("signal", signal), ("background", background)):
            size = 0.02 * rng.normal() + 0.02 * rng.normal() * (2 * x - 1)
            if k % 2:
                data: Any = {"hi": 1 + abs(size[0]) + 0.01, "lo": 1 - abs(size[-1]) - 0.01}
                modifiers[sample].append({"name": f"norm{k}", "type": "normsys", "data": data})
            else:
                other = size + 0.003 * rng.normal()
                data = {"hi_data": [*(nominal * (1 + size))], "lo_data": [*(nominal * (1 - other))]}
                modifiers[sample].append({"name": f"shape{k}", "type": "histosys", "data": data})
    if staterror:
        some = {"name": "stat", "type": "staterror", "data": [*(0.4 * np.sqrt(background))]}
        modifiers["background"].append(some)
    observed = rng.poisson(background + 0.8 * signal)
    contents = {"signal": signal, "background": background}
    samples = [
        {"name": name, "data": contents[name].tolist(), "modifiers": modifiers[name]}
        for name in ("signal", "background")
    ]
    parameters = [{"name": "mu", "bounds": [[-5.0, 10.0]]}, {"name": "k", "bounds": [[0.0, 5.0]]}]
    return {
        "channels": [{"name": "sr", "samples": samples}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "observations": [{"name": "sr", "data": observed.astype(float).tolist()}],
        "version": "1.0.0",
    }


def fitted(workspace: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Likelihood, data and fit of a workspace."""
    likelihood, data = load_likelihood(workspace)
    return likelihood, data, fit(likelihood, data)
