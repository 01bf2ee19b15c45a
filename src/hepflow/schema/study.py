"""The configuration of an inference that stands alone, without files of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from hepflow.errors import ConfigurationError, Problem
from hepflow.schema.base import Section, place, plain
from hepflow.schema.checks_parts import executors_sensible
from hepflow.schema.checks_sbi import SBI_CHECKS
from hepflow.schema.config import Config
from hepflow.schema.execution import Execution
from hepflow.schema.fields import Flag, PathText
from hepflow.schema.general import Luminosity, LuminosityByYear
from hepflow.schema.inference import Inference
from hepflow.schema.plotting import Plotting
from hepflow.schema.problems import by_section, problems_of, show

LUMINOSITY = 300.0  # [1/pb] where a study does not say it


class StudyGeneral(Section):
    """What of the section ``general`` an inference listens to."""

    where = "general"

    lumi: Luminosity | LuminosityByYear = Field(
        LUMINOSITY, description="Integrated luminosity [1/pb]; of several years their sum"
    )
    read_from_cache: Flag = Field(True, description="Reuse what was made with the same key")
    report: Flag = Field(True, description="Make report/index.html")
    output_dir: PathText = Field("outputs", description="Folder of everything that is produced")
    cache_dir: PathText | None = Field(
        None, description="Cache folder; default in the user's cache folder"
    )


class Study(Section):
    """Sections of an inference: what `hepflow sbi` needs of a configuration.

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
    >>> Study().inference.process.source
    'drell_yan'
    """

    general: StudyGeneral = Field(default_factory=StudyGeneral, description="Folders, luminosity")
    inference: Inference = Field(default_factory=Inference, description="The inference")
    plotting: Plotting = Field(default_factory=Plotting, description="How plots look")
    execution: Execution = Field(default_factory=Execution, description="Where the work runs")

    def __init__(self, **sections: Any) -> None:
        problems: list[Problem] = []
        try:
            super().__init__(**sections)
        except ValidationError as error:
            problems = problems_of(error, Study)
        tree = plain(sections) if problems else self.to_dict()
        found = {problem.path for problem in problems}
        for check in (*SBI_CHECKS, executors_sensible):
            problems += [one for one in check(tree) if one.path not in found]
        if problems:
            raise ConfigurationError(by_section(problems, Study))
        place(self, "")

    @property
    def luminosity(self) -> float:
        """Integrated luminosity of the inference [1/pb]."""
        own = self.inference.evaluation.luminosity
        lumi = self.general.lumi
        total = sum(lumi.values()) if isinstance(lumi, dict) else lumi
        return float(own if own is not None else total)

    @classmethod
    def of(cls, config: Study | Config | Mapping[str, Any]) -> Study:
        """Sections of an inference, of whatever has them.

        A mapping with datasets is validated as a whole configuration.

        Raises
        ------
        ConfigurationError
            If anything is wrong, or there is no section ``inference``.
        """
        if isinstance(config, Study):
            return cls(**config.to_dict())
        if isinstance(config, Config) or (isinstance(config, Mapping) and "datasets" in config):
            return cls._of_analysis(Config.of(config))
        if not isinstance(config, Mapping):
            message = f"expected a mapping (dict) of sections, but got {show(config)}."
            raise ConfigurationError([Problem("configuration", message)])
        study = cls(**{str(name): section for name, section in config.items()})
        if study.inference.process.source == "skim":
            message = "'skim' needs the sections datasets and preprocess of this configuration."
            raise ConfigurationError([Problem("inference.process.source", message)])
        return study

    @classmethod
    def _of_analysis(cls, config: Config) -> Study:
        if config.inference is None:
            message = "the configuration has no such section. Expected one; {} is the built-in one."
            raise ConfigurationError([Problem("inference", message)])
        general = {name: getattr(config.general, name) for name in StudyGeneral.model_fields}
        study = cls.model_construct(
            general=StudyGeneral(**general),
            inference=config.inference,
            plotting=config.plotting,
            execution=config.execution,
        )
        place(study, "")
        return study
