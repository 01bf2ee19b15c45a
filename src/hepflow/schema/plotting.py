"""Section ``plotting``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Flag, Number, Text, Whole

Format = Literal["pdf", "png", "svg"]
Style = Literal["CMS", "ATLAS", "LHCb", "ALICE"]


def _formats() -> list[Format]:
    return ["pdf", "png"]


class Plotting(Section):
    """How plots look."""

    where = "plotting"

    enabled: Flag = Field(True, description="Draw")
    process_colors: dict[str, Text] = Field(default_factory=dict, description="By process")
    process_labels: dict[str, str] = Field(default_factory=dict, description="By process (TeX)")
    parameter_labels: dict[str, str] = Field(
        default_factory=dict, description="By parameter of the fit or group of them (TeX)"
    )
    process_order: list[str] = Field(
        default_factory=list, description="From the bottom of the stack; default by yield"
    )
    signal_processes: list[str] = Field(
        default_factory=list, description="Drawn as lines above the stack; default from the poi"
    )
    fold_overflow: Flag = Field(
        False, description="Add under- and overflow to the edge bins, in plots and in the fit"
    )
    log_scale: Flag = Field(False, description="Logarithmic event axis")
    template_variations: Flag = Field(
        False,
        description="Draw what each source does to the templates of the fit, too; "
        "`hepflow plot --kind variations` does it later",
    )
    style: Style = Field(
        "CMS", description="Letters and place of the labels, as in the figures of an experiment"
    )
    experiment: str = Field("", description="Name beside the plot, such as CMS")
    status: str = Field("", description="Text behind the name, such as Preliminary")
    center_of_mass_energy: Number = Field(13.0, gt=0, description="[TeV]")
    formats: list[Format] = Field(
        default_factory=_formats, min_length=1, description="Files of each figure"
    )
    dpi: Whole = Field(150, ge=50, le=600, description="Resolution of PNG")
