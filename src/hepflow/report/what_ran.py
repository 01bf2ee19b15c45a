"""Sections about the run itself: configuration, stages, input, software."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hepflow.report.content import Block, Cell, Column, Facts, Level, Notice, Section, Table
from hepflow.report.numbers import count, counted, numeric, seconds
from hepflow.report.settings import differences, leaves, text_of
from hepflow.report.stored import StoredRun

_FILES: Final = 200  # input files that are listed
_WORK: Final = {
    "metadata": "file",
    "skim": "event",
    "histograms": "event",
    "statistics": "fit",
    "plots": "figure",
}
_DIGEST: Final = 16  # characters of a digest that are shown


def configuration_section(stored: StoredRun) -> Section:
    """What was configured, and what of it is not as in the run before."""
    blocks: list[Block] = [Facts(tuple(_command(stored.invocation)))] if stored.invocation else []
    blocks.append(_changes(stored))
    blocks.append(
        Table(
            "configuration",
            "The whole configuration",
            (Column("setting"), Column("value")),
            tuple((Cell(path), Cell(text_of(value))) for path, value in leaves(stored.settings)),
            search=True,
            folded=True,
        )
    )
    return Section("configuration", "Configuration", tuple(blocks))


def _command(invocation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    command = str(invocation.get("prog", ""))
    yield "Started with", command
    yield "Configuration", str(invocation.get("config") or "the built-in one")
    if not command.startswith("hepflow sbi"):  # which has no class of an analysis
        yield "Analysis", str(invocation.get("analysis") or "hepflow.analysis:Analysis")
    yield "Set on the command line", "\n".join(invocation.get("overrides", ())) or "nothing"
    withheld = invocation.get("withheld", ())
    if withheld:
        yield "Set, but not shown", ", ".join(withheld)


def _changes(stored: StoredRun) -> Block:
    if stored.before is None:
        return Notice("note", "There is no record of a run before this one to compare with.")
    found = differences(stored.before, stored.settings)
    if not found:
        return Notice("note", "Configured as the run before.")
    return Table(
        "configuration-changes",
        "Changed since the run before",
        (Column("setting"), Column("before"), Column("now")),
        tuple((Cell(one.path), Cell(one.before), Cell(one.now)) for one in found),
        search=len(found) > 10,  # noqa: PLR2004 - fewer are seen at a glance
    )


def stages_section(stored: StoredRun) -> Section:
    """Which stages ran, why, and what they took."""
    run = stored.run
    stages = Table(
        "stages",
        "Stages in the order of the run",
        (
            Column("stage"),
            Column("outcome"),
            Column("why"),
            Column("work"),
            Column("CPU time", numeric=True),
        ),
        tuple(_stage(one, stored.rates) for one in run["stages"]),
        note="CPU time is that of the workers. Stages that were reused took next to none.",
    )
    times = [
        ("CPU time", f"{seconds(run['cpu_seconds'])}, workers included"),
        ("Wall-clock time", seconds(run["wall_seconds"])),
        *((f"of this, {name}", seconds(one)) for name, one in run["stage_seconds"].items()),
    ]
    return Section("stages", "Stages and run times", (stages, Facts(tuple(times))))


def _stage(stage: Mapping[str, str], rates: Mapping[str, Any]) -> tuple[Cell, ...]:
    ran = stage["outcome"] == "ran"
    rate = rates.get(stage["name"]) if ran else None
    if rate is None:
        work, time = Cell("-", -1.0), Cell("-", -1.0)
    else:
        unit, done = _WORK.get(stage["name"], "item"), rate["count"]
        work = Cell(counted(done, unit), float(done))
        time = Cell(seconds(rate["cpu_seconds"]), float(rate["cpu_seconds"]))
    return Cell(stage["name"]), Cell(stage["outcome"]), Cell(stage["why"]), work, time


def input_section(stored: StoredRun) -> Section:
    """What became of each dataset, and the files that were read."""
    accounts = stored.run["input"]
    blocks: list[Block] = []
    if not accounts:
        blocks.append(Notice("note", "This run read no events."))
    else:
        blocks.append(_ledger(accounts))
    reasons = [_reason(one, why) for one in accounts for why in one["reasons"]]
    if reasons:
        columns = (Column("dataset"), Column("stage"), Column("losses", numeric=True))
        blocks.append(
            Table("losses", "Why input was lost", (*columns, Column("reason")), tuple(reasons))
        )
    return Section("input", "Input", (*blocks, *_files(stored.run)))


def _ledger(accounts: Iterable[Mapping[str, Any]]) -> Table:
    titles = ("files", "processed", "skipped", "lost", "duplicates", "sum of weights")
    return Table(
        "ledger",
        "Events of each dataset, before any selection",
        (
            Column("dataset"),
            Column("complete"),
            *(Column(title, numeric=True) for title in titles),
        ),
        tuple(_account(one) for one in accounts),
        note=(
            "Skipped is what was not asked for; lost is what could not be read. Duplicates are "
            "events of data that another dataset has as well: they count once."
        ),
    )


def _account(one: Mapping[str, Any]) -> tuple[Cell, ...]:
    level: Level | None = None if one["complete"] else "warning"
    fraction = "yes" if one["complete"] else f"{100 * one['fraction']:.3g} %"
    estimate = "~" if one["failed_unopened"] else ""
    lost = one["lost_estimate"]
    files = Cell(f"{one['files_processed']:,} of {one['files_expected']:,}", one["files_processed"])
    return (
        Cell(one["dataset"]),
        Cell(fraction, float(one["fraction"]), level),
        files,
        count(one["events_processed"]),
        count(one["events_skipped"]),
        Cell(
            "unknown" if lost is None else f"{estimate}{lost:,.0f}", lost, level if lost else None
        ),
        count(one["repeated"]),
        numeric(one["weights_processed"], 6),
    )


def _reason(account: Mapping[str, Any], why: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        Cell(account["dataset"]),
        Cell(why["stage"]),
        count(why["losses"]),
        Cell(why["text"]),
    )


def _files(run: Mapping[str, Any]) -> Iterator[Block]:
    digests = run["input_digests"]
    if digests:
        rows = tuple((Cell(name), Cell(digest[:_DIGEST])) for name, digest in digests.items())
        note = f"The first {_DIGEST} characters of each SHA-256; report/run.json has all of them."
        columns = (Column("file"), Column("SHA-256"))
        yield Table(
            "digests", "Files of corrections and of certified runs", columns, rows, note=note
        )
    files = [
        (dataset, file, events)
        for dataset, found in run["ledger"]["file_events"].items()
        for file, events in found.items()
    ]
    if files:
        more = len(files) - _FILES
        yield Table(
            "files",
            "Input files",
            (Column("file"), Column("dataset", choice=True), Column("events", numeric=True)),
            tuple(
                (Cell(file), Cell(dataset), count(events))
                for dataset, file, events in files[:_FILES]
            ),
            search=True,
            folded=True,
            note=f"And {more:,} more, which report/run.json lists." if more > 0 else "",
        )


def software_section(stored: StoredRun) -> Section:
    """Versions, and the state of the user's code."""
    run = stored.run
    blocks: list[Block] = []
    if run["user_code"]:
        rows = tuple(_code(one) for one in run["user_code"])
        columns = (Column("folder"), Column("git commit"), Column("state"))
        blocks.append(Table("code", "Your code", columns, rows))
    packages = {"Python": run["python"], "Platform": run["platform"], **run["packages"]}
    blocks.append(Facts(tuple(packages.items()), "Versions"))
    return Section("software", "Code and versions", tuple(blocks))


def _code(state: Mapping[str, Any]) -> tuple[Cell, ...]:
    commit = state["commit"]
    if commit is None:
        return Cell(state["folder"]), Cell("-"), Cell("not in a git repository", level="warning")
    changed = state["modified"]
    words: dict[bool | None, Cell] = {
        True: Cell("with changes that are not committed", level="warning"),
        False: Cell("as committed"),
        None: Cell("unknown"),
    }
    return Cell(state["folder"]), Cell(commit[:12]), words[changed]
