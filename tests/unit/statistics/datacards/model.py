"""A workspace by the names of its parameters, as pyhf evaluates it."""

from __future__ import annotations

from typing import Any

import numpy as np


class Model:
    """Expected events and -2 ln L of a workspace."""

    def __init__(self, workspace: dict[str, Any]) -> None:
        import pyhf

        loaded = pyhf.Workspace(workspace)
        self.workspace = workspace
        self.model = loaded.model()
        self.data = loaded.data(self.model)
        self.labels = self.model.config.par_names

    def parameters(self, **values: float) -> list[float]:
        """All parameters, those not named at their start."""
        start = dict(zip(self.labels, self.model.config.suggested_init(), strict=True))
        assert set(values) <= set(start), (values, start)
        return [{**start, **values}[name] for name in self.labels]

    def expected(self, **values: float) -> dict[tuple[str, str], np.ndarray]:
        """Expected events by channel and sample."""
        config = self.model.config
        rates = self.model.main_model.expected_data(
            np.asarray(self.parameters(**values)), return_by_sample=True
        )
        found, start = {}, 0
        for channel in config.channels:
            stop = start + config.channel_nbins[channel]
            for sample, row in zip(config.samples, rates, strict=True):
                if any(
                    one["name"] == sample
                    for it in self.workspace["channels"]
                    if it["name"] == channel
                    for one in it["samples"]
                ):
                    found[channel, sample] = np.asarray(row[start:stop])
            start = stop
        return found

    def twice_nll(self, **values: float) -> float:
        return float(-2 * self.model.logpdf(self.parameters(**values), self.data)[0])
