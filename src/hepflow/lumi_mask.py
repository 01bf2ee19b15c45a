"""Certified runs and luminosity blocks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import ChecksumError, CorrectionError, InputError, StorageError
from hepflow.storage import check_unchanged, parse_json, refuse_special, sha256_file

_LAST = 2**31 - 1  # number of a luminosity block: detectors count with 32 bits
Ranges = dict[int, NDArray[np.int64]]  # run -> shape (n_ranges, 2), sorted, inclusive


def digest_of_list(file: str) -> str:
    """SHA-256 of a certified list.

    Raises
    ------
    CorrectionError
        If there is no such file.
    """
    if not Path(file).is_file():
        raise CorrectionError(
            "the certified runs (general.lumifile, or lumi_mask of the dataset): there is no file "
            f"{file}. Give the path of one."
        )
    return sha256_file(file)


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
    try:
        refuse_special(file)
        raw = Path(file).read_bytes()
        check_unchanged(raw, digest, file)
        content: Any = parse_json(raw.decode("utf-8"))
        return {int(run): _ranges(run, ranges) for run, ranges in content.items()}
    except ChecksumError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, StorageError) as error:
        raise InputError(
            f"{file}: not a list of certified runs ({error}). Expected JSON such as "
            '{"273158": [[1, 1279]]}.'
        ) from error


def _ranges(run: str, ranges: Any) -> NDArray[np.int64]:
    """Sorted ranges of one run. Shape (n_ranges, 2)."""
    if not isinstance(ranges, list):
        raise TypeError(f"run {run} has a {type(ranges).__name__} instead of ranges")
    for one in ranges:
        whole = isinstance(one, list) and all(type(number) is int for number in one)
        if not whole or len(one) != 2 or not 0 <= one[0] <= one[1] <= _LAST:  # noqa: PLR2004 - first, last
            raise ValueError(f"run {run} has {one!r:.60} instead of [first, last]")
    return np.array(sorted(map(tuple, ranges)), dtype=np.int64).reshape(-1, 2)


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
