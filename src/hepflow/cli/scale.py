"""``hepflow scale``: a histogram of raw weights to cross-section and luminosity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_DESCRIPTION: Final = """\
Scale a histogram of raw weights to expected events:
cross-section x luminosity x k-factor x filter efficiency / sum of weights."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("--input", metavar="FILE", required=True, help="ROOT file with the histogram")
    add("--histogram", metavar="NAME", required=True, help="sums of raw weights, such as h_mjj")
    add("--output", metavar="FILE", required=True, help="ROOT file to be made")
    add("--output-histogram", metavar="NAME", default="", help="default the name of the input")
    add("--cross-section", metavar="SIZE", required=True, help="with unit, such as '44.873 fb'")
    add("--luminosity", metavar="SIZE", required=True, help="with unit, such as '140.1 /fb'")
    add(
        "--sum-of-weights", metavar="SUM", type=float, required=True, help="of all generated events"
    )
    add("--k-factor", metavar="K", type=float, default=1.0, help="default 1")
    add("--filter-efficiency", metavar="E", type=float, default=1.0, help="default 1")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    options = parser.parse_args(list(arguments))

    from hepflow.reinterpretation.quantities import cross_section, luminosity
    from hepflow.reinterpretation.scaling import Scale, note_of, scale_histogram

    scale = Scale(
        cross_section=cross_section(options.cross_section),
        luminosity=luminosity(options.luminosity),
        sum_of_weights=options.sum_of_weights,
        k_factor=options.k_factor,
        filter_efficiency=options.filter_efficiency,
    )
    scaled = scale_histogram(
        options.input, options.histogram, scale, options.output, options.output_histogram
    )
    events = float(scaled.values.sum())
    lines = [
        ("Factor", f"{scale.factor:.6g} expected events for each unit of weight"),
        ("Expected", f"{events:.5g} events in {len(scaled.values)} bins"),
        ("Written to", f"{options.output}: {scaled.name}"),
    ]
    content = {**note_of(scale)["scale"], "expected_events": events, "histogram": scaled.name}
    show(lines, content, options.json)
    return 0
