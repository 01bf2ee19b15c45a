"""The built-in process, q qbar -> gamma*/Z -> mu- mu+, with its exact marginal likelihood.

An event is observed as mass, rapidity and cosine of the pair; the flavour of the quark and the
proton it came from are not. Known, they give each event a weight that is an exact quadratic
function of the coefficients (the joint likelihood ratio and score); summed over, they give the
likelihood of what is observed, which the estimators have to find from the former.

The cosine is that of the mu- with the z axis in the rest frame of the pair (at leading order, the
Collins-Soper angle). The axis points along the boost of the pair, as usual in proton collisions,
where the quark is more often in the direction of the boost; or along the beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError
from hepflow.inference.physics.drell_yan_amplitudes import (
    PARAMETERS,
    monomial_gradients,
    monomials,
    partonic,
)
from hepflow.inference.physics.drell_yan_sampling import Latent, draw
from hepflow.inference.physics.parton_events import PartonEvents
from hepflow.inference.physics.parton_luminosities import Luminosities, Source, luminosities
from hepflow.inference.physics.quadrature import SQUARES, nodes
from hepflow.inference.records import Benchmark, EventTable, Floats

Seed = int | np.random.SeedSequence

FEATURES = ("mass", "rapidity", "cos_theta")
BLOCK = 200_000  # events at once: 40 parameter points of them are 64 MB


@dataclass(frozen=True)
class DrellYanSettings:
    """What the built-in process can be told."""

    energy: float = 13_000.0  # of the collision [GeV]
    mass_min: float = 300.0  # [GeV]; below, next to nothing is seen of the coefficients
    mass_max: float | None = None  # [GeV]; default: the kinematic limit
    pdf: Source = "auto"  # "pythia8", "analytic", or the former where it is installed
    cos_axis: Literal["boost", "beam"] = "boost"  # from where the angle of the mu- is measured


@dataclass(frozen=True)
class Information:
    """Fisher information in the two parameters, each of shape (2, 2), in TeV^4."""

    kinematics: Floats  # from the distribution of the observables
    rate: Floats  # from the number of events

    @property
    def full(self) -> Floats:
        """Both together."""
        return self.kinematics + self.rate


class DrellYan:
    """Events and exact likelihood; parameter points are (C_LL, C_RR) in 1/TeV^2."""

    parameters = PARAMETERS
    features = FEATURES

    def __init__(self, settings: DrellYanSettings | None = None) -> None:
        self.settings = settings or DrellYanSettings()
        own = self.settings.mass_max
        self.mass_max = self.settings.energy if own is None else own
        if not 0 < self.settings.mass_min < self.mass_max <= self.settings.energy:
            raise InputError(
                f"masses from {self.settings.mass_min} to {self.mass_max} GeV at a collision "
                f"energy of {self.settings.energy} GeV: expected 0 < mass_min < mass_max <= energy."
            )

    @cached_property
    def luminosities(self) -> Luminosities:
        """The table of parton luminosities, made at first use."""
        return luminosities(
            self.settings.energy, self.settings.mass_min, self.mass_max, self.settings.pdf
        )

    @property
    def provenance(self) -> dict[str, Any]:
        """What the events depend on."""
        return {
            "generator": "hepflow q qbar -> gamma*/Z -> mu- mu+, leading order",
            "pdf": self.luminosities.pdf,
            "settings": asdict(self.settings),
        }

    def generate(
        self, n: int, benchmarks: Sequence[Benchmark], sampled_from: int, seed: Seed
    ) -> PartonEvents:
        """Generate unweighted events at a benchmark, with weights at all of them.

        Parameters
        ----------
        n : int
            Number of events.
        benchmarks : sequence of Benchmark
            Their values are (C_LL, C_RR) [1/TeV^2].
        sampled_from : int
            Index of the benchmark that the events follow: there, all weights are the same.
        seed : int or numpy.random.SeedSequence
            The same seed gives the same events; jobs take children of one sequence.
        """
        if n < 1:
            raise InputError(f"{n} events are asked for; expected at least one.")
        points = _points(benchmarks)
        rng = np.random.default_rng(seed)
        latent = draw(self.luminosities, points[sampled_from], n, rng)
        ratio = self._joint(latent) @ monomials(points).T
        ratio /= ratio[:, [sampled_from]]
        weights = ratio * self.cross_section(points[sampled_from]) / n
        origin = np.full(n, sampled_from, dtype=np.int64)
        return PartonEvents(
            **{name: getattr(latent, name) for name in Latent.__dataclass_fields__},
            benchmarks=tuple(benchmarks),
            weights=weights,
            sampled_from=origin,
            energy=self.settings.energy,
        )

    def table(
        self,
        n_events: int,
        benchmarks: Sequence[Benchmark],
        seed: Seed,
        sampled_from: Sequence[int] | None = None,
    ) -> EventTable:
        """Generate events from several benchmarks, in random order, as the observables see them.

        Parameters
        ----------
        n_events : int
            Number of events of all benchmarks together.
        benchmarks : sequence of Benchmark
            As in `generate`.
        seed : int or numpy.random.SeedSequence
            Each benchmark gets a child of it.
        sampled_from : sequence of int, optional
            Indices of the benchmarks to draw from, in equal numbers. Default: all.
        """
        chosen = list(range(len(benchmarks)) if sampled_from is None else sampled_from)
        seeds = _sequence(seed).spawn(len(chosen) + 1)
        counts = [len(part) for part in np.array_split(np.arange(n_events), len(chosen))]
        parts = [
            self.generate(count, benchmarks, index, one)
            for index, count, one in zip(chosen, counts, seeds, strict=False)
        ]
        x = np.concatenate([self.observe(part) for part in parts])
        origin = np.concatenate([part.sampled_from for part in parts])
        joint = np.concatenate([self._joint(part) for part in parts])
        weights = self._mixture(joint, benchmarks, dict(zip(chosen, counts, strict=True)))
        order = np.random.default_rng(seeds[-1]).permutation(len(x))
        provenance = {**self.provenance, "seed": _entropy(seed), "detector": "none"}
        return EventTable(
            self.parameters,
            tuple(benchmarks),
            self.features,
            x[order],
            weights[order],
            origin[order],
            provenance=provenance,
        )

    def observe(self, events: PartonEvents) -> Floats:
        """Return the observables of events, shape (n, 3), in the order of `features`."""
        cosine = events.cos_beam
        if self.settings.cos_axis == "boost":
            cosine = cosine * np.where(events.rapidity < 0, -1.0, 1.0)
        return np.stack([events.mass, events.rapidity, cosine], axis=1)

    def _mixture(
        self, joint: Floats, benchmarks: Sequence[Benchmark], counts: dict[int, int]
    ) -> Floats:
        """Weights of events that were drawn from several benchmarks.

        Over the density of the mixture of all (Veach and Guibas 1995), so that no event weighs
        much because the benchmark that it happened to be drawn from has next to nothing there.
        """
        points = _points(benchmarks)
        densities = joint @ monomials(points).T
        drawn = [counts.get(i, 0) / self.cross_section(one) for i, one in enumerate(points)]
        return np.asarray(densities / (densities @ np.array(drawn))[:, None], dtype=float)

    def _joint(self, events: PartonEvents | Latent) -> Floats:
        """Joint densities' factors of the monomials, up to a factor per event, shape (n, 5)."""
        up = 1 - events.flavour % 2
        shapes = partonic(events.mass)[np.arange(len(events.mass)), up]
        cosine = events.cos_quark[:, None]
        return np.asarray(
            shapes[:, 0] * (1 + cosine) ** 2 + shapes[:, 1] * (1 - cosine) ** 2, dtype=float
        )

    def joint_score(self, events: PartonEvents, theta: ArrayLike) -> Floats:
        """Return d log p(x, z|theta) / d theta [TeV^2], z: flavour and direction; shape (n, 2)."""
        return self._score_of(self._joint(events), theta)

    def joint_log_ratio(
        self, events: PartonEvents, theta: ArrayLike, reference: ArrayLike
    ) -> Floats:
        """Return log p(x, z|theta) / p(x, z|reference); theta (m, 2), result (m, n)."""
        return self._log_ratio_of(self._joint(events), theta, reference)

    def components(self, x: Floats) -> Floats:
        """Return d sigma / dm dy dcos [pb/GeV]: factors of the monomials of the coefficients.

        Parameters
        ----------
        x : array, shape (n, 3)
            Mass [GeV], rapidity, cosine. Outside of what the process can make the result is 0.

        Returns
        -------
        array, shape (n, 5)
            Of 1, C_LL, C_RR, C_LL^2, C_RR^2.
        """
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != len(FEATURES):  # noqa: PLR2004  # a table
            raise InputError(f"observables of shape {x.shape}; expected (n, 3): {FEATURES}")
        blocks = [self._components(x[start : start + BLOCK]) for start in range(0, len(x), BLOCK)]
        return np.concatenate(blocks) if blocks else np.empty((0, 5))

    def _components(self, x: Floats) -> Floats:
        mass, rapidity, cosine = x.T
        inside = (mass >= self.settings.mass_min) & (mass <= self.mass_max) & (np.abs(cosine) <= 1)
        safe = np.where(inside, mass, self.settings.mass_min)
        inside &= np.abs(rapidity) <= self.luminosities.limit(safe)
        if self.settings.cos_axis == "boost":
            cosine = cosine * np.where(rapidity < 0, -1.0, 1.0)
        quark = self.luminosities.of_types(safe, np.where(inside, rapidity, 0.0))
        ahead, back = (1 + cosine) ** 2, (1 - cosine) ** 2
        forward = quark[..., 0] * ahead[:, None] + quark[..., 1] * back[:, None]
        backward = quark[..., 0] * back[:, None] + quark[..., 1] * ahead[:, None]
        shapes = partonic(safe) * np.stack([forward, backward], axis=2)[..., None]
        result = shapes.sum(axis=(1, 2)) * (2 / safe)[:, None]
        return np.asarray(np.where(inside[:, None], result, 0.0), dtype=float)

    def cross_section(self, theta: ArrayLike) -> Any:
        """Cross-section [pb], a number for theta of shape (2,), else of shape theta.shape[:-1]."""
        return monomials(theta) @ self._totals

    def log_likelihood(self, x: Floats, theta: ArrayLike) -> Floats:
        """Exact log density of the observables, per GeV, shape (n,).

        Parameters
        ----------
        x : array, shape (n, 3)
            Observables; -inf where the process cannot make them.
        theta : array, shape (2,) or (n, 2)
            One parameter point for all events, or one for each.
        """
        point = monomials(theta)
        with np.errstate(divide="ignore"):
            return np.asarray(
                np.log((self.components(x) * point).sum(axis=1)) - np.log(point @ self._totals),
                dtype=float,
            )

    def log_ratio(self, x: Floats, theta: ArrayLike, reference: ArrayLike = (0.0, 0.0)) -> Floats:
        """Exact log p(x|theta) / p(x|reference); theta (m, 2), result (m, n)."""
        return self._log_ratio_of(self.components(x), theta, reference)

    def score(self, x: Floats, theta: ArrayLike = (0.0, 0.0)) -> Floats:
        """Exact d log p(x|theta) / d theta [TeV^2], shape (n, 2); theta (2,) or (n, 2)."""
        return self._score_of(self.components(x), theta)

    def _log_ratio_of(self, factors: Floats, theta: ArrayLike, reference: ArrayLike) -> Floats:
        points = np.atleast_2d(np.asarray(theta, dtype=float))
        log_density = np.log(factors @ monomials(points).T) - np.log(self.cross_section(points))
        base = np.log(factors @ monomials(reference)) - np.log(self.cross_section(reference))
        return np.asarray((log_density - base[:, None]).T, dtype=float)

    def _score_of(self, factors: Floats, theta: ArrayLike) -> Floats:
        slope, value = monomial_gradients(theta), monomials(theta)
        shape = np.einsum("nk,...kp->np" if slope.ndim == 2 else "nk,nkp->np", factors, slope)  # noqa: PLR2004  # one point
        rate = np.einsum("k,...kp->...p", self._totals, slope)
        here = (factors * value).sum(axis=1)
        return np.asarray(
            shape / here[:, None] - rate / np.expand_dims(value @ self._totals, -1), dtype=float
        )

    def information(self, theta: ArrayLike, luminosity: float = 1.0) -> Information:
        """Fisher information by quadrature.

        Parameters
        ----------
        theta : array, shape (2,)
            Parameter point.
        luminosity : float
            [1/pb].
        """
        slope, value = monomial_gradients(theta), monomials(theta)
        factors, volume = self._nodes
        derivative = factors @ slope
        full = np.einsum("n,ni,nj->ij", volume / (factors @ value), derivative, derivative)
        gradient = self._totals @ slope
        rate = np.outer(gradient, gradient) / self.cross_section(theta)
        return Information(luminosity * (full - rate), luminosity * rate)

    @cached_property
    def _totals(self) -> Floats:
        """Cross-section's factors of the monomials [pb], shape (5,)."""
        x, volume = nodes(self.luminosities, SQUARES)
        return np.asarray(volume @ self.components(x), dtype=float)

    @cached_property
    def _nodes(self) -> tuple[Floats, Floats]:
        """Components at the nodes of the quadrature, and the nodes' volumes [GeV]."""
        x, volume = nodes(self.luminosities)
        return self.components(x), volume


def _points(benchmarks: Sequence[Benchmark]) -> Floats:
    points = np.array([one.values for one in benchmarks], dtype=float)
    if points.ndim != 2 or points.shape[1] != len(PARAMETERS) or not np.isfinite(points).all():  # noqa: PLR2004  # a table
        raise InputError(
            f"benchmarks {[one.values for one in benchmarks]}: expected at least one, each with "
            "two finite values, of C_LL and C_RR [1/TeV^2]."
        )
    return points


def _sequence(seed: Seed) -> np.random.SeedSequence:
    """A fresh sequence: spawning from the one that was given would change it for the next call."""
    if isinstance(seed, np.random.SeedSequence):
        return np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
    return np.random.SeedSequence(seed)


def _entropy(seed: Seed) -> str:
    sequence = _sequence(seed)
    return f"{sequence.entropy}, spawn key {list(sequence.spawn_key)}"
