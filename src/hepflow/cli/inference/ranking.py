"""``hepflow ranking``: what moves the parameter of interest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.inference.opening import model_parser, open_model, parse
from hepflow.cli.inference.writing import finish
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.plotting import FigureTask, PlottingSpec
    from hepflow.records.inference import Impact, Ranking

_DESCRIPTION: Final = """\
Impacts: how far the parameter of interest moves with each other parameter, and with groups."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = model_parser(prog, _DESCRIPTION)
    add = parser.add_argument
    add("--top", metavar="N", type=int, default=20, help="in table and figure (20)")
    add(
        "--group",
        metavar="NAME=REGEX",
        action="append",
        default=[],
        help="parameters whose whole name matches; default those of the run",
    )
    options = parse(parser, arguments)
    if options.top < 1:
        raise InputError(f"--top {options.top}: expected a number from 1.")
    opened = open_model(options)

    from hepflow.statistics import fit, require_good
    from hepflow.statistics.impacts import ranking

    groups = _groups(options.group, opened.likelihood.labels) or opened.source.groups
    result = require_good(fit(opened.likelihood, opened.data))
    found = ranking(opened.likelihood, opened.data, result, groups=groups)
    if opened.json_file != "-":
        _show(found, options.top)
    lines = [*_lines(found), *(("Note", note) for note in result.notes)]
    finish(opened, lines, {"ranking": found.to_json()}, partial(_figures, found))
    return 0


def _groups(words: Sequence[str], labels: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    found = {}
    for word in words:
        name, equals, pattern = word.partition("=")
        try:
            wanted = re.compile(pattern)
        except re.error as error:
            raise InputError(f"--group {word}: {error}. Expected a regular expression.") from error
        members = tuple(label for label in labels if wanted.fullmatch(label))
        if not (name and equals and members):
            raise InputError(
                f"--group {word}: no parameter matches. Expected NAME=REGEX; there are: "
                f"{', '.join(labels[:20])}{', ...' if len(labels) > 20 else ''}."  # noqa: PLR2004 - as many as fit
            )
        found[name] = members
    return found


def _show(found: Ranking, top: int) -> None:
    from hepflow.logging import print_table

    columns = ("parameter", "pull", "uncertainty", "impact down", "impact up")
    rows = [
        (
            one.parameter,
            _pull(one),
            f"{one.uncertainty:.3g}",
            f"{one.postfit[0]:+.3g}",
            f"{one.postfit[1]:+.3g}",
        )
        for one in found.impacts[:top]
    ]
    left = len(found.impacts) - len(rows)
    caption = f"{left} more are in ranking.json" if left else None
    print_table(f"Impacts on {found.poi}", columns, rows, right=columns[1:], caption=caption)
    if found.groups:
        parts = [(one.group, len(one.parameters), f"{one.impact:.3g}") for one in found.groups]
        print_table(
            "Impacts of groups", ("group", "parameters", "impact"), parts, right=("impact",)
        )


def _pull(one: Impact) -> str:
    return f"{one.bestfit:.3g} (free)" if one.pull is None else f"{one.pull:+.3g}"


def _lines(found: Ranking) -> list[tuple[str, str]]:
    return [(f"Best fit of {found.poi}", f"{found.bestfit:.4g} +- {found.uncertainty:.3g}")]


def _figures(
    found: Ranking, look: PlottingSpec, folder: Any, remarks: tuple[str, ...]
) -> list[FigureTask]:
    from hepflow.plotting import inference_tasks

    return inference_tasks(look, folder, ranking=found, remarks=remarks)
