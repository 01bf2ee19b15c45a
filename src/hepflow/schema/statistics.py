"""Section ``statistics``: the model, the fit and the limit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr

from hepflow.schema.base import Section
from hepflow.schema.fields import Bounds, Flag, Name, Number, PathText, Text, Whole


class NormFactor(Section):
    """A free factor on the yield of one or more processes."""

    name: Name = Field(description="Parameter name")
    processes: list[Text] = Field(min_length=1, description="Processes it multiplies")
    nominal: Number = Field(1.0, description="Start of the fit and value in Asimov data")
    bounds: Bounds = Field((0.0, 10.0), description="Range of the parameter")


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
    confidence_level: Number = Field(0.95, gt=0.5, lt=1, description="Of the upper limit")
    limit: Flag = Field(True, description="Upper limit on the parameter of interest")
    significance: Flag = Field(True, description="Discovery significance")
    scan_points: Whole = Field(21, ge=5, le=401, description="Points of the drawn CLs scan")
    optimizer: Literal["minuit", "scipy"] = Field("minuit", description="pyhf optimiser")

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
