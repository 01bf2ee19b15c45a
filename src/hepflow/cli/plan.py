"""``hepflow plan``: the stages that a run would go through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from hepflow.cli.arguments import (
    OVERRIDES_HELP,
    Parser,
    add_config_options,
    parse_with_overrides,
)
from hepflow.cli.output import show
from hepflow.cli.references import find_modules_here, load_config

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(
        prog=prog,
        description="List the stages that a run of this configuration would go through.",
        epilog=OVERRIDES_HELP,
    )
    add_config_options(parser, None)
    options, overrides = parse_with_overrides(parser, arguments)
    find_modules_here()
    config = load_config(options.config, overrides)

    from hepflow import pipeline

    stages = pipeline.plan(config)
    lines = [(one.name, one.what if one.runs else f"({one.what}: left out)") for one in stages]
    show(lines, [asdict(one) for one in stages], options.json)
    return 0
