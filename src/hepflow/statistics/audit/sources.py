"""Checks of sources: sides that are missing, equal, on one side, too large or without effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from hepflow.records.inference import Finding
from hepflow.statistics.audit.codes import ERROR, WARNING, Where, finding
from hepflow.statistics.audit.nominal import SMALL_PART, counted
from hepflow.statistics.audit.record import (
    AuditTemplates,
    Floats,
    SampleTemplates,
    Sides,
    same,
)
from hepflow.statistics.audit_spec import AuditSpec

_SIDES = ("up", "down")
_CERTAIN = 2.0  # standard deviations by which a yield that is too large must be off
_LARGE = 3.0  # factor on a yield that no source of uncertainty is
_SMALLEST = 1e-3  # relative change below which a direction says nothing
_LEAST_BESIDE = 0.25  # of a spike, the other way: half of it, or less as the bins fluctuate
_LESSER = 0.1  # of the larger of two changes: less is no change in its direction


def missing(templates: AuditTemplates) -> Iterator[Finding]:
    """Sources without templates where they act, or with one side only."""
    if not templates.declared:
        yield from _missing_somewhere(templates)
    for region, sample, one, source, sides in templates.sources():
        where = Where(region, sample, source)
        if sides.up is None and sides.down is None:
            what = "the source acts on this sample, but there is neither an up nor a down template"
            yield finding("missing-variation", what, where)
            continue
        none = [side for side in _SIDES if getattr(sides, side) is None]
        equal = [name for name, moved in zip(_SIDES, _moved(one, sides), strict=True) if not moved]
        if none:
            what = f"there is no {none[0]} template: this side reads nominal"
            yield finding("missing-side", what, where)
        elif len(equal) == 1:
            what = f"the {equal[0]} template is equal to nominal, the other one is not"
            yield finding("missing-side", what, where)


def _moved(one: SampleTemplates, sides: Sides) -> tuple[bool, bool]:
    """Whether up and down differ from nominal."""
    up, down = sides.both(one.nominal)
    return not same(up, one.nominal), not same(down, one.nominal)


def _missing_somewhere(templates: AuditTemplates) -> Iterator[Finding]:
    """Sources that a sample has in some of its regions only."""
    having: dict[tuple[str, str], set[str]] = {}
    for region, sample, _, source, _ in templates.sources():
        having.setdefault((sample, source), set()).add(region)
    for (sample, source), regions in having.items():
        for region, found in templates.regions.items():
            one = found.samples.get(sample)
            if one is not None and region not in regions and one.nominal.any():
                what = f"there are templates of this source for the sample in {min(regions)}"
                what += f"{' and others' if len(regions) > 1 else ''}, but none here"
                yield finding("missing-variation", what, Where(region, sample, source))


def identical(templates: AuditTemplates) -> Iterator[Finding]:
    """Sources whose sides are the same, with an effect or without.

    Where the sides of a source are the same for all samples that it moves, a sample that it
    does not move has the same fault. In a finished model it is a warning: there, the one side
    of an effect is often entered twice on purpose.
    """
    pairs = [one for one in templates.sources() if one[4].complete]
    equal = {(r, s, n): same(*sides.both(one.nominal)) for r, s, one, n, sides in pairs}
    moved = {(r, s, n): any(_moved(one, sides)) for r, s, one, n, sides in pairs}
    right = {key[2] for key, is_equal in equal.items() if not is_equal}
    wrong = {key[2] for key, is_equal in equal.items() if is_equal and moved[key]} - right
    severity = WARNING if templates.published else ERROR
    for region, sample, one, source, sides in pairs:
        key = (region, sample, source)
        if not equal[key] or not one.nominal.any():
            continue
        where = Where(region, sample, source)
        up = sides.both(one.nominal)[0]
        if moved[key]:
            what = f"up and down are the same template (yield {_ratio(up, one.nominal):.3g} times "
            what += "nominal)"
            yield finding("identical-sides", what, where, severity=severity)
        elif source in wrong:
            what = "up and down are the same template, as for all samples of this source, here "
            what += "without an effect"
            yield finding("identical-sides", what, where, severity=severity)
        else:
            yield finding("no-effect", "both sides are equal to nominal", where)


def _ratio(varied: Floats, nominal: Floats) -> float:
    total = float(nominal.sum())
    return float(varied.sum()) / total if total > 0 else float("nan")


def norm_effect(
    one: SampleTemplates,
    sides: Sides,
    spec: AuditSpec,
    where: Where,
    total: Floats | None,
    *,
    published: bool = False,
) -> Iterator[Finding]:
    """Yields that change by more than the threshold.

    It is a warning where too few simulated events say so, where the size is configured, or where
    the change is small beside the expectation of the region in all bins.

    Parameters
    ----------
    total
        Expectation of the region; None for a sample of which any change matters.
    published
        In a finished model only a change by a large factor is an error.
    """
    found = {}
    for side, varied in zip(_SIDES, sides.both(one.nominal), strict=True):
        ratio = _ratio(varied, one.nominal)
        if abs(ratio - 1.0) > spec.norm_effect:
            found[side] = ratio
    if not found:
        return
    told = " and ".join(f"{ratio:.3g} {side}" for side, ratio in found.items())
    what = f"the yield of {one.nominal.sum():.4g} is multiplied by {told}"
    why = _why_no_error(one, sides, found, total)
    if not why and published and not any(_is_lost(ratio) for ratio in found.values()):
        why = "which a finished model may mean"
    if why:
        yield finding("norm-effect", f"{what}, {why}", where, severity=WARNING)
    else:
        yield finding("norm-effect", what, where)


def _why_no_error(
    one: SampleTemplates, sides: Sides, ratios: Mapping[str, float], total: Floats | None
) -> str:
    if sides.stated:
        return "as configured"
    if not any(_is_certain(one, ratio) for ratio in ratios.values()):
        return "as far as so few simulated events can tell"
    if total is not None:
        changes = [np.abs(varied - one.nominal) for varied in sides.both(one.nominal)]
        if not (np.max(changes, axis=0) > SMALL_PART * np.maximum(total, 0.0)).any():
            return f"which changes no bin of the region by more than {SMALL_PART:.0%}"
    return ""


def _is_lost(ratio: float) -> bool:
    """Whether a factor must be missing, or be there twice."""
    return not 1 / _LARGE <= ratio <= _LARGE


def _is_certain(one: SampleTemplates, ratio: float) -> bool:
    """Whether the change is more than the statistics of the nominal events explain."""
    total, spread = float(one.nominal.sum()), float(np.nansum(one.variances))
    if ratio <= 0 or spread <= 0:
        return True
    return bool(abs(np.log(ratio)) > _CERTAIN * np.sqrt(spread) / total)


def one_sided(
    one: SampleTemplates, sides: Sides, spec: AuditSpec, where: Where
) -> Iterator[Finding]:
    """Yields, and contents of bins, that both sides move in the same direction."""
    up, down = sides.both(one.nominal)
    if not sides.complete or same(up, down) or not all(_moved(one, sides)):
        return
    total = np.array([one.nominal.sum()])
    changes = np.array([[up.sum()], [down.sum()]]) - total
    if _on_one_side(changes, total, np.array([one.weight]), spec).any():
        first, second = changes[:, 0] / total[0]
        what = "both sides change the yield in one direction: "
        what += f"up {first:+.2%}, down {second:+.2%}"
        yield finding("one-sided", what, where)
        return  # the bins follow
    changes = np.array([up, down]) - one.nominal
    bins = np.flatnonzero(_on_one_side(changes, one.nominal, _weights(one), spec))
    if len(bins):
        worst = bins[np.argmax(np.abs(changes[:, bins]).min(axis=0))]
        first, second = changes[:, worst] / one.nominal[worst]
        what = f"both sides change {counted(bins)} in one direction"
        what += f" (bin {worst}: up {first:+.2%}, down {second:+.2%})"
        yield finding("one-sided", what, where, bins)


def _weights(one: SampleTemplates) -> Floats:
    """Events that one simulated event stands for, in each bin; the mean where not known."""
    known = (one.variances > 0) & (one.nominal > 0)
    content = np.where(known, one.nominal, 1.0)
    return np.where(known, one.variances / content, one.weight)


def _on_one_side(
    changes: Floats, nominal: Floats, weight: Floats, spec: AuditSpec
) -> NDArray[np.bool_]:
    """Whether two changes have the same sign, and neither is chance or of second order.

    A change by moving n simulated events of this weight fluctuates by the square root of n of
    them: it is beyond `significance` standard deviations where n is above its square.

    Parameters
    ----------
    changes
        Of up and down, shape (2, n).
    nominal, weight
        Shape (n,).
    """
    sizes = np.abs(changes)
    least, most = sizes.min(axis=0), sizes.max(axis=0)
    return np.asarray(
        (nominal > 0)
        & (changes[0] * changes[1] > 0)
        & (least > _SMALLEST * nominal)
        & (least > _LESSER * most)
        & (least > spec.significance**2 * weight)
    )


def negative_variation(one: SampleTemplates, sides: Sides, where: Where) -> Iterator[Finding]:
    """Bins that a source makes negative, of a sample that is not."""
    lowest = np.minimum(*sides.both(one.nominal))
    below = np.flatnonzero((lowest < 0) & (one.nominal >= 0))
    if len(below):
        what = f"varied, {lowest[below].min():.3g} events are expected at the lowest in "
        what += counted(below)
        yield finding("negative-bin", what, where, below)


def negative_totals(templates: AuditTemplates) -> Iterator[Finding]:
    """Bins whose total a source makes negative: no likelihood at one standard deviation."""
    for region, found in templates.regions.items():
        total = found.total()
        names = dict.fromkeys(name for one in found.samples.values() for name in one.sources)
        for source in names:
            sums = [np.zeros(len(total)), np.zeros(len(total))]
            for one in found.samples.values():
                sides = one.sources.get(source, Sides(None, None)).both(one.nominal)
                sums = [left + right for left, right in zip(sums, sides, strict=True)]
            lowest = np.minimum(*sums)
            below = np.flatnonzero((lowest < 0) & (total >= 0))
            if len(below):
                what = f"varied, all samples together expect {lowest[below].min():.3g} events at "
                what += f"the lowest in {counted(below)}"
                where = Where(region, "", source)
                yield finding("negative-expectation", what, where, below, severity=WARNING)


def spikes(one: SampleTemplates, sides: Sides, spec: AuditSpec, where: Where) -> Iterator[Finding]:
    """Bins whose relative effect stands out from that of the bins on both sides."""
    worst: dict[int, tuple[float, str]] = {}
    for side, varied in zip(_SIDES, (sides.up, sides.down), strict=True):
        if varied is None:
            continue
        for index, size in _standing_out(one, varied, spec):
            if abs(size) > abs(worst.get(index, (0.0, ""))[0]):
                worst[index] = (size, side)
    if worst:
        index = max(worst, key=lambda bin_: abs(worst[bin_][0]))
        size, side = worst[index]
        what = f"the effect in {counted(sorted(worst))} stands out from the bins beside"
        what += f" (bin {index}, {side}: {size:+.0%} from them)"
        yield finding("spike", what, where, sorted(worst))


def _standing_out(
    one: SampleTemplates, varied: Floats, spec: AuditSpec
) -> Iterator[tuple[int, float]]:
    """Bins, and by how much their relative effect differs from the mean of their neighbours."""
    filled = one.nominal > 0
    content = np.where(filled, one.nominal, 1.0)
    effect = varied / content - 1.0
    known = np.isfinite(one.variances) & (one.variances > 0)
    error = np.sqrt(np.where(known, one.variances, 0.0)) / content
    apart, spread = np.zeros(len(effect)), np.full(len(effect), np.inf)
    inner = np.flatnonzero(filled[:-2] & filled[1:-1] & filled[2:]) + 1
    apart[inner] = effect[inner] - (effect[inner - 1] + effect[inner + 1]) / 2
    spread[inner] = np.sqrt(error[inner] ** 2 + (error[inner - 1] ** 2 + error[inner + 1] ** 2) / 4)
    for i in inner:
        if abs(apart[i]) > max(spec.spike, spec.significance * spread[i]):
            # beside a spike the mean of the neighbours is off by half of it, the other way; where
            # it is not, the edge or a bend stands out
            beside = [apart[k] for k in (i - 1, i + 1) if k in inner]
            against = [-one / apart[i] for one in beside]
            if against and all(_LEAST_BESIDE <= one <= 1 for one in against):
                yield int(i), float(apart[i])
