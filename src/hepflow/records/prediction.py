"""What a statistical model predicts in its channels, before or after a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PredictionKind = Literal["prefit", "postfit"]


@dataclass(frozen=True)
class ChannelPrediction:
    """Expected events of each sample in one channel, with what was observed there."""

    name: str  # channel
    observable: str  # name of the fit observable
    label: str  # axis title with unit: "m(tt) [GeV]"
    edges: tuple[float, ...]  # n_bins + 1, increasing, in the unit of the label
    samples: Mapping[str, Floats]  # expected events by sample, each of shape (n_bins,)
    uncertainty: Floats  # of the total, one standard deviation, correlations included, (n_bins,)
    data: Floats | None  # observed events, (n_bins,); None where they may not be shown
    total_uncertainty: float | None = None  # of the sum over samples and bins

    def __post_init__(self) -> None:
        n_bins = len(self.edges) - 1
        arrays = {**self.samples, "uncertainty": self.uncertainty}
        if self.data is not None:
            arrays["data"] = self.data
        wrong = [name for name, values in arrays.items() if np.shape(values) != (n_bins,)]
        if wrong:
            raise ValueError(
                f"channel {self.name!r}: {', '.join(wrong)} must have {n_bins} bins, as the edges"
            )

    @property
    def total(self) -> Floats:
        """Sum over the samples, shape (n_bins,)."""
        return np.sum(list(self.samples.values()), axis=0, dtype=np.float64) + np.zeros(
            len(self.edges) - 1
        )

    def to_json(self) -> dict[str, Any]:
        """Plain containers for JSON."""
        return {
            "name": self.name,
            "observable": self.observable,
            "label": self.label,
            "edges": list(self.edges),
            "samples": {name: values.tolist() for name, values in self.samples.items()},
            "uncertainty": self.uncertainty.tolist(),
            "data": None if self.data is None else self.data.tolist(),
            "total_uncertainty": self.total_uncertainty,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChannelPrediction:
        """Inverse of `to_json`."""
        observed = data["data"]
        return cls(
            name=data["name"],
            observable=data["observable"],
            label=data["label"],
            edges=tuple(data["edges"]),
            samples={n: np.asarray(v, dtype=np.float64) for n, v in data["samples"].items()},
            uncertainty=np.asarray(data["uncertainty"], dtype=np.float64),
            data=None if observed is None else np.asarray(observed, dtype=np.float64),
            total_uncertainty=data.get("total_uncertainty"),
        )


@dataclass(frozen=True)
class Prediction:
    """The model's prediction in all its channels."""

    channels: tuple[ChannelPrediction, ...]
    kind: PredictionKind

    def channel(self, name: str) -> ChannelPrediction:
        """Prediction of one channel.

        Raises
        ------
        KeyError
            The model has no such channel.
        """
        found = [channel for channel in self.channels if channel.name == name]
        if not found:
            raise KeyError(name)
        return found[0]

    def to_json(self) -> dict[str, Any]:
        """Plain containers for JSON; `from_json` reads them back."""
        return {"kind": self.kind, "channels": [channel.to_json() for channel in self.channels]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Prediction:
        """Inverse of `to_json`."""
        channels = tuple(ChannelPrediction.from_json(channel) for channel in data["channels"])
        return cls(channels=channels, kind=data["kind"])
