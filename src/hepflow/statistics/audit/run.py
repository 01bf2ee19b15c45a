"""The audit: all checks on templates, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import AuditError
from hepflow.records.histograms import HistogramSet
from hepflow.records.inference import Finding
from hepflow.schema import Config
from hepflow.statistics.audit.codes import (
    ACCEPTED,
    CODES,
    ERROR,
    SEVERITIES,
    Where,
    finding,
    what_of,
)
from hepflow.statistics.audit.nominal import (
    expectation,
    finite_content,
    sample_content,
    statistics,
)
from hepflow.statistics.audit.of_estimates import estimate_findings
from hepflow.statistics.audit.of_histograms import of_histograms
from hepflow.statistics.audit.of_workspace import of_workspace
from hepflow.statistics.audit.record import (
    AuditTemplates,
    RegionTemplates,
    SampleTemplates,
    is_finite,
)
from hepflow.statistics.audit.skim import skim_findings
from hepflow.statistics.audit.sources import (
    identical,
    missing,
    negative_totals,
    negative_variation,
    norm_effect,
    one_sided,
    spikes,
)
from hepflow.statistics.audit_spec import Acceptance, AuditSpec
from hepflow.statistics.spec import StatisticsSpec

_SHOWN = 5  # findings in the message of the error
_OF_DATA = frozenset({"data-without-prediction", "data-without-background"})


def audit(
    templates: AuditTemplates,
    spec: AuditSpec | None = None,
    *,
    further: Iterable[Finding] = (),
) -> tuple[Finding, ...]:
    """Look at the templates of a fit as one would before trusting it.

    Parameters
    ----------
    templates : AuditTemplates
        As `of_histograms`, `of_workspace` or `of_file` make them.
    spec : AuditSpec, optional
        Thresholds and accepted findings; the defaults of ``statistics.audit`` without.
    further : iterable of Finding
        Found elsewhere, such as by `skim_findings` and `estimate_findings`; they can be accepted
        as well.

    Returns
    -------
    tuple of Finding
        Errors first, then warnings, then what was accepted, each by code, region, sample and
        source. The order of regions and samples does not matter, nor do their names.
    """
    spec = spec or AuditSpec()
    found = [*further, *finite_content(templates), *missing(templates)]
    found += _checks(_finite_part(templates), spec)
    found = accept(found, spec.accepted)
    found += [_stale(one) for one in spec.accepted if not any(fits(one, each) for each in found)]
    return in_order(found)


def audit_workspace(
    workspace: Mapping[str, Any], spec: AuditSpec | None = None, *, observed: bool = True
) -> tuple[Finding, ...]:
    """Audit a HistFactory workspace.

    Parameters
    ----------
    workspace : mapping
        HistFactory JSON.
    spec : AuditSpec, optional
    observed : bool
        Look at the observations, too.

    Raises
    ------
    WorkspaceError
        It is not what HistFactory JSON is.
    """
    return audit(of_workspace(workspace, data=observed), spec)


def audit_run(
    histograms: HistogramSet,
    spec: StatisticsSpec,
    config: Config | Mapping[str, Any],
    thresholds: AuditSpec | None = None,
) -> tuple[Finding, ...]:
    """Audit the templates of a run as its fit takes them, its estimates, and its skim.

    Parameters
    ----------
    histograms : HistogramSet
        As filled.
    spec : StatisticsSpec
    config : Config or mapping
        Of the run.
    thresholds : AuditSpec, optional
        Default those of the configuration.
    """
    thresholds = thresholds or AuditSpec.from_config(config)
    further = [
        *skim_findings(config),
        *estimate_findings(histograms, spec, config, thresholds),
    ]
    return audit(of_histograms(histograms, spec), thresholds, further=further)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings, then what was accepted."""
    return tuple(sorted(findings, key=_place))


def _place(one: Finding) -> tuple[int, str, str, str, str, tuple[int, ...]]:
    rank = SEVERITIES.index(one.severity)
    return rank, one.code, one.region, one.sample, one.systematic, one.bins


