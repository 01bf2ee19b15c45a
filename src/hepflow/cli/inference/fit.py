"""``hepflow fit``: maximum-likelihood fit of a statistical model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.inference.opening import Opened, model_parser, open_model, parse
from hepflow.cli.inference.writing import finish

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.plotting import FigureTask, PlottingSpec
    from hepflow.records import FitResult
    from hepflow.records.inference import Interval

_DESCRIPTION: Final = "Fit the model to data: best values, uncertainties, goodness of fit."
_SHOWN: Final = 30  # parameters in the table; all are in the JSON


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = model_parser(prog, _DESCRIPTION)
    add = parser.add_argument
    add("--minos", metavar="NAME", action="append", default=[], help="interval of a parameter")
    kinds = ("newton", "minuit", "scipy")
    add("--optimizer", choices=kinds, default=kinds[0], help=f"minimiser ({kinds[0]})")
    options = parse(parser, arguments)
    opened = open_model(options)

    from hepflow.statistics import fit, require_good
    from hepflow.statistics.intervals import minos

    result = fit(opened.likelihood, opened.data, optimizer=options.optimizer)
    if not result.converged:
        finish(opened, [("Fit", "failed")], {"fit": result.to_json()})
        require_good(result)
    intervals = minos(opened.likelihood, opened.data, result, tuple(options.minos))
    if opened.json_file != "-":
        _show(result, intervals)
    content = replace(result, intervals=intervals).to_json()
    finish(opened, _lines(opened, result), {"fit": content}, partial(_figures, opened, result))
    return 0


def _show(result: FitResult, intervals: Sequence[Interval]) -> None:
    from hepflow.logging import print_table
    from hepflow.plotting.fit_numbers import is_statistical

    of = {one.parameter: one for one in intervals}
    rows = [
        (name, f"{value:.4g}", f"{error:.3g}", _side(of, name, -1), _side(of, name, +1))
        for name, value, error in zip(
            result.labels, result.bestfit, result.uncertainty, strict=True
        )
        if not is_statistical(name)
    ]
    left = len(result.labels) - min(len(rows), _SHOWN)
    caption = f"{left} more, such as the statistics of the templates, are in fit.json"
    columns = ("parameter", "best fit", "uncertainty", "down", "up")
    chosen = columns if intervals else columns[:3]
    print_table(
        "Fit",
        chosen,
        [row[: len(chosen)] for row in rows[:_SHOWN]],
        right=columns[1:],
        caption=caption if left else None,
    )


def _side(intervals: dict[str, Interval], name: str, side: int) -> str:
    found = intervals.get(name)
    if found is None:
        return ""
    end = found.low if side < 0 else found.high
    return "at the end of its range" if end is None else f"{end - found.bestfit:+.3g}"


def _lines(opened: Opened, result: FitResult) -> list[tuple[str, str]]:
    lines = []
    if result.poi:
        value, error = result.value(result.poi)
        lines.append((f"Best fit of {result.poi}", f"{value:.4g} +- {error:.3g}"))
    goodness = result.goodness_of_fit
    if goodness is not None and not opened.expected_only:
        lines.append(("Goodness of fit", f"p = {goodness:.3g} (saturated model)"))
    return [*lines, *(("Note", note) for note in result.notes)]


def _figures(
    opened: Opened, result: FitResult, look: PlottingSpec, folder: Any, remarks: tuple[str, ...]
) -> list[FigureTask]:
    from hepflow.plotting import fit_tasks
    from hepflow.statistics import predict

    shown = None if opened.expected_only else opened.data
    both = [predict(opened.likelihood, shown, after) for after in (None, result)]
    return fit_tasks(look, folder, fit=result, predictions=both, remarks=remarks)
