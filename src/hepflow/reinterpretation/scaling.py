"""From a histogram of raw weights to expected events."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hepflow.errors import InputError
from hepflow.reinterpretation.spectra import Spectrum, read_spectrum, write_spectra


@dataclass(frozen=True)
class Scale:
    """What makes expected events of a sum of weights."""

    cross_section: float  # [pb]
    luminosity: float  # [1/pb]
    sum_of_weights: float  # of all generated events, selected or not
    k_factor: float = 1.0
    filter_efficiency: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name.replace('_', ' ')} {value:g}: expected a positive number.")
        if self.filter_efficiency > 1:
            raise InputError(
                f"filter efficiency {self.filter_efficiency:g}: expected a fraction of at most 1."
            )

    @property
    def factor(self) -> float:
        """Expected events for each unit of weight."""
        return (
            self.cross_section
            * self.luminosity
            * self.k_factor
            * self.filter_efficiency
            / self.sum_of_weights
        )


def scale_histogram(
    file: str | Path, name: str, scale: Scale, output: str | Path, new_name: str = ""
) -> Spectrum:
    """Scale a histogram to cross-section and luminosity, and write it to a file of its own.

    Parameters
    ----------
    file, name
        ROOT file, and histogram in it; sums of weights, under- and overflow included.
    scale
        Cross-section, luminosity, sum of weights and factors.
    output
        ROOT file to be made. The luminosity and all factors are stored in it.
    new_name
        Name of the scaled histogram; default `name`.

    Returns
    -------
    Spectrum
        Contents times the factor, variances times its square.

    Raises
    ------
    InputError
        There is no such histogram, it has been scaled before, or `output` is `file`.
    """
    if Path(output).exists() and Path(output).samefile(file):
        raise InputError(f"{output} is the input, which holds the raw weights: name another file.")
    raw = read_spectrum(file, name)
    if "scale" in raw.note:
        raise InputError(
            f"{file}: {name!r} has been scaled already, by {raw.note['scale']['factor']:g}. "
            "Scale the histogram of raw weights."
        )
    scaled = replace(raw.scaled(scale.factor, new_name or name), note=note_of(scale))
    write_spectra(output, [scaled], scaled.note)
    return scaled


def note_of(scale: Scale) -> dict[str, Any]:
    """What is stored beside the scaled histogram."""
    return {
        "luminosity": scale.luminosity,
        "scale": {
            "cross_section_pb": scale.cross_section,
            "luminosity_per_pb": scale.luminosity,
            "sum_of_weights": scale.sum_of_weights,
            "k_factor": scale.k_factor,
            "filter_efficiency": scale.filter_efficiency,
            "factor": scale.factor,
        },
    }
