"""Histograms for others: a ROOT file, and a lossless zip that hist reads."""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import MissingArtifact, StorageError
from hepflow.histograms.raw import cutflow_columns, cutflow_of
from hepflow.histograms.root_file import write_root
from hepflow.records import Axis, Block, HistogramSet, Ledger
from hepflow.remote import identity, is_remote
from hepflow.storage import atomic_writer, open_zip, parse_json

MADE_BY = "histogramming (general.run_histogramming)"
ROOT_FILE = "histograms.root"
LOSSLESS_FILE = "histograms.zip"
FORMAT = 1
_META = "hepflow.json"
# What hist, uhi and numpy raise where a file is damaged, or was written to do harm.
_BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError),
    *(RuntimeError, MemoryError, OverflowError, SyntaxError, tokenize.TokenError, zlib.error),
    zipfile.BadZipFile,
)


def write_histograms(histograms: HistogramSet, folder: Path) -> tuple[Path, Path]:
    """Write ``histograms.root`` and ``histograms.zip`` into a folder."""
    return (
        write_root(histograms, folder / ROOT_FILE),
        write_lossless(histograms, folder / LOSSLESS_FILE),
    )


def write_lossless(histograms: HistogramSet, path: Path) -> Path:
    """Write all histograms with `uhi.io` and everything else that belongs to them."""
    import uhi.io.zip

    meta = {
        "format": FORMAT,
        "axes": [[list(k), a.name, a.label, list(a.edges)] for k, a in histograms.axes.items()],
        "blocks": [[list(k), list(b.variations)] for k, b in histograms.blocks.items()],
        "cutflows": [[list(k), *cutflow_columns(f)] for k, f in histograms.cutflows.items()],
        "data_processes": sorted(histograms.data_processes),
        "luminosity": dict(histograms.luminosity),
        "ledger": _without_secrets(histograms.ledger.to_json()),
        "process_of": dict(histograms.process_of),
        "rescaled": dict(histograms.rescaled),
    }
    with (
        atomic_writer(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        archive.writestr(_fixed(_META), json.dumps(meta, default=np.ndarray.tolist))
        for channel, observable in histograms.axes:
            name = f"{channel}__{observable}"
            uhi.io.zip.write(archive, name, histograms.hist(channel, observable))
    return path


def _fixed(name: str) -> zipfile.ZipInfo:
    """Entry with a fixed time, so that equal contents give equal bytes."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _without_secrets(tree: Any) -> Any:
    """Plain containers whose URLs hold neither user nor query: the file is handed on."""
    if isinstance(tree, Mapping):
        return {_without_secrets(key): _without_secrets(one) for key, one in tree.items()}
    if isinstance(tree, list):
        return [_without_secrets(one) for one in tree]
    return identity(tree) if isinstance(tree, str) and is_remote(tree) else tree


def read_histograms(path: Path) -> HistogramSet:
    """Read what `write_lossless` wrote.

    Raises
    ------
    MissingArtifact
        If the file is not there.
    StorageError
        If it is broken, or holds more than it should.
    """
    import hist
    import uhi.io.zip

    if not path.exists():
        raise MissingArtifact(f"{path} is not there; {MADE_BY} makes it.")
    try:
        with open_zip(path) as archive:
            meta = parse_json(archive.read(_META))
            axes = {tuple(k): Axis(n, text, tuple(e)) for k, n, text, e in meta["axes"]}
            full: dict[Any, Any] = {
                key: hist.Hist(uhi.io.zip.read(archive, f"{key[0]}__{key[1]}")) for key in axes
            }
            return _assembled(meta, axes, full)
    except _BROKEN as error:
        why = str(error) or type(error).__name__
        raise StorageError(f"{path}: cannot be read ({why}). Delete it and run again.") from error


def _assembled(
    meta: Mapping[str, Any], axes: dict[tuple[str, str], Axis], full: Mapping[Any, Any]
) -> HistogramSet:
    """Histograms of what the file holds."""
    return HistogramSet(
        axes=axes,
        blocks={tuple(k): _block_of(full[k[0], k[1]], k[2], names) for k, names in meta["blocks"]},
        cutflows={tuple(key): cutflow_of(*rest) for key, *rest in meta["cutflows"]},
        data_processes=frozenset(meta["data_processes"]),
        luminosity=meta["luminosity"],
        ledger=Ledger.from_json(meta["ledger"]),
        process_of=meta["process_of"],
        rescaled=meta.get("rescaled", {}),  # absent in files of before there was one
    )


def _block_of(histogram: Any, process: str, names: list[str]) -> Block:
    view = histogram.view(flow=True)
    position = list(histogram.axes["process"]).index(process)
    present = list(histogram.axes["variation"])
    columns = [present.index(name) for name in names]
    chosen = view[:, position, :][:, columns]
    return Block(
        tuple(names),
        np.ascontiguousarray(chosen["value"].T),
        np.ascontiguousarray(chosen["variance"].T),
    )
