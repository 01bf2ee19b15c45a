"""Particles of Les Houches events, for observables at parton level."""

from __future__ import annotations

import logging

import numpy as np

from hepflow.inference.lhe import LheEvents
from hepflow.inference.physics.particles import IDS, INVISIBLE, Particles, classify

FINAL = 1
_log = logging.getLogger(__name__)


def particles_of(events: LheEvents) -> Particles:
    """Outgoing particles, in the order of the file.

    Parameters
    ----------
    events : LheEvents
        Of `hepflow.inference.lhe.read_lhe`.

    Returns
    -------
    Particles
        Quarks and gluons are jets. What belongs to no collection (undecayed bosons, tops, taus) is
        named in the log.
    """
    final = events.status == FINAL
    event = np.repeat(np.arange(len(events.counts)), events.counts)[final]
    ids = events.pdg[final]
    known = {pdg for own in IDS.values() for pdg in own} | set(INVISIBLE)
    others = sorted({int(pdg) for pdg in np.unique(np.abs(ids))} - known)
    if others:
        _log.warning(
            "outgoing particles with the PDG ids %s belong to none of j, e, mu, a and met: "
            "observables do not see them",
            ", ".join(map(str, others)),
        )
    return classify(len(events.counts), event, ids, events.momenta[final])
