"""Parts of the section ``inference`` about limits and figures."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Bounds, Flag, Name, Names, Number, PathText, Whole

Level = Annotated[Number, Field(gt=0, lt=1)]
Plot = Literal["samples", "losses", "ratios", "contours", "information", "calibration", "coverage"]


class Histogram(Section):
    """Fit of histograms of the same observables, for comparison."""

    enabled: Flag = Field(True, description="Make it")
    observables: Names | None = Field(
        None, description="One or two; default the first", max_length=2
    )
    bins: Whole = Field(10, ge=1, le=1000, description="Bins of each, with equal contents")


class Neyman(Section):
    """Toys that give the distribution of the test statistic, instead of Wilks' theorem."""

    toys: Whole = Field(0, ge=0, le=1_000_000, description="For each point; 0 for none")
    points: Whole = Field(9, ge=4, le=101, description="Points of the grid in each parameter")


class Evaluation(Section):
    """What is made of trained estimators."""

    luminosity: Number | None = Field(
        None, gt=0, description="Integrated luminosity [1/pb]; default general.lumi"
    )
    data: Literal["asimov", "observed"] = Field(
        "asimov", description="Expected events of `truth`, or events that were observed"
    )
    observed: PathText | None = Field(
        None, description="Observed events: a CSV or npz file with a column for each observable"
    )
    truth: dict[Name, Number] = Field(
        default_factory=dict, description="Parameters of the Asimov data; 0 where left out"
    )
    ranges: dict[Name, Bounds] = Field(
        default_factory=dict, description="Of the grid, by parameter; default their ranges"
    )
    points: Whole | None = Field(
        None,
        ge=4,
        le=1001,
        description="Points of the grid in each parameter; default a grid that is refined where "
        "the regions end",
    )
    levels: list[Level] = Field(
        default_factory=lambda: [0.68, 0.95],
        min_length=1,
        description="Probability content of the regions, in as many dimensions as there are "
        "parameters",
    )
    rate: Flag = Field(True, description="The number of events counts, not only their shape")
    events: Whole = Field(
        10_000, ge=100, description="Test events that stand for the expectation of Asimov data"
    )
    histogram: Histogram = Field(default_factory=Histogram, description="For comparison")
    information: Flag = Field(True, description="Fisher information")
    neyman: Neyman = Field(default_factory=Neyman, description="Toys at each point")
    calibration: Flag = Field(True, description="Check whether estimated ratios mean what they say")
    calibrate: Flag = Field(
        False,
        description="Correct estimated ratios with the validation events, before anything is made "
        "of them",
    )
    coverage: Whole = Field(
        0, ge=0, le=100_000, description="Toys with which the coverage of regions is measured"
    )


def all_plots() -> list[Plot]:
    """Every kind of figure."""
    return list(get_args(Plot))
