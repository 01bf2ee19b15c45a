"""Section ``statistics``: the model, the fit and the limit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from hepflow.schema.audit import Audit
from hepflow.schema.base import Section
from hepflow.schema.fields import Bounds, Flag, Name, Number, PathText, Text, Whole, as_list

Parameters = Annotated[list[Text], BeforeValidator(as_list)]


class NormFactor(Section):
    """A free factor on the yield of one or more processes."""

    name: Name = Field(description="Parameter name")
    processes: list[Text] = Field(min_length=1, description="Processes it multiplies")
    nominal: Number = Field(1.0, description="Start of the fit and value in Asimov data")
    bounds: Bounds = Field((0.0, 10.0), description="Range of the parameter")
    channels: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="Channels in which it acts; default all"
    )
    fixed: Flag = Field(False, description="Stays at `nominal` in every fit")


class Statistics(Section):
    """Model, fit, limit."""

    where = "statistics"

    cabinetry_config: PathText | None = Field(
        None,
        description="Own cabinetry file (yaml), which must exist; "
        "default <output_dir>/statistics/cabinetry_config.yaml, generated",
    )
    measurement: Text = Field("hepflow", description="Name of the measurement in the workspace")
    poi: Text | None = Field(
        None, description="Parameter of interest; default the first norm factor"
    )
    norm_factors: list[NormFactor] = Field(
        default_factory=list, description="Free parameters of the fit"
    )
    mc_stat: Flag = Field(True, description="Statistical uncertainty of the templates")
    mc_stat_threshold: Number = Field(
        0.0, ge=0, lt=1, description="Relative uncertainty below which a bin has none"
    )
    min_expectation: Number = Field(
        0.0,
        ge=0,
        description="Least background expected in a bin of the fit [events]: neighbouring bins "
        "are merged, from the last one down, until they reach it. Data of the region are not "
        "looked at",
    )
    confidence_level: Number = Field(0.95, gt=0.5, lt=1, description="Of the upper limit")
    limit: Flag = Field(True, description="Upper limit on the parameter of interest")
    significance: Flag = Field(True, description="Discovery significance")
    scan_points: Whole = Field(21, ge=5, le=401, description="Points of the drawn CLs scan")
    audit: Audit = Field(default_factory=Audit, description="Audit of the templates")
    backend: Literal["hepflow", "pyhf"] = Field(
        "hepflow",
        description="Who computes the likelihood: pyhf with numpy is the reference, and slow",
    )
    optimizer: Literal["newton", "minuit", "scipy"] = Field(
        "newton",
        description="Minimiser: Newton's method for many fits at once, with Minuit where it fails "
        "and for the backend pyhf; Minuit; or L-BFGS-B of scipy",
    )
    calculator: Literal["asymptotic", "toys"] = Field(
        "asymptotic",
        description="Distribution of the test statistics of limit and significance: formulae for "
        "many events, or pseudo-experiments",
    )
    toys: Whole = Field(
        2000, ge=100, le=1_000_000, description="Pseudo-experiments of each hypothesis"
    )
    seed: Whole = Field(1, ge=0, description="Of the pseudo-experiments' random numbers")
    minos: Parameters = Field(
        default_factory=list,
        description="Parameters whose intervals are read off the profiled likelihood; "
        "`poi` is that of interest",
    )
    ranking: Flag = Field(True, description="Impacts of all parameters on that of interest")
    scans: list[Annotated[Parameters, Field(min_length=1, max_length=2)]] = Field(
        default_factory=list,
        description="Scans of the likelihood in one or two parameters; `poi` is that of interest",
    )
    goodness_of_fit: Literal["asymptotic", "toys"] = Field(
        "asymptotic", description="Distribution of the goodness of fit, likewise"
    )

    _general: Any = PrivateAttr(None)  # that section, where this is part of a configuration

    if not TYPE_CHECKING:  # mypy would take any name for an attribute otherwise

        def __getattribute__(self, name: str) -> Any:
            """Attributes; the path of the generated file follows ``general.output_dir``."""
            value = super().__getattribute__(name)
            if name == "cabinetry_config" and value is None:
                return self._generated_config()
            return value

    @property
    def own_cabinetry_config(self) -> str | None:
        """The user's own cabinetry file; None where the path is that of the generated one."""
        given: str | None = self.__dict__["cabinetry_config"]
        generated = self._generated_config()
        if given is None or generated is None:
            return given
        return None if Path(given).absolute() == Path(generated).absolute() else given

    def _generated_config(self) -> str | None:
        """Where the generated file goes; None for a section that stands alone."""
        if self._general is None:
            return None
        return str(Path(self._general.output_dir) / "statistics" / "cabinetry_config.yaml")

    def link(self, general: Any) -> None:
        """Let the path of the generated file follow the section ``general``."""
        self._general = general

    def to_dict(self) -> dict[str, Any]:
        """Plain nested containers; what was filled in is left out, as it follows other fields."""
        return {**super().to_dict(), "cabinetry_config": self.own_cabinetry_config}
