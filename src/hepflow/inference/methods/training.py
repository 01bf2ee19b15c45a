"""Train an estimator: epochs, early stopping, checkpoints."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hepflow.inference.methods.checkpoints import Checkpoints
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.history import Progress
from hepflow.inference.methods.losses import Loss, loss_of
from hepflow.inference.methods.model_files import FORMAT, read_key
from hepflow.inference.methods.preparing import Sample, fingerprint, prepare
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.threads import use_one_thread
from hepflow.inference.needs import need

_PACKAGES: Final = ("jax", "equinox", "optax")


def train(  # noqa: PLR0913 - the interface that workflow and notebooks share
    method: str,
    sample: Sample,
    settings: TrainingSettings,
    seed: int,
    validation: Sample | None = None,
    *,
    folder: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    structure: Structure | None = None,
) -> Estimator:
    """Train a network on simulated events.

    The same arguments give the same weights, bit by bit, with the same versions of the packages
    on the same kind of processor, whether or not the training was interrupted.

    Parameters
    ----------
    method : str
        A key of `losses.LOSSES`.
    sample : ScoreSample or RatioSample
        The former for score methods. Density methods take the rows of the numerator (label 0).
    settings : TrainingSettings
    seed : int
        Of the first weights, the order of the events and what dropout leaves out; at least 0.
    validation : ScoreSample or RatioSample, optional
        Events that judge when to stop. Default: a part of `sample`, see `validation_fraction`.
    folder : str or Path, optional
        Where checkpoints and the model go. A training that was killed continues from there; a
        model that was finished with the same arguments and versions is read.
    progress : callable, optional
        Called with a `Progress` after each epoch.
    structure : Structure, optional
        Names for messages, and powers of the parameters for networks with the known polynomial.

    Raises
    ------
    InputError
        The sample cannot be used: kind, number of events, numbers that are not finite.
    FitError
        A loss that is not finite.
    """
    use_one_thread()
    for package in _PACKAGES:
        need(package)
    from hepflow.inference.methods.normalising import normalised
    from hepflow.inference.methods.running import Plan, run_training

    loss, known = loss_of(method), structure or Structure()
    key = _key(loss, (sample, validation), settings, seed, known) if folder is not None else ""
    path = None if folder is None else Path(folder)
    if path is not None and read_key(path) == key:
        return Estimator.load(path)
    prepared = prepare(loss, sample, validation, settings, seed, known)
    checkpoints = None if path is None else Checkpoints(path, key)
    plan = Plan(loss, settings, known, seed)
    network, history = run_training(plan, prepared, checkpoints, progress)
    if hasattr(network, "polynomial"):
        network = normalised(network, prepared)
    estimator = Estimator(loss.name, settings, seed, known, prepared.frame, network, history, key)
    if path is not None and checkpoints is not None:
        estimator.save(path)
        checkpoints.clear()
    return estimator


def _key(
    loss: Loss,
    samples: tuple[Sample, Sample | None],
    settings: TrainingSettings,
    seed: int,
    structure: Structure,
) -> str:
    import importlib.metadata

    content = {
        "format": FORMAT,
        "method": loss.name,
        "settings": dataclasses.asdict(dataclasses.replace(settings, checkpoint_every=1)),
        "seed": seed,
        "structure": dataclasses.asdict(structure),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "events": fingerprint(dict(zip(("training", "validation"), samples, strict=True))),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
