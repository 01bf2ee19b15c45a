"""Polynomials of a few variables through values at nodes, and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement, product

import numpy as np

from hepflow.inference.records import Floats, Ints

_PLACES = (0.0, 1.0, -1.0, 0.5, -0.5)  # of the nodes in each variable, in the order of the powers


@dataclass(frozen=True)
class Expansion:
    """Polynomials of a total degree in variables that go from -1 to 1.

    There are as many nodes as terms. The first node is the origin.
    """

    powers: Ints  # of each term, shape (n_terms, n_variables)

    @classmethod
    def of(cls, variables: int, degree: int) -> Expansion:
        """All terms up to a degree: 2, 3 or 4.

        Examples
        --------
        >>> Expansion.of(1, 2).nodes.ravel().tolist()
        [0.0, 1.0, -1.0]
        """
        if not 2 <= degree < len(_PLACES):  # noqa: PLR2004 - second derivatives are taken
            raise ValueError(f"a polynomial has degree {degree}; expected 2, 3 or 4")
        # The first column, which is dropped, takes what is missing to the degree.
        chosen = combinations_with_replacement(range(variables + 1), degree)
        powers = [np.bincount(one, minlength=variables + 1)[1:] for one in chosen]
        return cls(np.array(powers, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.powers)

    @property
    def nodes(self) -> Floats:
        """Where values determine a polynomial, shape (n_terms, n_variables)."""
        return np.asarray(np.array(_PLACES)[self.powers], dtype=np.float64)

    def terms(self, places: Floats) -> Floats:
        """All terms at places (n, n_variables), shape (n, n_terms)."""
        found = np.ones((len(places), len(self)))
        for one, powers in zip(places.T, self.powers.T, strict=True):
            found *= (one[:, None] ** np.arange(powers.max() + 1))[:, powers]
        return found

    def coefficients(self, values: Floats) -> Floats:
        """Coefficients of the terms from values at the nodes, both of shape (..., n_terms)."""
        return np.asarray(values @ self._inverse.T, dtype=np.float64)

    @cached_property
    def _inverse(self) -> Floats:
        return np.asarray(np.linalg.inv(self.terms(self.nodes)), dtype=np.float64)

    def derivatives(self, coefficients: Floats, terms: Floats) -> Floats:
        """First and second derivatives of polynomials.

        Parameters
        ----------
        coefficients, terms : ndarray, shape (n, n_terms)
            One polynomial and one place a row.

        Returns
        -------
        ndarray, shape (n, v + v^2)
            By each of the v variables, then by each pair of them.
        """
        of, factor, to, starts = self._lowered
        products = coefficients[:, of] * factor * terms[:, to]
        return np.asarray(np.add.reduceat(products, starts, axis=1), dtype=np.float64)

    @cached_property
    def _lowered(self) -> tuple[Ints, Floats, Ints, Ints]:
        """Terms, their derivatives as a factor times a term, and where each derivative starts."""
        place = {tuple(one): i for i, one in enumerate(self.powers.tolist())}
        unit = np.eye(self.powers.shape[1], dtype=np.int64)
        found: list[tuple[int, int, int]] = []
        starts = []
        for by in [*product(unit), *product(unit, repeat=2)]:
            starts.append(len(found))
            found += self._rows(place, *by)
        of, factor, to = np.array(found).T
        return of, factor.astype(np.float64), to, np.array(starts)

    def _rows(self, place: dict[tuple[int, ...], int], *by: Ints) -> list[tuple[int, int, int]]:
        """Terms that have a derivative, its factor, and the term that it is."""
        rows = []
        for term, powers in enumerate(self.powers):
            factor, lower = 1, powers
            for one in by:
                factor, lower = factor * int(lower @ one), lower - one
            if factor:
                rows.append((term, factor, place[tuple(lower.tolist())]))
        return rows
