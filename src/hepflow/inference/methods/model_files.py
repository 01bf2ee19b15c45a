"""Files of a trained model: ``model.json``, ``weights.npz`` and ``history.json``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from hepflow.errors import StorageError
from hepflow.inference.methods.checkpoints import (
    Arrays,
    fit_leaves,
    leaves_to_arrays,
    read_arrays,
    write_arrays,
)
from hepflow.inference.methods.history import History
from hepflow.inference.methods.losses import loss_of
from hepflow.inference.methods.preparing import Frame
from hepflow.inference.methods.scaling import FeatureScaling
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.sizes import LocalSize
from hepflow.inference.methods.threads import use_one_thread
from hepflow.inference.needs import need
from hepflow.storage.jsonfile import read_json, write_json
from hepflow.storage.typed import as_record

FORMAT: Final = 2
_FRAME: Final = ("reference", "unit", "mean", "spread", "size", "range")


@dataclass(frozen=True)
class Description:
    """A model without its weights."""

    method: str
    settings: TrainingSettings
    seed: int
    structure: Structure
    frame: Frame
    key: str


@dataclass(frozen=True)
class _Record:
    """What model.json holds."""

    format: int
    method: str
    settings: TrainingSettings
    seed: int
    structure: Structure
    scaling: str  # kind of the feature scaling; its numbers are among the arrays
    logarithm: tuple[bool, ...]
    key: str
    sha256: str  # of weights.npz


def write_model(folder: Path, described: Description, network: Any, history: History) -> None:
    """Write the three files; model.json last, so that it stands for a whole model."""
    import jax

    frame, scaling = described.frame, described.frame.scaling
    arrays: Arrays = {
        "frame_reference": frame.reference,
        "frame_unit": frame.unit,
        "frame_mean": scaling.mean,
        "frame_spread": scaling.spread,
        "frame_size": frame.size.coefficients,
        "frame_range": np.array([frame.size.low, frame.size.high]),
        **{f"knots_{number:04d}": knots for number, knots in enumerate(scaling.knots)},
        **leaves_to_arrays(jax.tree.leaves(network)),
    }
    digest = write_arrays(folder / "weights.npz", arrays)
    write_json(folder / "history.json", dataclasses.asdict(history))
    record = _Record(
        FORMAT,
        described.method,
        described.settings,
        described.seed,
        described.structure,
        scaling.kind,
        scaling.logarithm,
        described.key,
        digest,
    )
    write_json(folder / "model.json", record)


def read_key(folder: Path) -> str | None:
    """Key of the model in a folder, None where there is no finished one."""
    path = folder / "model.json"
    if not path.exists():
        return None
    try:
        return _record(path).key
    except StorageError:  # damaged, or of another version: trained again
        return None


def _record(path: Path) -> _Record:
    record = as_record(_Record, read_json(path, "the training"), str(path))
    if record.format != FORMAT:
        raise StorageError(
            f"{path} has format {record.format}, this version reads {FORMAT}. Train again."
        )
    return record


def read_model(folder: Path) -> tuple[Description, Any, History]:
    """Read what `write_model` wrote."""
    use_one_thread()
    need("equinox")
    import jax

    from hepflow.inference.methods.loops import build_network

    path = folder / "model.json"
    record = _record(path)
    history_path = folder / "history.json"
    history = as_record(History, read_json(history_path, "the training"), str(history_path))
    arrays = read_arrays(folder / "weights.npz", record.sha256)
    frame = _frame(arrays, record)
    loss = loss_of(record.method)
    n_inputs = len(frame.scaling.mean) if loss.kind == "density" else frame.scaling.n_inputs
    rng = np.random.default_rng(0)  # of weights that are replaced
    template = build_network(
        loss, (n_inputs, len(frame.unit)), record.settings, record.structure, rng
    )
    leaves, tree = jax.tree.flatten(template)
    fitted = [jax.numpy.asarray(one) for one in fit_leaves(arrays, leaves, folder / "weights.npz")]
    described = Description(
        record.method, record.settings, record.seed, record.structure, frame, record.key
    )
    return described, jax.tree.unflatten(tree, fitted), history


def _frame(arrays: Arrays, record: _Record) -> Frame:
    missing = {f"frame_{name}" for name in _FRAME} - arrays.keys()
    if missing:
        raise StorageError(f"weights.npz lacks {sorted(missing)}. Train again.")
    knots = tuple(arrays[name] for name in sorted(arrays) if name.startswith("knots_"))
    scaling = FeatureScaling(
        record.scaling, record.logarithm, arrays["frame_mean"], arrays["frame_spread"], knots
    )
    low, high = arrays["frame_range"].tolist()
    size = LocalSize(arrays["frame_size"], low, high)
    return Frame(scaling, arrays["frame_reference"], arrays["frame_unit"], size)
