"""Section ``datasets``: what is processed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from hepflow.schema.base import Functor, Section
from hepflow.schema.execution import OnMissing
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

_log = logging.getLogger("hepflow.config")


Files = Annotated[list[PathText], Field(min_length=1), BeforeValidator(as_list)]
CrossSection = Annotated[Number, Field(gt=0)]
CrossSections = CrossSection | Annotated[list[CrossSection], Field(min_length=1)]
Years = Year | Annotated[list[Year], Field(min_length=1)]
Directories = PathText | Annotated[list[PathText], Field(min_length=1)]
Efficiency = Annotated[Number, Field(gt=0, le=1)]


def named_data(entry: Mapping[str, Any]) -> bool:
    """Whether an entry that does not say what it is has the name or the process ``data``."""
    return "data" in {str(entry.get("name")), str(entry.get("process"))}


class Slice(Section):
    """One of several samples that add up to a process, such as a range of generator HT."""

    name: Name = Field(description="Becomes part of the dataset's key")
    directory: PathText | None = Field(None, description="Folder with its files or listings")
    files: Files | None = Field(None, description="Its files, instead of a directory")
    cross_section: Number | None = Field(
        None, gt=0, description="Cross-section [pb]; required for simulation"
    )
    k_factor: Number | None = Field(None, gt=0, description="Default that of the dataset")
    filter_efficiency: Number | None = Field(
        None, gt=0, le=1, description="Default that of the dataset"
    )
    year: Year | None = Field(None, description="Default that of the dataset")
    keep: Functor | None = Field(None, description="Default that of the dataset")


class DatasetEntry(Section):
    """One dataset: its files and its normalisation."""

    name: Name = Field(description="Unique name; also names files and folders")
    process: Name | None = Field(None, description="Process it belongs to; default the name")
    variation: Name = Field(
        "nominal",
        description="`<source>_up` or `<source>_down` for an alternative sample, whose source is "
        "in `systematics` with the type sample",
    )
    replaces: Annotated[list[Text], Field(min_length=1), BeforeValidator(as_list)] | None = Field(
        None,
        description="Datasets whose place an alternative sample takes; default all nominal ones "
        "of its process and year",
    )
    directory: Directories | None = Field(
        None,
        validation_alias=AliasChoices("directory", "directories"),
        description="Folder (or URL of one) with files or with text listings (*.txt, a path a "
        "line). Several are zipped with the cross-sections and years; where one cross-section "
        "stands for all, those of one year are one sample, else each is a sample of its own",
    )
    files: Files | None = Field(
        None, description="Paths, URLs, globs or text listings, instead of a directory"
    )
    slices: Annotated[list[Slice], Field(min_length=1)] | None = Field(
        None, description="Samples that add up, each with its own cross-section"
    )
    file_pattern: Text = Field(
        "*.root", description="Files of the directory; listings (*.txt) in it precede"
    )
    redirectors: Annotated[list[Text], Field(min_length=1), BeforeValidator(as_list)] | None = (
        Field(
            None,
            validation_alias=AliasChoices("redirectors", "redirector"),
            description="URL in front of names that are no URL, such as "
            "root://cms-xrd-global.cern.ch/; the next one is tried where a file cannot be opened",
        )
    )
    cross_section: CrossSections | None = Field(
        None,
        validation_alias=AliasChoices("cross_section", "cross_sections"),
        description="Cross-section [pb]; required for simulation. Several: one for each directory",
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
        None, description="Collision data; default: only what has the name or process `data`"
    )
    year: Years | None = Field(
        None,
        validation_alias=AliasChoices("year", "years"),
        description="Selects the luminosity, corrections and sources of that year. Several: one "
        "for each directory or slice",
    )
    lumi_mask: PathText | None = Field(None, description="Certified runs (JSON); default lumifile")
    duplicates: Literal["once", "refuse", "keep"] | None = Field(
        None,
        description="The same (run, block, event) again in the data: counted once, refused, or "
        "not looked for; default once. Those branches are kept then, whatever preprocess.branches "
        "has; the files of a single dataset need not have them",
    )
    keep: Functor | None = Field(
        None,
        description="Mask of the events that count, from columns as they are in the file: of an "
        "inclusive sample those that no slice holds. All events are in its sum of weights",
    )
    branch_map: dict[Text, Text] = Field(
        default_factory=dict,
        description="Wanted name -> name in the file, of a branch (Muon_pt) or an object (MET)",
    )

    @field_validator("is_data", mode="after")
    @classmethod
    def _what_it_is(cls, value: bool | None, info: ValidationInfo) -> bool:
        if value is None and named_data(info.data):
            _log.warning(
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
    def on_missing(self) -> OnMissing:
        """What happens to input that cannot be processed: ``execution.on_missing``."""
        policy: OnMissing = self._config.execution.on_missing if self._config else "fail"
        return policy

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
            "retry_wait": execution.retry_wait,
        }
