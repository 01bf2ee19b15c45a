"""Parts of the section ``inference`` about where events come from, and detectors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from hepflow.schema.base import Section
from hepflow.schema.fields import (
    Column,
    Flag,
    Name,
    Names,
    Number,
    PathText,
    Text,
    as_list,
)

Source = Literal["drell_yan", "madgraph", "lhe", "delphes_trees", "event_file", "skim"]
Paths = Annotated[list[PathText], BeforeValidator(as_list)]


class DrellYan(Section):
    """Built in: quark and antiquark to two muons, with two four-fermion operators."""

    energy: Number = Field(13.0, gt=0, description="Centre of mass of the protons [TeV]")
    mass_min: Number = Field(300.0, gt=0, description="Least invariant mass of the muons [GeV]")
    mass_max: Number | None = Field(
        None, gt=0, description="Largest invariant mass [GeV]; default the kinematic limit"
    )
    cos_axis: Literal["boost", "beam"] = Field(
        "boost", description="Direction from which the angle of the negative muon is measured"
    )
    pdf: Literal["auto", "pythia8", "analytic"] = Field(
        "auto",
        description="Parton distributions: those that pythia8mc has, or a small formula of our "
        "own; auto takes the first where it is installed, and the artifacts say which",
    )
    shower: Flag = Field(
        False, description="Shower and hadronisation by pythia8mc, which is slower"
    )


class MadGraph(Section):
    """A MadGraph of your own: cards are written from the configuration and run."""

    executable: PathText | None = Field(
        None, description="Path of mg5_aMC; default the one on the search path"
    )
    model: Text = Field("sm", description="UFO model with the parameters' blocks")
    process: Annotated[list[Text], BeforeValidator(as_list)] = Field(
        default_factory=list,
        description="Lines of the process card, such as generate p p > mu+ mu-",
    )
    run_card: dict[Text, Text | Number] = Field(
        default_factory=dict, description="Settings of the run card"
    )
    shower: Flag = Field(False, description="Pythia8 of MadGraph behind it")


class SkimColumns(Section):
    """Events of this configuration's own skims."""

    datasets: Names | None = Field(
        None, description="Processes of the signal; default all simulated ones"
    )
    weights: dict[Name, Column] = Field(
        default_factory=dict,
        description="Column with the factor on the generator weight of each benchmark, and of each "
        "variation that inference.nuisances name",
    )


class Process(Section):
    """Where events come from."""

    source: Source = Field(
        "drell_yan",
        description="Built in; MadGraph; files of a generator; trees of Delphes; an event file in "
        "MadMiner's layout; or skims",
    )
    drell_yan: DrellYan = Field(default_factory=DrellYan, description="Of that source")
    madgraph: MadGraph = Field(default_factory=MadGraph, description="Of that source")
    skim: SkimColumns = Field(default_factory=SkimColumns, description="Of that source")
    files: Paths = Field(
        default_factory=list, description="Of lhe, delphes_trees and event_file: paths or globs"
    )
    weights_files: Paths = Field(
        default_factory=list,
        description="Of delphes_trees: Les Houches files with the weights, one for each tree",
    )


class DetectorRegion(Section):
    """Objects of one kind in a range of transverse momentum and pseudorapidity."""

    kind: Literal["e", "mu", "a", "j", "met"] = Field(description="Objects that it is about")
    min_pt: Number = Field(0.0, ge=0, description="Of the transverse momentum [GeV]")
    max_pt: Number | None = Field(None, gt=0, description="Likewise, the end [GeV]")
    min_eta: Number = Field(0.0, ge=0, description="Of the absolute pseudorapidity")
    max_eta: Number | None = Field(None, gt=0, description="Likewise, the end")
    efficiency: Number = Field(1.0, ge=0, le=1, description="Fraction that is found")
    resolution: Number = Field(
        0.0,
        ge=0,
        description="Relative, of the transverse momentum; of met times the square root of the "
        "sum of all transverse momenta [sqrt(GeV)]",
    )


class Detector(Section):
    """What a detector makes of the particles."""

    kind: Literal["none", "parametrised", "delphes"] = Field(
        "none", description="The generator's particles; maps; or a Delphes of your own"
    )
    regions: list[DetectorRegion] = Field(
        default_factory=list,
        description="Of parametrised: the first one that holds an object counts, and what is in "
        "none is lost; default about a general-purpose detector",
    )
    executable: PathText | None = Field(
        None,
        description="Path of DelphesHepMC2 or DelphesHepMC3; default the one on the search path "
        "that reads the events",
    )
    card: PathText | None = Field(None, description="Card of Delphes")
