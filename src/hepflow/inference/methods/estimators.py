"""A trained network: likelihood ratios, scores and densities of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError
from hepflow.inference.methods.history import History
from hepflow.inference.methods.losses import Loss, loss_of
from hepflow.inference.methods.model_files import Description, read_model, write_model
from hepflow.inference.methods.preparing import Frame
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.threads import use_one_thread
from hepflow.inference.needs import need
from hepflow.inference.records import Floats

_BLOCK: Final = 16384  # rows that a network sees at a time
_SMALLEST: Final = 256
_SEEN: Final = 2  # sets of events that are remembered: data, and those of a calibration


@dataclass(frozen=True)
class Estimator:
    """A trained network with the units it works in."""

    method: str
    settings: TrainingSettings
    seed: int
    structure: Structure
    frame: Frame
    network: Any  # of networks.py or flows.py
    history: History = field(default_factory=History)
    key: str = ""  # of the method, settings, seed, versions and numbers it was trained with
    # Events of late and what a network says of them without theta: fits ask for the same ones often
    _seen: list[tuple[Floats, Floats]] = field(
        init=False, default_factory=list, compare=False, repr=False
    )

    @property
    def loss(self) -> Loss:
        """Row of the table of methods."""
        return loss_of(self.method)

    @property
    def kind(self) -> str:
        """What the network gives: "score", "ratio" or "density"."""
        return self.loss.kind

    @property
    def reference(self) -> Floats:
        """Denominator of the ratio, or where the score is taken, shape (n_parameters,)."""
        return self.frame.reference

    def log_ratio(self, x: ArrayLike, theta: ArrayLike) -> Floats:
        """Estimate log p(x|theta) / p(x|reference).

        Parameters
        ----------
        x : array_like, shape (n, n_observables)
        theta : array_like, shape (m, n_parameters)

        Returns
        -------
        ndarray, shape (m, n)

        Raises
        ------
        InputError
            The method estimates the score only, or a shape does not fit.
        """
        events, points = self._check(x, theta)
        if self.kind == "score":
            raise InputError(
                f"{self.loss.title} estimates the score, not the likelihood ratio. Histogram the "
                "score for a ratio (hepflow.inference.likelihood.score_shape), or train a ratio "
                "method."
            )
        if self.kind == "density":
            both = self._over_pairs(events, np.concatenate([points, self.reference[None]]))
            difference: Floats = both[:-1] - both[-1]
            return difference
        if hasattr(self.network, "polynomial"):
            return self._from_polynomial(events, points)
        return self._over_pairs(events, points)

    def log_density(self, x: ArrayLike, theta: ArrayLike) -> Floats:
        """Estimate log p(x|theta), per unit of the observables; arguments as of `log_ratio`.

        Raises
        ------
        InputError
            The method does not estimate a density.
        """
        events, points = self._check(x, theta)
        if self.kind != "density":
            raise InputError(
                f"{self.loss.title} does not estimate a density; train 'nde' or 'scandal'."
            )
        jacobian = self.frame.scaling.one_to_one(events)[1]
        return self._over_pairs(events, points) + jacobian

    def score(self, x: ArrayLike, theta: ArrayLike | None = None) -> Floats:
        """Estimate d log p(x|theta) / d theta.

        Parameters
        ----------
        x : array_like, shape (n, n_observables)
        theta : array_like, shape (n_parameters,), optional
            Default: the reference, the only point that a score method knows.

        Returns
        -------
        ndarray, shape (n, n_parameters)
            In the inverse units of the parameters.
        """
        point = self.reference if theta is None else np.asarray(theta, dtype=float)
        events, points = self._check(x, np.atleast_2d(point))
        if len(points) != 1:
            raise InputError(f"the score is taken at one parameter point, not at {len(points)}.")
        if self.kind == "score" and not np.array_equal(points[0], self.reference):
            raise InputError(
                f"{self.loss.title} knows the score at its reference {self.reference.tolist()} "
                f"only, not at {points[0].tolist()}. Train it there."
            )
        at = self._rows(points, len(events))
        scores = self._evaluate(_score, self.frame.inputs(events, self.kind), at)
        return scores * self.frame.score_size(events) / self.frame.unit

    def save(self, folder: str | Path) -> None:
        """Write model.json, weights.npz and history.json, the first of them last."""
        write_model(Path(folder), self._description(), self.network, self.history)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        MissingArtifact
            There is no trained model.
        StorageError
            The files are damaged, or of another version.
        """
        described, network, history = read_model(Path(folder))
        return cls(
            described.method,
            described.settings,
            described.seed,
            described.structure,
            described.frame,
            network,
            history,
            described.key,
        )

    def _description(self) -> Description:
        return Description(
            self.method, self.settings, self.seed, self.structure, self.frame, self.key
        )

    def _check(self, x: ArrayLike, theta: ArrayLike) -> tuple[Floats, Floats]:
        events, points = np.asarray(x, dtype=float), np.asarray(theta, dtype=float)
        n_x, n_theta = len(self.frame.scaling.mean), len(self.reference)
        for name, array, wanted in (("x", events, n_x), ("theta", points, n_theta)):
            if array.ndim != 2 or array.shape[1] != wanted:  # noqa: PLR2004 - rows and columns
                raise InputError(
                    f"{name} has shape {array.shape}; expected (any number, {wanted})."
                )
        for column in np.flatnonzero(~np.isfinite(events).all(axis=0)):
            raise InputError(
                f"{self.structure.observable(int(column))} is not finite in some of the events "
                "to be evaluated; cut them away or mend the observable."
            )
        return events, points

    def _rows(self, points: Floats, n_events: int) -> Floats:
        return np.repeat(self.frame.theta(points), n_events, axis=0)

    def _from_polynomial(self, x: Floats, theta: Floats) -> Floats:
        found = self._coefficients(x)
        at, polynomial = self.frame.theta(theta), self.network.polynomial
        total = np.asarray(self.network.total, dtype=float)[None]
        ratio: Floats = polynomial.log_grid(found, at) - polynomial.log_grid(total, at)
        return ratio

    def _coefficients(self, x: Floats) -> Floats:
        for known, found in self._seen:
            if np.array_equal(known, x):
                return found
        inputs = self.frame.inputs(x, self.kind)
        found = self._evaluate(_coefficients, inputs, np.zeros((len(x), len(self.reference))))
        self._seen[:] = [(x.copy(), found), *self._seen[: _SEEN - 1]]
        return found

    def _over_pairs(self, x: Floats, theta: Floats) -> Floats:
        inputs, rows = self.frame.inputs(x, self.kind), self._rows(theta, 1)
        result = np.empty(len(theta) * len(x))
        step = max(_BLOCK, 1)
        for start in range(0, len(result), step):
            pairs = np.arange(start, min(start + step, len(result)))
            point, event = np.divmod(pairs, len(x))
            result[pairs] = self._evaluate(_value, inputs[event], rows[point])
        return result.reshape(len(theta), len(x))

    def _evaluate(self, function: Callable[..., Any], inputs: Floats, theta: Floats) -> Floats:
        """Run a compiled function over blocks of rows; few sizes, so that few are compiled."""
        use_one_thread()
        need("jax")
        blocks = []
        for start in range(0, len(inputs), _BLOCK):
            x, at = inputs[start : start + _BLOCK], theta[start : start + _BLOCK]
            size = _SMALLEST
            while size < len(x):
                size *= 2
            rows = np.minimum(np.arange(size), len(x) - 1)
            found = _compiled(function)(
                self.network, x[rows].astype(np.float32), at[rows].astype(np.float32)
            )
            blocks.append(np.asarray(found, dtype=float)[: len(x)])
        return np.concatenate(blocks) if blocks else np.zeros((0, len(self.reference)))


_COMPILED: dict[Callable[..., Any], Callable[..., Any]] = {}


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    if function not in _COMPILED:
        import equinox as eqx

        _COMPILED[function] = eqx.filter_jit(function)
    return _COMPILED[function]


def _value(network: Any, x: Any, theta: Any) -> Any:
    return network.estimate(x, theta, None, with_score=False)[0]


def _score(network: Any, x: Any, theta: Any) -> Any:
    return network.estimate(x, theta, None, with_score=True)[1]


def _coefficients(network: Any, x: Any, theta: Any) -> Any:
    del theta
    return network.coefficients(x)
