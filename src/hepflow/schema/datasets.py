"""Section ``datasets``: what is processed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hepflow.schema.base import Section
from hepflow.schema.fields import (
    Flag,
    Function,
    Name,
    Number,
    PathText,
    Text,
    Whole,
    Year,
    as_list,
)

_logger = logging.getLogger("hepflow.config")


def _nominal_only(value: Any) -> Any:
    """Refuse alternative samples.

    Raises
    ------
    PydanticCustomError
        If the value is another name than nominal.
    """
    if isinstance(value, str) and value != "nominal":
        raise PydanticCustomError("not_yet", "alternative samples do not exist yet")
    return value


def named_data(entry: Mapping[str, Any]) -> bool:
    """Whether an entry that does not say what it is has the name or the process ``data``."""
    return "data" in {str(entry.get("name")), str(entry.get("process"))}


class DatasetEntry(Section):
    """One dataset: its files and its normalisation."""

    not_yet: ClassVar = {
        "directories": "several directories in one dataset do not exist yet; use `files`",
        "cross_sections": "several cross-sections in one dataset do not exist yet",
        "years": "several years in one dataset do not exist yet; use one entry for each",
        "slices": "slices do not exist yet; use one entry for each, with the same process",
        "redirector": "redirectors do not exist yet; write them into `files`",
        "redirectors": "redirectors do not exist yet; write them into `files`",
        "duplicates": "removal of duplicate events does not exist yet",
        "branch_map": "renaming of branches does not exist yet",
    }

    name: Name = Field(description="Unique name; also names files and folders")
    process: Name | None = Field(None, description="Process it belongs to; default the name")
    variation: Annotated[Literal["nominal"], BeforeValidator(_nominal_only)] = Field(
        "nominal", description="Alternative samples do not exist yet"
    )
    directory: PathText | None = Field(
        None, description="Folder with files or with text listings (*.txt, a path a line)"
    )
    files: Annotated[list[PathText], Field(min_length=1), BeforeValidator(as_list)] | None = Field(
        None, description="Paths, URLs, globs or text listings, instead of a directory"
    )
    file_pattern: Text = Field(
        "*.root", description="Files of the directory; listings (*.txt) in it precede"
    )
    cross_section: Number | None = Field(
        None, gt=0, description="Cross-section [pb]; required for simulation"
    )
    k_factor: Number = Field(1.0, gt=0, description="Higher orders / the order of cross_section")
    filter_efficiency: Number = Field(
        1.0, gt=0, le=1, description="Fraction of events that the generator filter kept"
    )
    tree_name: Text | None = Field(None, description="Default datasets.tree_name")
    weight_branch: Text | None = Field(None, description="Default general.weight_branch")
    sumw_source: Literal["auto", "events", "runs"] = Field(
        "auto",
        description="Sum of weights from the events read or from the Runs tree; auto takes the "
        "events and compares with Runs where the file has it",
    )
    is_data: Flag | None = Field(
        None, description="Collision data; default: only what is named `data`"
    )
    year: Year | None = Field(None, description="Selects the luminosity of that year")
    lumi_mask: PathText | None = Field(None, description="Certified runs (JSON); default lumifile")

    @field_validator("is_data", mode="after")
    @classmethod
    def _what_it_is(cls, value: bool | None, info: ValidationInfo) -> bool:
        if value is None and named_data(info.data):
            _logger.warning(
                "dataset %r is taken as collision data because of its name; "
                "say is_data: True to confirm, or False if it is simulation",
                info.data.get("name"),
            )
            return True
        return bool(value)


class Datasets(Section):
    """All datasets and what they share."""

    where = "datasets"

    datasets: list[DatasetEntry] = Field(min_length=1, description="The datasets")
    max_files: Whole | None = Field(None, gt=0, description="Files per dataset; default all")
    tree_name: Text = Field("Events", description="Tree with the events")
    prepare: Function | None = Field(
        None,
        description="Called without arguments before files are looked up, to make or fetch them",
    )

    _config: Any = PrivateAttr(None)  # the whole configuration, where this is part of one

    @property
    def effective_max_files(self) -> int | None:
        """Files per dataset: ``general.max_files`` where given, else `max_files`."""
        general = self._config.general.max_files if self._config else None
        return general if general is not None else self.max_files

    @property
    def effective_tree_name(self) -> str:
        """Tree of datasets that do not name their own."""
        own = self._config.preprocess.skimming.tree_name if self._config else None
        return own or self.tree_name

    @property
    def effective_weight_branch(self) -> str:
        """Branch of the generator weight of datasets that do not name their own."""
        return self._config.general.weight_branch if self._config else "genWeight"

    @property
    def effective_chunk_size(self) -> int:
        """Events of a work item (about)."""
        return self._config.preprocess.skimming.chunk_size if self._config else 100_000

    @property
    def execution_args(self) -> dict[str, Any]:
        """Arguments of the executor, from ``execution`` and ``preprocess.skimming``."""
        if not self._config:
            return {}
        execution = self._config.execution
        return {
            "backend": execution.backend,
            "workers": execution.workers,
            "scheduler": execution.scheduler,
            "max_retries": self._config.preprocess.skimming.max_retries,
        }
