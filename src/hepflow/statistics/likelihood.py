"""Twice the negative log-likelihood of a HistFactory model, with its gradient.

Same numbers as ``pyhf.infer.mle.twice_nll`` (checked at construction), at a fraction of the
time, because a fit with a hundred parameters then needs tens of evaluations, not thousands.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.yields import Yields

Floats = NDArray[np.float64]
_LOG_2PI = math.log(2 * math.pi)
_FLOOR = 1e-9  # expected events below which the logarithm continues as a straight line


@dataclass(frozen=True)
class _Constraints:
    """Auxiliary measurements: normal and Poisson."""

    normal: NDArray[np.int64]  # parameters
    normal_aux: NDArray[np.int64]  # positions in the auxiliary data
    sigma: Floats
    log_sigma: Floats
    poisson: NDArray[np.int64]
    poisson_aux: NDArray[np.int64]
    factor: Floats

    @classmethod
    def of(cls, model: Any) -> _Constraints:
        """Constraints of a pyhf model, in the order of its auxiliary data."""
        entries: dict[str, list[tuple[int, int, float]]] = {"normal": [], "poisson": []}
        position = 0
        for name in model.config.auxdata_order:
            group = model.config.param_set(name)
            widths = group.factors if group.pdf_type == "poisson" else group.width()
            first = model.config.par_slice(name).start
            for k, width in enumerate(widths):
                entries[group.pdf_type].append((first + k, position, float(width)))
                position += 1
        normal, poisson = (
            np.asarray(entries[kind], dtype=np.float64).reshape(-1, 3).T
            for kind in ("normal", "poisson")
        )
        return cls(
            normal[0].astype(np.int64),
            normal[1].astype(np.int64),
            normal[2],
            np.log(normal[2]),
            poisson[0].astype(np.int64),
            poisson[1].astype(np.int64),
            poisson[2],
        )


class Likelihood:
    """Likelihood of a pyhf model for any data.

    Parameters
    ----------
    model : pyhf.Model
        With pyhf's default interpolations (code 4 and 4p).

    Raises
    ------
    WorkspaceError
        The model has no parameter of interest, or uses something whose value differs from
        pyhf's (another interpolation, an unknown modifier).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        config = model.config
        if config.poi_index is None:
            raise WorkspaceError(
                "the model has no parameter of interest. Name one in the measurement (`poi`)."
            )
        self.poi = int(config.poi_index)
        self.labels: tuple[str, ...] = tuple(config.par_names)
        self.init: Floats = np.asarray(config.suggested_init(), dtype=np.float64)
        self.bounds: Floats = np.asarray(config.suggested_bounds(), dtype=np.float64)
        self.fixed: NDArray[np.bool_] = np.asarray(config.suggested_fixed(), dtype=np.bool_)
        self.yields = Yields(model)
        self._constraints = _Constraints.of(model)
        self.n_data = self.yields.n_bins + int(config.nauxdata)
        self._compare_with_pyhf()

    def nominal(self) -> Floats:
        """Parameters of Asimov data: free ones at their start, the others at nominal."""
        parameters = self.init.copy()
        config = self.model.config
        kinds = dict(config.modifiers)
        for name in config.par_order:
            if config.param_set(name).constrained:
                shift = kinds[name] in ("histosys", "normsys")
                parameters[config.par_slice(name)] = 0.0 if shift else 1.0
        return parameters

    @property
    def constrained(self) -> NDArray[np.bool_]:
        """Which parameters have an auxiliary measurement, shape (n_parameters,)."""
        mask = np.zeros(len(self.labels), dtype=np.bool_)
        mask[self._constraints.normal] = mask[self._constraints.poisson] = True
        return mask

    def prefit_uncertainty(self) -> Floats:
        """Width of the constraints; zero for free and for fixed parameters."""
        width = np.zeros(len(self.labels))
        width[self._constraints.normal] = self._constraints.sigma
        width[self._constraints.poisson] = 1 / np.sqrt(self._constraints.factor)
        return np.where(self.fixed, 0.0, width)

    def expected_data(self, parameters: Floats) -> Floats:
        """Asimov data with auxiliary data, shape (n_data,)."""
        aux = np.empty(self.n_data - self.yields.n_bins)
        some = self._constraints
        aux[some.normal_aux] = parameters[some.normal]
        aux[some.poisson_aux] = parameters[some.poisson] * some.factor
        return np.concatenate([self.yields.bins(parameters), aux])

    def checked(self, data: Sequence[float] | Floats) -> Floats:
        """Data as an array.

        Raises
        ------
        WorkspaceError
            Wrong length, a value that is not finite, or a negative count.
        """
        array = np.asarray(data, dtype=np.float64)
        if array.shape != (self.n_data,):
            raise WorkspaceError(
                f"the data have shape {array.shape}; the model expects {self.n_data} numbers "
                f"({self.yields.n_bins} bins, then auxiliary data)."
            )
        if not np.isfinite(array).all() or (array[: self.yields.n_bins] < 0).any():
            raise WorkspaceError("the data hold a value that is negative or not finite.")
        return array

    def twice_nll(self, parameters: Floats, data: Floats) -> float:
        """Twice the negative logarithm of the likelihood."""
        bins = self.yields.bins(parameters)
        main = data[: self.yields.n_bins]
        value = np.sum(_minus_log_rate(bins, main) + _log_factorial(main.tobytes()))
        return float(2 * (value + self._constraint_value(parameters, data[len(main) :])))

    def gradient(self, parameters: Floats, data: Floats) -> Floats:
        """Derivative of `twice_nll` by the parameters, shape (n_parameters,)."""
        main, aux = data[: self.yields.n_bins], data[self.yields.n_bins :]
        _, gradient = self.yields.pull_back(parameters, lambda bins: _rate_slope(bins, main))
        some = self._constraints
        pull = (parameters[some.normal] - aux[some.normal_aux]) / some.sigma**2
        gradient[some.normal] += pull
        rate = parameters[some.poisson] * some.factor
        gradient[some.poisson] += some.factor * _rate_slope(rate, aux[some.poisson_aux])
        return np.asarray(2 * gradient)

    def _constraint_value(self, parameters: Floats, aux: Floats) -> float:
        some = self._constraints
        pull = (parameters[some.normal] - aux[some.normal_aux]) / some.sigma
        normal = pull**2 / 2 + some.log_sigma + _LOG_2PI / 2
        counts = aux[some.poisson_aux]
        rate = parameters[some.poisson] * some.factor
        poisson = _minus_log_rate(rate, counts) + _log_factorial(counts.tobytes())
        return float(np.sum(normal) + np.sum(poisson))

    def saturated(self, data: Floats) -> float:
        """Smallest `twice_nll` that any yields could give, for the goodness of fit."""
        main, aux = data[: self.yields.n_bins], data[self.yields.n_bins :]
        counts = np.concatenate([main, aux[self._constraints.poisson_aux]])
        poisson = np.sum(_minus_log_rate(counts, counts) + _log_factorial(counts.tobytes()))
        normal = np.sum(self._constraints.log_sigma + _LOG_2PI / 2)
        return float(2 * (poisson + normal))

    def digest(self) -> str:
        """SHA-256 of the model's specification, the same wherever it is built."""
        text = json.dumps([self.model.spec, self.labels[self.poi]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _compare_with_pyhf(self) -> None:
        """Refuse a model whose value here is not pyhf's."""
        start = self.nominal()
        data = np.round(self.expected_data(start)[: self.yields.n_bins], 2).clip(min=0)
        data = np.concatenate([data, self.model.config.auxdata])
        for shift in (0.0, 0.3, -1.2):
            moved = start + np.where(self.constrained, shift * self.prefit_uncertainty(), 0.0)
            with np.errstate(all="ignore"):
                theirs = float(-2 * self.model.logpdf(moved, data)[0])
            if not math.isfinite(theirs):
                continue  # outside pyhf's domain: nothing to compare with
            ours = self.twice_nll(moved, data)
            if not math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-7):
                raise WorkspaceError(
                    f"the likelihood of this model is {theirs} in pyhf and {ours} here. "
                    "Use pyhf's default interpolation codes (normsys code 4, histosys code 4p)."
                )


def _minus_log_rate(rate: Floats, counts: Floats) -> Floats:
    """``rate - counts * log(rate)``, continued to rates where there is no logarithm.

    A minimiser may step there; a wall that is finite brings it back, NaN would not.
    """
    inside = np.maximum(rate, _FLOOR)
    line = np.log(inside) + (rate - inside) / _FLOOR
    return np.abs(rate) - np.where(counts > 0, counts * line, 0.0)


def _rate_slope(rate: Floats, counts: Floats) -> Floats:
    inside = np.maximum(rate, _FLOOR)
    return np.where(rate < 0, -1.0, 1.0) - np.where(counts > 0, counts / inside, 0.0)


@functools.lru_cache(maxsize=64)
def _log_factorial(counts: bytes) -> Floats:
    """Of counts as bytes: the same ones come thousands of times in a fit."""
    from scipy.special import gammaln

    return np.asarray(gammaln(np.frombuffer(counts) + 1.0))
