"""Which step of an inference made a file of the output folder, and where its key comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from hepflow.inference.workflow.physics import EVENTS, SUMMARY
from hepflow.inference.workflow.results import FILES, METHODS
from hepflow.planning.inference_events import JOBS, STAGE
from hepflow.planning.inference_learning import FIGURES, LIMITS, TRAINING
from hepflow.planning.records import StageForecast

FOLDER: Final = "inference"  # of the output folder
FOLDERS: Final = {FOLDER: LIMITS, "models": TRAINING, "plots": FIGURES}
_GENERATORS: Final = "generators"  # folder of their files

# Part of a key -> where in the configuration it comes from, as in `settings`.
PLACES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (r"number of events$", ("inference.events", "inference.jobs")),
    (r"jobs$", ("inference.events", "inference.jobs", "inference.benchmarks")),
    (r"parameters$", ("inference.parameters",)),
    (r"benchmarks$", ("inference.benchmarks", "inference.benchmark_trials", "inference.seed")),
    (r"(source|file)$", ("inference.process",)),
    (r"detector$", ("inference.detector",)),
    (r"(observables|labels)$", ("inference.observables",)),
    (r"cuts$", ("inference.cuts",)),
    (r"(nuisances|sizes)$", ("inference.nuisances",)),
    (r"seed$", ("inference.seed",)),
    (r"weights$", ("inference.process",)),
    (r"weight_mode$", ("general.weight_mode",)),
    (r"(parts|cross_sections)$", ("datasets", "preprocess", "general.max_files")),
    (r"(sample|split)$", ("inference.sampling", "inference.seed")),
    (r"(method|settings)$", ("inference.methods", "inference.training")),
    (r"(evaluation|observed)$", ("inference.evaluation", "inference.seed", "general.lumi")),
    (r"(content|look of the figures)", ("plotting", "general.lumi", "inference.parameters")),
)


def is_inference(
    folder: str, words: Sequence[str], stages: Sequence[StageForecast], *, alone: bool
) -> bool:
    """Whether a path in a folder of the run belongs to the inference.

    Parameters
    ----------
    folder
        One of the folders of the run.
    words
        The path below it.
    stages
        Of the inference.
    alone
        Whether there is no analysis beside it.
    """
    if folder not in FOLDERS or not stages:
        return False
    return folder != "plots" or alone or tuple(words[:1]) == (FOLDER,)


def found_in(folder: str, words: Sequence[str]) -> tuple[str, str | None]:
    """Stage of a path, and the name its pieces have or begin with; None for all of the stage."""
    if folder != FOLDER:
        return FOLDERS[folder], _below(folder, words)
    first = words[0] if words else ""
    if first == JOBS:
        return STAGE, f"{JOBS}/{_group(words[1])}" if words[1:] else None
    if first in {EVENTS, SUMMARY}:
        return STAGE, EVENTS
    if first == _GENERATORS:
        return STAGE, None
    if first == METHODS:
        return LIMITS, PurePosixPath(words[1]).stem if words[1:] else None
    return LIMITS, None if first in {"", *FILES} else first


def _group(file: str) -> str:
    """Benchmark of a job's file, or the job of an input file."""
    name = file.removeprefix(".").partition(".")[0]
    return name if name.startswith("file_") else name.rpartition("_")[0] or name


def _below(folder: str, words: Sequence[str]) -> str | None:
    if not words or tuple(words) == (FOLDER,):
        return None
    chosen = list(words)
    if folder == "models":
        chosen = chosen[:2]  # of a network all files are made together
    elif "." in chosen[-1]:
        chosen[-1] = chosen[-1].rpartition(".")[0]
    return "/".join((folder, *chosen))
