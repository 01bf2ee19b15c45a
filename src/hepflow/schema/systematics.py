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
    Whole,
    Year,
)

Operation = Literal["mult", "add", "subtract"]
Move = Operation | Literal["add_vector"]
UpAndDown = tuple[Text, Text | None]
Processes = Annotated[list[Text], Field(min_length=1)]
Correlation = Literal["correlated", "uncorrelated"]
NamedMembers = Literal["scale", "pdf", "pdf_alpha_s", "alpha_s", "isr", "fsr"]
Positions = Annotated[list[Annotated[Whole, Field(ge=0)]], Field(min_length=1)]
_SMOOTH = (
    "In the fit, the ratio of varied to nominal is smoothed over the bins (353QH, twice); the "
    "yield of the variation is kept"
)
SYSTEMATIC = "systematic"  # in `args`: where the name of nominal, up or down goes


Argument = tuple[Text, Text] | Number | Text


class UncertaintySource(Section):
    """One source of uncertainty of a correction."""

    name: Name = Field(description="Name of the source; becomes the nuisance parameter")
    key: Text | None = Field(
        None, description="Name of the source's own correction in the file; default that of nominal"
    )
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
    accepts: dict[Text, Annotated[list[Number], Field(min_length=1)]] | None = Field(
        None,
        description="Values of inputs, by their name in the file, that the source is for (the "
        "flavours of a jet); all other objects read nominal",
    )
    correlation: Correlation = Field(
        "correlated", description="Between years; uncorrelated: one nuisance a year"
    )
    smooth: Flag = Field(False, description=_SMOOTH)
    group: Text | None = Field(
        None, description="Group of its nuisance in rankings; default that of the correction"
    )


class Smearing(Section):
    """Resolution of simulated objects that is made the one of data.

    The value of the correction is the resolution of data over that of simulation.
    """

    key: Text = Field(description="Name of the relative resolution of pt in the file")
    use: Annotated[Columns, Field(min_length=1)] = Field(
        description="Columns of the inputs of the resolution"
    )
    generated: Text | None = Field(
        None,
        description="Generated objects, whose difference in pt to a matched one is scaled; "
        "without a match, or without this field, a random number is added",
    )
    index: Text | None = Field(
        None, description="Column of the object with the position of its generated one"
    )
    max_distance: Annotated[Number, Field(gt=0)] = Field(
        0.2,
        description="Distance in eta and phi to the generated object up to which it is a match: "
        "half of the jet's radius. It is less than three resolutions away in pt, too",
    )


class Correction(Section):
    """A correction of event weights or of objects, with its uncertainties."""

    name: Name = Field(description="Unique name")
    type: Literal["event", "object"] = Field(description="Factor of the weight, or of a column")
    file: PathText | None = Field(None, description="correctionlib file (.json, .json.gz)")
    key: Text | None = Field(
        None,
        description="Name of the correction in the file, which may be a compound one. Without it, "
        "only the sources act, each with a key of its own",
    )
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
        description="Turns the columns into the inputs of the correction; for columns of `args` "
        "that do not stand together as many as there are",
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
    smooth: Flag = Field(False, description=f"{_SMOOTH}. Of the source of the same name")
    group: Text | None = Field(
        None,
        description="Group of the nuisances of its sources in rankings; default by its type: "
        "weight corrections, object corrections",
    )
    nominal_function: Function | None = Field(None, description="Value without a file")
    uncertainty_sources: list[UncertaintySource] = Field(
        default_factory=list, description="Several sources, each with up and down"
    )
    applies_to: Processes | None = Field(
        None,
        description="Processes, or datasets by name, it applies to; default all simulated ones. "
        "Object corrections may name data",
    )
    out_of_range: Literal["error", "clamp", "one"] = Field(
        "error", description="Inputs outside the domain: an error, the edge's value, or 1"
    )
    propagate_to_met: Text | None = Field(
        None, description="Missing momentum that takes the opposite of the change in pt"
    )
    met_threshold: Annotated[Number, Field(ge=0)] = Field(
        0.0, description="Objects with less pt [GeV] after the change leave the missing momentum"
    )
    met_excluded: Text | None = Field(
        None,
        description="Column of the target's object with the part of its pt that neither counts "
        "for the threshold nor moves the missing momentum (muonSubtrFactor of jets)",
    )
    met_em_columns: list[Text] = Field(
        default_factory=list,
        description="Columns of the target's object that add up to the part of its energy from "
        "electrons and photons (neEmEF and chEmEF of jets)",
    )
    met_em_limit: Annotated[Number, Field(gt=0)] = Field(
        0.9, description="Objects in which this part is as large leave the missing momentum"
    )
    scale_mass: Flag = Field(True, description="The mass changes by the same factor as pt")
    raw_factor: Text | None = Field(
        None,
        description="Column of the target's object with one minus raw over present pt (rawFactor "
        "of jets): the correction reads and changes the raw pt, in place of the one it had",
    )
    smearing: Smearing | None = Field(
        None, description="The value is a ratio of resolutions, and pt is smeared by it"
    )
    keep_yield: Flag = Field(
        False,
        description="Event corrections: renormalised, in each dataset and variation, so that the "
        "sum of weights behind the baseline selection is the one without it (b-tag shapes)",
    )


