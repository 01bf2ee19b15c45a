"""Section ``estimates``: backgrounds that are estimated from data."""

from __future__ import annotations

from pydantic import Field

from hepflow.schema.base import Section
from hepflow.schema.fields import Flag, Name, Text


class Transfer(Section):
    """Factor from one sideband to another, measured in data."""

    numerator: Text = Field(
        description="Channel that passes what the estimated channel requires and `from_channel` "
        "does not (such as isolated muons), away from it in another quantity"
    )
    denominator: Text = Field(description="Channel beside it that fails that, as `from_channel`")
    observable: Text | None = Field(
        None,
        description="Observable, one value an event, whose sum (under- and overflow included) "
        "counts the events of both; default the fit observable of the numerator",
    )
    binned: Flag = Field(
        False,
        description="A factor for each bin of each observable that is estimated, instead of one "
        "number; its uncertainty is part of the statistical one of the template",
    )
    name: Name | None = Field(
        None,
        description="Nuisance parameter of its statistical uncertainty; default "
        "<process>_transfer. Channels that share it have the same sidebands",
    )


class Estimate(Section):
    """A background in one channel: (data - simulation) of another one, times a factor."""

    process: Name = Field(description="Process that is made; no dataset has it")
    channel: Text = Field(description="Channel in which it is estimated")
    from_channel: Text = Field(
        description="Channel whose data, minus simulation, give the shape; it has all observables "
        "of `channel` in the same bins"
    )
    transfer: Transfer = Field(description="Factor between the two")
    subtract: list[Text] | None = Field(
        None,
        description="Simulated processes that are subtracted from the data; default all but "
        "those of the parameter of interest",
    )
