"""Particles of events as observables see them: ``e, mu, a, j`` by transverse momentum, and ``met``.

One record for every source: the built-in process, showers, Les Houches files, Delphes trees. All
momenta and masses are in GeV, angles in radians.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.records import Floats, Ints

COLLECTIONS = ("e", "mu", "a", "j")
FIELDS = ("pt", "eta", "phi", "mass", "charge", "btag")
IDS = {"e": (11,), "mu": (13,), "a": (22,), "j": (1, 2, 3, 4, 5, 21)}  # absolute PDG ids
INVISIBLE = (12, 14, 16)
BOTTOM = 5


@dataclass(frozen=True)
class Particles:
    """Objects of events; each collection is a list of records with `FIELDS` in each event."""

    e: Any  # awkward arrays, sorted by falling pt
    mu: Any
    a: Any  # photons
    j: Any  # jets, or quarks and gluons at parton level
    met: Any  # record array with pt and phi

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) != 1:
            raise InputError(f"collections of different numbers of events: {lengths}")

    def __len__(self) -> int:
        return len(self.met)

    @property
    def l(self) -> Any:  # noqa: E743  # the name that expressions have for leptons
        """Electrons and muons together, by falling pt."""
        import awkward as ak

        return by_pt(ak.concatenate([self.e, self.mu], axis=1))

    def select(self, rows: Ints | slice | Any) -> Particles:
        """Some of the events."""
        return Particles(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def record(self) -> Any:
        """One awkward record with ``j, l, e, mu, a, met`` as Lorentz vectors, for functions."""
        import awkward as ak

        from hepflow.events.record import build_object

        members = {}
        for name in (*COLLECTIONS, "l"):
            array = getattr(self, name)
            members[name] = build_object({field: array[field] for field in FIELDS})
        members["met"] = build_object({"pt": self.met.pt, "phi": self.met.phi})
        return ak.zip(members, depth_limit=1)


def by_pt(array: Any) -> Any:
    """The objects of each event by falling pt; equal ones stay in their order."""
    import awkward as ak

    return array[ak.argsort(array.pt, axis=1, ascending=False, stable=True)]


def collection(counts: Ints, columns: Mapping[str, Floats]) -> Any:
    """Make a collection from flat columns; `counts` says how many objects each event has.

    Columns that are not given (charge, btag, mass) are 0.
    """
    import awkward as ak

    length = int(np.sum(counts))
    known = {
        name: np.asarray(columns.get(name, np.zeros(length)), dtype=np.float64) for name in FIELDS
    }
    flat = ak.Array(known)
    return by_pt(ak.unflatten(flat, np.asarray(counts, dtype=np.int64)))


def missing_momentum(px: Floats, py: Floats) -> Any:
    """Make the ``met`` of events from its components."""
    import awkward as ak

    return ak.Array({"pt": np.hypot(px, py), "phi": np.arctan2(py, px)})


def polar(momenta: Floats) -> dict[str, Floats]:
    """Return pt, eta, phi, mass of momenta of shape (n, 4): px, py, pz, E."""
    px, py, pz, energy = np.asarray(momenta, dtype=float).T
    pt = np.hypot(px, py)
    squared = energy**2 - pt**2 - pz**2
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.where(pt > 0, np.arcsinh(pz / pt), np.copysign(np.inf, pz))
    # of a light particle, the difference of large squares is rounding
    mass = np.where(squared > 1e-9 * energy**2, np.sqrt(np.maximum(squared, 0)), 0.0)
    return {"pt": pt, "eta": eta, "phi": np.arctan2(py, px), "mass": mass}


def classify(n_events: int, event: Ints, ids: Ints, momenta: Floats) -> Particles:
    """Sort final particles into collections by their PDG ids.

    Parameters
    ----------
    n_events : int
        Number of events.
    event, ids : array, shape (n_particles,)
        Event of each particle, not falling, and PDG id.
    momenta : array, shape (n_particles, 4)
        px, py, pz, E [GeV].

    Returns
    -------
    Particles
        Neutrinos make up ``met``; quarks and gluons are ``j``, b quarks tagged. Others (tau, W, Z,
        Higgs, top, ...) belong to no collection.
    """
    size = np.abs(ids)
    made = {}
    for name, own in IDS.items():
        chosen = np.isin(size, own)
        columns = polar(momenta[chosen])
        sign = -1.0 if name in {"e", "mu"} else 0.0
        columns["charge"] = sign * np.sign(ids[chosen])
        columns["btag"] = (size[chosen] == BOTTOM).astype(float)
        made[name] = collection(np.bincount(event[chosen], minlength=n_events), columns)
    unseen = np.isin(size, INVISIBLE)
    px, py = (
        np.bincount(event[unseen], momenta[unseen, axis], n_events).astype(float) for axis in (0, 1)
    )
    return Particles(**made, met=missing_momentum(px, py))


def of_pairs(muons: Floats) -> Particles:
    """Particles of the built-in process; `muons` as of `PartonEvents.muons`, shape (n, 2, 4)."""
    n_events = len(muons)
    ids = np.tile([13, -13], n_events)
    return classify(n_events, np.repeat(np.arange(n_events), 2), ids, muons.reshape(-1, 4))
