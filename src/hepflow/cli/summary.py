"""The last lines of a run: the limit, where things are, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hepflow.cli.endings import say
from hepflow.cli.output import show
from hepflow.records import percent
from hepflow.remote import shown

if TYPE_CHECKING:
    from hepflow.pipeline import RunResult
    from hepflow.records import Account, FitResult, LimitResult

_LOST_SHOWN = 5


def summarise(result: RunResult, cpu_seconds: float, wall_seconds: float) -> dict[str, Any]:
    """What a run gave, as plain values.

    Parameters
    ----------
    result
        The run.
    cpu_seconds, wall_seconds
        Of the whole command [s], workers included: a little more than those of the run.

    Returns
    -------
    dict
        Limit and best fit (None where there is none), folders as text, times [s].
    """
    output = result.output_dir.resolve()
    return {
        "exit_status": result.exit_status,
        "problems": list(result.problems),
        "remarks": list(result.remarks),
        "losses": [asdict(one) for one in result.losses],
        "input": [one.to_json() for one in result.ledger.accounts()],
        "expected_only": result.expected_only,
        "limit": _limit(result.limit),
        "fit": _fit(result.fit),
        "output_dir": str(output),
        "plots_dir": str(result.plots_dir.resolve()) if result.result else None,
        "stages": [asdict(one) for one in result.stages],
        "report": str(result.report.resolve() if result.report else output / "report" / "run.json"),
        "cpu_seconds": round(cpu_seconds, 1),
        "wall_seconds": round(wall_seconds, 1),
    }


def show_summary(summary: Mapping[str, Any], json_file: str | None) -> None:
    """Show the summary as lines for people and, if wanted, write it as JSON."""
    show(list(_lines(summary)), summary, json_file)
    for problem in summary["problems"]:
        say(f"not a success: {problem}")


def show_cutflows(result: RunResult) -> None:
    """Show one table a channel: expected events (counts for data) after each cut.

    Where data are incomplete, each table says so.
    """
    if result.result is None:
        return
    from hepflow.histograms import cutflow_table
    from hepflow.logging import print_table

    histograms = result.result.histograms
    caption = "; ".join(result.remarks) or None
    for channel in histograms.channels:
        table = cutflow_table(histograms, channel)
        if table.columns:
            columns = ("cut", *table.columns)
            print_table(
                f"Cutflow of {channel}",
                columns,
                table.rows,
                right=table.columns,
                caption=caption,
            )


def show_input(result: RunResult) -> None:
    """Show what became of each dataset that was not processed completely, if there is one."""
    accounts = result.ledger.accounts()
    missing = [one for one in accounts if not one.complete]
    if not missing:
        return
    from hepflow.logging import print_table

    others = len(accounts) - len(missing)
    caption = f"{others} other datasets are complete" if others > 1 else "the other one is complete"
    print_table(
        "Incomplete input",
        ("dataset", "whole files", "events", "", "lost", "left out"),
        [_row(one) for one in missing],
        right=("whole files", "events", ""),
        caption=caption if others else None,
    )


def _row(account: Account) -> tuple[str, ...]:
    """Cells of one dataset; estimates, where files were never opened, bear a tilde."""
    files = f"{account.files_processed:,} of {account.files_expected:,}"
    expected = account.expected_estimate
    about = "~" if account.skipped_unopened or account.failed_unopened else ""
    of = "unknown" if expected is None else f"{about}{expected:,.0f}"
    return (
        account.dataset,
        files,
        f"{account.events_processed:,} of {of}",
        percent(account.fraction),
        _counted(account.events_failed, account.failed_unopened),
        _counted(account.events_skipped, account.skipped_unopened),
    )


def _counted(events: int, files: int) -> str:
    """Events, and files of which nobody knows how many they hold."""
    found = [f"{events:,} events"] if events else []
    found += [f"{files:,} file{'s' if files > 1 else ''}"] if files else []
    return ", ".join(found)


def show_stages(result: RunResult) -> None:
    """Show which stages ran, and why."""
    from hepflow.logging import print_table

    rows = [(one.name, one.outcome, one.why) for one in result.stages]
    print_table("Stages", ("stage", "", "why"), rows)


def _lines(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    limit, fit = summary["limit"], summary["fit"]
    lines = []
    if fit:
        of = "Fit to Asimov data:" if summary["expected_only"] else "Best fit of"
        lines.append((f"{of} {fit['poi']}", f"{fit['value']:.4g} +- {fit['error']:.3g}"))
    if limit:
        name = f"Upper limit on {limit['poi']} ({100 * limit['confidence_level']:g} % CL)"
        low, median, high = limit["expected"][1:4]
        observed = limit["observed"]
        lines += [
            (name, "observed " + ("not given" if observed is None else f"{observed:.4g}")),
            ("", f"expected {median:.4g} (68 %: {low:.4g} to {high:.4g})"),
        ]
    lines += [("Note" if i == 0 else "", one) for i, one in enumerate(summary["remarks"])]
    lines += [("Lost" if i == 0 else "", one) for i, one in enumerate(_lost(summary["losses"]))]
    seconds = f"{summary['cpu_seconds']:.1f} s CPU, workers included"
    return [
        *lines,
        *([("Plots", summary["plots_dir"])] if summary["plots_dir"] else []),
        ("All results", summary["output_dir"]),
        ("Report", summary["report"]),
        ("Time", f"{seconds}; {summary['wall_seconds']:.1f} s wall clock"),
    ]


def _lost(losses: Sequence[Mapping[str, Any]]) -> list[str]:
    """What could not be processed, the first ones with their reasons."""
    lines = []
    for one in losses[:_LOST_SHOWN]:
        file, reason = shown(one["file"]), one["reason"]
        part = f", {one['entrystart']} to {one['entrystop']}" if one["stage"] != "metadata" else ""
        for told in (f"{file}, entries{part.removeprefix(',')}: ", f"{file}: "):
            reason = reason.removeprefix(told)  # stands before it
        lines.append(f"{one['dataset']}: {file}{part} ({one['stage']}: {reason})")
    more = len(losses) - len(lines)
    return [*lines, f"and {more} more, see the report"] if more else lines


def _limit(limit: LimitResult | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    return {
        "poi": limit.poi,
        "confidence_level": limit.confidence_level,
        "observed": limit.observed,
        "expected": list(limit.expected),
        "expected_kind": limit.expected_kind,
    }


def _fit(fit: FitResult | None) -> dict[str, Any] | None:
    if fit is None or not fit.converged:
        return None  # a fit that did not converge is never shown as a result
    value, error = fit.value(fit.poi)
    return {"poi": fit.poi, "value": value, "error": error}
