"""Sections about events: cutflows, N-1, data and simulation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from hepflow.records import Prediction
from hepflow.report.content import Block, Cell, Column, Figure, Gallery, Notice, Section, Table
from hepflow.report.numbers import count, identifier, number, with_uncertainty
from hepflow.report.pictures import Picture, readable_figures
from hepflow.report.stored import StoredRun

_TITLES: Final = {"prefit": "before the fit", "postfit": "after the fit"}


def axis_labels(settings: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Axis titles by channel and observable, N-1 histograms included."""
    found = {}
    for channel in settings.get("channels") or ():
        for one in channel.get("observables") or ():
            found[channel["name"], one["name"]] = one.get("label") or one["name"]
        own = ((channel.get("selection") or {}).get("n_minus_1")) or ()
        common = ((settings.get("baseline_selection") or {}).get("n_minus_1")) or ()
        for one in (*common, *own):
            name = f"n_minus_1_{one.get('name') or one['cut']}"
            found[channel["name"], name] = one.get("label") or name
    return found


def channel_kinds(settings: Mapping[str, Any]) -> dict[str, str]:
    """Kind of each channel by name: signal, control or validation."""
    return {one["name"]: one.get("kind", "") for one in settings.get("channels") or ()}


def figures_of(stored: StoredRun, kinds: Iterable[str]) -> tuple[Figure, ...]:
    """Figures of some kinds, in their order."""
    labels = axis_labels(stored.settings)
    chosen = (one for kind in kinds for one in stored.pictures if one.kind == kind)
    return readable_figures(chosen, labels)


def cutflow_section(stored: StoredRun) -> Section | None:
    """Events after each cut, weighted and raw, by channel."""
    channels: Mapping[str, Any] = stored.cutflows.get("channels") or {}
    blocks: list[Block] = []
    for channel, flows in channels.items():
        if flows:
            name = identifier("cutflow", channel)
            weighted, raw = "Expected events in {}", "Events in {} without weights"
            blocks.append(_cutflow(name, weighted.format(channel), flows, weighted=True))
            blocks.append(_cutflow(f"{name}-raw", raw.format(channel), flows, weighted=False))
    if not blocks:
        return None
    intro = (
        "Events that are left after each cut. Up to the last row they carry generator weights "
        "times cross-section and luminosity; the last one, corrected, all corrections as well. "
        "Data are counts."
    )
    return Section("cutflows", "Cutflows", tuple(blocks), intro)


def _cutflow(
    name: str, caption: str, flows: Mapping[str, Sequence[Mapping[str, Any]]], *, weighted: bool
) -> Table:
    longest_first = sorted(flows.values(), key=len, reverse=True)
    cuts = dict.fromkeys(step["cut"] for steps in longest_first for step in steps)
    found = {process: {step["cut"]: step for step in steps} for process, steps in flows.items()}
    rows = tuple(
        (Cell(cut), *(_step(steps.get(cut), weighted=weighted) for steps in found.values()))
        for cut in cuts
    )
    columns = (Column("cut"), *(Column(process, numeric=True) for process in flows))
    return Table(name, caption, columns, rows, folded=not weighted)


def _step(step: Mapping[str, Any] | None, *, weighted: bool) -> Cell:
    if step is None:
        return Cell("-", -1.0)
    if not weighted or (step["sumw"] == step["events"] and step["sumw2"] == step["events"]):
        return count(step["events"])
    return Cell(f"{step['sumw']:,.1f}", float(step["sumw"]))


def n_minus_1_section(stored: StoredRun) -> Section | None:
    """Histograms without one of the cuts."""
    figures = figures_of(stored, ["n_minus_1"])
    if not figures:
        return None
    intro = "Each shows the quantity of one cut for the events that pass all other cuts."
    return Section("n-minus-1", "N-1 plots", (Gallery(figures),), intro)


def data_section(stored: StoredRun) -> Section:
    """Data and simulation of every observable, by channel."""
    kinds = channel_kinds(stored.settings)
    shown = [one for one in stored.pictures if one.kind == "data"]
    wanted = [one for one in shown if kinds.get(one.folder) != "validation"]
    blocks = [*_galleries(stored, wanted)]
    if not blocks:
        return Section("data", "Data and prediction", (Notice("note", _why_no_plots(stored)),))
    return Section("data", "Data and prediction", tuple(blocks))


def _why_no_plots(stored: StoredRun) -> str:
    stages = {one["name"]: one for one in stored.run["stages"]}
    plots = stages.get("plots")
    if plots is None:
        return "This run drew no plots."
    if plots["outcome"] == "left out":
        return f"No plots were drawn: {plots['why']}."
    return (
        "The plots of this run are not in a format that a page can show. "
        "Add png or svg to plotting.formats."
    )


def _galleries(stored: StoredRun, pictures: Iterable[Picture]) -> Iterator[Gallery]:
    labels = axis_labels(stored.settings)
    kinds = channel_kinds(stored.settings)
    order = [*kinds, *sorted({one.folder for one in pictures} - kinds.keys())]
    ranked = sorted(pictures, key=lambda one: (order.index(one.folder), one.name))
    for channel, found in groupby(ranked, key=lambda one: one.folder):
        kind = kinds.get(channel)
        title = f"{channel} ({kind} region)" if kind else channel
        yield Gallery(readable_figures(found, labels), title)


def validation_section(stored: StoredRun) -> Section | None:
    """Regions that are predicted but not fitted."""
    kinds = channel_kinds(stored.settings)
    names = [name for name, kind in kinds.items() if kind == "validation"]
    if not names:
        return None
    shown = [one for one in stored.pictures if one.kind == "data" and one.folder in names]
    tables = [yields_table(one, f"validation-{one.kind}") for one in stored.inference.validation]
    drawn = figures_of(stored, ["validation"])
    predicted = (Gallery(drawn),) if drawn else ()
    blocks: tuple[Block, ...] = (*tables, *predicted, *_galleries(stored, shown))
    intro = f"Predicted, but not fitted: {', '.join(names)}."
    if not blocks:
        blocks = (Notice("note", "This run has no prediction and no plot of them."),)
    return Section("validation", "Validation regions", blocks, intro)


def yields_table(prediction: Prediction, name: str) -> Table:
    """Events of each sample in each channel, with what was observed."""
    samples = dict.fromkeys(s for channel in prediction.channels for s in channel.samples)
    rows = []
    for channel in prediction.channels:
        total, uncertainty = float(channel.total.sum()), channel.total_uncertainty
        text = number(total) if uncertainty is None else with_uncertainty(total, uncertainty)
        each = [channel.samples.get(sample) for sample in samples]
        cells = [Cell("-", -1.0) if s is None else _events(float(s.sum())) for s in each]
        seen = None if channel.data is None else float(channel.data.sum())
        observed = Cell("not shown", -1.0) if seen is None else count(seen)
        rows.append((Cell(channel.name), *cells, Cell(text, total), observed))
    titles = (*samples, "total", "observed")
    columns = (Column("region"), *(Column(title, numeric=True) for title in titles))
    caption = f"Events {_TITLES[prediction.kind]}"
    return Table(identifier("yields", name), caption, columns, tuple(rows))


def _events(value: float) -> Cell:
    return Cell(f"{value:,.1f}", value)
