"""Section ``general``: luminosity, weights, switches and folders."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Bounds, Flag, Number, PathText, Text, Whole, Year, not_yet

Luminosity = Annotated[Number, Field(gt=0)]
Selected = Annotated[list[Text], Field(min_length=1)]
LuminosityByYear = Annotated[dict[Year, Luminosity], Field(min_length=1)]
AnalysisName = Annotated[
    Literal["nondiff", "skip"],
    not_yet(
        {
            "diff": "differentiable analysis does not exist yet",
            "both": "differentiable analysis does not exist yet",
        }
    ),
]


class BlindRegion(Section):
    """A channel whose observed data stay unseen, or a range of one of its observables."""

    channel: Text = Field(description="Name of the channel")
    observable: Text | None = Field(None, description="Default the whole channel is blind")
    range: Bounds | None = Field(
        None, description="Values of the observable that are blind, in its unit; whole bins are"
    )


def _regions(value: Any) -> Any:
    """Take names of channels as regions."""
    if isinstance(value, list):
        return [{"channel": one} if isinstance(one, str) else one for one in value]
    return value


Blind = Annotated[
    Flag | Annotated[list[BlindRegion], Field(min_length=1)], BeforeValidator(_regions)
]


class General(Section):
    """What holds for the whole run."""

    where = "general"
    not_yet: ClassVar = {
        "run_mva_training": "training networks does not exist yet",
    }

    lumi: Luminosity | LuminosityByYear = Field(
        description="Integrated luminosity [1/pb]; one number, or one for each year"
    )
    weight_branch: Text = Field("genWeight", description="Branch of the generator weight")
    weight_mode: Literal["generator", "sign"] = Field(
        "generator", description="Weight of a simulated event: the generator weight or its sign"
    )
    lumifile: PathText | None = Field(
        None, description="Certified runs (JSON) for data; a dataset's own lumi_mask precedes it"
    )
    analysis: AnalysisName = Field(
        "nondiff", description="Analysis to run; skip ends after the skim"
    )
    run_metadata_generation: Flag = Field(
        True, description="Read the files' metadata; otherwise read the stored metadata back"
    )
    run_skimming: Flag = Field(True, description="Skim; otherwise read the stored skim back")
    run_histogramming: Flag = Field(
        True, description="Fill histograms; otherwise read the stored histograms back"
    )
    run_statistics: Flag = Field(True, description="Fit, limit, significance")
    run_systematics: Flag = Field(True, description="Fill the variations; otherwise nominal only")
    run_plots_only: Flag = Field(
        False, description="Draw what an earlier run stored, and do nothing else"
    )
    report: Flag = Field(True, description="Make report/index.html, one page about the whole run")
    read_from_cache: Flag = Field(True, description="Reuse what was made with the same key")
    lumi_table: PathText | None = Field(
        None,
        description="Luminosity by run and block (CSV or JSON) for data that is incomplete; see "
        "execution.on_missing",
    )
    blind: Blind = Field(
        False,
        description="Observed data that stay unseen: True for all signal regions, or a list of "
        "channels or {channel, observable, range}",
    )
    output_dir: PathText = Field("outputs", description="Folder of everything the run produces")
    cache_dir: PathText | None = Field(
        None, description="Cache folder; default in the user's cache folder"
    )
    metadata_dir: PathText | None = Field(None, description="Default <output_dir>/metadata")
    skimmed_dir: PathText | None = Field(None, description="Default <output_dir>/skimmed")
    processes: Selected | None = Field(None, description="Only these processes; default all")
    channels: Selected | None = Field(None, description="Only these channels; default all")
    max_files: Whole | None = Field(
        None, gt=0, description="Files per dataset; precedes datasets.max_files"
    )
