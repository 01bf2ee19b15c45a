"""Sections ``channels``, ``baseline_selection``, ``good_object_masks``, ``ghost_observables``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hepflow.schema.base import Functor, Section
from hepflow.schema.fields import Binning, Columns, Flag, Function, Name, Names, Number, Text


class Cut(Functor):
    """One named requirement; the function returns a mask."""

    name: Name = Field(description="Name in the cutflow")


N_MINUS_1 = "n_minus_1_"  # before the name of such a histogram


class NMinusOne(Functor):
    """A histogram of the events that pass all named cuts but one; it does not enter the fit."""

    cut: Text = Field(
        description="Named cut, or requirement of a PackedSelection, that is not required"
    )
    name: Name | None = Field(
        None, description="Observable is called n_minus_1_<name>; default the cut"
    )
    binning: Binning = Field(description='"low,high,nbins" or edges, in the unit of the label')
    label: str = Field("", description="Axis title with unit; default the cut")
    thresholds: list[Number] = Field(
        default_factory=list, description="Where the cut is, for the figure, in the label's unit"
    )
    variations: Flag = Field(False, description="Fill all variations, not only nominal")

    @property
    def observable(self) -> str:
        """Name of the observable."""
        return f"{N_MINUS_1}{self.name or self.cut}"


class Selection(Section):
    """Events to keep: one function that returns a PackedSelection, or named cuts."""

    function: Function | None = Field(
        None, description="Returns a PackedSelection; its last name is the mask"
    )
    use: Columns = Field(default_factory=list, description="Columns of the function")
    cuts: list[Cut] = Field(
        default_factory=list, description="Named cuts, all required, instead of a function"
    )
    n_minus_1: list[NMinusOne] = Field(
        default_factory=list, description="Histograms without one of the cuts"
    )


class Observable(Functor):
    """A number for each event, histogrammed."""

    name: Name = Field(description="Unique in its channel")
    binning: Binning = Field(description='"low,high,nbins" or edges, in the unit of the label')
    label: str = Field("", description="Axis title with unit; default the name")


class Channel(Section):
    """A region of phase space."""

    not_yet: ClassVar = {"use_in_diff": "differentiable analysis does not exist yet"}

    name: Name = Field(description="Unique name of the region")
    label: str = Field("", description="Title on plots; default the name and the kind")
    kind: Literal["signal", "control", "validation"] = Field(
        "signal",
        description="Signal and control regions enter the fit; validation regions do not, and "
        "are predicted with its result",
    )
    selection: Selection | None = Field(None, description="Default: all events of the baseline")
    observables: list[Observable] = Field(min_length=1, description="What is histogrammed")
    fit_observable: str = Field(description="Observable whose histogram enters the fit")
    fit_binning: Binning | None = Field(
        None,
        description='Bins of the fit observable in the fit, as "low,high,nbins" or edges: its '
        "edges are some of the observable's, and what is outside is under- and overflow; "
        "default the observable's",
    )
    cutflow_variations: Flag = Field(
        False, description="Count the cutflow of every variation, not only of nominal"
    )


class GoodObjectMask(Functor):
    """Objects to keep; the function returns a mask with the object's structure."""

    object: Name = Field(description="Collection that is masked")


class GoodObjectMasks(Section):
    """Object requirements."""

    where = "good_object_masks"
    not_yet: ClassVar = {"mva": "networks do not exist yet"}

    analysis: list[GoodObjectMask] = Field(default_factory=list, description="For the analysis")


class GhostObservable(Functor):
    """Columns that are computed for every variation and can be used like branches."""

    names: Names = Field(description="Names of what the function returns, in order")
    collections: Names = Field(
        description="Collections they are put into; one for all or one for each"
    )

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Collection and name of each column, in the order of what the function returns."""
        alone = len(self.collections) == 1
        places = self.collections * len(self.names) if alone else self.collections
        return tuple(zip(places, self.names, strict=True))
