"""Several networks trained alike with other seeds: their mean, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from hepflow.errors import InputError, MissingArtifact
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.losses import Loss
from hepflow.inference.records import Floats


@dataclass(frozen=True)
class ScoreCheck:
    """Mean estimated score of events at the reference, where it should be zero."""

    mean: Floats  # of each member, shape (n_members, n_parameters)
    error: Floats  # statistical, of the same shape

    @property
    def pulls(self) -> Floats:
        """Mean over error: of order one if the estimate is sound."""
        return self.mean / self.error


@dataclass(frozen=True)
class Ensemble:
    """Estimators of one method; used like one `Estimator`, with the mean of what they give.

    Raises
    ------
    InputError
        No member, or members of several methods or references.
    """

    members: tuple[Estimator, ...]

    def __post_init__(self) -> None:
        if not self.members:
            raise InputError("an ensemble needs at least one trained member.")
        first = self.members[0]
        for member in self.members[1:]:
            alike = np.array_equal(member.reference, first.reference)
            if member.method != first.method or not alike:
                raise InputError(
                    f"an ensemble has members of one method and one reference; found "
                    f"{first.method} at {first.reference.tolist()} and {member.method} at "
                    f"{member.reference.tolist()}."
                )

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.members[0].method

    @property
    def loss(self) -> Loss:
        """Row of the table of methods."""
        return self.members[0].loss

    @property
    def kind(self) -> str:
        """What the members give: "score", "ratio" or "density"."""
        return self.members[0].kind

    @property
    def reference(self) -> Floats:
        """Denominator of the ratio, or where the score is taken, shape (n_parameters,)."""
        return self.members[0].reference

    def log_ratio(self, x: ArrayLike, theta: ArrayLike) -> Floats:
        """Mean of the members' log ratios, shape (m, n); see `Estimator.log_ratio`."""
        return _mean([member.log_ratio(x, theta) for member in self.members])

    def log_ratio_spread(self, x: ArrayLike, theta: ArrayLike) -> Floats:
        """Standard deviation of the members' log ratios, shape (m, n)."""
        return _spread([member.log_ratio(x, theta) for member in self.members])

    def log_density(self, x: ArrayLike, theta: ArrayLike) -> Floats:
        """Mean of the members' log densities, shape (m, n)."""
        return _mean([member.log_density(x, theta) for member in self.members])

    def score(self, x: ArrayLike, theta: ArrayLike | None = None) -> Floats:
        """Mean of the members' scores, shape (n, n_parameters); see `Estimator.score`."""
        return _mean([member.score(x, theta) for member in self.members])

    def score_spread(self, x: ArrayLike, theta: ArrayLike | None = None) -> Floats:
        """Standard deviation of the members' scores, shape (n, n_parameters)."""
        return _spread([member.score(x, theta) for member in self.members])

    def expected_score(self, x: ArrayLike, weights: ArrayLike | None = None) -> ScoreCheck:
        """Mean estimated score under the reference: zero for the true score (arXiv:1805.00020).

        Parameters
        ----------
        x : array_like, shape (n, n_observables)
            Events that were not trained on.
        weights : array_like, shape (n,), optional
            Of the events at the reference; default all alike.
        """
        events = np.asarray(x, dtype=float)
        given = np.ones(len(events)) if weights is None else np.asarray(weights, dtype=float)
        if given.shape != (len(events),) or not given.sum() > 0:
            raise InputError(
                f"the weights of {len(events)} events have shape {given.shape} and sum "
                f"{given.sum():g}; one for each event with a positive sum was expected."
            )
        share = given / given.sum()
        scores = np.stack([member.score(events) for member in self.members])
        mean = np.einsum("n,knp->kp", share, scores)
        variance = np.einsum("n,knp->kp", share**2, (scores - mean[:, None]) ** 2)
        return ScoreCheck(mean, np.sqrt(variance))

    def save(self, folder: str | Path) -> None:
        """Write each member to ``member_<k>`` in a folder."""
        for number, member in enumerate(self.members):
            member.save(Path(folder) / f"member_{number}")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read all members in a folder.

        Raises
        ------
        MissingArtifact
            There is none.
        """
        found = sorted(Path(folder).glob("member_*"), key=_number)
        if not found:
            raise MissingArtifact(
                f"{folder} has no trained member (member_0, ...). Run the training first."
            )
        return cls(tuple(Estimator.load(path) for path in found))


def _number(path: Path) -> tuple[int, str]:
    tail = path.name.removeprefix("member_")
    return (int(tail) if tail.isdigit() else -1), tail


def _mean(values: Sequence[Floats]) -> Floats:
    total: Floats = np.mean(values, axis=0)
    return total


def _spread(values: Sequence[Floats]) -> Floats:
    # With one member there is no spread to be known.
    if len(values) == 1:
        return np.full_like(values[0], np.nan)
    spread: Floats = np.std(values, axis=0, ddof=1)
    return spread
