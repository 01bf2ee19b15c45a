"""What a command on a statistical model leaves: JSON, figures, and lines for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.cli.inference.opening import Opened
    from hepflow.plotting import FigureTask, PlottingSpec

Figures = Callable[["PlottingSpec", "_Here", tuple[str, ...]], "list[FigureTask]"]


@dataclass(frozen=True)
class _Here:
    """Folder of the command, for what else goes into folders of a run."""

    folder: Path

    def get_plots_dir(self, subdir: str | None = None) -> Path:  # noqa: ARG002 - all in one folder
        """Folder of the figures."""
        return self.folder


def draw(opened: Opened, figures: Figures) -> list[str]:
    """Draw figures into the folder of the command; the files."""
    if not opened.draws:
        return []
    from hepflow.plotting import PlottingSpec, draw_tasks

    look = PlottingSpec(norm_factors=free_parameters(opened), formats=opened.formats)
    return [str(path) for path in draw_tasks(figures(look, _Here(opened.folder), opened.remarks))]


def free_parameters(opened: Opened) -> tuple[str, ...]:
    """Parameters whose constraint is none of 0 +- 1: a pull of their value would be no pull.

    They are those without a constraint, luminosities, and factors on single bins; the statistics
    of templates are left out, as in all figures of pulls.
    """
    import numpy as np

    from hepflow.plotting.fit_numbers import is_statistical

    model = opened.likelihood
    nominal, width = model.nominal(), np.where(model.fixed, 1.0, model.prefit_uncertainty())
    usual = model.constrained & (nominal == 0) & (width == 1)
    return tuple(
        label
        for label, pulled in zip(model.labels, usual, strict=True)
        if not (pulled or is_statistical(label))
    )


def finish(
    opened: Opened,
    lines: Sequence[tuple[str, str]],
    results: Mapping[str, Mapping[str, Any]],
    figures: Figures | None = None,
) -> None:
    """Write the results, draw, and show where everything is.

    Parameters
    ----------
    opened
        The model and the folder.
    lines
        Pairs of label and text for people.
    results
        Contents of JSON files by name; the first is what ``--json`` asks for.
    figures
        Makes the tasks of the figures from look, folder and remarks; it is called if they are
        wanted.
    """
    from hepflow.storage import write_json

    files = []
    for name, content in results.items():
        path = opened.folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content, sort_keys=False)
        files.append(str(path))
    files += draw(opened, figures) if figures else []
    content = {**next(iter(results.values())), "files": files, **_audit(opened)}
    notes = [("Note" if i == 0 else "", text) for i, text in enumerate(opened.remarks)]
    where = [("Written to", str(opened.folder))]
    show([*lines, *notes, *_audit_lines(opened), *where], content, opened.json_file)


def _audit(opened: Opened) -> dict[str, Any]:
    return {"audit": [one.to_json() for one in opened.findings]}


def _audit_lines(opened: Opened) -> list[tuple[str, str]]:
    count = dict.fromkeys(("error", "warning"), 0)
    for one in opened.findings:
        count[one.severity] = count.get(one.severity, 0) + 1
    told = [
        f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in count.items() if number
    ]
    return [("Audit", f"{', '.join(told)}; `hepflow audit` lists them")] if told else []
