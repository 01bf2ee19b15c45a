"""A cabinetry configuration and its histograms as ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hepflow.errors import InputError, Problem, StorageError, WorkspaceError
from hepflow.importers.cabinetry_names import plain_names, renamings
from hepflow.importers.cabinetry_sections import Names, sections_of, settings_left_out
from hepflow.importers.cabinetry_sources import Source, source_findings, sources_of, varied
from hepflow.importers.cabinetry_templates import (
    Entry,
    Reader,
    contains,
    folder_reader,
    input_reader,
)
from hepflow.importers.spec import NOMINAL, by_year
from hepflow.records import Axis, Block, HistogramSet, Ledger
from hepflow.storage import read_yaml

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CabinetryImport:
    """What a cabinetry configuration and its histograms say."""

    histograms: HistogramSet
    sections: Mapping[str, Any]
    # channels (without selection and functions), statistics, systematics (those with a size)
    shapes: Mapping[str, tuple[str, ...]]  # sources with templates -> processes
    carried: tuple[Problem, ...]  # settings that have another form here; the model is the same
    left_out: tuple[Problem, ...]  # settings that are not taken over


def from_cabinetry(
    config: str | Path | Mapping[str, Any],
    *,
    luminosity: float | Mapping[str, float],
    source: Literal["inputs", "folder"] = "inputs",
    base: str | Path = ".",
    observables: Mapping[str, str] | None = None,
) -> CabinetryImport:
    """Import a cabinetry configuration with its template histograms.

    Parameters
    ----------
    config : path or mapping
        The configuration.
    luminosity : float or mapping
        Of the data [1/pb], or by year: cabinetry does not know it.
    source : {"inputs", "folder"}
        From the files of ``General.InputPath``, with under- and overflow; or from
        ``General.HistogramFolder``, as ``cabinetry.templates.collect`` or ``build`` and
        ``postprocess`` wrote them, without.
    base : path
        Where relative paths of the configuration start: cabinetry's working folder.
    observables : mapping, optional
        Region -> name of its observable; default ``observable``.

    Returns
    -------
    CabinetryImport
        What is in `left_out` is logged as a warning, too.

    Raises
    ------
    WorkspaceError
        The configuration is not one of cabinetry, or a histogram is missing.
    InputError
        Two names become the same, or a name of `observables` does not fit.
    """
    content = _validated(config)
    names = _names(content, observables or {})
    sources = sources_of(content)
    read = _reader(content["General"], source, Path(base))
    histograms = _histograms(content, names, sources, read, luminosity)
    findings = list(source_findings(sources, source))
    carried = [one for same, one in findings if same]
    left_out = [one for same, one in findings if not same]
    left_out += settings_left_out(content)
    for where, renaming in (
        *(("Regions", names.regions), ("Samples", names.samples)),
        *(("Systematics", names.sources), ("NormFactors", names.factors)),
    ):
        carried += renamings(renaming, where)
    for one in left_out:
        _log.warning("cabinetry configuration, not taken over: %s", one)
    sections, shapes = sections_of(content, names, sources, histograms)
    return CabinetryImport(histograms, sections, shapes, tuple(carried), tuple(left_out))


def _validated(config: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Load, and let cabinetry check it."""
    import jsonschema  # type: ignore[import-untyped]  # it has no stubs here
    from cabinetry import configuration

    try:
        if isinstance(config, Mapping):
            content = dict(config)
        else:
            if not Path(config).exists():
                raise WorkspaceError(f"the cabinetry configuration {config} does not exist.")
            content = read_yaml(config)
        configuration.validate(content)
    except (
        *(StorageError, jsonschema.ValidationError, RecursionError),
        *(ValueError, NotImplementedError),
    ) as error:
        reason = getattr(error, "message", None) or str(error)
        where = "" if isinstance(config, Mapping) else f" {config}"
        message = f"the cabinetry configuration{where} cannot be used: {reason}"
        raise WorkspaceError(message) from error
    return dict(content)


def _names(config: Entry, observables: Mapping[str, str]) -> Names:
    regions = [one["Name"] for one in config["Regions"]]
    for region, name in observables.items():
        if region not in regions or plain_names([name], "observables")[name] != name:
            raise InputError(
                f"observables: {region!r} -> {name!r} does not fit. Expected a region of the "
                f"configuration ({', '.join(regions)}), and a name of letters, digits and _ . + -."
            )
    return Names(
        regions=plain_names(regions, "Regions"),
        samples=plain_names([one["Name"] for one in config["Samples"]], "Samples"),
        sources=plain_names([one.name for one in sources_of(config)], "Systematics"),
        factors=plain_names([one["Name"] for one in config["NormFactors"]], "NormFactors"),
        observables={region: observables.get(region, "observable") for region in regions},
    )


def _reader(general: Entry, source: str, base: Path) -> Reader:
    if source == "folder":
        return folder_reader(base / general["HistogramFolder"])
    if source == "inputs":
        return input_reader(general, base)
    raise InputError(f"source={source!r}: expected 'inputs' or 'folder'.")


def _histograms(
    config: Entry,
    names: Names,
    sources: list[Source],
    read: Reader,
    luminosity: float | Mapping[str, float],
) -> HistogramSet:
    axes: dict[tuple[str, str], Axis] = {}
    blocks: dict[tuple[str, str, str], Block] = {}
    for region in config["Regions"]:
        where = (names.regions[region["Name"]], names.observables[region["Name"]])
        for sample in config["Samples"]:
            if contains(region, sample):
                edges, block = _sample(region, sample, names, sources, read)
                axis = axes.setdefault(
                    where, Axis(where[1], region.get("Variable", where[1]), edges)
                )
                if axis.edges != edges:
                    message = f"{sample['Name']!r} in {region['Name']!r} has other bins than others"
                    raise WorkspaceError(f"{message}. Rebin the histograms.")
                blocks[(*where, names.samples[sample["Name"]])] = block
    processes = names.samples.values()
    return HistogramSet(
        axes=axes,
        blocks=blocks,
        cutflows={},
        data_processes=frozenset(
            names.samples[one["Name"]] for one in config["Samples"] if one.get("Data")
        ),
        luminosity=by_year(luminosity),
        ledger=Ledger(),
        process_of={one: one for one in processes},
    )


def _sample(
    region: Entry, sample: Entry, names: Names, sources: list[Source], read: Reader
) -> tuple[tuple[float, ...], Block]:
    """Bin edges, and all variations of one sample in one region."""
    nominal = read(region, sample, {}, "")
    rows = {NOMINAL: nominal.template}
    for source in [] if sample.get("Data") else sources:
        if source.size is None:
            found = varied(source, region, sample, nominal, read)
            rows |= {f"{names.sources[source.name]}_{side}": one for side, one in found.items()}
    sumw = np.stack([one.sumw for one in rows.values()])
    sumw2 = np.stack([one.sumw2 for one in rows.values()])
    return nominal.edges, Block(tuple(rows), sumw, sumw2)
