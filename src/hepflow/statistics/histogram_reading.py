"""Histograms from files made here or elsewhere: ROOT files, or the zip file of a run."""

from __future__ import annotations

import contextlib
import functools
import logging
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import UnreadableFile, WorkspaceError
from hepflow.records.histograms import Axis, AxisKey, Block, BlockKey, HistogramSet
from hepflow.records.ledger import Ledger
from hepflow.storage import open_zip, parse_json

_log = logging.getLogger(__name__)

KEYS: Final = "channel__observable__process[__source_up|down]"
_SEPARATOR: Final = "__"
_SIDES: Final = ("_up", "_down")
_SHOWN: Final = 8  # names in a message
_META: Final = "hepflow.json"  # what a run writes beside its histograms
# What hist, uhi, uproot and numpy raise where a file is damaged, or no such file at all.
_BROKEN: Final = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError),
    *(RuntimeError, MemoryError, OverflowError, SyntaxError, NotImplementedError, AssertionError),
    *(tokenize.TokenError, zlib.error, zipfile.BadZipFile),
)


@dataclass(frozen=True)
class Content:
    """One histogram, under- and overflow included."""

    edges: tuple[float, ...]
    label: str
    sumw: NDArray[np.float64]  # shape (n_bins + 2,)
    sumw2: NDArray[np.float64]  # the sum of weights where the histogram keeps no squares


@dataclass(frozen=True)
class _Key:
    """What a key of a histogram says."""

    channel: str
    observable: str
    process: str
    variation: str  # "nominal", "<source>_up" or "<source>_down"

    @classmethod
    def of(cls, text: str) -> _Key | None:
        """Read a key; None where it is none of the kind."""
        parts = text.split(_SEPARATOR)
        if not all(parts) or len(parts) not in {3, 4}:
            return None
        if len(parts) == 3:  # noqa: PLR2004 - channel, observable, process
            parts.append("nominal")
        elif not parts[3].endswith(_SIDES):
            return None
        channel, observable, process, variation = parts
        return cls(channel, observable, process, variation)


