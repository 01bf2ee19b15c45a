"""Events of a user's own MadGraph: cards written, program run, weights read.

MadGraph 2.9 or newer with its own reweighting (arXiv:1607.00763); every event gets the weights of
all benchmarks. Showering by its interface to Pythia is for Delphes behind it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hepflow.errors import ExecutionError, InputError
from hepflow.inference.lhe import LheEvents, read_lhe
from hepflow.inference.physics.adapters import cards
from hepflow.inference.physics.adapters.programs import MADGRAPH, find, run, tail
from hepflow.inference.records import Benchmark, Floats, Parameter
from hepflow.storage import atomic_write

MAX_SEED = 30_081 * 30_081  # of MadGraph's generator


@dataclass(frozen=True)
class MadGraphSettings:
    """How MadGraph is to be run."""

    process: tuple[str, ...]  # lines of the process card
    model: str = "sm"
    executable: str | None = None  # default: mg5_aMC on the search path
    run_card: Mapping[str, str | float] = field(default_factory=dict)
    shower: bool = False  # Pythia8 of MadGraph, whose events Delphes reads


@dataclass(frozen=True)
class MadGraphRun:
    """Files that a run has left."""

    lhe: Path
    hepmc: Path | None  # with a shower
    folder: Path


@dataclass(frozen=True)
class Point:
    """Parameters and benchmarks, and the benchmark that events are generated at."""

    parameters: Sequence[Parameter]
    benchmarks: Sequence[Benchmark]
    origin: int


def generate(
    settings: MadGraphSettings, point: Point, n_events: int, seed: int, folder: Path
) -> MadGraphRun:
    """Write the cards and run MadGraph.

    Parameters
    ----------
    settings : MadGraphSettings
        What to run.
    point : Point
        Where to generate, and at which points to weigh.
    n_events : int
        Unweighted events.
    seed : int
        Positive; another one for each job.
    folder : Path
        Of this job only; cards, logs and events stay there.

    Raises
    ------
    InputError
        MadGraph is not there, or a card cannot be written.
    ExecutionError
        MadGraph fails, or leaves no events.
    """
    check_parameters(point.parameters)
    if not 0 < seed < MAX_SEED:
        raise InputError(f"seed {seed} for MadGraph; expected 1 to {MAX_SEED - 1}")
    weighing = cards.reweight_card(point.parameters, point.benchmarks)
    program = find(MADGRAPH, settings.executable)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / cards.PROCESS_FOLDER, ignore_errors=True)  # of a run that was killed
    atomic_write(folder / "proc_card.dat", cards.process_card(settings.model, settings.process))
    run(program, ["proc_card.dat"], folder, folder / "logs" / "process.log")
    own = folder / cards.PROCESS_FOLDER / "Cards"
    _change_cards(own, settings, point, {"nevents": n_events, "iseed": seed})
    atomic_write(own / "reweight_card.dat", weighing)
    atomic_write(folder / "launch.dat", cards.launch_card(shower=settings.shower))
    log = folder / "logs" / "events.log"
    run(program, ["launch.dat"], folder, log)
    return _results(folder, settings, log)


def check_parameters(parameters: Sequence[Parameter]) -> None:
    """Every parameter needs its place in the parameter card.

    Raises
    ------
    InputError
        One without `lha_block` or `lha_id`.
    """
    without = [
        one.name for one in parameters if not re.fullmatch(r"\w+", one.lha_block) or one.lha_id <= 0
    ]
    if without:
        raise InputError(
            f"MadGraph needs lha_block (a word) and lha_id of the parameters {', '.join(without)} "
            "(inference.parameters)."
        )


def _change_cards(
    own: Path, settings: MadGraphSettings, point: Point, ours: Mapping[str, str | float]
) -> None:
    taken = sorted(set(ours) & {name.lower() for name in settings.run_card})
    if taken:
        raise InputError(
            f"inference.process.madgraph.run_card sets {', '.join(taken)}, which hepflow sets from "
            "inference.events and inference.seed."
        )
    for name in ("run_card.dat", "param_card.dat"):
        if not (own / name).is_file():
            raise ExecutionError(f"MadGraph made no {name} in {own}; look at logs/process.log.")
    run_text = (own / "run_card.dat").read_text(encoding="utf-8")
    atomic_write(own / "run_card.dat", cards.run_card(run_text, {**settings.run_card, **ours}))
    values = point.benchmarks[point.origin].values
    param_text = (own / "param_card.dat").read_text(encoding="utf-8")
    atomic_write(own / "param_card.dat", cards.param_card(param_text, point.parameters, values))


def _results(folder: Path, settings: MadGraphSettings, log: Path) -> MadGraphRun:
    events = folder / cards.PROCESS_FOLDER / "Events" / cards.RUN
    lhe = _one(events, ("unweighted_events.lhe.gz", "unweighted_events.lhe"), log)
    # they begin with the run_tag of the run card
    names = ("*_pythia8_events.hepmc.gz", "*_pythia8_events.hepmc")
    return MadGraphRun(lhe, _one(events, names, log) if settings.shower else None, folder)


def _one(folder: Path, names: Sequence[str], log: Path) -> Path:
    for name in names:
        for found in sorted(folder.glob(name)):
            return found
    raise ExecutionError(
        f"MadGraph ended without an error but left no {names[0]} in {folder}. Its log is {log}; it "
        f"ends with:\n{tail(log)}"
    )


def read_weights(events: LheEvents, benchmarks: Sequence[Benchmark]) -> Floats:
    """Weights at the benchmarks [pb], in their order, shape (n_events, n_benchmarks).

    Raises
    ------
    InputError
        The file has no weight of the name of a benchmark: reweighting did not run.
    """
    have = {info.id for info in events.weight_infos}
    missing = [one.name for one in benchmarks if one.name not in have]
    if missing:
        raise InputError(
            f"the events of MadGraph have no weights of the benchmarks {', '.join(missing)} (there "
            f"are: {', '.join(sorted(have)) or 'none'}). Look for errors of the reweighting in "
            "logs/events.log."
        )
    columns = [events.column(one.name) for one in benchmarks]
    return np.stack(columns, axis=1) * events.factor


def read_run(made: MadGraphRun) -> LheEvents:
    """Read the events of a run."""
    return read_lhe(made.lhe)