def _checks(templates: AuditTemplates, spec: AuditSpec) -> Iterator[Finding]:
    yield from identical(templates)
    yield from negative_totals(templates)
    for region, found in templates.regions.items():
        yield from expectation(region, found, templates.signal)
        yield from statistics(region, found, spec)
        for sample, one in found.samples.items():
            yield from sample_content(region, found, sample, one)
    totals = {region: found.total() for region, found in templates.regions.items()}
    for region, sample, one, source, sides in templates.sources():
        where = Where(region, sample, source)
        total = None if sample in templates.signal else totals[region]
        wrong = list(norm_effect(one, sides, spec, where, total, published=templates.published))
        yield from wrong
        yield from one_sided(one, sides, spec, where)
        yield from negative_variation(one, sides, where)
        if not wrong:  # a weight that is lost makes spikes everywhere
            yield from spikes(one, sides, spec, where)


def _finite_part(templates: AuditTemplates) -> AuditTemplates:
    """Without what is not finite, of which only that can be said."""
    regions = {}
    for name, found in templates.regions.items():
        samples = {
            sample: replace(
                one,
                sources={
                    source: sides
                    for source, sides in one.sources.items()
                    if is_finite(sides.up, sides.down)
                },
            )
            for sample, one in found.samples.items()
        }
        if all(_is_usable(one) for one in samples.values()) and is_finite(found.data):
            regions[name] = RegionTemplates(samples, found.data)
    return replace(templates, regions=regions)


def _is_usable(one: SampleTemplates) -> bool:
    return is_finite(one.nominal) and not bool(np.isinf(one.variances).any())


def fits(acceptance: Acceptance, one: Finding) -> bool:
    """Whether an entry of the configuration speaks of a finding."""
    return one.code == acceptance.code and all(
        getattr(acceptance, name) in {"", getattr(one, name)}
        for name in ("region", "sample", "systematic")
    )


def accept(findings: Iterable[Finding], accepted: Sequence[Acceptance]) -> list[Finding]:
    """Mark findings that a person takes as they are.

    Their severity becomes ``accepted``, and the reason stands behind the message.
    """
    result = []
    for one in findings:
        entry = next((each for each in accepted if fits(each, one)), None)
        if entry is not None and one.severity != ACCEPTED:
            message = f"{one.message} Accepted: {entry.reason}"
            result.append(replace(one, severity=ACCEPTED, message=message))
        else:
            result.append(one)
    return result


def _stale(one: Acceptance) -> Finding:
    what = f"{one.code!r} is accepted here ({one.reason}), but not found"
    return finding("stale-acceptance", what, Where(one.region, one.sample, one.systematic))


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that stop a fit."""
    return tuple(one for one in findings if one.severity == ERROR)


def without_data(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings but for those that tell something of observed events."""
    return tuple(
        one
        for one in findings
        if one.code not in _OF_DATA and not (one.code == "non-finite" and not one.sample)
    )


def require_clean(
    findings: Iterable[Finding], *, ignore: bool = False, written_to: str | Path | None = None
) -> None:
    """Stop where the audit has found errors.

    Parameters
    ----------
    findings : iterable of Finding
    ignore : bool
        Go on all the same (``statistics.audit.ignore``, ``--ignore-audit``).
    written_to : str or Path, optional
        Where all of them are, for the message.

    Raises
    ------
    AuditError
        Names the first errors, and what to do.
    """
    errors = errors_of(findings)
    if not errors or ignore:
        return
    head = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    lines = [f"  {one.code}: {where_of(one)}: {what_of(one)}" for one in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"  and {len(errors) - _SHOWN} more")
    lines += dict.fromkeys(CODES[one.code].remedy for one in errors[:_SHOWN] if one.code in CODES)
    rest = f"All findings are in {written_to}. " if written_to is not None else ""
    listed = "\n".join(lines)
    raise AuditError(
        f"the audit of the templates has found {head}, and nothing was fitted:\n{listed}\n{rest}"
        "Mend the templates, name what is meant to be so in statistics.audit.accepted, with the "
        "reason, or fit all the same with --ignore-audit (statistics.audit.ignore)."
    )


def where_of(one: Finding) -> str:
    """Region, sample and source of a finding, as far as it has them."""
    return " / ".join(part for part in (one.region, one.sample, one.systematic) if part) or "model"
