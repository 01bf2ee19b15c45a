"""The three steps of a reinterpretation one by one, for workflows: files in, files out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hepflow.errors import InputError
from hepflow.reinterpretation.reinterpreting import (
    Reinterpretation,
    interpreted,
    of_process,
    opened,
)
from hepflow.reinterpretation.settings import LimitSettings
from hepflow.reinterpretation.signal_files import (
    read_filled,
    read_scaled,
    write_filled,
    write_scaled,
)
from hepflow.reinterpretation.signal_filling import Filled, fill, scale
from hepflow.reinterpretation.signal_models import PreservedModel
from hepflow.reinterpretation.signal_results import Look
from hepflow.reinterpretation.signals import Signal, check_distinct

if TYPE_CHECKING:
    from hepflow.reinterpretation.bundle import PreservedAnalysis


def skim_signal(
    bundle: str | Path | PreservedAnalysis,
    signal: Signal,
    output: str | Path,
    *,
    trusted: bool = False,
    digest: str | None = None,
    workers: int | None = None,
) -> Filled:
    """First step alone: raw histograms of a signal, written to a ROOT file.

    Parameters
    ----------
    bundle, trusted, digest, workers
        As of `reinterpret`.
    signal
        Its cross-section is not needed yet.
    output
        ROOT file; working files are kept beside it, in a folder of the same name without suffix.
    """
    path = _root_file(output)
    with opened(bundle, trusted=trusted, digest=digest) as analysis:
        luminosity = PreservedModel.of(analysis).histograms.luminosity
        named = of_process(signal, analysis)
        (filled,) = fill(analysis, [named], luminosity, [path.with_suffix("")], workers)
        write_filled(path, filled, analysis.bundle.digest)
    return filled


@dataclass(frozen=True)
class Size:
    """Cross-section of a signal and what belongs to it."""

    cross_section: float  # [pb]
    k_factor: float = 1.0
    filter_efficiency: float = 1.0
    luminosity: float | None = None  # [1/pb] that the bundle must have; None: not compared


def scale_signal(
    bundle: str | Path | PreservedAnalysis,
    source: str | Path,
    size: Size,
    output: str | Path,
    *,
    trusted: bool = False,
    digest: str | None = None,
) -> dict[str, dict[str, float]]:
    """Second step alone: expected events of what `skim_signal` wrote.

    Parameters
    ----------
    bundle, trusted, digest
        As of `reinterpret`.
    source
        ROOT file of `skim_signal`.
    size
        Cross-section and factors.
    output
        ROOT file to be made.

    Returns
    -------
    dict
        What the factor of each dataset is made of.

    Raises
    ------
    InputError
        The file is another one, or the luminosity is not that of the bundle.
    """
    path = _root_file(output)
    if path.exists() and path.samefile(source):
        raise InputError(f"{path} is the input, which holds the raw weights: name another file.")
    with opened(bundle, trusted=trusted, digest=digest) as analysis:
        luminosity = PreservedModel.of(analysis).histograms.luminosity
        _check_luminosity(size.luminosity, sum(luminosity.values()))
        filled = read_filled(Path(source), analysis.bundle.digest)
        signal = replace(
            filled.signal,
            cross_section=size.cross_section,
            k_factor=size.k_factor,
            filter_efficiency=size.filter_efficiency,
        )
        histograms, factors = scale(analysis, replace(filled, signal=signal), luminosity)
        write_scaled(path, signal, histograms, factors, analysis.bundle.digest)
    return factors


def interpret_signals(  # noqa: PLR0913 - each is a setting of its own
    bundle: str | Path | PreservedAnalysis,
    sources: Sequence[str | Path],
    output: str | Path,
    *,
    values: dict[str, float] | None = None,
    trusted: bool = False,
    digest: str | None = None,
    settings: LimitSettings | None = None,
    look: Look | None = None,
) -> Reinterpretation:
    """Third step alone: limits on what `scale_signal` wrote.

    Parameters
    ----------
    bundle, trusted, digest, settings, look
        As of `reinterpret`.
    sources
        ROOT files of `scale_signal`.
    output
        Folder for results.
    values
        Parameters of the signal, where there is one.
    """
    with opened(bundle, trusted=trusted, digest=digest) as analysis:
        scaled = [read_scaled(Path(one), analysis.bundle.digest) for one in sources]
        if values:
            if len(scaled) > 1:
                raise InputError("a point is given for several signals: give it when skimming.")
            scaled = [(replace(scaled[0][0], values=values), scaled[0][1])]
        check_distinct([signal for signal, _ in scaled])
        model = PreservedModel.of(analysis)
        return interpreted(analysis, model, scaled, Path(output), settings, look)


def _check_luminosity(stated: float | None, preserved: float) -> None:
    if stated is not None and not math.isclose(stated, preserved, rel_tol=1e-6):
        raise InputError(
            f"the luminosity {stated / 1000:g} /fb is not that of the preserved data, "
            f"{preserved / 1000:g} /fb: a limit would be for no data that exist. Leave it out."
        )


def _root_file(path: str | Path) -> Path:
    if Path(path).suffix != ".root":
        raise InputError(f"--output {path}: expected the name of a ROOT file (.root).")
    return Path(path)
