"""Open event files with madminer and write down what it finds; runs in madminer's environment.

``opened_by_madminer.py POINTS FILE...``: `POINTS` is a JSON list of parameter points. At the first
of them a sample is drawn for SALLY.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np

DRAWN = 200


def look_into(file: Path, thetas: list[Any]) -> None:
    """Write the setup as JSON and the arrays as npz beside the file."""
    from madminer import sampling  # type: ignore[import-not-found]  # of another environment

    opened = sampling.SampleAugmenter(str(file))
    x, weights = opened.weighted_events()
    every = next(opened.event_loader(batch_size=len(x), return_sampling_ids=True))
    drawn, _, score, _ = opened.sample_train_local(
        sampling.morphing_point(thetas[0]), DRAWN, double_precision=True
    )
    arrays = {
        "x": x,
        "weights": weights,
        "sampled_from": every[2],
        "coefficients": [opened._get_theta_benchmark_matrix(one) for one in thetas],
        "gradients": [opened._get_dtheta_benchmark_matrix(one) for one in thetas],
        "cross_sections": opened.cross_sections(sampling.morphing_points(thetas))[1],
        # of the events that it takes for samples there, by default those of the closest benchmark
        "near": [opened.xsecs([one], generated_close_to=one)[0][0] for one in thetas],
        "drawn": drawn,
        "score": score,
    }
    np.savez(file.with_suffix(".npz"), **arrays)
    setup = {
        "parameters": [
            [
                one.name,
                one.lha_block,
                int(one.lha_id),
                int(one.max_power),
                *map(float, one.val_range),
            ]
            for one in opened.parameters.values()
        ],
        "benchmarks": {
            one.name: [float(value) for value in one.values.values()]
            for one in opened.benchmarks.values()
        },
        "observables": list(opened.observables),
        "reference": opened.reference_benchmark,
        "nuisances": {
            one.name: [one.systematic, one.benchmark_pos, one.benchmark_neg]
            for one in (opened.nuisance_parameters or {}).values()
        },
    }
    file.with_suffix(".json").write_text(json.dumps(setup), encoding="utf-8")


def main(points: str, *files: str) -> None:
    """Look into all files."""
    logging.disable(logging.WARNING)
    np.random.seed(1)  # noqa: NPY002 - the one that madminer draws from
    thetas = [np.array(one) for one in json.loads(points)]
    for file in files:
        look_into(Path(file), thetas)


if __name__ == "__main__":
    main(*sys.argv[1:])
