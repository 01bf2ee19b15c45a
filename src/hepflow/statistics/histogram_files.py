"""The statistical model of a file of histograms, made here or elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hepflow.errors import InputError, WorkspaceError, did_you_mean
from hepflow.records.histograms import HistogramSet
from hepflow.statistics.histogram_reading import (
    observables_of,
    read_histogram_file,
    sources_of_block,
)
from hepflow.statistics.spec import (
    FitChannel,
    NormalisationSpec,
    NormFactorSpec,
    ShapeSpec,
    StatisticsSpec,
)


def chosen_observables(
    known: Mapping[str, Sequence[str]], observables: Mapping[str, str], path: str | Path
) -> dict[str, str]:
    """Observable of each channel that enters the fit.

    Parameters
    ----------
    known : mapping
        Observables of the file by channel.
    observables : mapping
        By channel; a channel with one observable needs none to be named.
    path : str or Path
        For messages.

    Raises
    ------
    InputError
        A channel or an observable does not exist, or there are several and none was named.
    """
    _require_known(known, observables, path)
    chosen = {}
    for channel, names in known.items():
        if channel not in observables and len(names) > 1:
            raise InputError(
                f"{path}: channel {channel!r} has several observables: {', '.join(names)}. Name "
                f"the one of the fit, as in --observable {channel}={names[0]}."
            )
        chosen[channel] = observables.get(channel, names[0])
    return chosen


def _require_known(
    known: Mapping[str, Sequence[str]], observables: Mapping[str, str], path: str | Path
) -> None:
    for channel, name in observables.items():
        if channel not in known:
            raise InputError(f"{path} has no channel {channel!r}. {did_you_mean(channel, known)}")
        if name not in known[channel]:
            hint = did_you_mean(name, known[channel])
            raise InputError(f"{path} has no observable {name!r} in channel {channel!r}. {hint}")


def workspace_of_histograms(
    path: str | Path,
    *,
    signal: Sequence[str] | Mapping[str, str],
    data: str = "data",
    observables: Mapping[str, str] | None = None,
    normalisations: Mapping[str, Mapping[str, float]] | None = None,
    bounds: tuple[float, float] = (0.0, 10.0),
) -> dict[str, Any]:
    """Build a HistFactory workspace of all channels of a file of histograms.

    Parameters
    ----------
    path : str or Path
        As `read_histogram_file` takes it.
    signal : sequence or mapping of str
        Processes that the parameter of interest ``mu`` multiplies; or norm factors by process,
        the first of which is of interest.
    data : str
        Process of the data.
    observables : mapping, optional
        Observable by channel, where a channel has several.
    normalisations : mapping, optional
        Relative uncertainties of the yield: size by process, by the name of the nuisance
        parameter. One with several sizes becomes several parameters, ``<name>_<process>``.
    bounds : tuple of float
        Range of the norm factors.

    Returns
    -------
    dict
        HistFactory JSON: a norm and shape effect for each source that has templates (a side
        that is missing is nominal), and statistical uncertainties of the templates.

    Raises
    ------
    InputError
        A process, channel or observable that is not in the file, or that must be named.
    WorkspaceError
        There are no data, or no model can be built of the histograms.
    """
    from hepflow.statistics.cabinetry_config import generate
    from hepflow.statistics.workspace import build_workspace

    chosen = chosen_observables(observables_of(path), observables or {}, path)
    histograms = read_histogram_file(path, data=data, observables=chosen)
    spec = spec_of_histograms(
        histograms,
        chosen,
        factors=_factors(histograms, signal, data, path),
        data=data,
        normalisations=tuple(_normalisations(histograms, normalisations or {}, path)),
        bounds=bounds,
    )
    _require_data(histograms, spec, data, path)
    with tempfile.TemporaryDirectory() as folder:  # named in the configuration, never written
        config = generate(histograms, spec, path, folder)
    return build_workspace(histograms, spec, config)


def spec_of_histograms(
    histograms: HistogramSet,
    chosen: Mapping[str, str],
    *,
    factors: Mapping[str, str],
    data: str,
    normalisations: tuple[NormalisationSpec, ...] = (),
    bounds: tuple[float, float] = (0.0, 10.0),
) -> StatisticsSpec:
    """The model that a file of histograms stands for.

    Parameters
    ----------
    histograms : HistogramSet
    chosen : mapping
        Observable by channel.
    factors : mapping
        Norm factor by process; the first is of interest.
    data : str
        Process of the data.
    normalisations : tuple of NormalisationSpec
    bounds : tuple of float
        Of the norm factors.
    """
    names = dict.fromkeys(p for c, o, p in histograms.blocks if chosen.get(c) == o and p != data)
    channels = tuple(
        FitChannel(
            name=channel,
            label=channel,
            kind="signal",
            observable=observable,
            axis_label=histograms.axes[channel, observable].label or observable,
            edges=histograms.axes[channel, observable].edges,
        )
        for channel, observable in chosen.items()
    )
    return StatisticsSpec(
        measurement="hepflow",
        poi=next(iter(factors.values()), ""),
        channels=channels,
        processes=tuple(names),
        data_processes=(data,),
        norm_factors=tuple(
            NormFactorSpec(name, tuple(p for p in factors if factors[p] == name), 1.0, bounds)
            for name in dict.fromkeys(factors.values())
        ),
        normalisations=normalisations,
        shapes=tuple(_shapes(histograms, chosen, names)),
    )


def _shapes(
    histograms: HistogramSet, chosen: Mapping[str, str], processes: Mapping[str, None]
) -> Iterator[ShapeSpec]:
    """Sources, each with the processes and channels that it has templates for."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for (channel, observable, process), block in histograms.blocks.items():
        if chosen.get(channel) != observable or process not in processes:
            continue
        for source in sources_of_block(block):
            whose, where = found.setdefault(source, ({}, {}))
            whose[process] = where[channel] = None
    for name, (whose, where) in found.items():
        yield ShapeSpec(name, tuple(whose), tuple(where))


