"""Cutflows by process or dataset, as tables for people, as LaTeX and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hepflow.errors import InputError, did_you_mean
from hepflow.records import Cutflow, HistogramSet
from hepflow.storage import write_json

CUTFLOW_FILE = "cutflow.json"
_SPECIAL = str.maketrans(
    {one: f"\\{one}" for one in "_&%#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


@dataclass(frozen=True)
class CutflowTable:
    """Events after each cut of one channel, a column for each process or dataset."""

    channel: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # cut, then one text for each column


def by_process(
    histograms: HistogramSet, channel: str, variation: str = "nominal"
) -> dict[str, Cutflow]:
    """Cutflows of one channel and variation, the datasets of a process added up."""
    found: dict[str, Cutflow] = {}
    for dataset, flow in by_dataset(histograms, channel, variation).items():
        process = histograms.process_of[dataset]
        found[process] = found[process] + flow if process in found else flow
    return found


def by_dataset(
    histograms: HistogramSet, channel: str, variation: str = "nominal"
) -> dict[str, Cutflow]:
    """Cutflows of one channel and variation by key of the dataset."""
    return {
        dataset: flow.of(variation)
        for (where, dataset), flow in histograms.cutflows.items()
        if where == channel
    }


def cutflow_table(
    histograms: HistogramSet,
    channel: str,
    by: Literal["process", "dataset"] = "process",
    *,
    weighted: bool = True,
    variation: str = "nominal",
) -> CutflowTable:
    """Table of one channel.

    Rows up to the last carry generator weights times cross-section and luminosity; the last
    one, ``corrected``, all corrections as well.

    Parameters
    ----------
    histograms
        As `read_histograms` or a run gives them.
    channel
        Name of the channel.
    by
        What the columns are.
    weighted
        Expected events; otherwise how many simulated events there are. Data are counts.
    variation
        Such as ``jes_up``. All but nominal need ``cutflow_variations`` of the channel.

    Raises
    ------
    InputError
        If there is no such channel, or no such variation of its cutflow.
    """
    _check(histograms, channel, variation)
    if by == "process":
        flows = by_process(histograms, channel, variation)
        counted = {name for name in flows if name in histograms.data_processes}
    else:
        flows = by_dataset(histograms, channel, variation)
        data = histograms.data_processes
        counted = {name for name in flows if histograms.process_of[name] in data}
    longest_first = sorted((flow.names for flow in flows.values()), key=len, reverse=True)
    names = dict.fromkeys(name for found in longest_first for name in found)
    rows = tuple(
        (
            name,
            *(
                _cell(flow, name, weighted=weighted and column not in counted)
                for column, flow in flows.items()
            ),
        )
        for name in names
    )
    return CutflowTable(channel, tuple(flows), rows)


def _check(histograms: HistogramSet, channel: str, variation: str) -> None:
    if channel not in histograms.channels:
        hint = did_you_mean(channel, histograms.channels)
        raise InputError(f"there is no channel {channel!r}. {hint}")
    if variation == "nominal":
        return
    known = _variations(histograms, channel)
    if known is None:
        raise InputError(
            f"the cutflow of channel {channel!r} was counted for nominal only. Set "
            "cutflow_variations of this channel to True and run again."
        )
    if variation not in known:
        hint = did_you_mean(variation, known)
        raise InputError(f"channel {channel!r} has no variation {variation!r}. {hint}")


def _variations(histograms: HistogramSet, channel: str) -> tuple[str, ...] | None:
    """Variations that move the cutflow of a channel; None where only nominal was counted."""
    flows = [flow for (where, _), flow in histograms.cutflows.items() if where == channel]
    counted = [flow.varied for flow in flows if flow.varied is not None]
    return tuple(dict.fromkeys(name for one in counted for name in one)) if counted else None


def _cell(flow: Cutflow, name: str, *, weighted: bool) -> str:
    if name not in flow.names:
        return "-"
    row = flow.names.index(name)
    return f"{flow.sumw[row]:,.1f}" if weighted else f"{int(flow.counts[row]):,}"


def cutflow_latex(table: CutflowTable, remarks: Sequence[str] = ()) -> str:
    """Write a table as a LaTeX ``tabular``.

    Parameters
    ----------
    table
        From `cutflow_table`.
    remarks
        What a reader of the numbers must know, as in ``cutflow.json``; below the table.
    """
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\hline",
        _row(("cut", *table.columns)),
        r"\hline",
        *(_row(row) for row in table.rows),
        r"\hline",
        *(
            rf"\multicolumn{{{len(table.columns) + 1}}}{{l}}{{{one.translate(_SPECIAL)}}} \\"
            for one in remarks
        ),
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cell.translate(_SPECIAL) for cell in cells) + r" \\"


def write_cutflows(histograms: HistogramSet, folder: Path, remarks: Sequence[str] = ()) -> Path:
    """Write ``cutflow.json``.

    Parameters
    ----------
    histograms : HistogramSet
    folder : Path
    remarks : sequence of str
        What a reader of the numbers must know, such as "50 % of data".

    Returns
    -------
    Path
        The file: ``remarks``, ``input`` with what became of each dataset, ``channels`` with
        channel -> process -> cuts with counts and weights, ``datasets`` with the same by dataset,
        and ``variations`` with channel -> variation -> dataset -> cuts, where they were counted.
    """
    found = {channel: _variations(histograms, channel) for channel in histograms.channels}
    varied = {
        channel: {name: _plain(by_dataset(histograms, channel, name)) for name in names}
        for channel, names in found.items()
        if names is not None
    }
    content: dict[str, Any] = {
        "remarks": list(remarks),
        "input": [one.to_json() for one in histograms.ledger.accounts()],
        "channels": {name: _plain(by_process(histograms, name)) for name in found},
        "datasets": {name: _plain(by_dataset(histograms, name)) for name in found},
        "variations": varied,
    }
    path = folder / CUTFLOW_FILE
    write_json(path, content, sort_keys=False)
    return path


def _plain(flows: Mapping[str, Cutflow]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {"cut": cut, "events": int(count), "sumw": float(w), "sumw2": float(w2)}
            for cut, count, w, w2 in zip(
                flow.names, flow.counts, flow.sumw, flow.sumw2, strict=True
            )
        ]
        for name, flow in flows.items()
    }
