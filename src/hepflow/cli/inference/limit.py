"""``hepflow limit``: upper limit on the parameter of interest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.inference.calculators import add_calculator_options, toys_of
from hepflow.cli.inference.opening import Opened, model_parser, open_model, parse
from hepflow.cli.inference.writing import finish

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.plotting import FigureTask, PlottingSpec
    from hepflow.records import LimitResult

_DESCRIPTION: Final = """\
Upper limit with CLs, observed and expected, found by root finding and verified."""
_BANDS: Final = ("-2 sigma", "-1 sigma", "median", "+1 sigma", "+2 sigma")


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = model_parser(prog, _DESCRIPTION)
    add = parser.add_argument
    add("--confidence-level", metavar="CL", type=float, default=0.95, help="default 0.95")
    add("--scan-points", metavar="N", type=int, default=21, help="of the drawn CLs scan; 0: none")
    add_calculator_options(parser)
    options = parse(parser, arguments)
    opened = open_model(options)
    result = _limit(opened, options)
    if opened.json_file != "-":
        _show(result)
    finish(opened, _lines(result), {"limit": result.to_json()}, partial(_figures, result))
    return 0


def _limit(opened: Opened, options: argparse.Namespace) -> LimitResult:
    if options.calculator == "toys":
        from hepflow.statistics.toy_limits import upper_limit_with_toys

        return upper_limit_with_toys(
            opened.likelihood,
            opened.data,
            toys=toys_of(options),
            confidence_level=options.confidence_level,
            expected_only=opened.expected_only,
        )
    from hepflow.statistics import upper_limit

    return upper_limit(
        opened.likelihood,
        opened.data,
        confidence_level=options.confidence_level,
        expected_only=opened.expected_only,
        scan_points=options.scan_points if opened.draws else 0,
    )


def _figures(
    result: LimitResult, look: PlottingSpec, folder: Any, remarks: tuple[str, ...]
) -> list[FigureTask]:
    from hepflow.plotting import fit_tasks

    return fit_tasks(look, folder, limit=result, remarks=remarks)


def _show(result: LimitResult) -> None:
    from hepflow.logging import print_table

    toys = result.model.get("toys", {})
    errors = toys.get("expected_uncertainty") or [None] * len(_BANDS)
    seen = result.observed
    observed = "not given" if seen is None else _with(seen, toys.get("observed_uncertainty"))
    rows = [("observed", observed)]
    rows += [
        (f"expected, {band}", _with(value, error))
        for band, value, error in zip(_BANDS, result.expected, errors, strict=True)
    ]
    title = f"Upper limit on {result.poi} ({100 * result.confidence_level:g} % CL)"
    kind = result.expected_kind.replace("_", " ")
    caption = f"{result.calculator}, {result.test_statistic}; expected {kind}"
    print_table(title, ("", result.poi), rows, right=(result.poi,), caption=caption)


def _with(value: float, error: float | None) -> str:
    """A limit, with its statistical uncertainty where it comes from toys."""
    return f"{value:.5g}" if error is None else f"{value:.4g} +- {error:.2g}"


def _lines(result: LimitResult) -> list[tuple[str, str]]:
    low, median, high = result.expected[1:4]
    lines: list[tuple[str, str]] = []
    if result.observed is not None:
        cls: Any = result.cls_at_observed
        lines.append(("Observed", f"{result.poi} < {result.observed:.4g} (CLs there {cls:.5f})"))
    return [*lines, ("Expected", f"{result.poi} < {median:.4g} (68 %: {low:.4g} to {high:.4g})")]
