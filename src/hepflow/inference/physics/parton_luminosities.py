"""Luminosities of quark-antiquark pairs in proton collisions.

``x1 q(x1, Q) x2 qbar(x2, Q)`` with Q the mass of the pair, tabulated once over the logarithm of
the mass and the rapidity in units of its kinematic limit, and interpolated in the logarithm, so
that it is positive and continuous. Sampling and likelihood read the same table: however coarse it
is, the one is exact for the other.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from hepflow.errors import InputError
from hepflow.inference.needs import need
from hepflow.inference.physics.analytic_pdf import analytic_xf
from hepflow.inference.records import Floats, Ints

Source = Literal["auto", "pythia8", "analytic"]
XF = Callable[[int, Floats, float], Floats]  # PDG id, x, Q [GeV] -> x f(x, Q)

FLAVOURS = (1, 2, 3, 4, 5)  # PDG ids: d u s c b
UP_TYPE = np.array([False, True, False, True, False])
N_MASS, N_RAPIDITY = 301, 201  # nodes; half the steps move cross-section and information by 2e-4
FLOOR = 1e-300  # where a grid says zero, near x = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Luminosities:
    """A table of ``log(x1 q(x1) x2 qbar(x2))``, with the quark in the beam along +z."""

    pdf: str  # what was used, for the provenance
    energy: float  # of the collision [GeV]
    log_mass: Floats  # nodes, uniform; log(mass / GeV), shape (N_MASS,)
    position: Floats  # nodes, uniform in [-1, 1]: rapidity over its limit, shape (N_RAPIDITY,)
    flavours: Floats  # shape (5, N_MASS, N_RAPIDITY), in the order of FLAVOURS
    types: Floats  # the same summed over down-type (0) and up-type (1) quarks

    def of_types(self, mass: Floats, rapidity: Floats) -> Floats:
        """Luminosities of down- and up-type quarks for both directions of the quark.

        Parameters
        ----------
        mass, rapidity : array, shape (n,)
            Mass [GeV] and rapidity of the pair.

        Returns
        -------
        array, shape (n, 2, 2)
            Indices: event, type (0 down, 1 up), direction of the quark (0 along +z, 1 along -z).
        """
        return self._both(self.types, mass, rapidity)

    def of_flavours(self, mass: Floats, rapidity: Floats) -> Floats:
        """Return the same for each flavour by itself, shape (n, 5, 2)."""
        return self._both(self.flavours, mass, rapidity)

    def limit(self, mass: Floats) -> Floats:
        """Largest rapidity of a pair of this mass [GeV]."""
        return np.asarray(np.log(self.energy / mass), dtype=float)

    def _both(self, table: Floats, mass: Floats, rapidity: Floats) -> Floats:
        position = rapidity / np.maximum(self.limit(mass), 1e-12)
        ahead = self._interpolate(table, np.log(mass), position)
        back = self._interpolate(table, np.log(mass), -position)
        return np.stack([ahead, back], axis=-1)

    def _interpolate(self, table: Floats, log_mass: Floats, position: Floats) -> Floats:
        row, down = _cell(self.log_mass, log_mass)
        column, left = _cell(self.position, position)
        flat = table.reshape(len(table), -1)
        corner = row * len(self.position) + column
        low = flat[:, corner] * (1 - left) + flat[:, corner + 1] * left
        corner += len(self.position)
        high = flat[:, corner] * (1 - left) + flat[:, corner + 1] * left
        return np.asarray(np.exp(low * (1 - down) + high * down).T, dtype=float)


def _cell(nodes: Floats, at: Floats) -> tuple[Ints, Floats]:
    """Index of the cell of uniform `nodes` and the position in it, from 0 to 1."""
    place = (at - nodes[0]) / (nodes[1] - nodes[0])
    index = np.clip(place.astype(np.int64), 0, len(nodes) - 2)
    return index, np.clip(place - index, 0.0, 1.0)


@lru_cache(maxsize=8)
def luminosities(
    energy: float, mass_min: float, mass_max: float, source: Source = "auto"
) -> Luminosities:
    """Tabulate the luminosities of a range of masses; kept in memory for the next call.

    Parameters
    ----------
    energy, mass_min, mass_max : float
        Energy of the collision and range of the pair's mass [GeV].
    source : str
        ``pythia8``: the set that pythia8mc ships and uses by default; ``analytic``: the
        parametrisation of `hepflow.inference.physics.analytic_pdf`; ``auto``: the former where it
        is installed.
    """
    name, xf = _densities(source)
    log_mass = np.linspace(np.log(mass_min), np.log(mass_max), N_MASS)
    position = np.linspace(-1.0, 1.0, N_RAPIDITY)
    flavours = np.empty((len(FLAVOURS), N_MASS, N_RAPIDITY))
    for row, mass in enumerate(np.exp(log_mass)):
        x = np.minimum(mass / energy * np.exp(position * np.log(energy / mass)), 1.0)
        for index, flavour in enumerate(FLAVOURS):
            quark, antiquark = xf(flavour, x, mass), xf(-flavour, x, mass)
            # the other parton's x is that of the mirrored rapidity
            flavours[index, row] = np.maximum(quark, 0) * np.maximum(antiquark[::-1], 0)
    types = np.stack([flavours[~UP_TYPE].sum(axis=0), flavours[UP_TYPE].sum(axis=0)])
    logs = [np.log(np.maximum(table, FLOOR)) for table in (flavours, types)]
    return Luminosities(name, energy, log_mass, position, *logs)


def _densities(source: Source) -> tuple[str, XF]:
    installed = importlib.util.find_spec("pythia8mc") is not None
    if source == "pythia8" and not installed:
        raise InputError(
            "the parton densities of pythia8mc are asked for, and pythia8mc is not installed. "
            "pip install 'hepflow[sbi]', or choose the analytic ones (pdf: analytic)."
        )
    if source == "analytic" or not installed:
        if source == "auto":
            _log.warning("pythia8mc is not installed: analytic parton densities are used")
        return "analytic parametrisation of hepflow", analytic_xf
    return _pythia()


def _pythia() -> tuple[str, XF]:
    pythia = need("pythia8mc").Pythia("", False)  # path of its data, banner
    for setting in ("Print:quiet = on", "ProcessLevel:all = off"):
        pythia.readString(setting)
    pythia.init()
    pdf = pythia.getPDFPtr(2212)
    name = f"pythia8mc {_version()}, PDF:pSet = {pythia.settings.word('PDF:pSet')}"

    def xf(flavour: int, x: Floats, scale: float) -> Floats:
        return np.array([pdf.xf(flavour, one, scale * scale) for one in x], dtype=float)

    return name, xf


def _version() -> str:
    from importlib.metadata import version

    return version("pythia8mc")
