"""Figures of an analysis, drawn beside the fit; one whose content did not change is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from hepflow import rates
from hepflow.execution import Executor, Outcome
from hepflow.execution.failures import raise_failures
from hepflow.journal import tell
from hepflow.keys import Key, make_key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.plotting import PlottingSpec, result_tasks, write_figure
from hepflow.plotting.run import FigureTask
from hepflow.records import StatisticsResult
from hepflow.stamps import is_current, write_stamp

_log = logging.getLogger(__name__)


class Drawing:
    """Figures that workers draw while the client goes on.

    Parameters
    ----------
    spec
        How figures look.
    output_manager
        Folders.
    executor
        Where to draw.
    remarks
        What every figure says.
    reuse
        Whether figures that are there with the same content are kept.
    """

    def __init__(
        self,
        spec: PlottingSpec,
        output_manager: OutputDirectoryManager,
        executor: Executor,
        remarks: tuple[str, ...],
        *,
        reuse: bool,
    ) -> None:
        self.spec = spec
        self.output_manager = output_manager
        self.executor = executor
        self.remarks = remarks
        self.reuse = reuse
        self._tasks: list[FigureTask] = []
        self._todo = 0
        self._started: list[Iterator[Outcome]] = []

    def start_fit(self, statistics: StatisticsResult) -> None:
        """Start to draw what is there of a fit."""
        folders = self.output_manager
        self.start(result_tasks(statistics, self.spec, folders, remarks=self.remarks))

    def start(self, tasks: list[FigureTask]) -> None:
        """Start to draw what is not there yet."""
        self._tasks += tasks
        todo = [task for task in tasks if not (self.reuse and _is_drawn(task))]
        self._todo += len(todo)
        if todo:
            self._started.append(self.executor.map(write_figure, todo, label="drawing", ahead=True))

    def finish(self) -> list[Path]:
        """Wait for the figures.

        Returns
        -------
        list of Path
            All files, drawn or kept.

        Raises
        ------
        HepflowError
            If one could not be drawn; the others are there.
        """
        self._remove({(task.folder, task.name) for task in self._tasks})
        failed = []
        for outcome in (one for outcomes in self._started for one in outcomes):
            if outcome.ok:
                task = outcome.item
                write_stamp(task.folder, _key(task), outcome.value, _stamp_name(task))
                rates.add("plots", 1, outcome.seconds)
            else:
                failed.append(outcome)
        self._tell()
        raise_failures(failed, "drawing", of=len(self._tasks))
        return [
            task.folder / f"{task.name}.{kind}"
            for task in self._tasks
            for kind in self.spec.formats
        ]

    def has_earlier(self) -> bool:
        """Whether there are figures of an earlier run."""
        return any(self._stamps())

    def forget_others(self, tasks: Iterable[FigureTask]) -> None:
        """Remove figures of an earlier run that do not show the same; draw nothing."""
        self._remove({(task.folder, task.name) for task in tasks if _is_drawn(task)})

    def _stamps(self) -> Iterator[Path]:
        """Records of the figures that are there; those of `hepflow sbi` are not of the analysis."""
        plots = self.output_manager.get_root_dir() / "plots"
        stamps = plots.rglob(".*.key.json")
        return (one for one in stamps if one.parent != plots / "inference")

    def _remove(self, wanted: set[tuple[Path, str]]) -> None:
        """Take away figures of an earlier run that this one does not have."""
        for stamp in list(self._stamps()):
            name = stamp.name.removeprefix(".").removesuffix(".key.json")
            if (stamp.parent, name) not in wanted:
                for kind in ("pdf", "png", "svg"):
                    (stamp.parent / f"{name}.{kind}").unlink(missing_ok=True)
                stamp.unlink()

    def _tell(self) -> None:
        number = len(self._tasks)
        _log.info("plots: %d figures, %d drawn", number, self._todo)
        if self._todo:
            why = "content or look changed" if self.reuse else "general.read_from_cache is off"
            tell("plots", "ran", f"{self._todo} of {number} figures, {why}")
        else:
            tell("plots", "reused", f"{number} figures, nothing in them has changed")


def _key(task: FigureTask) -> Key:
    return make_key("figure", content=task.content, spec=task.spec, remarks=task.remarks)


def _stamp_name(task: FigureTask) -> str:
    return f".{task.name}.key.json"


def _is_drawn(task: FigureTask) -> bool:
    return is_current(task.folder, _key(task), _stamp_name(task))
