"""Ready entries of `corrections` for the files that CMS publishes (jsonPOG), one of `systematics`.

Each function returns a plain entry of the configuration, or a list of them, as it could be written
by hand: look at it, change it, put it among others. No file is opened here. Further keyword
arguments become fields of the entry, also in place of those that are there (`out_of_range`,
`applies_to`, `use`).

The names of the files' corrections are known for the Run 2 legacy campaigns (`YEARS`); for
others they are arguments.
"""

from __future__ import annotations

from hepflow.corrections.cms.jets import (
    AK4,
    AK8,
    Jets,
    jet_energy,
    jet_energy_resolution,
    jet_energy_scale,
    jet_energy_uncertainties,
)
from hepflow.corrections.cms.unclustered import unclustered_met
from hepflow.corrections.cms.weights import (
    btag_shape,
    electron_scale_factor,
    muon_scale_factor,
    pile_up,
)
from hepflow.corrections.cms.years import FULL, REGROUPED, YEARS, Year, jet_sources_of

__all__ = [
    "AK4",
    "AK8",
    "FULL",
    "REGROUPED",
    "YEARS",
    "Jets",
    "Year",
    "btag_shape",
    "electron_scale_factor",
    "jet_energy",
    "jet_energy_resolution",
    "jet_energy_scale",
    "jet_energy_uncertainties",
    "jet_sources_of",
    "muon_scale_factor",
    "pile_up",
    "unclustered_met",
]
