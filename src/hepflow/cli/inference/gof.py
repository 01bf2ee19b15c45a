"""``hepflow gof``: goodness of fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.inference.calculators import add_calculator_options, toys_of
from hepflow.cli.inference.opening import model_parser, open_model, parse
from hepflow.cli.inference.writing import finish
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.plotting import FigureTask, PlottingSpec
    from hepflow.records.inference import GoodnessOfFit

_DESCRIPTION: Final = """\
Goodness of fit: likelihood ratio to the saturated model, its p-value asymptotic or from toys."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = model_parser(prog, _DESCRIPTION)
    add_calculator_options(parser)
    options = parse(parser, arguments)
    opened = open_model(options)
    if opened.expected_only:
        raise InputError(
            "Asimov data are fitted perfectly: they have no goodness of fit. It needs observed "
            "data, which may not be used here."
        )

    from hepflow.statistics import fit, require_good
    from hepflow.statistics.goodness import asymptotic, goodness_with_toys

    result = require_good(fit(opened.likelihood, opened.data))
    if options.calculator == "toys":
        found = goodness_with_toys(opened.likelihood, opened.data, result, toys_of(options))
    else:
        found = asymptotic(opened.likelihood, opened.data, result.twice_nll)
    if opened.json_file != "-":
        _show(found)
    results = {"goodness_of_fit": found.to_json()}
    finish(opened, _lines(found), results, partial(_figures, found))
    return 0


def _show(found: GoodnessOfFit) -> None:
    from hepflow.logging import print_table

    p = "none: not more bins than free parameters"
    rows = [
        ("-2 ln(L / L of the saturated model)", f"{found.statistic:.4g}"),
        ("degrees of freedom", str(found.degrees_of_freedom)),
        (f"p-value ({found.calculator})", p if found.p_value is None else f"{found.p_value:.4g}"),
    ]
    if found.toys or found.failed:
        rows.append(("toys", f"{len(found.toys)}, {found.failed} failed"))
    print_table("Goodness of fit", ("", "value"), rows, right=("value",))


def _lines(found: GoodnessOfFit) -> list[tuple[str, str]]:
    p = found.p_value
    return [("p-value", "none" if p is None else f"{p:.4g}")]


def _figures(
    found: GoodnessOfFit, look: PlottingSpec, folder: Any, remarks: tuple[str, ...]
) -> list[FigureTask]:
    from hepflow.plotting import inference_tasks

    return inference_tasks(look, folder, goodness=found, remarks=remarks)