class Systematic(Section):
    """A source of uncertainty that does not come with a correction."""

    name: Name = Field(description="Name of the source; becomes the nuisance parameter")
    type: Literal["event", "object", "normalisation", "sample", "theory"] = Field(
        description="Weight, column, size of the whole process, alternative samples (datasets "
        "whose variation is <name>_up or <name>_down), or a list of generator weights"
    )
    up_function: Function | None = Field(None, description="Factor or value when up")
    down_function: Function | None = Field(None, description="Factor or value when down")
    target: Column | None = Field(None, description="Column that an object source changes")
    use: Columns = Field(default_factory=list, description="Columns of the functions")
    transform: Function | None = Field(
        None, description="Turns the columns into the arguments of the functions"
    )
    op: Move = Field(
        "mult",
        description="How the value acts on its target; add_vector: the functions return a pair "
        "[GeV] that is added to the x and y of a missing momentum, whose pt is the target: its "
        "phi moves as well",
    )
    symmetrise: Flag = Field(
        False, description="A side that is not given is the other one reflected about nominal"
    )
    size: Annotated[Number, Field(gt=0)] | None = Field(
        None,
        description="Relative uncertainty of a normalisation source (0.025 is 2.5 %), when up: "
        "the yield is multiplied by 1 + size. Beyond one standard deviation the factor goes on as "
        "a power, as that of a log-normal does",
    )
    size_down: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        None,
        description="The same when down, where the yield is multiplied by 1 - size_down; default "
        "`size`. A log-normal of factor k has size k - 1 and size_down 1 - 1/k",
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
    weights: Text | None = Field(
        None,
        description="Theory: branch with a list of weights in each event, relative to the nominal "
        "one (LHEScaleWeight, LHEPdfWeight, PSWeight)",
    )
    members: NamedMembers | Positions | None = Field(
        None, description="Theory: which of the weights, by what they are or by their positions"
    )
    combine: Literal["envelope", "hessian", "replicas", "pair"] | None = Field(
        None,
        description="Theory: how members become up and down, in each bin. Needed with positions; "
        "of PDF sets only where the LHAPDF ID does not tell",
    )
    lhapdf_id: Annotated[Whole, Field(gt=0)] | None = Field(
        None, description="Theory: LHAPDF ID of the first weight, where the file does not say it"
    )
    relative_to: Text | None = Field(
        None,
        description="Theory: branch that the weights are divided by, where they are not relative "
        "(LHEWeight_originalXWGTUP)",
    )
    normalisation_only: Flag = Field(
        False, description="Theory: only the inclusive yield moves, by the sums of all events"
    )
    keep_yield: Flag | None = Field(
        None,
        description="Theory: members keep the inclusive yield of nominal. Default: of processes "
        "that a normalisation source names",
    )
    smooth: Flag = Field(False, description=_SMOOTH)
    group: Text | None = Field(
        None,
        description="Group of its nuisance in rankings; default by its type: weight corrections, "
        "object corrections, normalisations, alternative samples, theory",
    )


Corrections = list[Correction] | dict[Year, list[Correction]]
Systematics = list[Systematic] | dict[Year, list[Systematic]]
