"""Samples as the training reads them: checked, scaled, in single precision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError
from hepflow.inference.methods.losses import Loss
from hepflow.inference.methods.scaling import FeatureScaling, fit_scaling
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.sizes import LocalSize, fit_local_size, same_size
from hepflow.inference.records import Floats, RatioSample, ScoreSample

Sample = ScoreSample | RatioSample
Columns = dict[str, Floats]  # x, theta, label, log_ratio, score, by row

_FEWEST: Final = 100  # events for training
_FEWEST_VALIDATION: Final = 20


@dataclass(frozen=True)
class Frame:
    """Units in which a network works."""

    scaling: FeatureScaling
    reference: Floats  # parameters from which theta counts, shape (n_parameters,)
    unit: Floats  # of each parameter, shape (n_parameters,); a score is multiplied by it
    size: LocalSize  # of scores in these units; 1 but for score methods

    def theta(self, theta: Floats) -> Floats:
        """Parameters in these units."""
        return (theta - self.reference) / self.unit

    def inputs(self, x: Floats, kind: str) -> Floats:
        """Observables as a network of this kind takes them."""
        return self.scaling.one_to_one(x)[0] if kind == "density" else self.scaling.inputs(x)

    def score_size(self, x: Floats) -> Floats:
        """Typical size of the scores of events in these units, shape (n, 1)."""
        return self.size(self.scaling.standard(x))[:, None]


@dataclass(frozen=True)
class Prepared:
    """What a training works on."""

    frame: Frame
    training: dict[str, NDArray[np.float32]]
    validation: dict[str, NDArray[np.float32]]

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return len(self.frame.unit)


def _columns(sample: Sample, loss: Loss) -> Columns:
    if isinstance(sample, ScoreSample):
        n_events = len(sample.x)
        nothing = np.zeros(n_events)
        theta = np.broadcast_to(sample.theta, sample.score.shape)
        return {
            "x": sample.x,
            "theta": theta,
            "label": nothing,
            "log_ratio": nothing,
            "score": sample.score,
            "weight": np.ones(n_events) if sample.weight is None else sample.weight,
        }
    columns = {
        "x": sample.x,
        "theta": sample.theta,
        "label": sample.label,
        "log_ratio": sample.log_ratio,
        "score": sample.score,
        "weight": np.ones(len(sample.x)),
    }
    if loss.kind != "density":
        return columns
    return {name: column[sample.label == 0] for name, column in columns.items()}


def _check_kind(sample: Sample, loss: Loss) -> None:
    wanted = ScoreSample if loss.kind == "score" else RatioSample
    if not isinstance(sample, wanted):
        raise InputError(
            f"{loss.title} is trained on a {wanted.__name__}, not a {type(sample).__name__}; "
            "draw one from the events."
        )


def _check_finite(columns: Columns, loss: Loss, structure: Structure, which: str) -> None:
    for name, column in columns.items():
        if name == "score" and not loss.with_score:
            continue
        rows, *inner = np.nonzero(~np.isfinite(column))
        if not len(rows):
            continue
        number = int(inner[0][0]) if inner else 0
        titles = {
            "x": structure.observable(number),
            "theta": f"the numerator's {structure.parameter(number)}",
            "score": f"the joint score in {structure.parameter(number)}",
            "log_ratio": "the joint log ratio",
            "label": "the label",
            "weight": "the weight",
        }
        raise InputError(
            f"{loss.title}: {titles[name]} is not finite in {len(set(rows.tolist()))} of "
            f"{len(column)} {which} events, first in row {rows[0]}. Look at the weights and "
            "observables of these events, or cut them away."
        )


def _check_number(loss: Loss, n_events: int, batch_size: int, n_validation: int) -> None:
    if n_events < max(_FEWEST, batch_size):
        raise InputError(
            f"{loss.title}: {n_events} events for training are too few; at least "
            f"{max(_FEWEST, batch_size)} are needed (batch_size is {batch_size}). Generate more "
            "events or lower batch_size."
        )
    if n_validation < _FEWEST_VALIDATION:
        raise InputError(
            f"{loss.title}: {n_validation} events for validation are too few; at least "
            f"{_FEWEST_VALIDATION} are needed. Generate more events or raise validation_fraction."
        )


def _check_labels(columns: Columns, loss: Loss) -> None:
    if columns["weight"].sum() <= 0:
        raise InputError(
            f"{loss.title}: the sum of the events' weights is {columns['weight'].sum():g}; it must "
            "be positive. Look at the weights of the events."
        )
    found = set(np.unique(columns["label"]).tolist())
    if loss.kind == "ratio" and found != {0.0, 1.0}:
        raise InputError(
            f"{loss.title} needs events of the numerator (label 0) and of the denominator "
            f"(label 1); the labels are {sorted(found)}. Draw both."
        )


def _unit(columns: Columns, reference: Floats, loss: Loss, structure: Structure) -> Floats:
    if loss.kind == "score":
        size = np.sqrt(np.mean(columns["score"] ** 2, axis=0))
        what = "the joint score is 0 in"
    else:
        size = np.sqrt(np.mean((columns["theta"] - reference) ** 2, axis=0))
        what = "all numerators are at the reference in"
    for number in np.flatnonzero(size == 0):
        raise InputError(
            f"{loss.title}: {what} {structure.parameter(int(number))}, so that nothing can be "
            "learned about it. Vary it in the sample, or take it out of the parameters."
        )
    unit: Floats = 1.0 / size if loss.kind == "score" else size
    return unit


def _size(columns: Columns, scaling: FeatureScaling, unit: Floats, *, local: bool) -> LocalSize:
    if not local:
        return same_size(columns["x"].shape[1])
    return fit_local_size(scaling.standard(columns["x"]), columns["score"] * unit)


def _usual_weight(columns: Columns, scaling: FeatureScaling) -> LocalSize:
    # A factor that depends on x alone does not change E[t|x]. Without what is usual at x the loss
    # has all events count alike, also where many more were drawn than are expected.
    weight = columns["weight"]
    if np.ptp(weight) == 0:
        return same_size(columns["x"].shape[1])
    return fit_local_size(scaling.standard(columns["x"]), np.sqrt(np.abs(weight))[:, None])


def _rows(
    columns: Columns, frame: Frame, usual: LocalSize, loss: Loss
) -> dict[str, NDArray[np.float32]]:
    scaled = {
        "x": frame.inputs(columns["x"], loss.kind),
        "theta": frame.theta(columns["theta"]),
        "label": columns["label"],
        "log_ratio": columns["log_ratio"],
        "score": columns["score"] * frame.unit / frame.score_size(columns["x"]),
        "weight": columns["weight"] / usual(frame.scaling.standard(columns["x"])) ** 2,
    }
    return {name: np.ascontiguousarray(c, dtype=np.float32) for name, c in scaled.items()}


def _split(columns: Columns, fraction: float, seed: int) -> tuple[Columns, Columns]:
    n_events = len(columns["x"])
    order = np.random.default_rng([seed, 1]).permutation(n_events)
    cut = round(fraction * n_events)
    return tuple(  # type: ignore[return-value] # two of them
        {name: column[rows] for name, column in columns.items()}
        for rows in (order[cut:], order[:cut])
    )


def prepare(
    loss: Loss,
    sample: Sample,
    validation: Sample | None,
    settings: TrainingSettings,
    seed: int,
    structure: Structure,
) -> Prepared:
    """Check a sample, part off events for validation if none are given, and scale all.

    Raises
    ------
    InputError
        A sample of the wrong kind, with too few events, with numbers that are not finite, or
        from which a parameter cannot be learned.
    """
    _check_kind(sample, loss)
    columns = _columns(sample, loss)
    if validation is None:
        training, other = _split(columns, settings.validation_fraction, seed)
    else:
        _check_kind(validation, loss)
        training, other = columns, _columns(validation, loss)
    _check_number(loss, len(training["x"]), settings.batch_size, len(other["x"]))
    for which, part in (("training", training), ("validation", other)):
        _check_finite(part, loss, structure, which)
        _check_labels(part, loss)
    reference = sample.theta if isinstance(sample, ScoreSample) else sample.reference
    scaling = fit_scaling(training["x"], settings.scaling, structure)
    unit = _unit(training, reference, loss, structure)
    local = loss.kind == "score" and settings.score_unit == "local"
    size = _size(training, scaling, unit, local=local)
    frame = Frame(scaling, np.asarray(reference, dtype=float), unit, size)
    usual = _usual_weight(training, scaling)
    parts = (_rows(part, frame, usual, loss) for part in (training, other))
    return Prepared(frame, *parts)


def fingerprint(samples: Mapping[str, Sample | None]) -> str:
    """Digest of the numbers of samples, to see whether a checkpoint belongs to them."""
    digest = hashlib.sha256()
    for name, sample in samples.items():
        digest.update(f"{name}:{type(sample).__name__}".encode())
        for column in ("x", "theta", "reference", "label", "log_ratio", "score", "weight"):
            if getattr(sample, column, None) is not None:
                numbers = np.ascontiguousarray(getattr(sample, column), dtype=np.float64)
                digest.update(f"{column}{numbers.shape}".encode())
                digest.update(numbers.tobytes())
    return digest.hexdigest()
