"""Events for all peers, and what is exactly true of some of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CLOSURE = ((0.4, 0.0), (-0.4, 0.0), (0.0, 0.4), (0.0, -0.4), (0.4, 0.4))  # of the mean ratio
TRAINING_SHARE = 0.6  # of the events in the file; madminer's and hepflow's default


@dataclass(frozen=True)
class Settings:
    """One comparison: the same for all peers unless it says whose it is."""

    events: int = 200_000  # in the training partition, and drawn from it for a sample
    epochs: int = 20
    batch_size: int = 128  # madminer's default; hepflow has its own
    hidden: tuple[int, ...] = (100, 100)
    parameters: int = 2
    reference: str = "sm"
    prior_width: float = 0.4  # [1/TeV^2] of each coefficient, in training and test
    test_events: int = 20_000  # drawn from the Standard Model
    test_points: int = 40
    many_events: int = 200_000  # from all benchmarks, with weights, for the information
    grid_method: str = "alices"
    grid_ranges: tuple[tuple[float, float], ...] = ((-0.5, 0.5), (-0.5, 0.5))
    grid_points: int = 25  # in each direction
    luminosity: float = 1000.0  # [1/pb]
    expected_events: float = 0.0  # set by `prepare`


def prepare(work: Path, settings: Settings, seed: int) -> None:
    """Write events, the points of the test with their exact values, and the settings.

    Parameters
    ----------
    work
        Folder, made where it is missing. It gets ``events.h5`` in the layout of MadMiner,
        ``test.npz`` and ``settings.json``.
    settings
        What to compare.
    seed
        Of everything that is drawn.
    """
    from hepflow.inference.event_file import write_events
    from hepflow.inference.physics.drell_yan import DrellYan
    from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS

    work.mkdir(parents=True, exist_ok=True)
    process = DrellYan()
    seeds = np.random.SeedSequence(seed).spawn(4)
    table = process.table(round(settings.events / TRAINING_SHARE), BENCHMARKS, seeds[0])
    write_events(work / "events.h5", table)
    x = process.observe(process.generate(settings.test_events, BENCHMARKS, 0, seeds[1]))
    many = process.table(settings.many_events, BENCHMARKS, seeds[3])
    points = np.random.default_rng(seeds[2]).normal(
        0.0, settings.prior_width, (settings.test_points, settings.parameters)
    )
    np.savez(
        work / "test.npz",
        x=x,
        many=many.x,
        many_weights=many.weights[:, 0] / many.weights[:, 0].sum(),
        closure=np.array(CLOSURE),
        closure_ratio=np.exp(process.log_ratio(many.x, CLOSURE)),
        theta=points,
        log_ratio=process.log_ratio(x, points),
        score=process.score(x),
        information=process.information(BENCHMARKS[0].values).kinematics
        / process.cross_section(BENCHMARKS[0].values),
    )
    expected = settings.luminosity * process.cross_section(BENCHMARKS[0].values)
    content = {**asdict(settings), "expected_events": float(expected)}
    (work / "settings.json").write_text(json.dumps(content), encoding="utf-8")
