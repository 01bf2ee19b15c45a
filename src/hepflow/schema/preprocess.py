"""Section ``preprocess``: columns to keep and the skim."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Columns, Flag, Function, PathText, Text, Whole

Branches = Annotated[list[Text], Field(min_length=1)]


class SkimOutput(Section):
    """Where and how skimmed events are kept."""

    format: Literal["pickle", "root", "parquet"] = Field(
        "pickle", description="Format of the parts; pickle holds every kind of branch"
    )
    output_dir: PathText | None = Field(None, description="Default general.skimmed_dir")


class Skimming(Section):
    """Which events to keep."""

    where = "preprocess.skimming"

    function: Function | None = Field(
        None,
        validation_alias=AliasChoices("function", "selection_function"),
        description="Returns a PackedSelection (its last name is the mask) or a mask; "
        "without it every event is kept",
    )
    use: Columns = Field(
        default_factory=list,
        validation_alias=AliasChoices("use", "selection_use"),
        description="Columns of the function, in the order of its arguments",
    )
    static_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the function"
    )
    chunk_size: Whole = Field(100_000, gt=0, description="Events of a work item (about)")
    tree_name: Text | None = Field(
        None, description="Tree of datasets without their own; default datasets.tree_name"
    )
    max_retries: Whole = Field(
        2, ge=0, description="Further tries where a worker died, or a server or disk was in the way"
    )
    output: SkimOutput = Field(default_factory=SkimOutput, description="Parts on disk")


class Preprocess(Section):
    """Columns and skim."""

    where = "preprocess"
    branches: dict[Text, Branches] = Field(
        min_length=1,
        description="Object -> branches to keep; `event` holds those without an object. Of data "
        "run, luminosityBlock and event are kept, too, unless its `duplicates` is keep",
    )
    mc_branches: dict[Text, Branches] = Field(
        default_factory=dict, description="Further branches that only simulation has"
    )
    ignore_missing: Flag = Field(
        False, description="Leave out branches that a file does not have, instead of an error"
    )
    skimming: Skimming = Field(default_factory=Skimming, description="The skim")
