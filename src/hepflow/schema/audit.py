"""Section ``statistics.audit``: thresholds, and what a person has looked at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Flag, Number, Text

AuditCode = Literal[
    "non-finite",
    "negative-expectation",
    "data-without-prediction",
    "norm-effect",
    "identical-sides",
    "variance",
    "estimate-without-factor",
    "missing-variation",
    "missing-side",
    "one-sided",
    "spike",
    "empty-bin",
    "negative-bin",
    "estimate-not-positive",
    "mc-statistics",
    "no-effect",
    "data-without-background",
    "skim-threshold",
]


class AcceptedFinding(Section):
    """Findings of the audit that are meant to be so; a field that is left out fits all."""

    code: AuditCode = Field(description="Kind of the finding")
    region: Text | None = Field(None, description="Channel")
    sample: Text | None = Field(None, description="Process")
    systematic: Text | None = Field(None, description="Source, as its nuisance parameter is called")
    reason: Text = Field(description="Why it is accepted; shown with the finding")


class Audit(Section):
    """What the audit of templates reports."""

    where = "statistics.audit"

    ignore: Flag = Field(False, description="Errors of the audit do not stop the fit")
    norm_effect: Number = Field(
        0.5, gt=0, description="Relative change of a yield by a source that is an error"
    )
    mc_statistics: Number = Field(
        0.2,
        gt=0,
        description="Relative statistical uncertainty of the expectation that is reported",
    )
    spike: Number = Field(
        0.1,
        gt=0,
        description="Relative effect of a source in a bin, beyond that of the bins beside it, "
        "that is reported",
    )
    significance: Number = Field(
        3.0,
        ge=0,
        description="Standard deviations of the simulated events that a spike, or a change of "
        "both sides in one direction, must have to be reported",
    )
    accepted: list[AcceptedFinding] = Field(
        default_factory=list, description="Findings that are meant to be so: they stop no fit"
    )
