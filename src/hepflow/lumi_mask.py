"""Certified runs and luminosity blocks."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import InputError

Ranges = dict[int, NDArray[np.int64]]  # run -> shape (n_ranges, 2), sorted, inclusive


@functools.lru_cache(maxsize=16)
def load_certified(file: str, digest: str) -> Ranges:
    """Read a certified list ``{run: [[first, last], ...]}``.

    Parameters
    ----------
    digest
        SHA-256 of the file; a changed file is read anew.

    Raises
    ------
    InputError
        If the file is missing or not of this form.
    """
    del digest  # part of the cache's key only
    try:
        content: Any = json.loads(Path(file).read_text())
        return {
            int(run): np.array(
                sorted((first, last) for first, last in ranges), dtype=np.int64
            ).reshape(-1, 2)
            for run, ranges in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file}: not a list of certified runs ({error}). Expected JSON such as "
            '{"273158": [[1, 1279]]}.'
        ) from error


def certified(
    runs: NDArray[np.integer[Any]], blocks: NDArray[np.integer[Any]], ranges: Ranges
) -> NDArray[np.bool_]:
    """Which (run, luminosity block) are certified; a run that is not listed is not.

    Parameters
    ----------
    runs, blocks
        Shape (n_events,).

    Returns
    -------
    ndarray of bool, shape (n_events,)
    """
    runs, blocks = np.asarray(runs, np.int64), np.asarray(blocks, np.int64)
    passed = np.zeros(len(runs), dtype=np.bool_)
    for run in np.unique(runs):
        listed = ranges.get(int(run))
        if listed is None or not len(listed):
            continue
        here = runs == run
        lows, highs = listed[:, 0], np.maximum.accumulate(listed[:, 1])
        position = np.searchsorted(lows, blocks[here], side="right") - 1
        passed[here] = (position >= 0) & (blocks[here] <= highs[position])
    return passed
