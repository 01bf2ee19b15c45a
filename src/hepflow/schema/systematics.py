"""Sections ``corrections`` and ``systematics``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from hepflow.schema.base import Section
from hepflow.schema.fields import (
    Column,
    Columns,
    Flag,
    Function,
    Name,
    Number,
    PathText,
    Text,
    Year,
)

Operation = Literal["mult", "add", "subtract"]
UpAndDown = tuple[Text, Text | None]
Processes = Annotated[list[Text], Field(min_length=1)]
Correlation = Literal["correlated", "uncorrelated"]
SYSTEMATIC = "systematic"  # in `args`: where the name of nominal, up or down goes


Argument = tuple[Text, Text] | Number | Text


class UncertaintySource(Section):
    """One source of uncertainty of a correction."""

    name: Name = Field(description="Name of the source; becomes the nuisance parameter")
    up_and_down_idx: UpAndDown | None = Field(
        None, description="What the correction file calls up and down; None for no such side"
    )
    up_function: Function | None = Field(None, description="Value when the source is up")
    down_function: Function | None = Field(None, description="Value when the source is down")
    is_delta: Flag = Field(
        False,
        description="The values are differences: added to the nominal one when up, subtracted "
        "when down; a single one serves both",
    )
    symmetrise: Flag = Field(
        False, description="A side that is not given is the other one reflected about nominal"
    )
    varies_with: Text | None = Field(
        None,
        description="Object source that this weight source moves with, instead of being a "
        "nuisance of its own",
    )
    correlation: Correlation = Field(
        "correlated", description="Between years; uncorrelated: one nuisance a year"
    )


class Correction(Section):
    """A correction of event weights or of objects, with its uncertainties."""

    name: Name = Field(description="Unique name")
    type: Literal["event", "object"] = Field(description="Factor of the weight, or of a column")
    file: PathText | None = Field(None, description="correctionlib file (.json, .json.gz)")
    key: Text | None = Field(None, description="Name of the correction in the file")
    use_correctionlib: Flag = Field(True, description="False: nominal_function gives the value")
    use: Columns = Field(default_factory=list, description="Columns of the inputs")
    args: list[Argument] = Field(
        default_factory=list,
        description="Inputs in the order of the file, instead of `use`: columns as pairs, texts "
        'and numbers as they are, and "systematic" where the name of nominal, up or down goes',
    )
    transform_in: Function | None = Field(
        None,
        validation_alias=AliasChoices("transform_in", "transform"),
        description="Turns the columns into the inputs of the correction",
    )
    transform_out: Function | None = Field(
        None, description="Turns the value of the correction into the one that is used"
    )
    reduce: Literal["prod", "sum"] = Field(
        "prod", description="From values for each object to one for each event"
    )
    target: Column | None = Field(None, description="Column that an object correction changes")
    op: Operation = Field("mult", description="How the value acts on its target")
    nominal_idx: Text | None = Field(None, description="What the file calls nominal")
    up_and_down_idx: tuple[Text, Text] | None = Field(
        None, description="What the file calls up and down of the source of the same name"
    )
    correlation: Correlation = Field(
        "correlated",
        description="Of the source of the same name between years; uncorrelated: one nuisance "
        "a year",
    )
    nominal_function: Function | None = Field(None, description="Value without a file")
    uncertainty_sources: list[UncertaintySource] = Field(
        default_factory=list, description="Several sources, each with up and down"
    )
    applies_to: Processes | None = Field(
        None, description="Processes it applies to; default all simulated ones"
    )
    out_of_range: Literal["error", "clamp", "one"] = Field(
        "error", description="Inputs outside the domain: an error, the edge's value, or 1"
    )
    propagate_to_met: Text | None = Field(
        None, description="Missing momentum that takes the opposite of the change in pt"
    )
    scale_mass: Flag = Field(True, description="The mass changes by the same factor as pt")


class Systematic(Section):
    """A source of uncertainty that does not come with a correction."""

    name: Name = Field(description="Name of the source; becomes the nuisance parameter")
    type: Literal["event", "object", "normalisation", "sample"] = Field(
        description="Weight, column, size of the whole process, or alternative samples (datasets "
        "whose variation is <name>_up or <name>_down)"
    )
    up_function: Function | None = Field(None, description="Factor or value when up")
    down_function: Function | None = Field(None, description="Factor or value when down")
    target: Column | None = Field(None, description="Column that an object source changes")
    use: Columns = Field(default_factory=list, description="Columns of the functions")
    transform: Function | None = Field(
        None, description="Turns the columns into the arguments of the functions"
    )
    op: Operation = Field("mult", description="How the value acts on its target")
    symmetrise: Flag = Field(
        False, description="A side that is not given is the other one reflected about nominal"
    )
    size: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        None, description="Relative uncertainty of a normalisation source (0.025 is 2.5 %)"
    )
    processes: Processes | None = Field(
        None, description="Processes it applies to; default all simulated ones"
    )
    channels: Processes | None = Field(None, description="Channels it applies to; default all")
    correlation: Correlation = Field(
        "correlated", description="Between years; uncorrelated: one nuisance a year"
    )
    propagate_to_met: Text | None = Field(
        None, description="Missing momentum that takes the opposite of the change in pt"
    )
    scale_mass: Flag = Field(True, description="The mass changes by the same factor as pt")


Corrections = list[Correction] | dict[Year, list[Correction]]
Systematics = list[Systematic] | dict[Year, list[Systematic]]
