"""``hepflow sbi plan``, and what ``hepflow plan`` and ``hepflow why`` share with it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.output import show
from hepflow.cli.studies import configured

if TYPE_CHECKING:
    from hepflow.planning import Piece, StageForecast, StudyForecast

COMMAND: Final = "hepflow sbi run"
_SPACE: Final = "\u00a0"  # at which no line is broken


def told(stage: StageForecast) -> str:
    """What happens in a stage."""
    if stage.status in {"runs", "partly"}:
        return f"runs: {stage.count}" if stage.count else "runs"
    if stage.status == "unknown":
        return "cannot be told yet"
    if stage.status == "fails":
        return "cannot run"
    return f"{stage.status}: {stage.count}" if stage.count else stage.status


def contents(
    stages: Sequence[StageForecast], command: str, costs: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Stages as plain values, one entry each.

    Parameters
    ----------
    stages
        What would be done.
    command
        That does it.
    costs
        By stage.
    """
    return [
        {
            "name": one.name,
            "what": one.what,
            "command": command,
            "runs": one.runs,
            "status": one.status,
            "why": [str(reason) for reason in one.reasons],
            "pieces": [
                {
                    "name": piece.name,
                    "status": piece.status,
                    "why": [str(reason) for reason in piece.reasons],
                    "there": piece.there,
                    "total": piece.total,
                }
                for piece in one.pieces
            ],
            "work": (costs or {}).get(one.name),
        }
        for one in stages
    ]


def show_inference(stages: Sequence[StageForecast]) -> None:
    """A table of the steps of an inference; nothing where there are none."""
    if not stages:
        return
    from hepflow.logging import print_table

    rows = [row for stage in stages for row in _rows(stage)]
    print_table(f"What `{COMMAND}` would do", ("step", "", "why"), rows)


def _rows(stage: StageForecast) -> Iterator[tuple[str, str, str]]:
    """A stage, and each of its steps; of figures those that differ from the others."""
    from hepflow.planning.records import told as joined

    yield stage.name, told(stage), stage.why
    alike = {(piece.status, piece.reasons) for piece in stage.pieces}
    if stage.name.endswith("plots") and len(alike) == 1:
        return
    for piece in stage.pieces:
        name, why = piece.name.removeprefix("jobs/"), joined(piece.reasons)
        yield f"-{_SPACE}{name}", _state(piece), "" if why == stage.why else why


def _state(piece: Piece) -> str:
    left = f"{piece.total - piece.there} of {piece.total}" if piece.total > 1 else ""
    if piece.status in {"runs", "partly"}:
        return f"runs: {left}" if left else "runs"
    return "cannot be told yet" if piece.status == "unknown" else piece.status


def plan_inference(options: argparse.Namespace, overrides: Sequence[str]) -> int:
    """Show what a run of the inference would do; exit status.

    Raises
    ------
    InputError
        The configuration cannot be found.
    ConfigurationError
        Anything in it is wrong, or it has no section ``inference``.
    """
    from hepflow.planning import forecast, forecast_study
    from hepflow.schema import Study

    sections = configured(options.config, overrides)
    study = Study.of(sections)  # refuses a whole configuration without the section
    if "datasets" in sections:
        return _show(forecast(sections).inference, options.json)
    return show_study(forecast_study(study), options.json)


def show_study(found: StudyForecast, json_file: str | None) -> int:
    """Show what is known of an inference without datasets; exit status."""
    return _show(found.inference, json_file)


def _show(stages: Sequence[StageForecast], json_file: str | None) -> int:
    if json_file != "-":
        show_inference(stages)
    show(last_lines(stages), contents(stages, COMMAND), json_file)
    return 0


def last_lines(stages: Sequence[StageForecast]) -> list[tuple[str, str]]:
    """In one line what a run of the inference would do; nothing where there is none."""
    left = [f"{one.name} {told(one)}" for one in stages if one.runs]
    return [("Inference", "; ".join(left) or "nothing to do")] if stages else []
