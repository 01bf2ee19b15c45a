"""Fill the histograms of the reference calculation, variation by variation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import correctionlib
import numpy as np

from tests.pipeline import reference


@dataclass(frozen=True)
class Filled:
    """Raw sums of one dataset: not yet scaled to cross-section and luminosity."""

    sums: Mapping[tuple[str, str, str], np.ndarray]  # w, w^2, abs(w), count; (4, n_bins + 2)
    cutflow: Mapping[str, Mapping[str, int]]  # channel -> cut -> events
    weights: Mapping[str, Mapping[str, np.ndarray]]  # channel -> variation -> of each event
    sum_weights: float
    events: int


def histogram(values, weights, name):
    low, high, n = reference.BINS[name]
    edges = [-np.inf, *np.linspace(low, high, n + 1), np.inf]
    each = (weights, weights**2, np.abs(weights), np.ones(len(weights)))
    return np.stack([np.histogram(values, edges, weights=one)[0] for one in each])


def fill_shift(event, objects, golden, name, files) -> tuple[dict, dict, dict]:
    """Fill one object variation; with nominal also all weight variations."""
    if files is not None:
        objects = reference.correct_objects(objects, files, reference.OBJECT_SHIFTS[name])
    good = reference.mask_objects(objects)
    sums: dict = {}
    flows: dict = {}
    kept: dict = {}
    steps = list(reference.cuts(event, good, golden))
    for channel in reference.CHANNELS:
        passed = np.ones(len(event["run"]), dtype=bool)
        flow = {"skimmed": len(passed)}
        for where, cut, mask in steps:
            if where in {"", channel}:
                passed = passed & mask
                flow[cut] = int(passed.sum())
        mine = {k: v[passed] for k, v in event.items()}
        chosen = {k: v.rows(passed) for k, v in good.items()}
        weights = event_weights(mine, chosen, name, files)
        for observable, values in reference.observables(mine, chosen).items():
            for variation, weight in weights.items():
                sums[channel, observable, variation] = histogram(values, weight, observable)
        flows[channel], kept[channel] = flow, weights
    return sums, flows, kept


def event_weights(event, good, name, files) -> dict[str, np.ndarray]:
    """Weights by variation: of an object variation its own, with nominal all weight variations."""
    if files is None:
        return {name: np.ones(len(event["run"]))}
    moved = {name: ("", "")} | (dict(reference.WEIGHT_SHIFTS) if name == "nominal" else {})
    base = event["genWeight"].astype(np.float64)
    weights = {
        variation: base * np.prod(list(reference.factors(event, good, files, one).values()), axis=0)
        for variation, one in moved.items()
    }
    if name == "nominal":
        up = 1.0 + 0.05 * (np.minimum(reference.scalar_sum(event, good), 3000.0) - 1200.0) / 1000.0
        for one, factor in zip(reference.SLOPE, (up, 2.0 - up), strict=True):
            weights[one] = weights[name] * factor
    return weights


def fill_file(path: Path, files, golden: Path | None) -> Filled:
    """Fill one file; without correction files it is data."""
    event, objects, weights = reference.read(path, is_data=files is None)
    sums: dict = {}
    flow: dict = {}
    kept: dict = {}
    for name in ("nominal",) if files is None else reference.OBJECT_SHIFTS:
        found, flows, of_events = fill_shift(event, objects, golden, name, files)
        sums |= found
        if name == "nominal":
            flow, kept = flows, of_events
    return Filled(sums, flow, kept, float(weights.sum()), len(weights))


def merge(parts: Sequence[Filled]) -> Filled:
    """Return the files of one dataset as one."""
    first = parts[0]
    return Filled(
        sums={key: np.sum([one.sums[key] for one in parts], axis=0) for key in first.sums},
        cutflow={
            channel: {cut: sum(one.cutflow[channel][cut] for one in parts) for cut in flow}
            for channel, flow in first.cutflow.items()
        },
        weights={
            channel: {v: np.concatenate([one.weights[channel][v] for one in parts]) for v in found}
            for channel, found in first.weights.items()
        },
        sum_weights=sum(one.sum_weights for one in parts),
        events=sum(one.events for one in parts),
    )


def without_slope(filled: Filled) -> Filled:
    """The same with the weight of top pairs left as it is."""
    sums = {
        key: filled.sums[*key[:2], "nominal"] if key[2] in reference.SLOPE else value
        for key, value in filled.sums.items()
    }
    weights = {
        channel: {v: found["nominal"] if v in reference.SLOPE else w for v, w in found.items()}
        for channel, found in filled.weights.items()
    }
    return replace(filled, sums=sums, weights=weights)


def fill_sample(layout) -> dict[str, Filled]:
    """Fill all datasets of a sample."""
    files = {
        name: correctionlib.CorrectionSet.from_file(str(path))
        for name, path in layout.corrections.items()
    }
    return {
        name: merge(
            [
                fill_file(path, *((None, layout.golden_json) if info.is_data else (files, None)))
                for path in info.files
            ]
        )
        for name, info in layout.datasets.items()
    }
