"""Kill runs at random, run again, and look for anything wrong: ``python -m benchmarks.kills``.

Each case starts from one of some states of a project, kills the run in one stage or at any time,
lets the same command complete, and compares everything with a run that nothing happened to.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cluster import MARK, cluster_beside
from benchmarks.forks import Child, Nursery, Request, command_line, processes_with
from benchmarks.small_search import write_project
from benchmarks.whole import broken_files, differences, leftovers, results

ROOT = Path(__file__).resolve().parents[1]
EXECUTORS = ("inprocess", "loky", "dask")
_NO_FIGURES = "--plotting.enabled=false"  # they take longer than all the rest
# State of the folder that a case starts from -> words of the run that is killed.
STATES: Mapping[str, tuple[str, ...]] = {
    "empty": (_NO_FIGURES,),
    "metadata": (_NO_FIGURES,),  # of an earlier run, nothing else
    "other skim": ("--config=mine:other_skim", _NO_FIGURES),  # this and below: after a full run
    "other cut": ("--config=mine:other_cut", _NO_FIGURES),
    "other luminosity": ("--general.lumi=200", _NO_FIGURES),
    "other luminosity, drawn": ("--general.lumi=200",),
    "other look": ("--config=mine:other_look",),
}
# Stages, with the time that they take about [s]: how long a kill waits within one.
STAGES = {
    "start": 0.1,
    "metadata": 0.05,
    "skim": 0.1,
    "histograms": 0.15,
    "normalisation": 0.04,
    "statistics": 0.2,
    "plots": 0.8,
    "end": 0.05,
}
_WORKERS_START = {"inprocess": 0.0, "dask": 0.3, "loky": 1.2}  # [s], in the first stage with work
# What the log says once a stage has begun; the last one that is there counts.
_BEGUN = {
    "metadata": r"metadata: (ran|reused)",
    "skim": r"metadata: \d+ datasets",
    "histograms": r"skim: (ran|reused) ",
    "normalisation": r"(filling histograms finished|histograms: reused)",
    "statistics": r"normalisation: (ran|reused)",
    "plots": r"statistics: reused",
    "end": r"plots: (ran|reused)",
}
_CLIENT = (("client", "KILL"), ("client", "TERM"), ("client", "INT"))
WAYS = {
    "inprocess": (*_CLIENT, ("client", "KILL")),
    "loky": (*_CLIENT, ("worker", "KILL"), ("group", "KILL"), ("group", "INT")),
    "dask": (*_CLIENT, ("worker", "KILL")),
}
_ENDINGS = {"KILL": {-9}, "TERM": {-15}, "INT": {130, -2}}  # exit status after a signal
_TICK = 0.005  # [s] how often a run is looked at
_TRIES = 3  # runs of a case that may end before they are killed
_SAME_AGAIN = 0.25  # share of cases that complete on the executor that was hit
_PATIENCE = 90.0  # [s] for a run of a second


@dataclass
class Case:
    """One case, and what came of it."""

    seed: str  # gives the same case again
    state: str
    executor: str
    kills: list[str] = field(default_factory=list)  # "stage: whom signal"
    missed: int = 0  # the run had ended before
    wrong: list[str] = field(default_factory=list)
    clean_ups: list[str] = field(default_factory=list)  # what the next run did not do itself


class Campaign:
    """Kills, one case after the other, in one folder.

    Parameters
    ----------
    root
        Folder for all of it.
    nursery
        Starts runs.
    scheduler
        Address of a Dask scheduler; None where that executor is not wanted.
    """

    def __init__(self, root: Path, nursery: Nursery, scheduler: str | None = None) -> None:
        self.root, self.nursery, self.scheduler = root, nursery, scheduler
        self.folder = root / "search"
        self.mark = f"HEPFLOW_CACHE_DIR={self.folder / 'cache'}"
        self.references: dict[tuple[str, ...], dict[str, Any]] = {}
        self.slowness = 1.0  # of this machine today
        write_project(root / "states" / "empty")
        self._finish_once()

    # -- states and references ----------------------------------------------------------------

    def _finish_once(self) -> None:
        """Make the states that cases start from."""
        states = self.root / "states"
        self._put("empty")
        began = time.monotonic()
        self._complete(())
        self.slowness = (time.monotonic() - began) / sum(STAGES.values())
        shutil.copytree(self.folder, states / "finished")
        shutil.copytree(states / "empty", states / "metadata")
        shutil.copytree(self.folder / "out" / "metadata", states / "metadata" / "out" / "metadata")

    def _put(self, state: str) -> None:
        """Let the folder be in a state, times of files included."""
        kept = self.root / "states" / state
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(kept if kept.exists() else kept.with_name("finished"), self.folder)
        (self.folder / "tmp").mkdir(exist_ok=True)

    def reference(self, state: str) -> dict[str, Any]:
        """Results of the words of a state in a run from nothing."""
        words = STATES[state]
        if words not in self.references:
            self._put("empty")
            self._complete(words)
            self.references[words] = results(self.folder)
        return self.references[words]

    def _complete(self, words: Sequence[str]) -> None:
        run = self.start("inprocess", words)
        if run.status(_PATIENCE):
            raise RuntimeError(f"a run fails though nothing happens to it:\n{run.told()}")

    # -- one run --------------------------------------------------------------------------------

    def start(self, executor: str, words: Sequence[str]) -> Child:
        """Start the chain."""
        where = [f"--execution.backend={executor}"]
        if executor == "dask":
            where.append(f"--execution.scheduler={self.scheduler}")
        variables = {
            "HEPFLOW_CACHE_DIR": str(self.folder / "cache"),
            "TMPDIR": str(self.folder / "tmp"),
            "COLUMNS": "200",
        }
        return self.nursery.start(
            Request(
                folder=str(self.folder),
                words=(*where, *words),
                log=str(self.root / "log"),
                call="benchmarks.small_search:run",
                variables=variables,
            )
        )

    def stage_of(self, run: Child) -> str:
        """Which stage a run is in."""
        told = run.told()
        begun = [stage for stage, text in _BEGUN.items() if re.search(text, told)]
        stage = begun[-1] if begun else "start"
        fitted = (self.folder / "out" / "statistics" / "key.json").exists()
        return "plots" if stage == "statistics" and "statistics: ran" in told and fitted else stage

    def _wait(self, run: Child, rng: random.Random, executor: str, stage: str) -> bool:
        """Wait for a moment in a stage, or in any; False where the run ends before."""
        until = time.monotonic() + _PATIENCE
        while stage not in {"any", self.stage_of(run)}:
            if run.ended_within(_TICK) or time.monotonic() > until or self._is_past(run, stage):
                return not run.ended_within(0.0)  # a stage too short to be seen: right after it
        length = sum(STAGES.values()) if stage == "any" else STAGES[stage]
        length += _WORKERS_START[executor] if stage in {"any", "metadata", "skim"} else 0.0
        until = time.monotonic() + rng.uniform(0.0, length * self.slowness)
        while time.monotonic() < until and not (stage != "any" and self._is_past(run, stage)):
            if run.ended_within(_TICK):
                return False
        return True

    def _is_past(self, run: Child, stage: str) -> bool:
        names = list(STAGES)
        return names.index(self.stage_of(run)) > names.index(stage)

    def kill(self, run: Child, rng: random.Random, case: Case, stage: str) -> None:
        """Kill a run, or one of its workers, and see how it ends."""
        whom, how = rng.choice(WAYS[case.executor])
        if not self._wait(run, rng, case.executor, stage):
            case.missed += 1
            return
        victims = self._workers(case.executor) if whom == "worker" else []
        whom = "client" if whom == "worker" and not victims else whom
        number = signal.Signals[f"SIG{how}"]
        if whom == "group":
            run.send(number, group=True)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(victims or [run.pid]), number)
        case.kills.append(f"{self.stage_of(run)}: {whom} {how}")
        status = run.status(_PATIENCE)
        # A run whose worker died goes on; one that has ended in time is none the worse.
        if status and (whom == "worker" or status not in _ENDINGS[how]):
            case.wrong.append(f"{case.kills[-1]}: {_last_words(run, status)}")

    def _workers(self, executor: str) -> list[int]:
        if executor == "dask":
            found = processes_with(f"{MARK}={os.getpid()}")
            return [pid for pid in found if "spawn_main" in command_line(pid)]
        found = processes_with(self.mark)
        return [one for one in found if "loky" in (w := command_line(one)) and "tracker" not in w]

    # -- one case -------------------------------------------------------------------------------

    def case(self, seed: str, state: str, executor: str, stage: str) -> Case:
        """Kill the run of a state, let it complete, and look."""
        rng = random.Random(seed)  # noqa: S311 - chance, no secret
        case = Case(seed, state, executor)
        expected = self.reference(state)
        in_a_row = rng.choices((1, 2, 3), weights=(5, 3, 2))[0]
        try:
            while len(case.kills) < in_a_row and case.missed < _TRIES:
                if not case.kills:
                    self._put(state)
                run = self.start(executor, STATES[state])
                self.kill(run, rng, case, "any" if case.kills else stage)
                run.status(_PATIENCE)
                case.wrong += self._survivors()
                case.wrong += [f"half-written: {one}" for one in broken_files(self.folder)]
            by = executor if rng.random() < _SAME_AGAIN else "inprocess"
            self._look(case, self.start(by, STATES[state]), expected)
        except TimeoutError as error:
            case.wrong.append(str(error))
        return case

    def _survivors(self) -> list[str]:
        until = time.monotonic() + 10.0
        while left := processes_with(self.mark):
            if time.monotonic() > until:
                words = [command_line(pid)[:100] for pid in left]
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                return [f"processes go on: {words}"]
            time.sleep(0.01)
        return []

    def _look(self, case: Case, run: Child, expected: dict[str, Any]) -> None:
        """Compare a run that was to complete with the reference."""
        if status := run.status(_PATIENCE):
            case.clean_ups.append(f"the next run: {_last_words(run, status)}")
            return
        case.wrong += self._survivors()
        case.wrong += [f"not whole: {one}" for one in broken_files(self.folder)]
        case.wrong += [f"differs: {one}" for one in differences(results(self.folder), expected)]
        case.clean_ups += [f"left behind: {one}" for one in leftovers(self.folder)]

    def cases(self, kills: int, seed: int, executors: Sequence[str]) -> Iterator[Case]:
        """Cases until so many kills have hit: all executors, states and stages in turn."""
        done, index = 0, 0
        while done < kills:
            own = f"{seed}-{index}"
            rng = random.Random(f"{own} of what")  # noqa: S311 - chance, no secret
            state, stage = rng.choice(list(STATES)), rng.choice(("any", *STAGES))
            one = self.case(own, state, executors[index % len(executors)], stage)
            done += len(one.kills)
            index += 1
            yield one


def _last_words(run: Child, status: int) -> str:
    return "\n".join([f"it ended with status {status}:", *run.told().splitlines()[-12:]])


@contextmanager
def campaign(root: Path, executors: Sequence[str] = EXECUTORS) -> Iterator[Campaign]:
    """Everything that cases need, in an empty folder."""
    with ExitStack() as stack:
        scheduler = stack.enter_context(cluster_beside()) if "dask" in executors else None
        nursery = stack.enter_context(Nursery([ROOT]))
        yield Campaign(root, nursery, scheduler)


def table(cases: Sequence[Case]) -> str:
    """Kills by stage and executor, and what was wrong."""
    hits: Counter[tuple[str, str]] = Counter()
    for case in cases:
        hits.update((kill.partition(":")[0], case.executor) for kill in case.kills)
    columns = [one for one in EXECUTORS if any(case.executor == one for case in cases)]
    lines = ["  ".join(["stage        ", *(f"{one:>9}" for one in columns)])]
    lines += [
        "  ".join([f"{stage:13}", *(f"{hits[stage, one]:9}" for one in columns)])
        for stage in STAGES
    ]
    total = sum(hits.values())
    lines += [
        f"{total} kills in {len(cases)} cases; {sum(case.missed for case in cases)} came too late",
        f"wrong results: {sum(bool(case.wrong) for case in cases)}",
        f"manual clean-ups: {sum(bool(case.clean_ups) for case in cases)}",
    ]
    return "\n".join(lines)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="how many; default 1000")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--executor", choices=EXECUTORS, action="append", help="default all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the cases there")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 if anything was wrong."""
    options = _arguments(words)
    executors = options.executor or list(EXECUTORS)
    began = time.monotonic()
    cases: list[Case] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kills-"))
        chosen = stack.enter_context(campaign(Path(folder), executors))
        for case in chosen.cases(options.kills, options.seed, executors):
            cases.append(case)
            done = sum(len(one.kills) for one in cases)
            print(
                f"[{done}/{options.kills}, {time.monotonic() - began:.0f} s] "
                f"{case.seed} {case.executor}, {case.state}: {', '.join(case.kills)}",
                *(f"    {problem}" for problem in (*case.wrong, *case.clean_ups)),
                sep="\n",
                flush=True,
            )
    print(table(cases))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in cases], indent=1))
    return int(any(case.wrong or case.clean_ups for case in cases))


if __name__ == "__main__":
    raise SystemExit(main())
