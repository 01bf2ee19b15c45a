"""Events of the built-in process as a Les Houches file, for programs that shower them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hepflow.inference.physics.drell_yan_amplitudes import ALPHA
from hepflow.inference.physics.parton_events import PartonEvents
from hepflow.inference.records import Floats
from hepflow.storage import atomic_writer

Z, MUON, PROTON = 23, 13, 2212
COLOUR = 501
ALPHA_S = 0.118  # of no consequence at leading order without coloured final states


def write_lhe(path: Path, events: PartonEvents) -> None:
    """Write events with an attribute ``index``, so that their order can be checked later.

    Weights are 1: what events weigh at each benchmark stays with the `PartonEvents`.
    """
    beam = events.energy / 2
    muons, fractions = events.muons(), events.momentum_fractions()
    with atomic_writer(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write(
            '<LesHouchesEvents version="3.0">\n<init>\n'
            f"{PROTON} {PROTON} {beam:.10e} {beam:.10e} 0 0 0 0 -4 1\n1.0 0.0 1.0 1\n</init>\n"
        )
        for index in range(len(events)):
            quark = int(events.flavour[index])
            ahead = quark if events.direction[index] > 0 else -quark
            file.write(_event(index, ahead, muons[index], fractions[index] * beam))
        file.write("</LesHouchesEvents>\n")


def _event(index: int, ahead: int, muons: Floats, energies: Floats) -> str:
    """One event; `ahead` is the PDG id of the parton along +z."""
    pair = muons.sum(axis=0)
    mass = float(np.sqrt(max(pair[3] ** 2 - (pair[:3] ** 2).sum(), 0.0)))
    lines = [f'<event index="{index}">', f"5 1 1.0 {mass:.8e} {ALPHA:.8e} {ALPHA_S}"]
    for pdg, energy, sign in ((ahead, energies[0], 1), (-ahead, energies[1], -1)):
        colours = (COLOUR, 0) if pdg > 0 else (0, COLOUR)
        lines.append(_particle(pdg, -1, (0, 0), colours, (0, 0, sign * energy, energy, 0)))
    lines.append(_particle(Z, 2, (1, 2), (0, 0), (*pair, mass)))
    for pdg, muon in ((MUON, muons[0]), (-MUON, muons[1])):
        lines.append(_particle(pdg, 1, (3, 3), (0, 0), (*muon, 0)))
    return "\n".join([*lines, "</event>\n"])


def _particle(pdg: int, status: int, mothers: Any, colours: Any, momentum: Any) -> str:
    numbers = " ".join(f"{value:.14e}" for value in momentum)
    return f"{pdg} {status} {mothers[0]} {mothers[1]} {colours[0]} {colours[1]} {numbers} 0 9"
