"""Section ``execution``: where the work runs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Text, Whole


class Execution(Section):
    """Where the work runs."""

    where = "execution"
    not_yet: ClassVar = {
        "memory_limit": "limits of memory do not exist yet; lower preprocess.skimming.chunk_size",
        "on_missing": "going on without lost parts does not exist yet; a loss fails the run",
        "one_pass": "filling without a skim on disk does not exist yet",
    }

    backend: Literal["loky", "inprocess", "dask"] = Field(
        "loky", description="Dask on local processes, this process, or a Dask cluster"
    )
    workers: Whole | None = Field(
        None, gt=0, description="Processes of the backend loky; default all cores"
    )
    scheduler: Text | None = Field(None, description="Address of the Dask cluster's scheduler")
