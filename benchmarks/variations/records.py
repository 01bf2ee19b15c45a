"""Histograms of a peer, and whether two peers agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TOLERANCE = 1e-6  # of the sum in a bin: peers multiply weights of single precision differently


@dataclass(frozen=True)
class Found:
    """Histograms by variation: w and w^2 of each bin, underflow first and overflow last."""

    histograms: Mapping[str, tuple[Floats, Floats]]
    sum_weights: float | None = None  # over all events; None where the peer does not look

    def scaled(self, factor: float) -> Found:
        """Weights times a factor."""
        return Found(
            {name: (w * factor, w2 * factor**2) for name, (w, w2) in self.histograms.items()},
            self.sum_weights,
        )

    def write(self, path: Path) -> None:
        """Write as JSON, each digit of them."""
        content = {name: [list(map(float, x)) for x in h] for name, h in self.histograms.items()}
        whole = {"histograms": content, "sum_weights": self.sum_weights}
        path.write_text(json.dumps(whole), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Found:
        """Read what `write` wrote."""
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = content["histograms"].items()
        return cls(
            {name: (np.array(w), np.array(w2)) for name, (w, w2) in rows}, content["sum_weights"]
        )


def differences(one: Found, other: Found) -> list[str]:
    """Where two sets of histograms differ by more than `TOLERANCE`, bin by bin; in words."""
    missing = set(one.histograms) ^ set(other.histograms)
    found = [f"{name} is only in one of them" for name in sorted(missing)]
    for name in sorted(set(one.histograms) & set(other.histograms)):
        pairs = zip(("w", "w^2"), one.histograms[name], other.histograms[name], strict=True)
        for what, left, right in pairs:
            bad = np.flatnonzero(~np.isclose(left, right, rtol=TOLERANCE, atol=0.0))
            if len(bad):
                i = int(bad[0])
                found.append(f"{name}: {what} of bin {i} is {left[i]!r} and {right[i]!r}")
    return found
