"""Events of the built-in process with all that is known about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hepflow.inference.records import Benchmark, Floats, Ints


@dataclass(frozen=True)
class PartonEvents:
    """Pairs of muons at parton level; the quark and its direction are known here only."""

    mass: Floats  # of the pair [GeV], shape (n,)
    rapidity: Floats  # of the pair, shape (n,)
    cos_quark: Floats  # cosine between mu- and quark in the rest frame of the pair, shape (n,)
    phi: Floats  # azimuth of the mu- [rad], shape (n,)
    flavour: Ints  # PDG id of the quark, 1 to 5, shape (n,)
    direction: Ints  # of the quark: +1 or -1 along z, shape (n,)
    benchmarks: tuple[Benchmark, ...]
    weights: Floats  # [pb], shape (n, n_benchmarks); their sum is the benchmark's cross-section
    sampled_from: Ints  # index of the benchmark, shape (n,)
    energy: float  # of the collision [GeV]

    def __len__(self) -> int:
        return len(self.mass)

    @property
    def cos_beam(self) -> Floats:
        """Cosine between mu- and +z in the rest frame of the pair, shape (n,)."""
        return self.cos_quark * self.direction

    def muons(self) -> Floats:
        """Momenta in the laboratory, shape (n, 2, 4): mu- and mu+; px, py, pz, E [GeV]."""
        half, cosine = self.mass / 2, self.cos_beam
        pt = half * np.sqrt(1 - cosine**2)
        minus, plus = np.exp(-self.rapidity), np.exp(self.rapidity)
        result = np.empty((len(self), 2, 4))
        for index, sign in enumerate((1.0, -1.0)):
            ahead = half * (1 + sign * cosine) * plus  # E + pz
            back = half * (1 - sign * cosine) * minus  # E - pz
            result[:, index, 0] = sign * pt * np.cos(self.phi)
            result[:, index, 1] = sign * pt * np.sin(self.phi)
            result[:, index, 2] = (ahead - back) / 2
            result[:, index, 3] = (ahead + back) / 2
        return result

    def momentum_fractions(self) -> Floats:
        """Fractions x of the partons along +z and -z, shape (n, 2)."""
        root = self.mass / self.energy
        return np.stack([root * np.exp(self.rapidity), root * np.exp(-self.rapidity)], axis=1)
