"""What plotting needs to know of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hepflow.errors import ConfigurationError, Problem
from hepflow.records import Blinded

if TYPE_CHECKING:
    from hepflow.schema import Config

LOOK_FILE = "look.json"  # in the folder of the plots: the specification of a run's figures


@dataclass(frozen=True, slots=True)
class NormalisationSource:
    """A source of uncertainty on the size of whole processes."""

    name: str
    size: float  # relative, up: 0.025 is 2.5 %
    processes: tuple[str, ...] | None = None  # None: all simulated ones
    channels: tuple[str, ...] | None = None  # None: all
    size_down: float | None = None  # relative, not negative; None: as `size`

    @property
    def sizes(self) -> tuple[float, float]:
        """Relative changes of the yield, up and down."""
        return self.size, -(self.size if self.size_down is None else self.size_down)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The cut that the events of a histogram need not pass."""

    cut: str
    thresholds: tuple[float, ...] = ()  # where it is, in the unit of the axis


@dataclass(frozen=True, slots=True)
class PlottingSpec:
    """Everything that figures depend on, besides the numbers in them."""

    processes: tuple[str, ...] = ()  # expected, as configured; their order fixes the colours
    signals: tuple[str, ...] = ()  # drawn as lines, not in the stack
    order: tuple[str, ...] = ()  # from the bottom of the stack; the others follow by yield
    colors: Mapping[str, str] = field(default_factory=dict)  # by process
    labels: Mapping[str, str] = field(default_factory=dict)  # by process, TeX between dollars
    channel_labels: Mapping[str, str] = field(default_factory=dict)
    parameter_labels: Mapping[str, str] = field(default_factory=dict)  # of the fit
    normalisations: tuple[NormalisationSource, ...] = ()
    norm_factors: tuple[str, ...] = ()  # unconstrained parameters of the fit
    signal_scale: float | None = None  # factor on signal lines; None: a round one where needed
    fold_overflow: bool = False
    log_scale: bool = False
    style: str = "CMS"  # of the experiments: one of `hepflow.plotting.style.STYLES`
    experiment: str = ""
    status: str = ""
    luminosity: float | None = None  # [1/pb], all years
    energy: float = 13.0  # centre of mass [TeV]
    blind: tuple[Blinded, ...] = ()  # regions whose data are not shown
    left_out: Mapping[tuple[str, str], LeftOut] = field(default_factory=dict)
    # by channel and observable, of histograms without one of the cuts
    formats: tuple[str, ...] = ("pdf", "png")
    dpi: int = 150  # of PNG

    def to_json(self) -> dict[str, Any]:
        """Plain containers: what a later figure of the same run needs, without its code."""
        left_out = [[*place, asdict(one)] for place, one in self.left_out.items()]
        return {**asdict(replace(self, left_out={})), "left_out": left_out}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlottingSpec:
        """Inverse of `to_json`."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        nested: dict[str, Any] = {
            "normalisations": tuple(
                NormalisationSource(**{k: _unlisted(v) for k, v in one.items()})
                for one in data["normalisations"]
            ),
            "blind": tuple(Blinded(**one) for one in data["blind"]),
            "left_out": {
                (channel, observable): LeftOut(one["cut"], tuple(one["thresholds"]))
                for channel, observable, one in data["left_out"]
            },
        }
        return cls(**{**plain, **nested})

    @classmethod
    def from_config(cls, config: Config) -> PlottingSpec:
        """Build from a configuration, which is validated again.

        Raises
        ------
        ConfigurationError
            A change in place made the configuration wrong.
        """
        from hepflow.blinding import blinded_regions  # drawing itself needs no configuration

        config = config.revalidated()
        look = config.plotting
        data = {e.process or e.name for e in config.datasets.datasets if e.is_data}
        names = dict.fromkeys(e.process or e.name for e in config.datasets.datasets)
        names |= dict.fromkeys(e.process for e in config.estimates)
        return cls(
            processes=tuple(name for name in names if name not in data),
            signals=_signals(config),
            order=tuple(look.process_order),
            colors=dict(look.process_colors),
            labels=dict(look.process_labels),
            channel_labels={
                c.name: c.label or f"{c.name} ({c.kind} region)" for c in config.channels
            },
            parameter_labels=dict(look.parameter_labels),
            normalisations=_normalisations(config),
            norm_factors=tuple(factor.name for factor in config.statistics.norm_factors),
            fold_overflow=look.fold_overflow,
            log_scale=look.log_scale,
            style=look.style,
            experiment=look.experiment,
            status=look.status,
            luminosity=_luminosity(config),
            energy=look.center_of_mass_energy,
            blind=blinded_regions(config),
            left_out=_left_out(config),
            formats=tuple(look.formats),
            dpi=look.dpi,
        )


def _unlisted(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _left_out(config: Config) -> dict[tuple[str, str], LeftOut]:
    baseline = config.baseline_selection
    common = baseline.n_minus_1 if baseline else []
    return {
        (channel.name, one.observable): LeftOut(one.cut, tuple(one.thresholds))
        for channel in config.channels
        for one in (*common, *(channel.selection.n_minus_1 if channel.selection else ()))
    }


def _luminosity(config: Config) -> float:
    """Luminosity [1/pb] of all years that are processed."""
    from hepflow.datasets import expand_datasets

    lumi = config.general.lumi
    if not isinstance(lumi, dict):
        return lumi
    return sum(lumi[year] for year in {one.year or "" for one in expand_datasets(config)})


def _signals(config: Config) -> tuple[str, ...]:
    """Signal processes: those named, else those that the parameter of interest multiplies."""
    if config.plotting.signal_processes:
        return tuple(config.plotting.signal_processes)
    factors = config.statistics.norm_factors
    poi = config.statistics.poi or (factors[0].name if factors else None)
    return tuple(p for factor in factors if factor.name == poi for p in factor.processes)


def _normalisations(config: Config) -> tuple[NormalisationSource, ...]:
    from hepflow.datasets import expand_datasets
    from hepflow.sources import sources_of_config

    return tuple(
        NormalisationSource(
            source.name, source.size, source.processes, source.channels, source.size_down
        )
        for source in sources_of_config(config, expand_datasets(config))
        if not source.makes_templates and source.size is not None
    )


def check_colours(config: Config) -> None:
    """Make sure that matplotlib knows the configured colours, before anything runs.

    Raises
    ------
    ConfigurationError
        It names all that it does not know.
    """
    if not config.plotting.process_colors:
        return
    from matplotlib.colors import is_color_like

    problems = [
        Problem(
            f"plotting.process_colors.{process}",
            f"matplotlib knows no colour {colour!r}.",
            'Write a name such as "tab:blue", or "#3f90da".',
        )
        for process, colour in config.plotting.process_colors.items()
        if not is_color_like(colour)
    ]
    if problems:
        raise ConfigurationError(problems)
