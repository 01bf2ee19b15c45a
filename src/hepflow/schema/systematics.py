"""Sections ``corrections`` and ``systematics``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

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
    not_yet,
)

Operation = Literal["mult", "add", "subtract"]
UpAndDown = tuple[Text, Text]
Processes = Annotated[list[Text], Field(min_length=1)]
SourceType = Annotated[
    Literal["event", "object", "normalisation"],
    not_yet({"sample": "alternative samples do not exist yet"}),
]


class UncertaintySource(Section):
    """One source of uncertainty of a correction."""

    not_yet: ClassVar = {
        "is_delta": "sources given as differences do not exist yet",
        "varies_with": "linked sources do not exist yet",
    }

    name: Name = Field(description="Name of the source; becomes the nuisance parameter")
    up_and_down_idx: UpAndDown | None = Field(
        None, description="What the correction file calls up and down"
    )
    up_function: Function | None = Field(None, description="Value when the source is up")
    down_function: Function | None = Field(None, description="Value when the source is down")


class Correction(Section):
    """A correction of event weights or of objects, with its uncertainties."""

    not_yet: ClassVar = {
        "args": "arguments by position do not exist yet; use `use` and `transform_in`",
        "transform_out": "transforming the result does not exist yet",
    }

    name: Name = Field(description="Unique name")
    type: Literal["event", "object"] = Field(description="Factor of the weight, or of a column")
    file: PathText | None = Field(None, description="correctionlib file (.json, .json.gz)")
    key: Text | None = Field(None, description="Name of the correction in the file")
    use_correctionlib: Flag = Field(True, description="False: nominal_function gives the value")
    use: Columns = Field(default_factory=list, description="Columns of the inputs")
    transform_in: Function | None = Field(
        None,
        validation_alias=AliasChoices("transform_in", "transform"),
        description="Turns the columns into the inputs of the correction",
    )
    reduce: Literal["prod", "sum"] = Field(
        "prod", description="From values for each object to one for each event"
    )
    target: Column | None = Field(None, description="Column that an object correction changes")
    op: Operation = Field("mult", description="How the value acts on its target")
    nominal_idx: Text | None = Field(None, description="What the file calls nominal")
    up_and_down_idx: UpAndDown | None = Field(
        None, description="What the file calls up and down of the source of the same name"
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

    not_yet: ClassVar = {
        "transform": "transforming the inputs does not exist yet; do it in the function",
        "symmetrise": "one-sided sources cannot be reflected yet",
        "channels": "sources cannot be limited to channels yet",
        "correlation": "sources that differ between years do not exist yet",
    }

    name: Name = Field(description="Name of the source; becomes the nuisance parameter")
    type: SourceType = Field(description="Weight, column, or size of the whole process")
    up_function: Function | None = Field(None, description="Factor or value when up")
    down_function: Function | None = Field(None, description="Factor or value when down")
    target: Column | None = Field(None, description="Column that an object source changes")
    use: Columns = Field(default_factory=list, description="Columns of the functions")
    op: Operation = Field("mult", description="How the value acts on its target")
    size: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        None, description="Relative uncertainty of a normalisation source (0.025 is 2.5 %)"
    )
    processes: Processes | None = Field(
        None, description="Processes it applies to; default all simulated ones"
    )
    propagate_to_met: Text | None = Field(
        None, description="Missing momentum that takes the opposite of the change in pt"
    )
    scale_mass: Flag = Field(True, description="The mass changes by the same factor as pt")
