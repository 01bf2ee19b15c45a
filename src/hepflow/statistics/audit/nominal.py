"""Checks of nominal templates and data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from hepflow.records.inference import Finding
from hepflow.statistics.audit.codes import WARNING, Where, finding
from hepflow.statistics.audit.record import AuditTemplates, Floats, RegionTemplates, SampleTemplates
from hepflow.statistics.audit_spec import AuditSpec

SMALL_PART = 0.01  # of the expectation: what is less does not matter for the fit


def finite_content(templates: AuditTemplates) -> Iterator[Finding]:
    """What is not a number, or infinite."""
    for region, found in templates.regions.items():
        if found.data is not None:
            yield from _not_finite(found.data, "the data", region)
        for sample, one in found.samples.items():
            yield from _not_finite(one.nominal, "the nominal template", region, sample)
            told = np.isnan(one.variances) | ~np.isfinite(one.nominal)
            spread = np.where(told, 0.0, one.variances)
            yield from _not_finite(spread, "the sum of squared weights", region, sample)
            for source, sides in one.sources.items():
                for side, varied in (("up", sides.up), ("down", sides.down)):
                    if varied is not None:
                        what = f"the {side} template"
                        yield from _not_finite(varied, what, region, sample, source)


def _not_finite(
    content: Floats, what: str, region: str, sample: str = "", source: str = ""
) -> Iterator[Finding]:
    bad = np.flatnonzero(~np.isfinite(content))
    if len(bad):
        told = f"{what} is not finite in {counted(bad)}"
        yield finding("non-finite", told, Where(region, sample, source), bad)


def expectation(region: str, found: RegionTemplates, signal: frozenset[str]) -> Iterator[Finding]:
    """Bins in which no likelihood can be computed, or none without signal."""
    total = found.total()
    below = np.flatnonzero(total < 0)
    if len(below):
        lowest = float(total[below].min())
        what = f"the samples together expect {lowest:.3g} events at the lowest in {counted(below)}"
        yield finding("negative-expectation", what, Where(region), below)
    if found.data is not None:
        alone = np.flatnonzero((found.data > 0) & (total <= 0))
        if len(alone):
            what = f"{found.data[alone].sum():g} events are observed in {counted(alone)}, where no "
            what += "sample expects any"
            yield finding("data-without-prediction", what, Where(region), alone)
        yield from _only_signal(region, found, signal)
    inside = _gaps(total)
    if inside:
        what = f"no sample expects events in {counted(inside)}, between others that are filled"
        yield finding("empty-bin", what, Where(region), inside)


def _only_signal(region: str, found: RegionTemplates, signal: frozenset[str]) -> Iterator[Finding]:
    background = frozenset(found.samples) - signal
    if found.data is None or not background or not signal:
        return
    rest, total = found.total(background), found.total()
    alone = np.flatnonzero((found.data > 0) & (rest <= 0) & (total > 0))
    if len(alone):
        what = f"{found.data[alone].sum():g} events are observed in {counted(alone)}, where only "
        what += f"the signal expects any ({total[alone].sum():.3g})"
        yield finding("data-without-background", what, Where(region), alone)


def _gaps(content: Floats) -> list[int]:
    """Bins without content between others that have some."""
    filled = np.flatnonzero(content)
    if not len(filled):
        return []
    return [i for i in range(int(filled[0]), int(filled[-1])) if content[i] == 0]


def sample_content(
    region: str, found: RegionTemplates, sample: str, one: SampleTemplates
) -> Iterator[Finding]:
    """Bins of one sample that are empty or negative, and impossible squared weights."""
    total = found.total()
    below = np.flatnonzero(one.nominal < 0)
    if len(below):
        what = f"{one.nominal[below].min():.3g} events are expected at the lowest in "
        what += counted(below)
        yield finding("negative-bin", what, Where(region, sample), below)
    gaps = [
        index
        for index in _gaps(one.nominal)
        if total[index] > 0 and _beside(one.nominal, index) > SMALL_PART * total[index]
    ]
    if gaps:
        what = f"no simulated event is in {counted(gaps)}, between others that are filled"
        yield finding("empty-bin", what, Where(region, sample), gaps)
    wrong = np.flatnonzero(one.variances < 0)
    if len(wrong):
        what = f"the sum of squared weights is negative in {counted(wrong)}"
        yield finding("variance", what, Where(region, sample), wrong)
    none = np.flatnonzero((one.variances == 0) & (one.nominal != 0))
    if len(none):
        what = f"the sum of squared weights is zero in {counted(none)}, where there is content"
        yield finding("variance", what, Where(region, sample), none, severity=WARNING)


def _beside(content: Floats, index: int) -> float:
    """What the bins on both sides let expect; an empty bin has two neighbours."""
    return float(min(content[index - 1], content[index + 1]))


def statistics(region: str, found: RegionTemplates, spec: AuditSpec) -> Iterator[Finding]:
    """Statistical uncertainty of the expectation in each bin, and of the yield of samples."""
    total, known = found.total(), [one.variances for one in found.samples.values()]
    spread = np.sqrt(np.maximum(np.nansum([np.zeros(len(total)), *known], axis=0), 0.0))
    poor = np.flatnonzero((total > 0) & (spread > spec.mc_statistics * np.abs(total)))
    if len(poor):
        worst = poor[np.argmax(spread[poor] / total[poor])]
        size = spread[worst] / total[worst]
        what = f"the simulated events give the expectation in {counted(poor)} with an uncertainty "
        what += f"of up to {size:.0%} (bin {worst})"
        yield finding("mc-statistics", what, Where(region), poor)
    for sample, one in found.samples.items():
        expected = float(one.nominal.sum())
        error = float(np.sqrt(max(np.nansum(one.variances), 0.0)))
        counts = expected > SMALL_PART * float(total.sum())
        if counts and error > spec.mc_statistics * expected:
            what = f"the simulated events give the yield of {expected:.3g} with an uncertainty of "
            what += f"{error / expected:.0%}"
            yield finding("mc-statistics", what, Where(region, sample))


def counted(bins: Iterable[int]) -> str:
    """One bin by its number, several as a list.

    Examples
    --------
    >>> counted([3]), counted([0, 1, 2, 7])
    ('bin 3', 'bins 0 to 2, 7')
    """
    numbers = [int(one) for one in bins]
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    texts = [f"{run[0]} to {run[-1]}" if run[2:] else ", ".join(map(str, run)) for run in runs]
    return f"bin{'s' if numbers[1:] else ''} {', '.join(texts)}"