def _factors(
    histograms: HistogramSet,
    signal: Sequence[str] | Mapping[str, str],
    data: str,
    path: str | Path,
) -> dict[str, str]:
    """Norm factor by process."""
    known = [name for name in histograms.process_of if name != data]
    factors = dict(signal) if isinstance(signal, Mapping) else dict.fromkeys(signal, "mu")
    if not factors:
        raise InputError(
            f"{path} does not say which process is the signal. Name it with --signal: "
            f"{', '.join(known)}."
        )
    _require_processes(factors, known, path)
    return factors


def _require_processes(names: Mapping[str, Any], known: Sequence[str], path: str | Path) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"{path} has no process {name!r}. {did_you_mean(name, known)}")


def _normalisations(
    histograms: HistogramSet, given: Mapping[str, Mapping[str, float]], path: str | Path
) -> Iterator[NormalisationSpec]:
    known = [name for name in histograms.process_of if name not in histograms.data_processes]
    for name, sizes in given.items():
        _require_processes(sizes, known, path)
        wrong = next((size for size in sizes.values() if not 0 < size < 1), None)
        if wrong is not None:
            raise InputError(
                f"the normalisation uncertainty {name!r} has the size {wrong:g}. Expected a "
                "relative one, between 0 and 1 (0.1 is 10 %)."
            )
        several = len(set(sizes.values())) > 1
        for size in dict.fromkeys(sizes.values()):
            processes = tuple(one for one in sizes if sizes[one] == size)
            if several:
                yield from (NormalisationSpec(f"{name}_{one}", size, (one,)) for one in processes)
            else:
                yield NormalisationSpec(name, size, processes)


def _require_data(
    histograms: HistogramSet, spec: StatisticsSpec, data: str, path: str | Path
) -> None:
    for channel in spec.channels:
        if (channel.name, channel.observable, data) not in histograms.blocks:
            there = ", ".join(histograms.processes(channel.name, channel.observable))
            raise WorkspaceError(
                f"{path} has no data in channel {channel.name!r}: expected the key "
                f"{channel.name}__{channel.observable}__{data} beside {there}. If they are called "
                "otherwise, name their process with --data."
            )
