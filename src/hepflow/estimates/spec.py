"""What an estimate from data needs of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from hepflow.schema import Config, Estimate


@dataclass(frozen=True, slots=True)
class EstimateSpec:
    """A background in one channel: (data - simulation) of another one, times a factor."""

    process: str  # that is made
    channel: str  # in which it is estimated
    from_channel: str  # gives the shape
    numerator: str  # sideband channel of the factor
    denominator: str  # likewise
    subtract: tuple[str, ...]  # simulated processes
    observable: str | None  # counts the events of the sidebands; None: a factor for each bin
    parameter: str | None  # nuisance of the factor; None where it has one for each bin

    @property
    def regions(self) -> tuple[str, str, str]:
        """Channels that it is made from."""
        return self.from_channel, self.numerator, self.denominator


def estimates_of_config(config: Config) -> tuple[EstimateSpec, ...]:
    """Take the estimates of the channels and processes that are processed.

    Parameters
    ----------
    config
        The validated configuration.
    """
    channels, processes = config.general.channels, config.general.processes
    return tuple(
        _spec(one, config)
        for one in config.estimates
        if (channels is None or one.channel in channels)
        and (processes is None or one.process in processes)
    )


def _spec(one: Estimate, config: Config) -> EstimateSpec:
    transfer = one.transfer
    of_channel = {channel.name: channel.fit_observable for channel in config.channels}
    counted = transfer.observable or of_channel[transfer.numerator]
    return EstimateSpec(
        process=one.process,
        channel=one.channel,
        from_channel=one.from_channel,
        numerator=transfer.numerator,
        denominator=transfer.denominator,
        subtract=_simulated(config) if one.subtract is None else tuple(one.subtract),
        observable=None if transfer.binned else counted,
        parameter=None if transfer.binned else transfer.name or f"{one.process}_transfer",
    )


def _simulated(config: Config) -> tuple[str, ...]:
    """All simulated processes but the signal: what the parameter of interest multiplies."""
    factors = config.statistics.norm_factors
    poi = config.statistics.poi or (factors[0].name if factors else None)
    signal = {name for one in factors if one.name == poi for name in one.processes}
    names = [one.process or one.name for one in config.datasets.datasets if not one.is_data]
    return tuple(name for name in dict.fromkeys(names) if name not in signal)
