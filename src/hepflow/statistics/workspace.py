"""The HistFactory workspace: built from histograms, checked, and loaded as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.records.histograms import HistogramSet, Template
from hepflow.statistics.binning import nominal_factor
from hepflow.statistics.spec import StatisticsSpec
from hepflow.statistics.templates import fit_templates

Floats = NDArray[np.float64]
Entry = Mapping[str, Any]  # one entry of a cabinetry configuration


@dataclass(frozen=True)
class _Builder:
    """Templates of a generated cabinetry configuration, taken from memory."""

    histograms: HistogramSet  # as the fit takes them
    spec: StatisticsSpec
    config: Mapping[str, Any]

    def axis(self, region: Entry) -> tuple[str, str]:
        """Channel and observable of a region."""
        channels = {one.name: one for one in self.spec.channels}
        return region["Name"], channels[region["Name"]].observable

    def template(self, region: Entry, sample: Entry, variation: str = "") -> Template:
        """Template of a sample, checked to be finite."""
        key = (*self.axis(region), sample["SamplePath"])
        name = variation.removeprefix("__") or "nominal"
        found = self.histograms.template(*key, name)
        for content in (found.sumw, found.sumw2):
            bad = np.flatnonzero(~np.isfinite(content))
            if len(bad):
                raise WorkspaceError(
                    f"the template {'/'.join((*key, name))} is not finite in bin {bad[0] - 1} "
                    "(-1 is the underflow). Look at the weights and corrections of this process."
                )
        return found

    def samples(self, region: Entry) -> list[Entry]:
        """Simulated samples of a region."""
        return [
            one
            for one in self.config["Samples"]
            if not one.get("Data") and _contains(one, "Regions", region["Name"])
        ]

    def channel(self, region: Entry) -> dict[str, Any]:
        """One channel of the workspace."""
        samples = self.samples(region)
        errors = self.stat_errors(region)
        return {
            "name": region["Name"],
            "samples": [
                {
                    "name": one["Name"],
                    "data": self.template(region, one).values.tolist(),
                    "modifiers": [*errors[one["Name"]], *self.modifiers(region, one)],
                }
                for one in samples
            ],
        }

    def stat_errors(self, region: Entry) -> dict[str, list[dict[str, Any]]]:
        """Statistical uncertainties of the templates, by sample."""
        templates = {one["Name"]: self.template(region, one) for one in self.samples(region)}
        if not self.spec.mc_stat:
            return {name: [] for name in templates}
        return {
            name: [
                {
                    "name": f"staterror_{region['Name']}",
                    "type": "staterror",
                    "data": np.sqrt(one.variances).tolist(),
                }
            ]
            for name, one in templates.items()
        }

    def modifiers(self, region: Entry, sample: Entry) -> Iterator[dict[str, Any]]:
        """Norm factors and systematics of one sample."""
        for one in self.config["NormFactors"]:
            if _acts(one, region, sample):
                yield {"data": None, "name": one["Name"], "type": "normfactor"}
        for one in self.config.get("Systematics", ()):
            if not _acts(one, region, sample):
                continue
            if one["Type"] == "Normalization":
                sizes = {
                    "hi": 1 + one["Up"]["Normalization"],
                    "lo": 1 + one["Down"]["Normalization"],
                }
                yield {"name": _parameter(one), "type": "normsys", "data": sizes}
            else:
                yield from self.shape(region, sample, one)

    def varied_bins(self, region: Entry, source: Entry) -> NDArray[np.bool_]:
        """Bins in which a source acts: those with an expectation, and with one when it moves.

        Elsewhere the likelihood would have a kink at zero, and no minimum that can be found.
        """
        used = np.ones(len(region["Binning"]) - 1, dtype=np.bool_)
        paths = ("", source["Up"]["VariationPath"], source["Down"]["VariationPath"])
        same = [one for one in self.config["Systematics"] if _parameter(one) == _parameter(source)]
        for path in paths:
            total = np.zeros(len(used))
            for sample in self.samples(region):
                moves = any(_acts(one, region, sample) for one in same)
                total = total + self.template(region, sample, path if moves else "").values
            used &= total > 0
        return used

    def shape(self, region: Entry, sample: Entry, source: Entry) -> Iterator[dict[str, Any]]:
        """Effect on the yield, and on the shape at the nominal yield."""
        nominal = self.template(region, sample).values
        used = self.varied_bins(region, source)
        effects, shapes = {}, {}
        for side, short in (("Up", "hi"), ("Down", "lo")):
            varied = self.template(region, sample, source[side]["VariationPath"]).values
            effect = float(sum(varied) / sum(nominal))
            if not effect > 0:
                raise WorkspaceError(
                    f"{_parameter(source)} {side.lower()} changes the yield of {sample['Name']} in "
                    f"{region['Name']} by a factor {effect:g}. It must be positive: look at the "
                    "weights of this variation, or leave the process out of the source."
                )
            varied = np.where(used, varied, nominal)
            effect = float(sum(varied) / sum(nominal))
            effects[short] = effect
            shapes[f"{short}_data"] = (varied / effect).tolist()
        yield {"name": _parameter(source), "type": "normsys", "data": effects}
        if len(nominal) > 1:
            yield {"name": _parameter(source), "type": "histosys", "data": shapes}

    def observation(self, region: Entry, *, asimov: bool) -> dict[str, Any]:
        """Observed events of one region, or with `asimov` the nominal expectation."""
        if asimov:
            return {"name": region["Name"], "data": self.expectation(region).tolist()}
        data = next(one for one in self.config["Samples"] if one.get("Data"))
        if (*self.axis(region), data["SamplePath"]) not in self.histograms.blocks:
            raise WorkspaceError(
                f"no data were processed for channel {region['Name']!r}: expected histograms of "
                f"{data['SamplePath']!r}. Process data, or ask for expected results only."
            )
        return {"name": region["Name"], "data": self.template(region, data).values.tolist()}

    def expectation(self, region: Entry) -> Floats:
        """Nominal expected events, with norm factors at their nominal values."""
        total = np.zeros(len(region["Binning"]) - 1)
        for sample in self.samples(region):
            factor = nominal_factor(self.spec, region["Name"], sample["SamplePath"])
            total = total + factor * self.template(region, sample).values
        return total


def _parameter(source: Entry) -> str:
    """Nuisance parameter of a source; several entries can share one."""
    return str(source.get("ModifierName", source["Name"]))


def _acts(entry: Entry, region: Entry, sample: Entry) -> bool:
    """Whether a norm factor or a source acts on a sample in a region."""
    return _contains(entry, "Samples", sample["Name"]) and _contains(
        entry, "Regions", region["Name"]
    )


def _contains(entry: Entry, key: str, name: str) -> bool:
    chosen = entry.get(key, [])
    return not chosen or name in ([chosen] if isinstance(chosen, str) else chosen)


def build_workspace(
    histograms: HistogramSet,
    spec: StatisticsSpec,
    config: Mapping[str, Any],
    *,
    asimov: bool = False,
    check: bool = True,
) -> dict[str, Any]:
    """Build the pyhf workspace that cabinetry would build from the same configuration.

    One thing differs: in a bin whose total expectation, nominal or varied, is not positive,
    the shape effect of that source is dropped, which cabinetry would keep. The expectation
    would turn negative there as soon as the parameter leaves zero.

    Parameters
    ----------
    histograms : HistogramSet
        As filled.
    spec : StatisticsSpec
    config : mapping
        Generated cabinetry configuration (`generate`).
    asimov : bool
        Put the nominal expectation in the place of the observed data, which are not read.
    check : bool
        Refuse bins in which no likelihood can be computed; not needed for a prediction.

    Returns
    -------
    dict
        HistFactory JSON, version 1.0.0.

    Raises
    ------
    WorkspaceError
        A template that is not finite, an expectation that is empty or negative in a bin, a
        variation that turns a yield around, or a region without data (and no `asimov`).
    """
    builder = _Builder(fit_templates(histograms, spec), spec, config)
    regions = config["Regions"]
    workspace = {
        "channels": [builder.channel(region) for region in regions],
        "measurements": [_measurement(config)],
        "observations": [builder.observation(region, asimov=asimov) for region in regions],
        "version": "1.0.0",
    }
    if check:
        check_expectation(workspace)
    return workspace


def _measurement(config: Mapping[str, Any]) -> dict[str, Any]:
    general = config["General"]
    fixed = {one["Name"] for one in general.get("Fixed", ())}
    parameters = [
        {
            "name": one["Name"],
            "inits": [one["Nominal"]],
            "bounds": [list(one["Bounds"])],
            **({"fixed": True} if one["Name"] in fixed else {}),
        }
        for one in config["NormFactors"]
    ]
    return {
        "name": general["Measurement"],
        "config": {"parameters": parameters, "poi": general["POI"]},
    }


def check_expectation(workspace: Mapping[str, Any]) -> None:
    """Refuse bins in which no likelihood can be computed.

    Raises
    ------
    WorkspaceError
        Names the channel, the bin and the samples.
    """
    observed = {one["name"]: np.asarray(one["data"]) for one in workspace["observations"]}
    for channel in workspace["channels"]:
        name, samples = channel["name"], channel["samples"]
        if not samples:
            raise WorkspaceError(f"channel {name!r} has no simulated events: no fit is possible.")
        total = np.sum([one["data"] for one in samples], axis=0)
        for index, (expected, count) in enumerate(zip(total, observed[name], strict=True)):
            if not np.isfinite(expected + count):
                raise WorkspaceError(f"channel {name!r} is not finite in bin {index}.")
            if expected < 0 or (expected == 0 and count > 0):
                lowest = min(samples, key=lambda one: one["data"][index])
                raise WorkspaceError(
                    f"channel {name!r} expects {expected:g} events in bin {index}, where {count:g} "
                    f"are observed (lowest sample: {lowest['name']}, {lowest['data'][index]:g}). "
                    "Merge bins (statistics.min_expectation, or fit_binning of the channel), or "
                    "use more simulated events."
                )


def load_model(workspace: Mapping[str, Any], *, poi: str | None = None) -> tuple[Any, list[float]]:
    """Model and data of a workspace.

    Parameters
    ----------
    workspace : mapping
        HistFactory JSON.
    poi : str, optional
        Another parameter of interest than the measurement's.

    Returns
    -------
    tuple
        ``pyhf.Model`` and the data with auxiliary data.

    Raises
    ------
    WorkspaceError
        pyhf refuses it.
    """
    import pyhf

    try:
        with np.errstate(all="ignore"):  # a factor that has no logarithm is judged by Likelihood
            loaded = pyhf.Workspace(workspace)
            # the schema of a model is that of its part of the workspace
            given = {} if poi is None else {"poi_name": poi}
            model = loaded.model(validate=False, **given)
            return model, [float(value) for value in loaded.data(model)]
    except (
        pyhf.exceptions.InvalidSpecification,
        pyhf.exceptions.InvalidModel,
        pyhf.exceptions.InvalidModifier,
        pyhf.exceptions.InvalidMeasurement,
        KeyError,
    ) as error:
        raise WorkspaceError(f"pyhf cannot use the workspace: {error}") from error
