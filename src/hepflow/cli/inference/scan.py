"""``hepflow scan``: profiled likelihood over one or two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.inference.opening import model_parser, open_model, parse
from hepflow.cli.inference.writing import finish
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.plotting import FigureTask, PlottingSpec
    from hepflow.records.inference import LikelihoodScan

_DESCRIPTION: Final = "Scan the profiled likelihood over one or two parameters."


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = model_parser(prog, _DESCRIPTION)
    add = parser.add_argument
    add(
        "--parameter",
        metavar="NAME",
        action="append",
        default=[],
        help="default the POI; up to two",
    )
    add("--range", metavar="LOW,HIGH", action="append", default=[], help="of each parameter")
    add("--points", metavar="N", type=int, default=0, help="of each parameter (61, or 25 for two)")
    options = parse(parser, arguments)
    opened = open_model(options)

    from hepflow.statistics import fit, require_good
    from hepflow.statistics.scans import Grid, scan
    from hepflow.statistics.stored import scan_name

    result = require_good(fit(opened.likelihood, opened.data))
    names = tuple(options.parameter) or (result.poi,)
    if len(options.range) > len(names):
        raise InputError(f"--range stands {len(options.range)} times for {len(names)} parameters.")
    ranges = dict(zip(names, map(_range, options.range), strict=False))
    grid = Grid(ranges, options.points or None)
    only = opened.expected_only
    found = scan(opened.likelihood, opened.data, result, names, grid=grid, expected_only=only)
    if opened.json_file != "-":
        _show(found)
    results = {scan_name(found): found.to_json()}
    finish(opened, _lines(found), results, partial(_figures, found))
    return 0


def _range(word: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in word.split(","))
    except ValueError as error:
        raise InputError(f"--range {word}: expected two numbers, LOW,HIGH.") from error
    return low, high


def _show(found: LikelihoodScan) -> None:
    from hepflow.logging import print_table

    rows = [
        (f"{100 * one.confidence_level:.3g} %", _end(one.low), _end(one.high))
        for one in found.intervals
    ]
    if rows:
        columns = ("confidence level", "from", "to")
        print_table(f"Intervals of {found.parameters[0]}", columns, rows, right=columns[1:])


def _end(value: float | None) -> str:
    return "beyond its range" if value is None else f"{value:.4g}"


def _lines(found: LikelihoodScan) -> list[tuple[str, str]]:
    return [
        (f"Best fit of {name}", f"{value:.4g}")
        for name, value in zip(found.parameters, found.bestfit, strict=True)
    ]


def _figures(
    found: LikelihoodScan, look: PlottingSpec, folder: Any, remarks: tuple[str, ...]
) -> list[FigureTask]:
    from hepflow.plotting import inference_tasks

    return inference_tasks(look, folder, scans=(found,), remarks=remarks)
