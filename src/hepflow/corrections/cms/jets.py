"""Energy of jets in CMS: scale, resolution, and the uncertainties of the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hepflow.corrections.cms.weights import Entry, sides_of
from hepflow.corrections.cms.years import jet_sources_of, year_of

Column = tuple[str, str]


@dataclass(frozen=True)
class Jets:
    """Which jets are corrected, and what goes with them."""

    collection: str = "Jet"
    algorithm: str = "AK4PFchs"  # as the files call it
    rho: Column = ("event", "fixedGridRhoFastjetAll")  # ("Rho", ...) in NanoAOD v10 and later
    met: str | None = "MET"  # missing momentum that follows; None: none does
    met_threshold: float = 15.0  # [GeV]
    em_columns: tuple[str, ...] = ("neEmEF", "chEmEF")  # (): jets of any such part count
    em_limit: float = 0.9  # of their sum, for jets that move the missing momentum
    generated: str | None = "GenJet"  # None: smeared by random numbers alone
    index: str = "genJetIdx"  # column of the jets that points to the generated ones
    max_distance: float = 0.2  # of a match, half of the radius

    def column(self, name: str) -> Column:
        """One column of these jets."""
        return (self.collection, name)

    @property
    def moving(self) -> Entry:
        """Fields of an entry that moves the missing momentum.

        Muons in the jets do not count, nor do jets that are electrons or photons.
        """
        if self.met is None:
            return {}
        limited = {"met_em_columns": [*self.em_columns], "met_em_limit": self.em_limit}
        return {
            "propagate_to_met": self.met,
            "met_threshold": self.met_threshold,
            "met_excluded": "muonSubtrFactor",
            **(limited if self.em_columns else {}),
        }


AK4 = Jets()
AK8 = Jets(
    collection="FatJet",
    algorithm="AK8PFPuppi",
    met=None,
    generated="GenJetAK8",
    index="genJetAK8Idx",
    max_distance=0.4,
)


def jet_energy(
    file: str,
    year: str,
    *,
    sources: str | Sequence[str] = "regrouped",
    jets: Jets = AK4,
    **fields: Any,
) -> list[Entry]:
    """All that is done to the energy of simulated jets, in its order.

    Parameters
    ----------
    file, year, sources, jets
        As of `jet_energy_scale`, `jet_energy_resolution` and `jet_energy_uncertainties`.
    **fields
        Further fields of all three entries.

    Examples
    --------
    >>> [one["name"] for one in jet_energy("jet_jerc.json.gz", "2018")]
    ['jet_energy_scale', 'jer', 'jet_energy_uncertainties']
    """
    return [
        jet_energy_scale(file, year, jets=jets, **fields),
        jet_energy_resolution(file, year, jets=jets, **fields),
        jet_energy_uncertainties(file, year, sources=sources, jets=jets, **fields),
    ]


def jet_energy_scale(
    file: str,
    year: str | None = None,
    *,
    run: str | None = None,
    key: str | None = None,
    jets: Jets = AK4,
    **fields: Any,
) -> Entry:
    """Energy scale of jets: all levels anew, from the raw pt.

    Parameters
    ----------
    file
        ``jet_jerc.json.gz``, or ``fatJet_jerc.json.gz``.
    year
        One of `YEARS`, which tells the campaign.
    run
        Run era of data (``A``, or ``FGH`` where a file has several), for its residuals; default
        simulation. The datasets of the era have to stand in ``applies_to``.
    key
        Name of the correction in the file, instead of `year` and `run`. It may be a single level:
        give its inputs as ``use``.
    jets
        Which jets.
    **fields
        Further fields of the entry. ``out_of_range`` is ``clamp``: this comes before any mask, so
        that jets of any eta and pt occur. They have the value at the edge, not the 1 of the file.
    """
    if key is None:
        known = year_of(year)
        start = known.scale_mc if run is None else known.scale_data(run)
        key = f"{start}_L1L2L3Res_{jets.algorithm}"
    return {
        "name": "jet_energy_scale",
        "type": "object",
        "file": file,
        "key": key,
        "use": [*map(jets.column, ("area", "eta", "pt")), jets.rho],
        "target": jets.column("pt"),
        "raw_factor": "rawFactor",
        **jets.moving,
        "out_of_range": "clamp",
        **fields,
    }


def jet_energy_resolution(
    file: str,
    year: str | None = None,
    *,
    key: str | None = None,
    resolution_key: str | None = None,
    jets: Jets = AK4,
    **fields: Any,
) -> Entry:
    """Smearing of simulated jets, with the source ``jer``. It stands behind the scale.

    Parameters
    ----------
    file
        ``jet_jerc.json.gz``, or ``fatJet_jerc.json.gz``.
    year
        One of `YEARS`, which tells the campaign.
    key, resolution_key
        Names of the scale factor and of the resolution in the file, instead of `year`.
    jets
        Which jets. The missing momentum stays: that of the file comes of jets as they are.
    **fields
        Further fields of the entry, such as ``use`` where the scale factor depends on pt (Run 3).
        ``out_of_range`` is ``clamp``: the resolution at the edge, not the 100 % of the file.

    Notes
    -----
    The seed of a jet's random number comes from the event, the jet's place in the file and the name
    of the entry; the branches ``run``, ``luminosityBlock`` and ``event`` are needed.
    """
    if key is None or resolution_key is None:
        start = f"{year_of(year).resolution}_MC"
        key = key or f"{start}_ScaleFactor_{jets.algorithm}"
        resolution_key = resolution_key or f"{start}_PtResolution_{jets.algorithm}"
    smearing: Entry = {
        "key": resolution_key,
        "use": [*map(jets.column, ("eta", "pt")), jets.rho],
    }
    if jets.generated is not None:
        smearing["generated"] = jets.generated
        smearing["index"] = jets.index
        smearing["max_distance"] = jets.max_distance
    return {
        "name": "jer",
        "type": "object",
        "file": file,
        "key": key,
        "use": [jets.column("eta")],
        **sides_of(("nom", "up", "down")),
        "target": jets.column("pt"),
        "smearing": smearing,
        "out_of_range": "clamp",
        **fields,
    }


def jet_energy_uncertainties(
    file: str,
    year: str | None = None,
    *,
    sources: str | Sequence[str] = "regrouped",
    start: str | None = None,
    prefix: str = "jes_",
    jets: Jets = AK4,
    **fields: Any,
) -> Entry:
    """Sources of uncertainty of the energy scale: relative changes of the corrected pt.

    It stands behind the scale and the resolution: the sources are read at the pt that these leave,
    and nothing is done where none of them moves.

    Parameters
    ----------
    file
        ``jet_jerc.json.gz``, or ``fatJet_jerc.json.gz``.
    year
        One of `YEARS`, which tells the campaign and the names of the sources.
    sources
        ``regrouped`` (11), ``full`` (27), ``total`` (one), or names of single ones in the file.
    start
        Start of the names in the file instead of `year`, such as ``Summer19UL18_V5_MC``.
    prefix
        Start of the names of the nuisances. Sources that belong to a year have it in their names.
    jets
        Which jets.
    **fields
        Further fields of the entry. ``out_of_range`` is ``clamp``: the size at the edge, not the
        -999 of the file; with ``one`` there is no change beyond.
    """
    start = year_of(year).scale_mc if start is None else start
    return {
        "name": "jet_energy_uncertainties",
        "type": "object",
        "file": file,
        "use": [*map(jets.column, ("eta", "pt"))],
        "target": jets.column("pt"),
        "uncertainty_sources": [
            {
                "name": f"{prefix}{one}",
                "key": f"{start}_{in_file}_{jets.algorithm}",
                "is_delta": True,
            }
            for one, in_file in jet_sources_of(sources, year).items()
        ],
        **jets.moving,
        "out_of_range": "clamp",
        **fields,
    }
