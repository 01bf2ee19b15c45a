"""The HistFactory workspace of the user's own cabinetry configuration, built by cabinetry."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hepflow.errors import WorkspaceError
from hepflow.statistics.cabinetry_config import read_cabinetry_config
from hepflow.statistics.workspace import check_expectation


def build_from_own(
    own: str | Path | Mapping[str, Any], *, asimov: bool = False, poi: str = ""
) -> dict[str, Any]:
    """Build the workspace from the user's own cabinetry configuration, with cabinetry.

    Parameters
    ----------
    own : path or mapping
        The configuration. Histograms are collected from the files which it names.
    asimov : bool
        Put the nominal expectation in the place of the observed data, which are not read.
    poi : str
        Parameter of interest in the place of that of the configuration.

    Raises
    ------
    WorkspaceError
        The configuration cannot be used, or a histogram is missing.
    """
    import uproot

    config = own if isinstance(own, Mapping) else read_cabinetry_config(own)
    where = "" if isinstance(own, Mapping) else f" {own}"
    try:
        built = _collected(config, with_data=not asimov)
    except (uproot.KeyInFileError, FileNotFoundError) as error:
        raise WorkspaceError(
            f"the cabinetry configuration{where} asks for a histogram that is missing: {error}"
        ) from error
    if poi:
        built["measurements"][0]["config"]["poi"] = poi
    if asimov:
        built["observations"] = _expectation(built)
    check_expectation(built)
    return built


def _collected(config: Mapping[str, Any], *, with_data: bool) -> dict[str, Any]:
    """Workspace of the histograms that a configuration names; without data, zeros are observed."""
    from cabinetry import templates, workspace

    with tempfile.TemporaryDirectory(prefix="hepflow-cabinetry-") as folder:
        # cabinetry's own folder may hold templates of an earlier run
        general = {**config["General"], "HistogramFolder": f"{folder}/histograms"}
        samples = [one for one in config["Samples"] if with_data or not one.get("Data")]
        fresh = {**config, "General": general, "Samples": samples}
        templates.collect(fresh)
        templates.postprocess(fresh)
        if with_data:
            return dict(workspace.build(fresh))
        builder = workspace.WorkspaceBuilder(fresh)
        channels, measurements = builder.channels(), builder.measurements()
    nothing = [
        {"name": one["name"], "data": [0.0] * len(one["samples"][0]["data"])}
        for one in channels
        if one["samples"]
    ]
    return {
        "channels": channels,
        "measurements": measurements,
        "observations": nothing,
        "version": "1.0.0",
    }


def _expectation(workspace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Observations of nominal Asimov data."""
    from hepflow.statistics.loading import load_likelihood

    likelihood, _ = load_likelihood(workspace)
    expected = likelihood.yields.bins(likelihood.nominal())
    return [
        {"name": one["name"], "data": expected[likelihood.channels[one["name"]]].tolist()}
        for one in workspace["observations"]
    ]
