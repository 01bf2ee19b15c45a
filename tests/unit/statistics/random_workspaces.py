"""Workspaces drawn at random: all modifiers, shared and not, settings of the measurement."""

from __future__ import annotations

from typing import Any

import numpy as np

CODES = [
    None,
    {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}},
    {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code2"}},
    {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code4p"}},
]
_LUMI = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.03], "inits": [1.0], "bounds": [[0.5, 1.5]]}


def random_workspace(seed: int) -> dict[str, Any]:
    """One to three channels with one to three samples and any modifiers."""
    rng = np.random.default_rng(seed)
    channels = [_channel(rng, f"c{k}") for k in rng.permutation(rng.integers(1, 4))]
    observations = []
    for channel in channels:
        total = np.sum([sample["data"] for sample in channel["samples"]], axis=0)
        counts = rng.poisson(np.maximum(total, 0.0)).astype(float).tolist()
        observations.append({"name": channel["name"], "data": counts})
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": _settings(rng)}}],
        "version": "1.0.0",
    }


def _settings(rng: np.random.Generator) -> list[dict[str, Any]]:
    settings: list[dict[str, Any]] = [_LUMI]
    if rng.random() < 0.5:
        settings.append({"name": "mu", "inits": [0.7], "bounds": [[0.0, 20.0]]})
    if rng.random() < 0.3:
        settings.append({"name": "sys0", "fixed": True, "inits": [0.2]})
    if rng.random() < 0.3:
        settings.append({"name": "sys1", "auxdata": [0.3], "bounds": [[-3.0, 3.0]]})
    settings.append({"name": "nowhere", "inits": [1.0]})
    return settings


def _channel(rng: np.random.Generator, name: str) -> dict[str, Any]:
    bins = int(rng.integers(1, 5))
    samples = []
    for k in range(rng.integers(1, 4)):
        data = rng.uniform(1.0, 60.0, bins)
        if rng.random() < 0.1:
            data[0] = 0.0
        modifiers = _modifiers(rng, name, data)
        if k == 0:
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        if rng.random() < 0.6:
            errors = rng.uniform(0.0, 5.0, bins)
            errors[rng.random(bins) < 0.2] = 0.0
            modifiers.append({"name": f"stat_{name}", "type": "staterror", "data": errors.tolist()})
        if rng.random() < 0.3:
            errors = rng.uniform(0.5, 5.0, bins)
            errors[rng.random(bins) < 0.2] = 0.0
            own = f"own_{name}_{k}"
            modifiers.append({"name": own, "type": "shapesys", "data": errors.tolist()})
        order = rng.permutation(len(modifiers))
        shuffled = [modifiers[i] for i in order]
        samples.append({"name": f"s{k}", "data": data.tolist(), "modifiers": shuffled})
    return {"name": name, "samples": [samples[i] for i in rng.permutation(len(samples))]}


def _modifiers(rng: np.random.Generator, channel: str, data: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index in range(4):
        name = f"sys{index}"
        if rng.random() < 0.5:
            sides = {"lo": float(rng.uniform(0.7, 1.1)), "hi": float(rng.uniform(0.9, 1.4))}
            found.append({"name": name, "type": "normsys", "data": sides})
        if rng.random() < 0.5:
            shapes = {
                side: (data * rng.uniform(0.8, 1.2, len(data))).tolist()
                for side in ("lo_data", "hi_data")
            }
            found.append({"name": name, "type": "histosys", "data": shapes})
    if rng.random() < 0.4:
        found.append({"name": "lumi", "type": "lumi", "data": None})
    if rng.random() < 0.3:
        found.append({"name": "k", "type": "normfactor", "data": None})
    if rng.random() < 0.2:
        found.append({"name": f"free_{channel}", "type": "shapefactor", "data": None})
    return found
