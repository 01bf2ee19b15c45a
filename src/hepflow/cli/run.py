"""``hepflow run``: the whole chain of one configuration."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hepflow.cli.arguments import (
    OVERRIDES_HELP,
    STATUS_HELP,
    Parser,
    add_analysis_option,
    add_config_options,
    parse_with_overrides,
    use_one_thread,
)
from hepflow.cli.references import find_modules_here, load_analysis, load_config
from hepflow.errors import StorageError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_DESCRIPTION = "Run the whole chain: metadata, skim, histograms, fit, limit and plots."


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:
    """Run the command; exit status."""
    find_modules_here()
    return run_chain(arguments, guard, prog)


def run_chain(
    arguments: Sequence[str],
    guard: Guard,
    prog: str,
    config: str | None = None,
    analysis: str | None = None,
) -> int:
    """Run the chain that the words on the command line ask for; exit status.

    Raises
    ------
    HepflowError
        If the input is wrong or a stage fails.
    """
    began = time.perf_counter()
    use_one_thread()
    parser = Parser(
        prog=prog, description=_DESCRIPTION, epilog=f"{OVERRIDES_HELP}\n\n{STATUS_HELP}"
    )
    add_config_options(parser, config)
    add_analysis_option(parser, analysis)
    options, overrides = parse_with_overrides(parser, arguments)

    from hepflow.logging import setup_logging

    find_modules_here(first=False)
    setup_logging("DEBUG" if guard.debug else "INFO")
    configured = load_config(options.config, overrides)
    chosen = load_analysis(options.analysis) if options.analysis else None
    guard.logs = Path(configured.general.output_dir) / "logs"
    try:
        setup_logging("DEBUG" if guard.debug else "INFO", guard.logs / "hepflow.log")
    except StorageError as error:
        error.add_note("Where results and logs go is set by general.output_dir.")
        raise

    from hepflow import pipeline
    from hepflow.execution.worker import collect_less_often
    from hepflow.failed import Invocation

    collect_less_often()
    from hepflow.cli.summary import (
        show_cutflows,
        show_input,
        show_stages,
        show_summary,
        summarise,
    )

    folder = str(Path(sys.argv[0]).resolve().parent)
    script = folder if config and sys.path[:1] == [folder] else ""
    invocation = Invocation.here(
        prog, options.config, options.analysis, overrides, script_dir=script
    )
    result = pipeline.run(configured, chosen, invocation=invocation)
    cpu_seconds = sum(os.times()[:4])  # own and of the workers, which have ended
    summary = summarise(result, cpu_seconds, time.perf_counter() - began)
    if options.json != "-":  # standard output is for the JSON then
        show_cutflows(result)
        show_stages(result)
        show_input(result)
    show_summary(summary, options.json)
    return result.exit_status
