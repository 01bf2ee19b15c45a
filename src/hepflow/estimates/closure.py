"""Whether an estimate finds a background that is simulated, and so known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hepflow.errors import InputError
from hepflow.estimates.compute import TransferFactor, estimated, transfer_factor
from hepflow.estimates.spec import EstimateSpec
from hepflow.records import HistogramSet, Template


@dataclass(frozen=True)
class Closure:
    """A simulated background in a channel, and what the estimate makes of its sidebands."""

    channel: str
    observable: str
    estimated: Template
    expected: Template
    factor: TransferFactor

    @property
    def ratio(self) -> float:
        """Estimated over expected yield, under- and overflow included."""
        return float(self.estimated.sumw.sum() / self.expected.sumw.sum())

    @property
    def uncertainty(self) -> float:
        """Statistical uncertainty of the ratio, that of the factor included."""
        found, truth = self.estimated.sumw.sum(), self.expected.sumw.sum()
        variance = self.estimated.sumw2.sum()
        if self.factor.value.size == 1:  # else it is in each bin already
            variance += found**2 * self.factor.variance[0] / self.factor.value[0] ** 2
        relative = variance / found**2 + self.expected.sumw2.sum() / truth**2
        return float(self.ratio * np.sqrt(relative))


def closure(histograms: HistogramSet, spec: EstimateSpec, truth: str, observable: str) -> Closure:
    """Estimate a simulated process from its own sidebands; no data are looked at.

    Parameters
    ----------
    histograms
        Normalised, with the simulated process filled like any other.
    spec
        The estimate; what it subtracts would be added before, and cancels.
    truth
        The simulated process.
    observable
        Which one of the channel.

    Returns
    -------
    Closure
        A ratio that differs from 1 by more than its uncertainty is a bias of the method: give
        the estimate a source of that size.

    Raises
    ------
    InputError
        The process has no events in one of the channels.
    """
    counted = spec.observable or observable
    places = [(spec.channel, observable), (spec.from_channel, observable)]
    for place in (*places, (spec.numerator, counted), (spec.denominator, counted)):
        block = histograms.blocks.get((*place, truth))
        if block is None or not block.template().sumw.sum() > 0:
            raise InputError(
                f"the estimate of {spec.process!r} cannot be tested: {truth!r} has no events in "
                f"{'/'.join(place)}. Process a simulated sample of it that reaches all channels."
            )
    alone = replace(
        histograms,
        blocks={key: one for key, one in histograms.blocks.items() if key[2] == truth},
        data_processes=frozenset({truth}),
    )
    own = replace(spec, subtract=())
    return Closure(
        spec.channel,
        observable,
        estimated(alone, own, observable).template(),
        histograms.template(spec.channel, observable, truth),
        transfer_factor(alone, own, observable),
    )
