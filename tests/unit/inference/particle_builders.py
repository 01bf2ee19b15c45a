"""Particles written down by hand."""

import numpy as np

from hepflow.inference.physics.particles import Particles, collection, missing_momentum


def particles(**events):
    """Events from lists such as ``j=[[(pt, eta, phi), (pt, eta, phi, mass, charge)], []]``.

    ``met`` is a list of (px, py).
    """
    n_events = len(next(iter(events.values())))
    made = {}
    for name in ("e", "mu", "a", "j"):
        lists = events.get(name, [[]] * n_events)
        rows = np.array([(*one, *[0.0] * (6 - len(one))) for event in lists for one in event])
        columns = dict(
            zip(("pt", "eta", "phi", "mass", "charge", "btag"), rows.reshape(-1, 6).T, strict=True)
        )
        made[name] = collection(np.array([len(event) for event in lists]), columns)
    met = np.array(events.get("met", [(0.0, 0.0)] * n_events), dtype=float)
    return Particles(**made, met=missing_momentum(met[:, 0], met[:, 1]))
