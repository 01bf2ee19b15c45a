"""Cutflows by process, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepflow.records import Cutflow, HistogramSet
from hepflow.storage import write_json

CUTFLOW_FILE = "cutflow.json"


@dataclass(frozen=True)
class CutflowTable:
    """Events after each cut of one channel, a column for each process."""

    channel: str
    processes: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # cut, then one text for each process


def by_process(histograms: HistogramSet, channel: str) -> dict[str, Cutflow]:
    """Cutflows of one channel, the datasets of a process added up."""
    found: dict[str, Cutflow] = {}
    for (where, dataset), flow in histograms.cutflows.items():
        if where == channel:
            process = histograms.process_of[dataset]
            found[process] = found[process] + flow if process in found else flow
    return found


def cutflow_table(histograms: HistogramSet, channel: str) -> CutflowTable:
    """Table of one channel: expected events, counts for data.

    Rows up to the last carry generator weights times cross-section and luminosity; the last
    one, ``corrected``, all corrections as well.
    """
    flows = by_process(histograms, channel)
    longest_first = sorted((flow.names for flow in flows.values()), key=len, reverse=True)
    names = tuple(dict.fromkeys(name for found in longest_first for name in found))
    rows = tuple(
        (
            name,
            *(
                _cell(flow, name, process in histograms.data_processes)
                for process, flow in flows.items()
            ),
        )
        for name in names
    )
    return CutflowTable(channel, tuple(flows), rows)


def _cell(flow: Cutflow, name: str, is_data: bool) -> str:
    if name not in flow.names:
        return "-"
    row = flow.names.index(name)
    if is_data:
        return f"{int(flow.counts[row]):,}"
    return f"{flow.sumw[row]:,.1f}"


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
        The file: ``remarks``, ``input`` with what became of each dataset, and ``channels`` with
        channel -> process -> cuts with counts and weights.
    """
    channels: dict[str, Any] = {
        channel: {
            process: [
                {"cut": name, "events": int(count), "sumw": float(w), "sumw2": float(w2)}
                for name, count, w, w2 in zip(
                    flow.names, flow.counts, flow.sumw, flow.sumw2, strict=True
                )
            ]
            for process, flow in by_process(histograms, channel).items()
        }
        for channel in histograms.channels
    }
    path = folder / CUTFLOW_FILE
    accounts = [one.to_json() for one in histograms.ledger.accounts()]
    content = {"remarks": list(remarks), "input": accounts, "channels": channels}
    write_json(path, content, sort_keys=False)
    return path
