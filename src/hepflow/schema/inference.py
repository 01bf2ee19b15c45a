"""Section ``inference``: simulation-based inference, from a theory's parameters to a limit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Bounds, Columns, Function, Name, Number, Whole
from hepflow.schema.inference_learning import Method, Sampling, Training, default_methods
from hepflow.schema.inference_process import Detector, Process
from hepflow.schema.inference_results import Evaluation, Plot, all_plots

Events = Annotated[Whole, Field(ge=1, le=100_000_000)]
EventsByBenchmark = Annotated[dict[Name, Events], Field(min_length=1)]
Point = dict[Name, Number]


class TheoryParameter(Section):
    """A parameter of the theory."""

    name: Name = Field(description="Unique name")
    range: Bounds = Field(description="Values of interest, in `unit`: grids, plots, benchmarks")
    max_power: Whole = Field(
        2, ge=1, le=4, description="Largest power in the squared amplitude; 2 for an operator once"
    )
    lha_block: str = Field("", description="Block of the generator's parameter card")
    lha_id: Whole = Field(0, ge=0, description="Number in that block")
    unit: str = Field("", description="For axes, such as 1/TeV$^2$")
    label: str = Field("", description="For axes (TeX between dollars); default the name")


class EventObservable(Section):
    """A number for each event, from which the parameters are inferred."""

    name: Name = Field(description="Unique name")
    expression: str = Field(
        "", description="Of the objects j, l, e, mu, a (hardest first) and met, such as j[0].pt"
    )
    function: Function | None = Field(
        None, description="Instead of an expression: called with the events, or columns of `use`"
    )
    use: Columns = Field(
        default_factory=list, description="Columns of a skim, in the order of the arguments"
    )
    default: Number | None = Field(
        None, description="Where it is not defined, as with too few jets; without, the event goes"
    )
    label: str = Field("", description="Axis title with unit; default the name")


class EventCut(Section):
    """A requirement that events pass."""

    name: Name = Field(description="Unique name")
    expression: str = Field(
        "", description="True for events that stay, such as l[0].pt > 25 and met.pt < 40"
    )
    function: Function | None = Field(
        None, description="Instead of an expression: returns a mask of the events"
    )
    use: Columns = Field(
        default_factory=list, description="Columns of a skim, in the order of the arguments"
    )


class WeightNuisance(Section):
    """A nuisance parameter with a weight of each event at its variations."""

    name: Name = Field(description="Unique name")
    kind: Literal["scale", "pdf", "normalisation"] = Field("scale", description="What it is about")
    up: str = Field(
        "",
        description="Name of the generator's weight at +1 standard deviation; of skims, one of "
        "process.skim.weights",
    )
    down: str = Field("", description="Likewise at -1; default mirrored")
    group: str = Field(
        "",
        description="In place of up and down, in Les Houches files: of a scale 'mur', 'muf' or, "
        "both together, 'mu', by a factor of two; or the group of weights of a PDF set, which "
        "becomes a parameter for each eigenvector",
    )
    size: Number = Field(
        0.0, ge=0, lt=1, description="Relative uncertainty of the rate, of a normalisation"
    )


class Inference(Section):
    """Simulation-based inference; empty: Drell-Yan with two operators, at parton level."""

    where = "inference"

    parameters: list[TheoryParameter] = Field(
        default_factory=list,
        description="Parameters of the theory; default those of the built-in process or of the "
        "event file",
    )
    benchmarks: dict[Name, Point] = Field(
        default_factory=dict,
        description="Points at which events have weights: name -> parameter -> value, 0 where "
        "left out; default chosen within the ranges",
    )
    benchmark_trials: Whole = Field(
        100, ge=1, le=100_000, description="Sets that are tried where benchmarks are chosen"
    )
    process: Process = Field(default_factory=Process, description="Where events come from")
    events: Events | EventsByBenchmark = Field(
        40_000,
        description="Events for each benchmark before cuts; or by benchmark, others have none",
    )
    jobs: Whole = Field(1, ge=1, le=10_000, description="Jobs for the events of each benchmark")
    seed: Whole = Field(1, ge=0, description="Of all random numbers")
    detector: Detector = Field(default_factory=Detector, description="What a detector makes of it")
    observables: list[EventObservable] = Field(
        default_factory=list, description="Default those of the built-in process"
    )
    cuts: list[EventCut] = Field(default_factory=list, description="Events that count")
    nuisances: list[WeightNuisance] = Field(
        default_factory=list, description="Nuisance parameters of the simulation"
    )
    sampling: Sampling = Field(default_factory=Sampling, description="Training samples")
    methods: list[Method] = Field(
        default_factory=default_methods, min_length=1, description="What is trained"
    )
    training: Training = Field(
        default_factory=Training, description="Of all methods that do not say otherwise"
    )
    evaluation: Evaluation = Field(default_factory=Evaluation, description="Limits")
    plots: list[Plot] = Field(default_factory=all_plots, description="Figures that are drawn")
