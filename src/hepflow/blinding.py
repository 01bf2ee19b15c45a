"""The blind regions of a configuration."""

from __future__ import annotations

from hepflow.records import Blinded
from hepflow.schema import Config


def blinded_regions(config: Config) -> tuple[Blinded, ...]:
    """Blind regions of a configuration: True means all signal regions."""
    blind = config.general.blind
    if isinstance(blind, bool):
        names = [one.name for one in config.channels if one.kind == "signal"]
        return tuple(Blinded(name) for name in names) if blind else ()
    return tuple(
        Blinded(one.channel, one.observable, *one.range)
        if one.range is not None
        else Blinded(one.channel)
        for one in blind
    )
