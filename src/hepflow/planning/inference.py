"""What `hepflow sbi run` would do, and why; nothing is run or written, nor jax imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hepflow.errors import HepflowError
from hepflow.inference.workflow.installed import require_tools
from hepflow.inference.workflow.running import require_files
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.planning.inference_events import STAGE, forecast_events
from hepflow.planning.inference_learning import WHAT, forecast_learning
from hepflow.planning.looking import LookingManager
from hepflow.planning.records import Reason, StageForecast
from hepflow.planning.skims import SkimsForecast
from hepflow.schema import Config, Study

_WHAT: Final = {STAGE: "generate events and join them", **WHAT}


@dataclass(frozen=True)
class StudyForecast:
    """What `hepflow sbi run` would do of a configuration without files of events."""

    config: Study
    folders: LookingManager
    stages: tuple[StageForecast, ...] = ()
    inference: tuple[StageForecast, ...] = ()
    files: None = None
    analysis: None = None


def forecast_study(config: Study | Mapping[str, Any]) -> StudyForecast:
    """Say what `hepflow sbi run` of this configuration would do.

    Parameters
    ----------
    config
        Configuration without datasets; it is validated first.

    Raises
    ------
    ConfigurationError
        If the configuration is wrong.
    """
    study = Study.of(config)
    folders = LookingManager(study.general.output_dir, study.general.cache_dir)
    return StudyForecast(study, folders, inference=inference_stages(study, folders))


def stages_beside(
    config: Config, folders: LookingManager, skims: SkimsForecast
) -> tuple[StageForecast, ...]:
    """What `hepflow sbi run` of a whole configuration would do; nothing without such a section.

    Parameters
    ----------
    config
        It is valid.
    folders
        Where things are kept.
    skims
        What is known of the skims, which events may come from.
    """
    if config.inference is None:
        return ()
    from_skims = config.inference.process.source == "skim"
    return inference_stages(Study.of(config), folders, (config, skims) if from_skims else None)


def inference_stages(
    study: Study, folders: LookingManager, skims: tuple[Config, SkimsForecast] | None = None
) -> tuple[StageForecast, ...]:
    """Events, trainings, limits and figures.

    Parameters
    ----------
    study
        It is valid.
    folders
        Where things are kept.
    skims
        Where events come from skims: the whole configuration, and what is known of them.
    """
    try:
        require_tools(study)
        require_files(study, "run", None)
        spec, folder = PhysicsSpec.of(study), folders.get_custom_dir("inference")
        reuse = study.general.read_from_cache
        events = forecast_events(spec, folder, skims, reuse=reuse)
    except HepflowError as error:
        return _failing((STAGE, *WHAT), error)
    try:
        return (events.stage, *forecast_learning(study, events, folders))
    except HepflowError as error:
        return (events.stage, *_failing(tuple(WHAT), error))


def _failing(names: tuple[str, ...], error: HepflowError) -> tuple[StageForecast, ...]:
    why = (Reason(" ".join(str(error).split())),)
    return tuple(StageForecast(name, _WHAT[name], "fails", why) for name in names)
