"""Take over histograms and configurations of coffea, PocketCoffea, columnflow and cabinetry."""

from __future__ import annotations

from hepflow.importers.cabinetry_file import CabinetryImport, from_cabinetry
from hepflow.importers.frameworks import from_coffea, from_columnflow, from_pocket_coffea
from hepflow.importers.hists import Piece, from_hists
from hepflow.importers.safe_load import load_stored
from hepflow.importers.spec import AxisRoles, ImportSpec

__all__ = [
    "AxisRoles",
    "CabinetryImport",
    "ImportSpec",
    "Piece",
    "from_cabinetry",
    "from_coffea",
    "from_columnflow",
    "from_hists",
    "from_pocket_coffea",
    "load_stored",
]
