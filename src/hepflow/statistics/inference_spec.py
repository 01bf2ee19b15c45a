"""What is asked of the inference beyond the fit, from the section ``statistics``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from hepflow.errors import ConfigurationError, InputError, Problem
from hepflow.schema.statistics import Statistics
from hepflow.statistics.bestfit import parameter_index
from hepflow.statistics.likelihood import Likelihood
from hepflow.statistics.toys import ToySpec

Calculator = Literal["asymptotic", "toys"]


@dataclass(frozen=True, slots=True)
class InferenceSpec:
    """Calculators, and which results are made."""

    calculator: Calculator = "asymptotic"  # of limit and significance
    toys: ToySpec = field(default_factory=ToySpec)
    minos: tuple[str, ...] = ()  # parameters with intervals from the profiled likelihood
    ranking: bool = True
    scans: tuple[tuple[str, ...], ...] = ()  # one or two parameters each
    goodness_of_fit: Calculator = "asymptotic"

    @classmethod
    def from_section(cls, section: Statistics) -> InferenceSpec:
        """Take the fields of a validated section."""
        return cls(
            calculator=section.calculator,
            toys=ToySpec(section.toys, section.seed),
            minos=tuple(section.minos),
            ranking=section.ranking,
            scans=tuple(tuple(one) for one in section.scans),
            goodness_of_fit=section.goodness_of_fit,
        )

    def require_parameters(self, likelihood: Likelihood) -> None:
        """Check the names against the model, before anything is fitted.

        Raises
        ------
        ConfigurationError
            Names all parameters that the model does not have or does not move.
        """
        problems = [
            Problem(path, why)
            for path, name in self._named()
            if (why := _why_not(likelihood, name)) is not None
        ]
        if problems:
            raise ConfigurationError(problems)

    def _named(self) -> Iterator[tuple[str, str]]:
        for k, name in enumerate(self.minos):
            yield f"statistics.minos[{k}]", name
        for k, names in enumerate(self.scans):
            for j, name in enumerate(names):
                yield f"statistics.scans[{k}][{j}]", name


def _why_not(likelihood: Likelihood, name: str) -> str | None:
    """Reason why there is no interval and no scan of a parameter."""
    try:
        index = parameter_index(likelihood, name)
    except InputError as error:
        return str(error)
    if likelihood.fixed[index]:
        return f"{name!r} is fixed in the model; expected a parameter that is free"
    return None
