"""Parton shower, underlying event and hadronisation of the built-in process by pythia8mc."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import ExecutionError
from hepflow.inference.needs import need
from hepflow.inference.physics.lhe_writer import write_lhe
from hepflow.inference.physics.particles import (
    INVISIBLE,
    Particles,
    collection,
    missing_momentum,
)
from hepflow.inference.physics.parton_events import PartonEvents
from hepflow.inference.records import Ints

LEPTONS = {"e": 11, "mu": 13, "a": 22}
FIRST_HADRON = 100  # PDG ids from here on are of composite particles
B_HADRON_PT = 5.0  # [GeV]
MAX_LOST = 0.01  # of events that pythia gives up


@dataclass(frozen=True)
class ShowerSettings:
    """How events are showered, and which objects are made of the particles."""

    multiparton: bool = True  # underlying event; four fifths of the time
    lepton_pt: float = 5.0  # [GeV]; of prompt electrons, muons and photons
    lepton_eta: float = 5.0
    jet_radius: float = 0.4  # anti-kt
    jet_pt: float = 20.0  # [GeV]
    jet_eta: float = 5.0


@dataclass(frozen=True)
class Showered:
    """Particles of the events that were showered."""

    particles: Particles
    rows: Ints  # which of the events they are, rising; pythia rarely gives one up
    lost: int


@dataclass
class _Objects:
    """Rows of objects, collected event by event."""

    counts: list[int] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, found: Sequence[tuple[float, ...]]) -> None:
        self.counts.append(len(found))
        self.rows.extend(found)

    def collection(self) -> Any:
        names = ("pt", "eta", "phi", "mass", "charge", "btag")
        columns = np.array(self.rows, dtype=float).reshape(-1, len(names)).T
        counts = np.array(self.counts, dtype=np.int64)
        return collection(counts, dict(zip(names, columns, strict=True)))


def shower(events: PartonEvents, settings: ShowerSettings, seed: int) -> Showered:
    """Shower events.

    Parameters
    ----------
    events : PartonEvents
        Of the built-in process.
    settings : ShowerSettings
        Of shower and objects.
    seed : int
        From 1 to 900 000 000, as pythia has it.

    Raises
    ------
    InputError
        pythia8mc is not installed.
    ExecutionError
        Pythia does not start, returns events in another order or gives up more than one in 100.
    """
    objects = {name: _Objects() for name in ("e", "mu", "a", "j")}
    missing: list[tuple[float, float]] = []
    rows: list[int] = []
    with tempfile.TemporaryDirectory(prefix="hepflow-shower-") as folder:
        path = Path(folder) / "events.lhe"
        write_lhe(path, events)
        pythia = _start(path, settings, seed)
        jets = _jet_finder(settings)
        for row in _indices(pythia, events):
            rows.append(row)
            prompt, met = _prompt(pythia.event, settings)
            for name in LEPTONS:
                objects[name].add(prompt[name])
            objects["j"].add(_jets(pythia.event, jets, prompt))
            missing.append(met)
    lost = len(events) - len(rows)
    if lost > max(MAX_LOST * len(events), 1):
        raise ExecutionError(f"pythia8 gave up {lost} of {len(events)} events; at most 1 % may be.")
    made = {name: one.collection() for name, one in objects.items()}
    px, py = np.array(missing, dtype=float).reshape(-1, 2).T
    return Showered(Particles(**made, met=missing_momentum(px, py)), np.array(rows), lost)


def _start(path: Path, settings: ShowerSettings, seed: int) -> Any:
    pythia = need("pythia8mc").Pythia("", False)  # path of its data, banner
    for line in (
        "Print:quiet = on",
        "Beams:frameType = 4",
        "Random:setSeed = on",
        f"Random:seed = {seed}",
        f"PartonLevel:MPI = {'on' if settings.multiparton else 'off'}",
    ):
        pythia.readString(line)
    pythia.settings.word("Beams:LHEF", str(path))  # a line would end at a blank of the path
    if not pythia.init():
        raise ExecutionError(f"pythia8 does not start with the events of {path.name}")
    return pythia


def _indices(pythia: Any, events: PartonEvents) -> Iterator[int]:
    """Events one by one: which they are, checked by their mass."""
    last = -1
    while True:
        if not pythia.next():
            if pythia.infoPython().atEndOfFile():
                return
            continue
        row = int(pythia.infoPython().getEventAttribute("index"))
        hard = [one.p() for one in pythia.process if abs(one.id()) == LEPTONS["mu"]]
        mass = (hard[0] + hard[1]).mCalc()
        if not last < row < len(events) or abs(mass / events.mass[row] - 1) > 1e-3:  # noqa: PLR2004  # pythia gives muons their mass
            raise ExecutionError(
                f"pythia8 returned event {row} after {last}, of mass {mass:.3f} GeV: weights and "
                "events would be mixed up."
            )
        last = row
        yield row


def _prompt(
    event: Any, settings: ShowerSettings
) -> tuple[dict[str, list[tuple[float, ...]]], tuple[float, float]]:
    """Electrons, muons and photons that come from no hadron, and the sum of the neutrinos."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in LEPTONS}
    names = {pdg: name for name, pdg in LEPTONS.items()}
    px = py = 0.0
    for one in event:
        if not one.isFinal():
            continue
        pdg = abs(one.id())
        if pdg in INVISIBLE:
            px, py = px + one.px(), py + one.py()
        elif pdg in names and one.pT() >= settings.lepton_pt and _prompt_in(event, one, settings):
            row = (one.pT(), one.eta(), one.phi(), one.m(), one.charge(), 0.0)
            found[names[pdg]].append(row)
    return found, (px, py)


