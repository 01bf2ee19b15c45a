"""Section ``execution``: where the work runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Flag, Number, Text, Whole

OnMissing = Literal["fail", "rescale", "drop_dataset"]
# Single broken files are common; a twentieth of a dataset is a systematic fault, which may have
# hit its events unevenly, so that what is left does not stand for the whole.
MISSING_LIMIT = 0.05


class Execution(Section):
    """Where the work runs."""

    where = "execution"
    backend: Literal["loky", "inprocess", "dask"] = Field(
        "loky", description="Dask on local processes, this process, or a Dask cluster"
    )
    workers: Whole | None = Field(
        None, gt=0, description="Processes of the backend loky; default all cores"
    )
    scheduler: Text | None = Field(None, description="Address of the Dask cluster's scheduler")
    one_pass: Flag = Field(
        False, description="Fill while reading the input files, without a skim on disk"
    )
    memory_limit: Number | None = Field(
        None,
        gt=0,
        description="Memory for the stacked variations of a worker [GB]; smaller blocks follow; "
        "default blocks of 400 000 events",
    )
    on_missing: OnMissing = Field(
        "fail",
        description="Input that cannot be processed: fail, go on without it (simulation stays "
        "normalised, data needs general.lumi_table), or leave its dataset out",
    )
    missing_limit: Number = Field(
        MISSING_LIMIT,
        ge=0,
        le=1,
        description="Fraction of the events of a dataset that may be lost under on_missing "
        "'rescale'; above it the run stops",
    )
    retry_wait: Number = Field(
        1.0,
        ge=0,
        description="Wait before a failed read is tried again [s]; doubled for each further try, "
        "60 at most",
    )
