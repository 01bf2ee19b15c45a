"""Likelihood of binned observables: the histogram fit, and the local models of the score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepflow.errors import FitError, InputError
from hepflow.inference.likelihood.binning import Binning
from hepflow.inference.likelihood.model import Likelihood, Sets, rate_of
from hepflow.inference.likelihood.simulation import Bins, Simulation
from hepflow.inference.records import Floats, Ints

Summary = Callable[[Floats], Floats]  # x (n, d) -> what is binned (n, k)


@dataclass(frozen=True)
class Binned:
    """Shape of binned events: the share of each bin at any point, by morphing of histograms.

    With a `Rate` of the same cross-section it is the product of Poisson distributions of the
    bins: a Poisson number of events that are dealt out to the bins.
    """

    binning: Binning
    summary: Summary  # what is binned
    simulation: Simulation
    index: Ints  # bin of each simulated event
    contents: Floats  # at the benchmarks, shape (n_bins, n_benchmarks) [pb]

    @classmethod
    def of(cls, simulation: Simulation, binning: Binning, summary: Summary) -> Binned:
        """Fill the histograms of the benchmarks.

        Parameters
        ----------
        simulation : Simulation
            Events with weights.
        binning : Binning
            Of what `summary` returns.
        summary : callable
            Of events, (n, n_observables) -> (n, k).
        """
        index = binning.index(summary(simulation.x))
        contents = np.stack([
            np.bincount(index, column, minlength=binning.size) for column in simulation.weights.T
        ], axis=1)  # fmt: skip
        return cls(binning, summary, simulation, index, contents.astype(np.float64))

    def expected(self, theta: Floats) -> Floats:
        """Cross-section of each bin [pb], shape (m, n_bins)."""
        return self.simulation.contents(Bins(self.contents, self.index), theta)

    def on(self, x: Floats, counts: Any) -> Sets:
        """See `hepflow.inference.likelihood.model.Shape`; the bins are filled once."""
        filled = self.fill(x, counts)
        used = filled.sum(axis=0) > 0
        return lambda theta: self._sums(filled[:, used], used, theta)

    def _sums(self, filled: Floats, used: np.ndarray, theta: Floats) -> Floats:
        nominal = self.expected(theta)
        bad = ~(nominal[:, used] > 0).all(axis=0)
        if bad.any():
            raise FitError(
                f"{int(bad.sum())} of {self.binning.size} bins have events where the simulation "
                "expects none at some point of the grid. Use fewer bins, or more simulated events."
            )
        shares = nominal[:, used] / nominal.sum(axis=1, keepdims=True)
        return np.asarray(filled @ np.log(shares).T, dtype=np.float64)

    def fill(self, x: Floats, counts: Any) -> Floats:
        """Contents of each bin for each set of data, shape (k, n_bins)."""
        from scipy.sparse import csr_array

        index = self.binning.index(self.summary(x))
        places = (np.ones(len(x)), (np.arange(len(x)), index))
        membership = csr_array(places, shape=(len(x), self.binning.size))
        filled = counts @ membership
        dense = filled.toarray() if hasattr(filled, "toarray") else filled
        return np.asarray(dense, dtype=np.float64)


@dataclass(frozen=True)
class Sallino:
    """Shape from the score's component along theta - reference, binned anew for each theta.

    J. Brehmer, K. Cranmer, G. Louppe, J. Pavez, arXiv:1805.00020: one dimension, whatever the
    number of parameters.
    """

    simulation: Simulation
    score: Summary  # estimated score at the reference, (n, d) -> (n, p)
    reference: Floats  # shape (p,)
    bins: int

    def on(self, x: Floats, counts: Any) -> Sets:
        """See `hepflow.inference.likelihood.model.Shape`; scores are estimated once."""
        scores, simulated = self.score(x), self.score(self.simulation.x)
        at_reference = self.simulation.probabilities(self.reference)

        def sums(theta: Floats) -> Floats:
            parts = []
            for point in theta:
                way = point[: len(self.reference)] - self.reference
                if not way.any():
                    parts.append(np.zeros(counts.shape[0]))
                    continue
                logs = self._log_ratio(scores @ way, simulated @ way, at_reference, point)
                parts.append(np.asarray(counts @ logs, dtype=np.float64))
            return np.stack(parts, axis=1)

        return sums

    def _log_ratio(
        self, along: Floats, simulated: Floats, at_reference: Floats, point: Floats
    ) -> Floats:
        """Log ratio to the reference of each event, by its bin."""
        shares = telling(simulated[:, None], at_reference)
        binning = Binning.equal_shares(simulated[:, None], shares, [self.bins])
        index = binning.index(simulated[:, None])
        here = np.bincount(index, self.simulation.at(point), minlength=self.bins)
        there = np.bincount(index, at_reference, minlength=self.bins)
        if not (here > 0).all():
            raise FitError(
                f"a bin of the score has no expectation at ({', '.join(f'{t:g}' for t in point)}). "
                "Use fewer bins, or more simulated events."
            )
        logs = np.log(here / here.sum()) - np.log(there / there.sum())
        return np.asarray(logs[binning.index(along[:, None])], dtype=np.float64)


def score_shape(
    score: Summary,
    simulation: Simulation,
    reference: Floats,
    *,
    kind: str = "sally",
    bins: int | None = None,
) -> Binned | Sallino:
    """Local model: the density of the estimated score, from histograms of simulated events.

    The score is the sufficient statistic near its reference only. Far from it, intervals are
    wider than they could be, but right: the histograms are of the events at each point.

    Parameters
    ----------
    score : callable
        Estimated score of events, (n, d) -> (n, p).
    simulation : Simulation
        Events that fill the histograms; not those of the training.
    reference : ndarray, shape (p,)
        Where the score was estimated.
    kind : {"sally", "sallino"}
        All components of the score, or the one along theta - reference.
    bins : int, optional
        Of each component. Default: some times the cubic root of the number of events, shared.

    Notes
    -----
    Bins hold equal shares of events and information together. Shares of events alone leave the
    few events with large scores, which tell most, in bins that are too wide; with many more bins
    the fluctuations of the simulation look like information.

    Raises
    ------
    InputError
        The kind is unknown.
    """
    if kind not in {"sally", "sallino"}:
        raise InputError(f"a local model is 'sally' or 'sallino'; {kind!r} is neither.")
    p = len(np.ravel(reference))
    usual = max(round(len(simulation) ** (1.0 / 3.0)), 4)
    if kind == "sallino":
        return Sallino(simulation, score, np.asarray(reference, dtype=np.float64), bins or usual)
    each = bins or max(round((usual * 5) ** (1.0 / p)), 3)
    scores = score(simulation.x)
    weights = telling(scores, simulation.probabilities(reference))
    binning = Binning.equal_shares(scores, weights, [each] * p)
    return Binned.of(simulation, binning, score)


def telling(scores: Floats, weights: Floats) -> Floats:
    """Weights of events, half by their number and half by their part of the information.

    Parameters
    ----------
    scores : ndarray, shape (n, p)
        At the reference.
    weights : ndarray, shape (n,)
        Not negative, sum 1.
    """
    inverse = np.linalg.pinv(np.einsum("n,ni,nj->ij", weights, scores, scores), hermitian=True)
    parts = weights * np.einsum("ni,ij,nj->n", scores, inverse, scores)
    total = parts.sum()
    if not total > 0:
        return weights
    return np.asarray(0.5 * (weights + parts / total), dtype=np.float64)


def histogram_likelihood(
    simulation: Simulation,
    columns: Sequence[int],
    binning: Binning,
    luminosity: float,
    *,
    rate: bool = True,
) -> Likelihood:
    """Likelihood of a histogram of one or several observables: bins with Poisson contents.

    Parameters
    ----------
    simulation : Simulation
        Events that fill the histograms of the benchmarks.
    columns : sequence of int
        Observables, by their place in the events.
    binning : Binning
        Of these observables.
    luminosity : float
        Integrated luminosity [1/pb].
    rate : bool
        Whether the total counts; without, the bins are multinomial.
    """
    chosen = list(columns)
    shape = Binned.of(simulation, binning, lambda x: x[:, chosen])
    number = rate_of(simulation, luminosity) if rate else None
    return Likelihood(simulation.parameters, shape, number, simulation.constraints)


def bins_of(binning: Binning, x: Floats, counts: Floats) -> Ints | Floats:
    """Contents of a histogram, shape of the binning."""
    index = binning.index(x)
    return np.bincount(index, counts, minlength=binning.size).reshape(binning.shape)
