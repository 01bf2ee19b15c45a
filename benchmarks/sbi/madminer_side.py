"""The methods with madminer 0.9.6, as its tutorials use it; needs nothing but madminer.

``madminer_side.py WORK METHOD SEED OUTPUT``. Settings that are not among those of the benchmark
are madminer's defaults. Imports do not count, nor does the drawing of samples.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]  # it is in another environment
from madminer import sampling  # type: ignore[import-not-found]  # there, too
from madminer.limits import AsymptoticLimits  # type: ignore[import-not-found]  # there, too
from madminer.ml import (  # type: ignore[import-not-found]  # there, too
    ParameterizedRatioEstimator,
    ScoreEstimator,
)

N_THETAS = 1000  # points drawn from the prior, as in madminer's tutorials


def train(work: Path, method: str, settings: Mapping[str, Any]) -> tuple[Any, float]:
    """Draw the sample, and train; the estimator and the CPU time of the training [s]."""
    sampler = sampling.SampleAugmenter(str(work / "events.h5"))
    reference, drawn = sampling.benchmark(settings["reference"]), settings["events"]
    common = {
        "n_epochs": settings["epochs"],
        "batch_size": settings["batch_size"],
        "n_workers": 0,  # one process
        "verbose": "none",
    }
    hidden = tuple(settings["hidden"])
    if method == "sally":
        x, _, score, _ = sampler.sample_train_local(reference, drawn)
        local = ScoreEstimator(n_hidden=hidden)
        start = time.process_time()
        local.train("sally", x=x, t_xz=score, **common)
        return local, time.process_time() - start
    priors = [("gaussian", 0.0, settings["prior_width"])] * settings["parameters"]
    numerator = sampling.random_morphing_points(N_THETAS, priors)
    x, theta, _, label, ratio, score, _ = sampler.sample_train_ratio(numerator, reference, drawn)
    estimator = ParameterizedRatioEstimator(n_hidden=hidden)
    start = time.process_time()
    estimator.train(method, x=x, y=label, theta=theta, r_xz=ratio, t_xz=score, **common)
    return estimator, time.process_time() - start


def evaluate(estimator: Any, method: str, work: Path) -> dict[str, Any]:
    """Estimated scores at the reference, and log ratios at the points of the test."""
    with np.load(work / "test.npz") as test:
        point = np.zeros((1, test["theta"].shape[1]))
        found = {
            name: estimator.evaluate_score(test[events], np.repeat(point, len(test[events]), 0))
            for name, events in (("score", "x"), ("many", "many"))
        }
        if method != "sally":
            ratio_of = estimator.evaluate_log_likelihood_ratio
            found["log_ratio"] = ratio_of(test["x"], test["theta"])[0]
            found["closure"] = ratio_of(test["many"], test["closure"])[0]
        return found


def limits(estimator: Any, work: Path, settings: Mapping[str, Any]) -> tuple[Any, float]:
    """Log likelihood ratio on the grid, with the rate, of the events of the test; and CPU time."""
    model = str(work / "madminer_model")
    estimator.save(model)
    with np.load(work / "test.npz") as test:
        x = test["x"]
    start = time.process_time()
    found = AsymptoticLimits(str(work / "events.h5")).observed_limits(
        mode="ml",
        x_observed=x,
        n_observed=settings["expected_events"],
        model_file=model,
        grid_ranges=[tuple(one) for one in settings["grid_ranges"]],
        grid_resolutions=[settings["grid_points"]] * settings["parameters"],
        luminosity=settings["luminosity"],
    )
    return found[3] + found[4], time.process_time() - start


def main(folder: str, method: str, seed: str, output: str) -> None:
    """Compute, and write figures and arrays."""
    logging.disable(logging.INFO)
    work, target = Path(folder), Path(output)
    settings = json.loads((work / "settings.json").read_text(encoding="utf-8"))
    np.random.seed(int(seed))  # noqa: NPY002 - the one that madminer draws from
    torch.manual_seed(int(seed))
    torch.set_num_threads(1)
    estimator, training = train(work, method, settings)
    arrays = evaluate(estimator, method, work)
    figures: dict[str, Any] = {"training": training}
    if method == settings["grid_method"]:
        arrays["grid"], figures["grid"] = limits(estimator, work, settings)
    stored = target.with_suffix(".npz")
    np.savez(stored, **arrays)
    target.write_text(json.dumps({**figures, "arrays": str(stored)}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
