"""Runs and luminosity blocks of the data, and which of them are certified."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

BLOCKS: Mapping[int, int] = MappingProxyType(  # run: number of luminosity blocks, from 1 on
    {
        run: 24 + 7 * (index % 9)
        for index, run in enumerate(
            (
                278769, 278801, 278803, 278808, 278820, 278822, 278873, 278875, 278923, 278957,
                278962, 278963, 278969, 278975, 278976, 278986, 279024, 279029, 279071, 279080,
                279115, 279479, 279588, 279653,
            )
        )
    }
)  # fmt: skip
BAD_RUNS = frozenset({278769, 278923, 279653})  # before the first, between two, after the last
BAD_BLOCKS: Mapping[int, tuple[int, int]] = MappingProxyType(  # run: first and last bad block
    {278820: (10, 14), 278976: (1, 7), 279080: (20, 24)}
)


def is_certified(run: int, block: int) -> bool:
    """Whether a luminosity block counts in the quoted luminosity."""
    first, last = BAD_BLOCKS.get(run, (0, -1))
    return run not in BAD_RUNS and not first <= block <= last


def blocks(*, certified: bool) -> NDArray[np.uint32]:
    """Return (run, luminosity block) of the data in order, shape (m, 2)."""
    return np.array(
        [
            (run, block)
            for run, count in BLOCKS.items()
            for block in range(1, count + 1)
            if is_certified(run, block) == certified
        ],
        dtype=np.uint32,
    )


def certified_list() -> dict[str, list[list[int]]]:
    """Return the certified runs: ``{run: [[first block, last block], ...]}``."""
    listing: dict[str, list[list[int]]] = {}
    for run, block in blocks(certified=True).tolist():
        ranges = listing.setdefault(str(run), [])
        if ranges and ranges[-1][1] == block - 1:
            ranges[-1][1] = block
        else:
            ranges.append([block, block])
    return listing
