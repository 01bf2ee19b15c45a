"""``hepflow significance``: how far data are from the background alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from hepflow.cli.inference.calculators import add_calculator_options, toys_of
from hepflow.cli.inference.opening import Opened, model_parser, open_model, parse
from hepflow.cli.inference.writing import finish

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.records import Significance

_DESCRIPTION: Final = "Discovery significance: p-value of the background alone, and its Z."


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = model_parser(prog, _DESCRIPTION)
    help_text = "signal in the Asimov data of the expected value (1)"
    parser.add_argument("--signal-strength", metavar="MU", type=float, default=1.0, help=help_text)
    add_calculator_options(parser)
    options = parse(parser, arguments)
    opened = open_model(options)
    found = _significance(opened, options)
    if opened.json_file != "-":
        _show(found)
    content = {"poi": opened.likelihood.labels[opened.likelihood.poi], **asdict(found)}
    finish(opened, _lines(found), {"significance": content})
    return 0


def _significance(opened: Opened, options: argparse.Namespace) -> Significance:
    if options.calculator == "toys":
        from hepflow.statistics.toy_discovery import significance_with_toys

        return significance_with_toys(
            opened.likelihood,
            opened.data,
            toys=toys_of(options),
            expected_only=opened.expected_only,
            signal_strength=options.signal_strength,
        )
    from hepflow.statistics import significance

    return significance(
        opened.likelihood,
        opened.data,
        expected_only=opened.expected_only,
        signal_strength=options.signal_strength,
    )


def _show(found: Significance) -> None:
    from hepflow.logging import print_table

    rows = [("expected", f"{found.expected_p:.4g}", f"{found.expected_z:.4g}")]
    if found.observed_p is not None and found.observed_z is not None:
        rows.insert(0, ("observed", f"{found.observed_p:.4g}", f"{found.observed_z:.4g}"))
    columns = ("", "p-value", "standard deviations")
    print_table("Discovery significance", columns, rows, right=columns[1:])


def _lines(found: Significance) -> list[tuple[str, str]]:
    observed = found.observed_z
    shown = "not given" if observed is None else f"{observed:.3g} standard deviations"
    return [
        ("Observed", shown),
        ("Expected", f"{found.expected_z:.3g} standard deviations"),
    ]
