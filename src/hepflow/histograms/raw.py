"""Raw histograms on disk, as plain arrays with a checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hepflow.records import Axis, Block, Cutflow, Ledger, RawHistograms
from hepflow.storage import read_part, write_part

FORMAT = 1


def write_raw(path: Path, raw: RawHistograms) -> None:
    """Write raw histograms; `read_raw` gives them back without loss."""
    write_part(path, {"format": FORMAT, **_blocks_to_plain(raw), "ledger": raw.ledger.to_json()})


def read_raw(path: Path) -> RawHistograms:
    """Read raw histograms.

    Raises
    ------
    ChecksumError
        If the bytes on disk are not those that were written.
    """
    data = read_part(path)
    return RawHistograms(
        axes={
            tuple(key): Axis(name, label, tuple(edges)) for key, name, label, edges in data["axes"]
        },
        blocks={
            tuple(key): Block(tuple(names), sumw, sumw2)
            for key, names, sumw, sumw2 in data["blocks"]
        },
        cutflows={
            tuple(key): Cutflow(tuple(names), counts, sumw, sumw2)
            for key, names, counts, sumw, sumw2 in data["cutflows"]
        },
        ledger=Ledger.from_json(data["ledger"]),
    )


def _blocks_to_plain(raw: RawHistograms) -> dict[str, Any]:
    return {
        "axes": [
            (list(key), axis.name, axis.label, list(axis.edges)) for key, axis in raw.axes.items()
        ],
        "blocks": [
            (list(key), list(block.variations), block.sumw, block.sumw2)
            for key, block in raw.blocks.items()
        ],
        "cutflows": [
            (list(key), list(flow.names), flow.counts, flow.sumw, flow.sumw2)
            for key, flow in raw.cutflows.items()
        ],
    }
