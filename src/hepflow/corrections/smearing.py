"""Smear the pt of simulated objects until it is resolved as that of data is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.random import random_normal
from hepflow.errors import CorrectionError, UserFunctionError
from hepflow.events import Lists
from hepflow.functors import column
from hepflow.schema import Correction
from hepflow.schema.systematics import Smearing

Floats = NDArray[np.float64]
LEAST_ENERGY = np.float32(0.01)  # [GeV] that smearing leaves of an object
MOST_RESOLUTIONS = 3.0  # difference in pt of an object to the one that it is matched to


def smeared(correction: Correction, events: Any, ratio: Any, resolution: Any, where: str) -> Any:
    """Factors on pt that give simulated objects the resolution of data.

    Parameters
    ----------
    ratio
        Resolution of data over that of simulation, for each object.
    resolution
        Relative resolution of pt in simulation, for each object.

    Returns
    -------
    ak.Array
        Shape (n_events, var). The random numbers belong to the objects and the correction's
        name, so that nominal, up and down share them.

    Raises
    ------
    CorrectionError
        If the target is no list of objects, or the values are not theirs.
    """
    import awkward as ak

    smearing, name = correction.smearing, (correction.target or ("", None))[0]
    objects = column(events, name, None, f"{where}.target")
    counts = np.asarray(ak.num(objects["pt"], axis=1)) if objects.ndim > 1 else None
    values = [ak.Array(one) for one in (ratio, resolution)]
    if (
        smearing is None
        or counts is None
        or any(one.ndim == 1 or not np.array_equal(ak.num(one, axis=1), counts) for one in values)
    ):
        raise CorrectionError(
            f"{where}.smearing: expected a value for each {name}. Take the inputs from the target."
        )
    normal = random_normal(events, name, correction.name, where)
    pt, eta = (_flat(objects[one], where) for one in ("pt", "eta"))
    generated = matched_pt(events, name, smearing, f"{where}.smearing")
    given = (_flat(one, where) for one in (*values, normal))
    factor = smear_factor(pt, eta, generated, *given)
    return ak.unflatten(factor, counts)


def smear_factor(
    pt: Floats, eta: Floats, generated: Floats, ratio: Floats, resolution: Floats, normal: Floats
) -> Floats:
    """Hybrid smearing, all shapes (n,).

    Parameters
    ----------
    pt, generated
        Transverse momentum [GeV] of the objects and of the generated ones at their side; 0 for
        none.
    ratio
        Resolution of data over that of simulation, `s`.
    resolution
        Relative resolution of pt in simulation, `sigma`.
    normal
        Standard normal numbers `n`.

    Returns
    -------
    numpy.ndarray
        `1 + (s - 1) (pt - generated) / pt` where that difference is less than three resolutions,
        else `1 + n sigma sqrt(max(s^2 - 1, 0))`, and always so much that an energy of 10 MeV is
        left.

    Notes
    -----
    As in CMSSW's SmearedJetProducerT and coffea's CorrectedJetsFactory, which a test compares it
    with; the latter takes its random numbers from the order of the jets in a chunk.

    Examples
    --------
    >>> pt, eta, sigma, n = np.array([50.0, 50.0]), np.zeros(2), np.full(2, 0.1), np.ones(2)
    >>> smear_factor(pt, eta, np.array([45.0, 0.0]), np.full(2, 1.25), sigma, n)
    array([1.025, 1.075])
    """
    safe = np.where(pt > 0.0, pt, 1.0)
    difference = (pt - generated) / safe
    matched = (generated > 0.0) & (np.abs(difference) < MOST_RESOLUTIONS * resolution)
    scaled = 1.0 + (ratio - 1.0) * difference
    random = 1.0 + np.sqrt(np.maximum(ratio**2 - 1.0, 0.0)) * (resolution * normal)
    least = LEAST_ENERGY / np.cosh(eta) / safe
    return np.asarray(np.maximum(np.where(matched, scaled, random), least), dtype=np.float64)


def matched_pt(events: Any, name: str, smearing: Smearing, where: str) -> Floats:
    """Get the pt of the generated object at the side of each object; 0 for none.

    Parameters
    ----------
    name
        Collection of the objects.

    Returns
    -------
    numpy.ndarray
        Shape (number of objects,). A position beyond the list is no match: files keep only the
        generated objects above a threshold.
    """
    import awkward as ak

    objects = events[name]
    if smearing.generated is None or smearing.index is None:
        return np.zeros(int(ak.sum(ak.num(objects["pt"], axis=1))))
    sources = [column(events, smearing.generated, one, where) for one in ("pt", "eta", "phi")]
    index = column(events, name, smearing.index, f"{where}.index")
    counts = np.asarray(ak.num(sources[0], axis=1))
    local = np.asarray(ak.to_numpy(ak.flatten(index, axis=1))).astype(np.int64)
    owner = np.repeat(np.arange(len(counts)), np.asarray(ak.num(index, axis=1)))
    known = (local >= 0) & (local < counts[owner])
    place = ((np.cumsum(counts) - counts)[owner] + local)[known]
    pt, eta, phi = (_flat(one, where)[place] for one in sources)
    d_eta = eta - _flat(objects["eta"], where)[known]
    d_phi = np.mod(phi - _flat(objects["phi"], where)[known] + np.pi, 2.0 * np.pi) - np.pi
    found = np.zeros(len(local))
    found[known] = np.where(np.hypot(d_eta, d_phi) < smearing.max_distance, pt, 0.0)
    return found


def _flat(values: Any, where: str) -> Floats:
    try:
        return np.asarray(Lists.of(values).numbers(), dtype=np.float64)
    except UserFunctionError as error:
        raise UserFunctionError(f"{where}: {error}") from error
