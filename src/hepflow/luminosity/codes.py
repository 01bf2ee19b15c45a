"""One number for a run and a luminosity block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.lumi_mask import Ranges, certified

Integers = NDArray[np.int64]
_SHIFT = 1 << 32  # a block's number has 32 bits


def codes_of(runs: Any, blocks: Any) -> Integers:
    """One number for each (run, block), in their order. Shape (n,)."""
    return np.asarray(runs, np.int64) * _SHIFT + np.asarray(blocks, np.int64)


def name_of(code: int) -> str:
    """Run and block of a code, for messages."""
    return f"{code // _SHIFT}:{code % _SHIFT}"


def is_certified(codes: Integers, ranges: Ranges | None) -> NDArray[np.bool_]:
    """Which blocks are in a list of certified runs; all without one. Shape (n,)."""
    if ranges is None:
        return np.ones(len(codes), dtype=np.bool_)
    return certified(codes // _SHIFT, codes % _SHIFT, ranges)
