"""``hepflow plan``: what a run would do, why, and what it would cost."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli import plan_inference
from hepflow.cli.arguments import (
    OVERRIDES_HELP,
    Parser,
    add_analysis_option,
    add_config_options,
    parse_with_overrides,
)
from hepflow.cli.last_run import chosen_analysis
from hepflow.cli.output import show
from hepflow.cli.plan_inference import show_inference, show_study, told
from hepflow.cli.quantities import duration, size
from hepflow.cli.studies import load_either
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.analysis import Analysis
    from hepflow.cli.endings import Guard
    from hepflow.planning import Forecast, StageForecast
    from hepflow.planning.work import Work
    from hepflow.schema import Config, Study

_DESCRIPTION: Final = """\
Say what a run of this configuration would do, why, and what it would cost. Nothing is run or
written; of the input files at most one a dataset is opened, and new ones that are local. Of a
simulation-based inference it says what `hepflow sbi run` would do, as `hepflow sbi plan` does."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=OVERRIDES_HELP)
    add_config_options(parser, None)
    add_analysis_option(parser, None)
    parser.add_argument(
        "--variations",
        action="store_true",
        help="list the sources of uncertainty, what each touches and what is computed for it, only",
    )
    options, overrides = parse_with_overrides(parser, arguments)
    config = load_either(options.config, overrides)
    from hepflow.schema import Study

    if isinstance(config, Study):
        return _plan_study(config, options)
    analysis, name = chosen_analysis(options.analysis, options.config, config)
    if options.variations:
        return _show_variations(config, analysis, options.json)

    from hepflow.planning import forecast
    from hepflow.planning.work import work_of

    found = forecast(config, analysis)
    work = work_of(found)
    content = contents(found, work)
    if options.json == "-":
        lines = [(one.name, _line(one)) for one in (*found.stages, *found.inference)]
        show(lines, content, options.json)
        return 0
    _show_stages(found)
    _show_work(work)
    show_inference(found.inference)
    own = [("Analysis", f"{name}, as in the last run")] if name != options.analysis else []
    show([*own, *_last_lines(found, work)], content, options.json)
    return 0


def _plan_study(study: Study, options: argparse.Namespace) -> int:
    """The same of an inference without datasets."""
    if options.variations:
        raise InputError(
            f"--variations: {options.config} has no datasets, and so no variations of them. Their "
            "nuisance parameters are in the section 'inference'."
        )
    from hepflow.planning import forecast_study

    return show_study(forecast_study(study), options.json)


def contents(found: Forecast, work: Sequence[Work]) -> list[dict[str, Any]]:
    """The forecast as plain values, one entry a stage."""
    costs = {one.stage: asdict(one) for one in work}
    return [
        *plan_inference.contents(found.stages, "hepflow run", costs),
        *plan_inference.contents(found.inference, plan_inference.COMMAND),
    ]


def _line(stage: StageForecast) -> str:
    return f"{told(stage)} ({stage.why})" if stage.reasons else told(stage)


def _show_stages(found: Forecast) -> None:
    from hepflow.logging import print_table

    rows = [(one.name, told(one), one.why) for one in found.stages]
    print_table("What a run would do", ("stage", "", "why"), rows)


def _show_work(work: Sequence[Work]) -> None:
    if not work:
        return
    from hepflow.logging import print_table

    columns = ("stage", "reads", "CPU time", "wall time", "memory of a worker")
    rows = [
        (
            one.stage,
            size(one.read_bytes) if one.stage in {"skim", "histograms"} else "",
            duration(one.cpu_seconds),
            duration(one.wall_seconds),
            size(one.memory) if one.memory else "",
        )
        for one in work
    ]
    print_table("What it would cost", columns, rows, right=columns[1:])


def _last_lines(found: Forecast, work: Sequence[Work]) -> list[tuple[str, str]]:
    times = [one.cpu_seconds for one in work]
    sources: dict[str, list[str]] = {}
    for one in work:
        if one.source:
            sources.setdefault(one.source, []).append(one.stage)
    lines = [("Taken for granted", note) for note in found.notes]
    lines += [("Times", f"{source} ({', '.join(names)})") for source, names in sources.items()]
    known = sum(time for time in times if time is not None)
    more = ", and what is not known yet" if None in times else ""
    lines.append(("In all", f"{duration(known)} CPU{more}" if work else "nothing to do"))
    return [*lines, *plan_inference.last_lines(found.inference)]


def _show_variations(config: Config, analysis: type[Analysis] | None, json_file: str | None) -> int:
    """Show each source with what it touches; exit status."""
    from hepflow.analysis import EventLoop
    from hepflow.analysis.touches import overridden_steps
    from hepflow.cli.plan_variations import lines_of, show_tables
    from hepflow.planning.variations import plain, plan_variations

    plan = plan_variations(config, overridden_steps(analysis, EventLoop))
    if json_file != "-":
        show_tables(plan)
    show(lines_of(plan), plain(plan), json_file)
    return 0
