"""The whole configuration, validated at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from hepflow.errors import ConfigurationError, Problem
from hepflow.schema.base import Section, place, plain
from hepflow.schema.channels import Channel, GhostObservable, GoodObjectMasks, Selection
from hepflow.schema.checks import cross_checks
from hepflow.schema.datasets import Datasets
from hepflow.schema.estimates import Estimate
from hepflow.schema.execution import Execution
from hepflow.schema.general import General
from hepflow.schema.inference import Inference
from hepflow.schema.plotting import Plotting
from hepflow.schema.preprocess import Preprocess
from hepflow.schema.problems import by_section, problems_of, show
from hepflow.schema.statistics import Statistics
from hepflow.schema.systematics import Corrections, Systematics


class Config(Section):
    """Everything that determines a result.

    Parameters
    ----------
    **sections
        The sections as plain nested containers, functions as values.

    Raises
    ------
    ConfigurationError
        If anything is wrong; it lists all that is wrong, each with its path.

    Examples
    --------
    >>> Config(general={"lumi": -1})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    hepflow.errors.ConfigurationError: the configuration has ...
    """

    not_yet: ClassVar = {
        "mva": "networks do not exist yet",
    }

    general: General = Field(description="Luminosity, weights, switches, folders")
    datasets: Datasets = Field(description="What is processed")
    preprocess: Preprocess = Field(description="Columns and skim")
    baseline_selection: Selection | None = Field(None, description="Required in every channel")
    good_object_masks: GoodObjectMasks = Field(
        default_factory=GoodObjectMasks, description="Objects to keep"
    )
    channels: list[Channel] = Field(default_factory=list, description="Regions")
    ghost_observables: list[GhostObservable] = Field(
        default_factory=list, description="Computed columns"
    )
    corrections: Corrections = Field(
        default_factory=list, description="Corrections of weights and objects; one list, or by year"
    )
    systematics: Systematics = Field(
        default_factory=list,
        description="Sources of uncertainty without a correction; one list, or by year",
    )
    estimates: list[Estimate] = Field(
        default_factory=list, description="Backgrounds that are estimated from data"
    )
    statistics: Statistics = Field(default_factory=Statistics, description="Fit and limit")
    inference: Inference | None = Field(
        None, description="Simulation-based inference; {} is the built-in process, None nothing"
    )
    plotting: Plotting = Field(default_factory=Plotting, description="How plots look")
    execution: Execution = Field(default_factory=Execution, description="Where the work runs")

    def __init__(self, **sections: Any) -> None:
        problems: list[Problem] = []
        try:
            super().__init__(**sections)
        except ValidationError as error:
            problems = problems_of(error, Config)
        tree = plain(sections) if problems else self.to_dict()
        found = {problem.path for problem in problems}
        problems += [one for one in cross_checks(tree) if one.path not in found]
        if problems:
            raise ConfigurationError(by_section(problems, Config))
        place(self, "")
        self._link()

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign a section and validate it."""
        super().__setattr__(name, value)
        self._link()

    def _link(self) -> None:
        """Let sections see what others say about them."""
        self.datasets._config = self  # noqa: SLF001 - the configuration owns its sections
        self.statistics.link(self.general)

    def revalidated(self) -> Config:
        """Validate again from scratch, so that changes in place cannot slip through.

        Raises
        ------
        ConfigurationError
            If a change made the configuration wrong.
        """
        return Config(**self.to_dict())

    @classmethod
    def of(cls, config: Config | Mapping[str, Any]) -> Config:
        """Validate a plain dict, or re-validate a configuration.

        Raises
        ------
        ConfigurationError
            If anything is wrong, or `config` is neither.
        """
        if isinstance(config, Config):
            return config.revalidated()
        if not isinstance(config, Mapping):
            message = f"expected a mapping (dict) of sections, but got {show(config)}."
            raise ConfigurationError([Problem("configuration", message)])
        return cls(**{str(name): section for name, section in config.items()})
