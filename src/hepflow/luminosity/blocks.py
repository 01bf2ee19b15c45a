"""Luminosity blocks of files, and what of each was processed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError, MissingTree
from hepflow.events import BLOCK_ID, open_tree
from hepflow.lumi_mask import Ranges
from hepflow.luminosity.codes import Integers, codes_of

BLOCK_TREE = "LuminosityBlocks"


@dataclass(frozen=True)
class FileBlocks:
    """Luminosity blocks of one file."""

    codes: Integers  # of (run, block) where they change from entry to entry, shape (n,)
    counts: Integers  # entries up to the next change, shape (n,)
    listed: Integers  # codes in its LuminosityBlocks tree, shape (m,); some have no events


def read_blocks(file: str, tree: str, branch_map: Mapping[str, str]) -> FileBlocks:
    """Read the luminosity blocks of all events of a file, and of its LuminosityBlocks tree.

    Raises
    ------
    UnreadableFile, MissingTree
        If the file cannot be read.
    InputError
        If its events do not say in which block they are.
    """
    events = open_tree(file, tree, branch_map)
    missing = [name for name in BLOCK_ID if name not in events.names]
    if missing:
        raise InputError(
            f"{file}: has no branch {', '.join(missing)}, without which the luminosity of "
            "incomplete data is unknown. Leave general.lumi_table out."
        )
    columns = events.read(BLOCK_ID, 0, events.num_entries)
    codes = codes_of(*(columns[name] for name in BLOCK_ID))
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    counts = np.diff(starts, append=len(codes))
    in_tree = events.columns.kind == "ROOT"  # a Parquet file is one table
    return FileBlocks(codes[starts], counts, _listed(file) if in_tree else codes[:0])


def _listed(file: str) -> Integers:
    """Blocks that a file's own tree of them holds; none without one."""
    try:
        blocks = open_tree(file, BLOCK_TREE)
    except MissingTree:
        return np.zeros(0, dtype=np.int64)
    if not blocks.names.issuperset(BLOCK_ID):
        return np.zeros(0, dtype=np.int64)
    columns = blocks.read(BLOCK_ID, 0, blocks.num_entries)
    return codes_of(*(columns[name] for name in BLOCK_ID))


@dataclass(frozen=True)
class ProcessedData:
    """Blocks of one dataset of data, with the part of each that was processed."""

    dataset: str
    codes: Integers  # of (run, block), increasing, shape (n,)
    parts: NDArray[np.float64]  # between 0 and 1, shape (n,)
    ranges: Ranges | None  # certified runs; None: all


def processed_blocks(
    files: Iterable[tuple[FileBlocks, Sequence[tuple[int, int]]]],
) -> tuple[Integers, NDArray[np.float64]]:
    """Blocks of some files, with the fraction of the events of each that was processed.

    A block without events counts where its file was processed to its end.

    Parameters
    ----------
    files
        Blocks of each file and the entry ranges of it that were processed, which do not overlap.

    Returns
    -------
    tuple
        Codes of the blocks, increasing, and fractions, each of shape (n,).

    Examples
    --------
    >>> one = FileBlocks(codes_of([1, 1], [5, 6]), np.array([4, 6]), codes_of([1], [7]))
    >>> [found.tolist() for found in processed_blocks([(one, [(0, 7)])])]
    [[4294967301, 4294967302], [1.0, 0.5]]
    """
    none = np.zeros(0, dtype=np.int64)
    codes, done, total, quiet = [none], [none], [none], [none]
    for one, ranges in files:
        before = _counter(ranges)
        ends = np.cumsum(one.counts)
        codes.append(one.codes)
        total.append(one.counts)
        done.append(before(ends) - before(ends - one.counts))
        if done[-1].sum() == one.counts.sum():
            quiet.append(one.listed)
    found, place = np.unique(np.concatenate(codes), return_inverse=True)
    parts = np.bincount(place, np.concatenate(done)) / np.bincount(place, np.concatenate(total))
    without = np.setdiff1d(np.concatenate(quiet), found)
    every = np.concatenate([found, without])
    order = np.argsort(every)
    return every[order], np.concatenate([parts, np.ones(len(without))])[order]


def _counter(ranges: Sequence[tuple[int, int]]) -> Callable[[Integers], Integers]:
    """Count the processed entries before each of some entries."""
    edges = np.asarray(sorted(ranges), dtype=np.int64).reshape(-1, 2)
    lengths = edges[:, 1] - edges[:, 0]
    counts = np.column_stack([np.cumsum(lengths) - lengths, np.cumsum(lengths)]).ravel()
    knots = edges.ravel()

    def before(entries: Integers) -> Integers:
        if not len(knots):
            return np.zeros(len(entries), dtype=np.int64)
        found = np.rint(np.interp(entries, knots, counts))
        return np.asarray(found, dtype=np.int64)

    return before
