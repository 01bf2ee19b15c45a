"""From the folder of a run to the content of its report."""

from __future__ import annotations

from pathlib import Path

from hepflow.errors import StorageError
from hepflow.report import events, front, inference, model, sbi, what_ran
from hepflow.report.content import Gallery, ReportContent, Section
from hepflow.report.sbi_parts import FOLDER
from hepflow.report.stored import StoredRun, read_run


def collect(run_folder: Path) -> ReportContent:
    """Read what a run left and arrange it as a report.

    Parameters
    ----------
    run_folder
        Output folder of a run that came to its end.

    Returns
    -------
    ReportContent
        Without the sections that this run has nothing for.

    Raises
    ------
    MissingArtifact
        No run has come to its end there.
    StorageError
        A file is not what a run writes.
    """
    stored = read_run(run_folder)
    try:
        return _content(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(
            f"{run_folder}: the files of the run are not whole ({type(error).__name__}: {error}). "
            "Run again, with the version of hepflow that makes the report."
        ) from error


def _content(stored: StoredRun) -> ReportContent:
    title, subtitle = front.title_of(stored)
    if stored.run.get("kind") == FOLDER:  # a run of `hepflow sbi` alone
        return _of_inference(stored)
    found = (
        what_ran.configuration_section(stored),
        what_ran.stages_section(stored),
        what_ran.input_section(stored),
        events.cutflow_section(stored),
        events.n_minus_1_section(stored),
        events.data_section(stored),
        model.systematics_section(stored),
        model.audit_section(stored),
        inference.fit_section(stored),
        inference.ranking_section(stored),
        inference.scans_section(stored),
        inference.limit_section(stored),
        events.validation_section(stored),
        *sbi.sections(stored),
        _others(stored),
        what_ran.software_section(stored),
    )
    return ReportContent(
        title=title,
        subtitle=subtitle,
        headlines=tuple(front.headlines(stored)),
        notices=tuple(front.notices(stored)),
        sections=tuple(one for one in found if one is not None),
    )


def _of_inference(stored: StoredRun) -> ReportContent:
    """Report of a simulation-based inference without an analysis beside it."""
    _, subtitle = front.title_of(stored)
    found = (
        what_ran.configuration_section(stored),
        what_ran.stages_section(stored),
        *sbi.sections(stored),
        what_ran.software_section(stored),
    )
    return ReportContent(
        title="Inference report",
        subtitle=subtitle,
        headlines=(*front.headlines(stored), *sbi.headlines(stored)),
        notices=tuple(one for one in front.notices(stored) if one.level != "note"),
        sections=tuple(one for one in found if one is not None),
    )


def _others(stored: StoredRun) -> Section | None:
    """Figures that belong to no other section."""
    figures = events.figures_of(stored, ["other"])
    if not figures or stored.inference.failed:
        return None
    return Section("figures", "Other figures", (Gallery(figures),))
