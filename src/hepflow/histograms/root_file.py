"""Histograms in a ROOT file, thousands of them in a moment."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepflow.records import Axis, Block, HistogramSet
from hepflow.storage import atomic_write

# What stands in a histogram where its numbers come in; no number of a histogram by itself.
_STATISTICS, _SUMW2, _SUMW = 1.2345678901e301, 1.2345678901e302, 1.2345678901e303
_N_STATISTICS = 5  # entries, and the sums of w, w2, wx and wx2
_KEY_BYTES = 128  # of a histogram in the directory: more, and the directory moves once


def histogram_key(channel: str, observable: str, process: str, variation: str = "nominal") -> str:
    """Key in the ROOT file: ``channel__observable__process[__source_up|down]``."""
    suffix = "" if variation == "nominal" else f"__{variation}"
    return f"{channel}__{observable}__{process}{suffix}"


def write_root(histograms: HistogramSet, path: Path) -> Path:
    """Write one TH1D for each channel, observable, process and variation, flow included."""
    import uproot

    number = sum(len(block.variations) for block in histograms.blocks.values())
    content = io.BytesIO()  # uproot goes back and forth for each histogram
    with uproot.recreate(content, initial_directory_bytes=_KEY_BYTES * (number + 2)) as file:
        file.update(_objects(histograms))
        data = content.getvalue()
    atomic_write(path, data)
    return path


def _objects(histograms: HistogramSet) -> Iterator[tuple[str, Any]]:
    """Keys, and what uproot writes; one object after the other, for some are reused."""
    models: dict[Axis, Any] = {}
    forms: dict[tuple[Axis, int], _Form] = {}
    for (channel, observable, process), block in histograms.blocks.items():
        axis = histograms.axes[channel, observable]
        if axis not in models:
            models[axis] = _model(axis)
        model = models[axis]
        for name, numbers in zip(block.variations, _numbers(axis, block), strict=True):
            key = histogram_key(channel, observable, process, name)
            place = axis, len(key.encode())
            if place not in forms:
                forms[place] = _Form.of(axis, place[1])
            data = forms[place].filled(key.encode(), *numbers)
            model.serialize = lambda name, data=data: data  # noqa: ARG005  # uproot's signature
            yield key, model


@dataclass(frozen=True)
class _Form:
    """The bytes of a TH1D as uproot makes them, with gaps for its name and its numbers.

    The lengths that ROOT keeps in the bytes depend on the axis and the length of the name only.
    """

    pieces: tuple[bytes, ...]  # around name, statistics, squared weights and weights

    @classmethod
    def of(cls, axis: Axis, name_bytes: int) -> Self:
        """Cut a histogram of this axis at what takes the place of name and numbers."""
        name, size = "?" * name_bytes, axis.n_bins + 2
        rest = _model(axis).serialize(name)
        gaps = (
            name.encode(),
            _big_endian(np.full(_N_STATISTICS, _STATISTICS)).tobytes(),
            _big_endian(np.full(size, _SUMW2)).tobytes(),
            _big_endian(np.full(size, _SUMW)).tobytes(),
        )
        pieces = []
        for gap in gaps:
            start = rest.index(gap)
            pieces.append(rest[:start])
            rest = rest[start + len(gap) :]
        return cls((*pieces, rest))

    def filled(self, *gaps: bytes) -> bytes:
        """The bytes with name, statistics, squared weights and weights."""
        parts = [self.pieces[0]]
        for gap, piece in zip(gaps, self.pieces[1:], strict=True):
            parts += (gap, piece)
        return b"".join(parts)


def _big_endian(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(numbers, dtype=">f8")


def _numbers(axis: Axis, block: Block) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Statistics, squared weights and weights of each variation, as in the file.

    Entries are the effective number of entries, as there are weights.
    """
    edges = np.asarray(axis.edges, dtype=np.float64)
    centres = (edges[:-1] + edges[1:]) / 2
    inner, total2 = block.sumw[:, 1:-1], block.sumw2.sum(axis=1)
    filled = total2 != 0
    effective = block.sumw.sum(axis=1) ** 2 / np.where(filled, total2, 1.0)
    statistics = (
        np.where(filled, effective, 0.0),
        inner.sum(axis=1),
        block.sumw2[:, 1:-1].sum(axis=1),
        (inner * centres).sum(axis=1),
        (inner * centres**2).sum(axis=1),
    )
    columns = np.stack(statistics, axis=1), block.sumw2, block.sumw
    for rows in zip(*(_big_endian(column) for column in columns), strict=True):
        one, two, three = (row.tobytes() for row in rows)
        yield one, two, three


def _model(axis: Axis) -> Any:
    """A TH1D of this axis, with marks in the place of its numbers."""
    import uproot

    edges, size = np.asarray(axis.edges, dtype=np.float64), axis.n_bins + 2
    title = axis.label or axis.name
    return uproot.writing.identify.to_TH1x(
        fName=None,
        fTitle=title,
        data=np.full(size, _SUMW),
        fEntries=_STATISTICS,
        fTsumw=_STATISTICS,
        fTsumw2=_STATISTICS,
        fTsumwx=_STATISTICS,
        fTsumwx2=_STATISTICS,
        fSumw2=np.full(size, _SUMW2),
        fXaxis=uproot.writing.identify.to_TAxis(
            fName="xaxis",
            fTitle=title,
            fNbins=axis.n_bins,
            fXmin=float(edges[0]),
            fXmax=float(edges[-1]),
            fXbins=None if _uniform(edges) else edges,
        ),
    )


def _uniform(edges: NDArray[Any]) -> bool:
    return bool(np.array_equal(edges, np.linspace(edges[0], edges[-1], len(edges))))