def _prompt_in(event: Any, particle: Any, settings: ShowerSettings) -> bool:
    """Whether a particle is in the acceptance and from no decay of a hadron, however far back."""
    if abs(particle.eta()) >= settings.lepton_eta:
        return False
    mother = particle.mother1()
    while mother > 0:
        particle = event[mother]
        if abs(particle.id()) > FIRST_HADRON and particle.status() < 0 and not _beam(particle):
            return False
        mother = particle.mother1()
    return True


def _beam(particle: Any) -> bool:
    return abs(int(particle.status())) < 20  # noqa: PLR2004  # pythia's codes of beam particles


def _jet_finder(settings: ShowerSettings) -> Any:
    anti_kt, visible, true_mass = -1, 2, 2
    finder = need("pythia8mc").SlowJet
    return finder(
        anti_kt, settings.jet_radius, settings.jet_pt, settings.jet_eta, visible, true_mass,
        None, False, True,  # no hook; its own code: fjcore writes a banner; rapidity in distances
    )  # fmt: skip


def _jets(
    event: Any, finder: Any, prompt: dict[str, list[tuple[float, ...]]]
) -> list[tuple[float, ...]]:
    """Jets without those around a prompt lepton or photon; with a bottom hadron: tagged."""
    finder.analyze(event)
    alone = [one[1:3] for found in prompt.values() for one in found]
    bottom = [
        (one.eta(), one.phi())
        for one in event
        if _has_bottom(abs(one.id())) and one.pT() > B_HADRON_PT
    ]
    jets: list[tuple[float, ...]] = []
    for index in range(finder.sizeJet()):
        momentum = finder.p(index)
        eta, phi = momentum.eta(), momentum.phi()
        if not _near((eta, phi), alone, finder.R):
            tag = 1.0 if _near((eta, phi), bottom, finder.R) else 0.0
            jets.append((momentum.pT(), eta, phi, momentum.mCalc(), 0.0, tag))
    return jets


def _has_bottom(pdg: int) -> bool:
    """Whether the PDG id is that of a hadron with a bottom quark."""
    return pdg > FIRST_HADRON and 5 in (pdg // 100 % 10, pdg // 1000 % 10)  # noqa: PLR2004  # bottom


def _near(place: tuple[float, float], others: Sequence[Sequence[float]], radius: float) -> bool:
    for eta, phi in others:
        turn = abs(place[1] - phi)
        if np.hypot(place[0] - eta, min(turn, 2 * np.pi - turn)) < radius:
            return True
    return False