def observables_of(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Observables of a file of histograms by channel, without reading the histograms.

    Parameters
    ----------
    path : str or Path
        As `read_histogram_file` takes it.

    Raises
    ------
    UnreadableFile
        It is missing, or neither a ROOT file nor the zip file of a run.
    WorkspaceError
        No key is of that kind.
    """
    with _opened(Path(path)) as contents:
        texts = list(contents)
    keys = {text: _Key.of(text) for text in texts}
    other = [text for text, key in keys.items() if key is None]
    if len(other) == len(texts):
        what = f"its keys are {_list(other)}" if other else "it holds no histogram of one axis"
        raise WorkspaceError(
            f"{path}: no histogram has a key of the form {KEYS}; {what}. Rename the histograms, "
            "or describe the file in a cabinetry configuration and name that."
        )
    if other:
        _log.warning("%s: left out, as no key of the form %s: %s", path, KEYS, _list(other))
    found: dict[str, dict[str, None]] = {}
    for key in keys.values():
        if key is not None:
            found.setdefault(key.channel, {})[key.observable] = None
    return {channel: tuple(names) for channel, names in found.items()}


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def read_histogram_file(
    path: str | Path, *, data: str = "data", observables: Mapping[str, str] | None = None
) -> HistogramSet:
    """Read histograms with keys ``channel__observable__process[__source_up|down]``.

    Parameters
    ----------
    path : str or Path
        A ROOT file made here or elsewhere, whose folders do not matter, or ``histograms.zip``
        of a run.
    data : str
        Process of the data.
    observables : mapping, optional
        By channel, where nothing else is to be read.

    Returns
    -------
    HistogramSet
        Without cutflows, ledger and luminosity.

    Raises
    ------
    UnreadableFile
        It is missing, or neither of both.
    WorkspaceError
        Histograms that belong together have different bin edges, or a variation has no nominal
        template.
    """
    axes: dict[AxisKey, Axis] = {}
    found: dict[BlockKey, dict[str, Content]] = {}
    with _opened(Path(path)) as contents:
        for text, read in contents.items():
            key = _Key.of(text)
            if key is None or (observables and observables.get(key.channel) != key.observable):
                continue
            content, place = read(), (key.channel, key.observable)
            known = axes.setdefault(place, Axis(key.observable, content.label, content.edges))
            if known.edges != content.edges:
                first = next(one for one in found if one[:2] == place)
                raise WorkspaceError(
                    f"{path}: {text} and {_SEPARATOR.join(first)} have different bin edges "
                    f"({_binning(content.edges)} and {_binning(known.edges)}). All histograms of "
                    "one observable in one channel need the same."
                )
            found.setdefault((*place, key.process), {})[key.variation] = content
    blocks = {key: _block(path, key, rows) for key, rows in found.items()}
    processes = {key[2]: key[2] for key in blocks}
    datas = frozenset({data} & set(processes))
    return HistogramSet(axes, blocks, {}, datas, {}, Ledger(), processes)


def _binning(edges: tuple[float, ...]) -> str:
    return f"{len(edges) - 1} bins from {edges[0]:g} to {edges[-1]:g}"


def _block(path: str | Path, key: BlockKey, rows: Mapping[str, Content]) -> Block:
    """Templates of a process, nominal first."""
    if "nominal" not in rows:
        raise WorkspaceError(
            f"{path}: {_SEPARATOR.join(key)} is missing, of which {min(rows)} is a variation. "
            "Add the nominal histogram."
        )
    names = ("nominal", *(name for name in rows if name != "nominal"))
    sumw = np.asarray([rows[name].sumw for name in names], dtype=np.float64)
    sumw2 = np.asarray([rows[name].sumw2 for name in names], dtype=np.float64)
    return Block(names, sumw, sumw2)


def sources_of_block(block: Block) -> tuple[str, ...]:
    """Sources that a process has an up or a down template for."""
    names = (name for name in block.variations if name != "nominal")
    return tuple(dict.fromkeys(name.removesuffix("_up").removesuffix("_down") for name in names))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Callable[[], Content]]]:
    """Keys of a file, each with what reads its histogram.

    Raises
    ------
    UnreadableFile
        It is missing, or neither a ROOT file nor the zip file of a run.
    """
    if not path.is_file():
        raise UnreadableFile(f"{path} is not there. Expected a file of histograms (.root, .zip).")
    try:
        with _in_zip(path) if path.suffix.lower() == ".zip" else _in_root(path) as contents:
            yield contents
    except _BROKEN as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableFile(
            f"{path}: the histograms cannot be read ({why}). Expected a ROOT file, or the "
            "histograms.zip of a run; write the file again."
        ) from error


@contextlib.contextmanager
def _in_root(path: Path) -> Iterator[Mapping[str, Callable[[], Content]]]:
    import uproot

    with uproot.open(path) as file:
        kinds = file.classnames(cycle=False)
        names = [name for name, kind in kinds.items() if kind.startswith("TH1")]
        places = {name.rpartition("/")[2]: name for name in names}
        for name in names:
            other = places[name.rpartition("/")[2]]
            if other != name:
                raise WorkspaceError(
                    f"{path}: {name} and {other} have the same key in two folders. Rename one, or "
                    "keep each folder in a file of its own."
                )
        yield {key: functools.partial(_of_root, file, name) for key, name in places.items()}


def _of_root(file: Any, name: str) -> Content:
    histogram = file[name]
    edges = tuple(float(one) for one in histogram.axis().edges())
    label = str(histogram.member("fXaxis").member("fTitle") or histogram.title or "")
    sumw = np.asarray(histogram.values(flow=True), dtype=np.float64)
    sumw2 = histogram.variances(flow=True)  # the contents where there are no squared weights
    return Content(edges, label, sumw, np.asarray(sumw2, dtype=np.float64))


@contextlib.contextmanager
def _in_zip(path: Path) -> Iterator[Mapping[str, Callable[[], Content]]]:
    import hist
    import uhi.io.zip

    with open_zip(path) as archive:
        meta = parse_json(archive.read(_META))
        axes = {tuple(key): (str(label), tuple(edges)) for key, _, label, edges in meta["axes"]}

        @functools.cache
        def full(channel: str, observable: str) -> Any:
            return hist.Hist(uhi.io.zip.read(archive, f"{channel}__{observable}"))

        def read(channel: str, observable: str, process: str, name: str) -> Content:
            label, edges = axes[channel, observable]
            histogram = full(channel, observable)
            row = list(histogram.axes["process"]).index(process)
            column = list(histogram.axes["variation"]).index(name)
            view = histogram.view(flow=True)[:, row, column]
            sumw, sumw2 = (np.ascontiguousarray(view[part]) for part in ("value", "variance"))
            return Content(tuple(float(one) for one in edges), label, sumw, sumw2)

        yield {
            _SEPARATOR.join((*key, *([] if name == "nominal" else [name]))): functools.partial(
                read, key[0], key[1], key[2], name
            )
            for key, names in meta["blocks"]
            for name in names
        }
