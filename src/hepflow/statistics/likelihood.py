"""Twice the negative log-likelihood of a HistFactory model, with its derivatives.

Same numbers as ``pyhf.infer.mle.twice_nll``, at a fraction of the time: derivatives are exact,
and many points are evaluated together.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.bends import all_bends, scalar_bends
from hepflow.statistics.constraints import Constraints, minus_log_rate, rate_bend, rate_slope
from hepflow.statistics.histfactory import Model, read_model
from hepflow.statistics.interpolation import DEFAULT, chosen_codes
from hepflow.statistics.yields import Slopes, Yields

Floats = NDArray[np.float64]
_ROUNDING = 1e-14  # relative, of two evaluations of one likelihood
_SMALL_RATE = 1e-6  # expected events below which a bin has no more weight than there
_SMALL_COUNT = 1e-3  # of the expected events: an empty bin counts for so many


@dataclass(frozen=True)
class Specification:
    """What defines a model."""

    channels: Sequence[Mapping[str, Any]]
    parameters: Sequence[Mapping[str, Any]]  # settings of the measurement
    poi: str | None
    modifier_settings: Mapping[str, Any] | None = None  # pyhf's; None: code 4 and code 4p


@dataclass(frozen=True)
class Expansion:
    """The negative log-likelihood to second order, at many points."""

    gradient: Floats  # shape (n_points, n_parameters)
    slopes: Slopes
    weight: Floats  # second derivative by the yield of a bin, shape (n_points, n_bins)
    cross: Floats  # the same between a parameter of this bin only and all others
    curvature: Floats  # of the constraints, shape (n_points, n_parameters)
    bends: Floats | None  # from bent yields, of the first parameters; None: taken as straight


class Likelihood:
    """Likelihood of a model for any data.

    Parameters
    ----------
    model : Specification or pyhf.Model
        `load_likelihood` makes one from a workspace. A ``pyhf.Model`` is compared with this
        likelihood at once.

    Raises
    ------
    WorkspaceError
        The specification is wrong, or the value differs from that of the ``pyhf.Model``.
    """

    backend = "hepflow"  # who computes
    differentiable = True  # derivatives are exact and cheap

    def __init__(self, model: Any) -> None:
        given = isinstance(model, Specification)
        self.model: Any = None if given else model  # of pyhf, where made from one
        self.specification = model if given else _of_pyhf(model)
        codes = chosen_codes(self.specification.modifier_settings)
        found = read_model(self.specification.channels, self.specification.parameters)
        self.channels: dict[str, slice] = dict(found.channels)
        self.labels: tuple[str, ...] = tuple(label for one in found.sets for label in one.labels)
        self.init: Floats = np.array([value for one in found.sets for value in one.init])
        self.bounds: Floats = np.array([pair for one in found.sets for pair in one.bounds])
        self.fixed: NDArray[np.bool_] = np.array([flag for one in found.sets for flag in one.fixed])
        self._poi = _poi_index(found, self.specification.poi)
        self.yields = Yields(found, codes)
        self._constraints = Constraints.of(found.sets)
        self.n_data = self.yields.n_bins + len(self._constraints.auxdata)
        if self.model is not None:
            self._compare_with(self.model)

    @property
    def has_poi(self) -> bool:
        """Whether the model has a parameter of interest."""
        return self._poi is not None

    @property
    def poi(self) -> int:
        """Index of the parameter of interest.

        Raises
        ------
        WorkspaceError
            There is none.
        """
        if self._poi is None:
            raise WorkspaceError(
                "the model has no parameter of interest. Name one in the measurement (`poi`)."
            )
        return self._poi

    @property
    def auxdata(self) -> Floats:
        """Auxiliary data of the model, shape (n_data - n_bins,)."""
        return self._constraints.auxdata.copy()

    def nominal(self) -> Floats:
        """Parameters of Asimov data: constrained ones that may move at nominal, others at start."""
        return np.where(self.fixed, self.init, self._constraints.nominal(self.init))

    @property
    def constrained(self) -> NDArray[np.bool_]:
        """Which parameters have an auxiliary measurement, shape (n_parameters,)."""
        return np.asarray(self._constraints.width(len(self.labels)) > 0)

    def prefit_uncertainty(self) -> Floats:
        """Width of the constraints; zero for free and for fixed parameters."""
        return np.where(self.fixed, 0.0, self._constraints.width(len(self.labels)))

    def expected_data(self, parameters: Floats) -> Floats:
        """Asimov data with auxiliary data, shape (n_data,), or (n_points, n_data) for many."""
        aux = self._constraints.expected(parameters)
        return np.concatenate([self.yields.bins(parameters), aux], axis=-1)

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
        """Twice the negative logarithm of the likelihood at one point."""
        one = data[np.newaxis]
        return float(self.values(parameters[np.newaxis], one)[0] + self.constants(one)[0])

    def gradient(self, parameters: Floats, data: Floats) -> Floats:
        """Derivative of `twice_nll` by the parameters, shape (n_parameters,)."""
        return np.asarray(self.gradients(parameters[np.newaxis], data[np.newaxis])[0])

    def values(self, parameters: Floats, data: Floats) -> Floats:
        """Twice the negative log-likelihood, without what depends on the data only.

        Parameters
        ----------
        parameters : array, shape (n_points, n_parameters)
        data : array, shape (n_points, n_data) or (1, n_data)

        Returns
        -------
        array, shape (n_points,)
            `constants` is what is missing from `twice_nll`.
        """
        main, aux = self._split(data)
        counts = np.sum(minus_log_rate(self.yields.bins(parameters), main), axis=1)
        return np.asarray(2 * (counts + self._constraints.values(parameters, aux)))

    def constants(self, data: Floats) -> Floats:
        """Part of twice the negative log-likelihood that depends on the data only.

        Parameters
        ----------
        data : array, shape (n_points, n_data)

        Returns
        -------
        array, shape (n_points,)
        """
        main, aux = self._split(data)
        counts = np.concatenate([main, aux[:, self._constraints.poisson_aux]], axis=1)
        if len(counts) == 1:
            return np.array([2 * _sum_log_factorial(counts.tobytes())])
        terms = _log_factorial(counts.reshape(-1)).reshape(counts.shape)
        return np.asarray(2 * np.sum(terms, axis=1))

    def gradients(self, parameters: Floats, data: Floats) -> Floats:
        """Derivatives of `values` by the parameters, shape (n_points, n_parameters)."""
        main, aux = self._split(data)
        parts = self.yields.parts(parameters)
        by_bin = rate_slope(parts.bins, main)
        return 2 * self._slope(parameters, by_bin, self.yields.slopes(parts), aux)

    def expand(self, parameters: Floats, data: Floats, *, exact: bool) -> Expansion:
        """Gradient and second derivatives of half of `values`.

        Parameters
        ----------
        parameters : array, shape (n_points, n_parameters)
        data : array, shape (n_points, n_data) or (1, n_data)
        exact : bool
            Second derivatives as they are, which is right near the minimum. Otherwise yields
            count as straight, and a bin weighs at least as much as is expected (Fisher
            information): nothing is negative then.
        """
        main, aux = self._split(data)
        parts = self.yields.parts(parameters)
        bins, slopes = parts.bins, self.yields.slopes(parts)
        rate, by_bin = np.maximum(bins, _SMALL_RATE), rate_slope(bins, main)
        weight = np.maximum(main, _SMALL_COUNT * rate if exact else rate) / rate**2
        return Expansion(
            self._slope(parameters, by_bin, slopes, aux),
            slopes,
            weight,
            1 / rate if exact else weight,
            self._constraints.curvature(parameters, aux),
            scalar_bends(self.yields, parts, by_bin) if exact else None,
        )

    def hessian(self, parameters: Floats, data: Floats) -> Floats:
        """Second derivatives of `twice_nll`, shape (n_parameters, n_parameters)."""
        main, aux = self._split(data[np.newaxis])
        parts = self.yields.parts(parameters[np.newaxis])
        bins, slopes = parts.bins, self.yields.slopes(parts)
        n_dense, n_par = self.yields.n_dense, len(parameters)
        whole = np.zeros((self.yields.n_bins, n_par))
        whole[:, :n_dense] = slopes.dense[0]
        whole[self.yields.single_bins, np.arange(n_dense, n_par)] = slopes.single[0]
        matrix = whole.T @ (rate_bend(bins, main)[0][:, np.newaxis] * whole)
        matrix += all_bends(self.yields, parts, rate_slope(bins, main)[0])
        index = np.arange(n_par)
        matrix[index, index] += self._constraints.bends(parameters[np.newaxis], aux)[0]
        return np.asarray(2 * matrix)

    def saturated(self, data: Floats) -> float:
        """Smallest `twice_nll` that any yields could give, for the goodness of fit."""
        main, aux = self._split(data[np.newaxis])
        counts = np.concatenate([main, aux[:, self._constraints.poisson_aux]], axis=1)
        poisson = float(np.sum(minus_log_rate(counts, counts)))
        constant = float(self.constants(data[np.newaxis])[0])
        return 2 * (poisson + self._constraints.normal_constant) + constant

    def digest(self) -> str:
        """SHA-256 of the model's specification, the same wherever it is built."""
        some = self.specification
        content: list[Any] = [{"channels": some.channels, "parameters": some.parameters}]
        content.append("" if self._poi is None else self.labels[self._poi])
        codes = chosen_codes(some.modifier_settings)
        if codes != DEFAULT:
            content.append(codes)
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _split(self, data: Floats) -> tuple[Floats, Floats]:
        return data[:, : self.yields.n_bins], data[:, self.yields.n_bins :]

    def _slope(self, parameters: Floats, by_bin: Floats, slopes: Slopes, aux: Floats) -> Floats:
        gradient = np.empty_like(parameters)
        n_dense = self.yields.n_dense
        gradient[:, :n_dense] = (by_bin[:, np.newaxis] @ slopes.dense)[:, 0]
        gradient[:, n_dense:] = by_bin[:, self.yields.single_bins] * slopes.single
        self._constraints.add_slopes(gradient, parameters, aux)
        return gradient

    def _compare_with(self, model: Any) -> None:
        """Refuse a model whose value here is not pyhf's."""
        start = self.nominal()
        data = np.round(self.expected_data(start)[: self.yields.n_bins], 2).clip(min=0)
        data = np.concatenate([data, model.config.auxdata])
        # each count gives terms of about count * log(count) that nearly cancel: both sides round
        rounding = 1e-7 + _ROUNDING * float(np.sum(np.abs(data) * np.log1p(np.abs(data))))
        for shift in (0.0, 0.3, -1.2):
            moved = start + np.where(self.constrained, shift * self.prefit_uncertainty(), 0.0)
            with np.errstate(all="ignore"):
                theirs = float(-2 * model.logpdf(moved, data)[0])
            if not math.isfinite(theirs):
                continue  # outside pyhf's domain: nothing to compare with
            ours = self.twice_nll(moved, data)
            if not math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=rounding):
                raise WorkspaceError(
                    f"the likelihood of this model is {theirs} in pyhf and {ours} here. "
                    "Build the model without options that change pyhf's yields (clipping, "
                    "modifiers of one's own)."
                )


def _of_pyhf(model: Any) -> Specification:
    with_settings = dict(model.config.modifier_settings)
    settings = model.spec.get("parameters", [])
    return Specification(model.spec["channels"], settings, model.config.poi_name, with_settings)


def _poi_index(found: Model, name: str | None) -> int | None:
    if not name:
        return None
    sets = {one.name: one for one in found.sets}
    if name not in sets:
        near = difflib.get_close_matches(name, sets, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(sets))}."
        raise WorkspaceError(f"the parameter of interest {name!r} is not in the model. {hint}")
    if len(sets[name].init) > 1:
        raise WorkspaceError(
            f"{name!r} has {len(sets[name].init)} parameters and cannot be the parameter of "
            "interest. Name one that acts on all bins."
        )
    return found.first[name]


def _log_factorial(counts: Floats) -> Floats:
    """Logarithm of ``n!``, with the standard library: scipy takes long to import."""
    return np.array([math.lgamma(count + 1.0) for count in counts.tolist()])


@functools.lru_cache(maxsize=64)
def _sum_log_factorial(counts: bytes) -> float:
    """Of counts as bytes: the same ones come thousands of times in a fit."""
    return float(np.sum(_log_factorial(np.frombuffer(counts))))
