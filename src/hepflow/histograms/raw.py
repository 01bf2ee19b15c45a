"""Raw histograms on disk, as plain arrays with a checksum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.records import Axis, Block, Cutflow, Ledger, RawHistograms
from hepflow.records.kept_yield import KeptYield
from hepflow.storage import read_part, write_part

FORMAT = 1


def write_raw(path: Path, raw: RawHistograms) -> None:
    """Write raw histograms; `read_raw` gives them back without loss."""
    yields = [(key, list(k.variations), k.without, k.weighted) for key, k in raw.yields.items()]
    plain = {"format": FORMAT, **_blocks_to_plain(raw), "ledger": raw.ledger.to_json()}
    write_part(path, {**plain, "yields": yields} if yields else plain)


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
        cutflows={tuple(key): cutflow_of(*rest) for key, *rest in data["cutflows"]},
        ledger=Ledger.from_json(data["ledger"]),
        yields={
            key: KeptYield(tuple(names), without, weighted)
            for key, names, without, weighted in data.get("yields", ())
        },
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
        "cutflows": [(list(key), *cutflow_columns(flow)) for key, flow in raw.cutflows.items()],
    }


def cutflow_columns(flow: Cutflow) -> tuple[Any, ...]:
    """Plain containers and arrays of a cutflow; the last one by variation, where there are any."""
    columns = (list(flow.names), flow.counts, flow.sumw, flow.sumw2)
    if flow.varied is None:
        return columns
    varied = [(name, one.counts, one.sumw, one.sumw2) for name, one in flow.varied.items()]
    return (*columns, varied)


def cutflow_of(
    names: Sequence[str], counts: Any, sumw: Any, sumw2: Any, varied: Any = None
) -> Cutflow:
    """Build the cutflow of such columns."""
    steps = tuple(names)

    def flow(counts: Any, sumw: Any, sumw2: Any) -> Cutflow:
        return Cutflow(
            steps,
            np.asarray(counts, dtype=np.int64),
            np.asarray(sumw, dtype=np.float64),
            np.asarray(sumw2, dtype=np.float64),
        )

    nominal = flow(counts, sumw, sumw2)
    if varied is None:
        return nominal
    return replace(nominal, varied={name: flow(*columns) for name, *columns in varied})
