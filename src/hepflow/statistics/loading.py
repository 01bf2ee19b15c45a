"""A likelihood straight from a HistFactory workspace, without pyhf."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.histfactory import array, entry
from hepflow.statistics.likelihood import Likelihood, Specification

Floats = NDArray[np.float64]
Backend = Literal["hepflow", "pyhf"]
_VERSION = "1.0.0"
_PARTS = ("channels", "measurements", "observations", "version")


def load_likelihood(
    workspace: Mapping[str, Any],
    *,
    measurement: str | None = None,
    poi: str | None = None,
    modifier_settings: Mapping[str, Any] | None = None,
    backend: Backend = "hepflow",
) -> tuple[Likelihood, Floats]:
    """Likelihood and data of a workspace.

    Parameters
    ----------
    workspace : mapping
        HistFactory JSON, version 1.0.0, as pyhf defines it.
    measurement : str, optional
        Default the first one.
    poi : str, optional
        Another parameter of interest than the measurement's.
    modifier_settings : mapping, optional
        Interpolation codes as pyhf takes them, such as
        ``{"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}``; default
        code 4 and code 4p.
    backend : {"hepflow", "pyhf"}
        Who computes the likelihood: pyhf with numpy is the reference, and slow.

    Returns
    -------
    tuple
        `Likelihood` and the data with auxiliary data, shape (n_data,). Parameters stand in
        pyhf's order. Without a parameter of interest the likelihood can be fitted only.

    Raises
    ------
    WorkspaceError
        Something in the workspace is missing or wrong; the message names the place.
    """
    entry(workspace, _PARTS, "the workspace")
    if workspace["version"] != _VERSION:
        raise WorkspaceError(
            f"the workspace has version {workspace['version']!r}; expected {_VERSION!r}."
        )
    config = _measurement(workspace["measurements"], measurement)
    specification = Specification(
        workspace["channels"],
        config["parameters"],
        config["poi"] if poi is None else poi,
        modifier_settings,
    )
    likelihood = _computed(specification, backend)
    counts = _observed(workspace["observations"], likelihood)
    return likelihood, likelihood.checked(np.concatenate([counts, likelihood.auxdata]))


def _computed(specification: Specification, backend: Backend) -> Likelihood:
    if backend == "hepflow":
        return Likelihood(specification)
    from hepflow.statistics.pyhf_backend import PyhfLikelihood

    return PyhfLikelihood(specification)


def _measurement(measurements: Any, name: str | None) -> Mapping[str, Any]:
    if not isinstance(measurements, list | tuple) or not measurements:
        raise WorkspaceError("the workspace has no measurement. Expected at least one.")
    found = [entry(one, ("name", "config"), "a measurement") for one in measurements]
    names = [one["name"] for one in found]
    if name is not None and name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
        raise WorkspaceError(f"the workspace has no measurement {name!r}. {hint}")
    chosen = found[0 if name is None else names.index(name)]
    return entry(chosen["config"], ("poi", "parameters"), f"measurement {chosen['name']!r}")


def _observed(observations: Any, likelihood: Likelihood) -> Floats:
    given = {}
    for one in observations:
        found = entry(one, ("name", "data"), "an observation")
        given[found["name"]] = found["data"]
    parts = []
    for name, bins in likelihood.channels.items():
        if name not in given:
            raise WorkspaceError(
                f"the workspace has no observation of channel {name!r}. Known: "
                f"{', '.join(sorted(given)) or 'none'}."
            )
        where = f"the observation of channel {name!r}"
        parts.append(array(given[name], bins.stop - bins.start, where))
    return np.concatenate(parts)
