"""What stands in front of a report: results, problems and remarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from hepflow.records.inference import Finding
from hepflow.report.content import Headline, Level, Notice
from hepflow.report.inference import failure, is_bad
from hepflow.report.model import by_severity
from hepflow.report.numbers import SIGMA, counted, number, seconds, with_uncertainty
from hepflow.report.stored import Inference, StoredRun


def title_of(stored: StoredRun) -> tuple[str, str]:
    """Title of the report, and the line below it."""
    poi = stored.inference.fit.poi if stored.inference.fit else None
    when = datetime.fromtimestamp(stored.finished, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    version = stored.run["packages"].get("hepflow", "")
    config = stored.invocation.get("config")
    words = [f"Run of {when}", f"hepflow {version}", *([config] if config else [])]
    title = f"Analysis report: {poi}" if poi else "Analysis report"
    return title, ", ".join(words)


def headlines(stored: StoredRun) -> Iterator[Headline]:
    """The results, and how the run ended."""
    run, found = stored.run, stored.inference
    good = run["exit_status"] == 0
    many = "" if good else f"{counted(len(run['problems']), 'problem')}, see above"
    level: Level = "good" if good else "problem"
    yield Headline("Run", "success" if good else "not a success", many, level)
    yield from _results(found)
    complete = all(one["complete"] for one in run["input"])
    if run["input"]:
        events = sum(one["events_processed"] for one in run["input"])
        detail = f"of {len(run['input'])} datasets, {'' if complete else 'in'}complete"
        yield Headline("Events read", f"{events:,}", detail, None if complete else "warning")
    wall = f"{seconds(run['wall_seconds'])} wall clock"
    yield Headline("CPU time", seconds(run["cpu_seconds"]), wall)


def _results(found: Inference) -> Iterator[Headline]:
    fit, limit, discovery = found.fit, found.limit, found.significance
    if fit is None:
        return
    if found.failed:
        yield Headline("Fit", "no result", "see the problems above", "problem")
        return
    asimov = "Asimov data" if found.expected_only else ""
    yield Headline(f"Best fit of {fit.poi}", with_uncertainty(*fit.value(fit.poi)), asimov)
    if limit is not None:
        low, median, high = limit.expected[1:4]
        level = f"{100 * limit.confidence_level:.3g} % CL"
        expected = f"{number(median, 3)} (68 %: {number(low, 3)} to {number(high, 3)})"
        seen = limit.observed
        value = number(seen if seen is not None else median, 3)
        detail = f"expected {expected}" if seen is not None else f"expected, {expected}"
        yield Headline(f"Upper limit, {level}", value, detail)
    if discovery is not None:
        seen, expected = discovery.observed_z, f"{number(discovery.expected_z, 3)} {SIGMA}"
        value = expected if seen is None else f"{number(seen, 3)} {SIGMA}"
        yield Headline(
            "Significance", value, "expected" if seen is None else f"expected {expected}"
        )
    p_value = found.goodness.p_value if found.goodness else fit.goodness_of_fit
    if p_value is not None:
        bad = is_bad(p_value)
        detail = "data and model do not agree" if bad else "saturated model"
        yield Headline(
            "Goodness of fit", f"p = {number(p_value, 2)}", detail, "warning" if bad else None
        )


def notices(stored: StoredRun) -> Iterator[Notice]:
    """Problems first, then what a reader must know."""
    run, found = stored.run, stored.inference
    if stored.cut_short:
        yield Notice(
            "problem",
            "A later run was started in this folder and did not come to its end: what is shown "
            "may be partly of that run. Run again.",
        )
    yield from (Notice("problem", f"Not a success: {one}") for one in run["problems"])
    if found.failed and found.fit is not None and not run["problems"]:
        yield Notice("problem", failure(found.fit))
    if found.expected_only:
        yield Notice(
            "warning", "The fit is to Asimov data, the nominal expectation: nothing is observed."
        )
    yield from (Notice("warning", f"Every number and plot: {one}") for one in run["remarks"])
    if found.outdated:
        names = ", ".join(found.outdated)
        yield Notice(
            "warning", f"Left out, as it is of another model than the fit: {names}. Make it again."
        )
    if stored.findings:
        yield _audit(stored.findings, fitted=found.fit is not None)
    if found.absent:
        yield Notice("note", f"No fit and no limit: {found.absent}.")


def _audit(findings: Sequence[Finding], *, fitted: bool) -> Notice:
    found = {one.severity for one in findings}
    text = f"The audit of the templates found {', '.join(by_severity(findings))}."
    if "error" in found and fitted:
        text += " The fit was made all the same, as statistics.audit.ignore says."
    level: Level = "problem" if "error" in found else "warning" if "warning" in found else "note"
    return Notice(level, text)
