"""Weights of CMS: pile-up, leptons, shapes of b-tag discriminants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hepflow.corrections.cms.years import jet_sources_of, year_of

Entry = dict[str, Any]
Sides = tuple[str, str, str]  # what a file calls nominal, up and down

LIGHT_AND_BOTTOM, CHARM = (0, 5), (4,)  # flavours of jets
_STATISTICAL = ("hfstats1", "hfstats2", "lfstats1", "lfstats2")
_OF_BOTTOM = ("hf", "lf", *_STATISTICAL)
_OF_CHARM = ("cferr1", "cferr2")
_NAMES_OF_ELECTRONS: Sides = ("sf", "sfup", "sfdown")


def sides_of(sides: Sides) -> Entry:
    """Fields that say what a file calls nominal, up and down."""
    return {"nominal_idx": sides[0], "up_and_down_idx": (sides[1], sides[2])}


def pile_up(file: str, year: str | None = None, *, key: str | None = None, **fields: Any) -> Entry:
    """Weight by the number of interactions, with the source ``pileup``.

    Parameters
    ----------
    file
        ``puWeights.json.gz``.
    year
        One of `YEARS`, which tells the key.
    key
        Name of the correction in the file, instead of `year`.
    **fields
        Further fields of the entry. A number of interactions beyond the file is an error, unless
        ``out_of_range`` is ``one`` or ``clamp``.

    Examples
    --------
    >>> pile_up("puWeights.json.gz", "2018")["key"]
    'Collisions18_UltraLegacy_goldenJSON'
    """
    return {
        "name": "pileup",
        "type": "event",
        "file": file,
        "key": key if key is not None else year_of(year).pile_up,
        "use": [("Pileup", "nTrueInt")],
        **sides_of(("nominal", "up", "down")),
        **fields,
    }


def muon_scale_factor(
    file: str,
    key: str,
    *,
    name: str,
    sides: Sides = ("nominal", "systup", "systdown"),
    before: Sequence[str | float] = (),
    absolute_eta: bool = False,
    **fields: Any,
) -> Entry:
    """Scale factor of identification, isolation or trigger, as a product over all muons.

    Parameters
    ----------
    file
        ``muon_Z.json.gz`` and its like.
    key
        Name of the correction, such as ``NUM_TightID_DEN_TrackerMuons``.
    name
        Of the entry and of its source.
    sides
        What the file calls nominal, up and down: ``("sf", "systup", "systdown")`` in files of the
        first form.
    before
        Inputs of the file before eta: ``("2018_UL",)`` in files of the first form.
    absolute_eta
        Whether the file wants the absolute value; present ones take it themselves.
    **fields
        Further fields of the entry. Muons beyond the file (2.4 in abs(eta), 15 GeV) are an error,
        unless ``good_object_masks`` leaves them out or ``out_of_range`` says what they get.
    """
    return {
        "name": name,
        "type": "event",
        "file": file,
        "key": key,
        "args": [*before, ("Muon", "eta"), ("Muon", "pt"), "systematic"],
        **({"transform_in": absolute_eta_first} if absolute_eta else {}),
        **sides_of(sides),
        **fields,
    }


def electron_scale_factor(
    file: str,
    working_point: str,
    *,
    name: str,
    year: str,
    key: str = "UL-Electron-ID-SF",
    phi: bool = False,
    **fields: Any,
) -> Entry:
    """Scale factor of identification or reconstruction, as a product over all electrons.

    Parameters
    ----------
    file
        ``electron.json.gz``.
    working_point
        Such as ``Tight``, ``wp90iso`` or ``RecoAbove20``.
    name
        Of the entry and of its source.
    year
        As the file calls it, such as ``2018`` or ``2016postVFP``.
    key
        Name of the correction in the file.
    phi
        Whether the file wants phi as its last input (2023).
    **fields
        Further fields of the entry.

    Notes
    -----
    The file wants the eta of the supercluster: the electron's and its ``deltaEtaSC``.
    """
    columns = ("eta", "deltaEtaSC", "pt", *(("phi",) if phi else ()))
    return {
        "name": name,
        "type": "event",
        "file": file,
        "key": key,
        "args": [year, "systematic", working_point, *(("Electron", one) for one in columns)],
        "transform_in": supercluster_eta_first,
        **sides_of(_NAMES_OF_ELECTRONS),
        **fields,
    }


def absolute_eta_first(eta: Any, *rest: Any) -> tuple[Any, ...]:
    """Inputs with the absolute value of eta."""
    return (abs(eta), *rest)


def supercluster_eta_first(eta: Any, delta: Any, *rest: Any) -> tuple[Any, ...]:
    """Inputs with the eta of the supercluster, from that of the electron and the difference."""
    return (eta + delta, *rest)


def absolute_eta_second(flavour: Any, eta: Any, *rest: Any) -> tuple[Any, ...]:
    """Inputs with the absolute value of eta, behind the flavour."""
    return (flavour, abs(eta), *rest)


def btag_shape(
    file: str,
    year: str | None = None,
    *,
    name: str = "btag",
    key: str = "deepJet_shape",
    discriminant: str = "btagDeepFlavB",
    jet_sources: str | Sequence[str] = (),
    **fields: Any,
) -> Entry:
    """Weight that gives the b-tag discriminant the shape of data, a product over all jets.

    Parameters
    ----------
    file
        ``btagging.json.gz``.
    year
        One of `YEARS`: of the names of `jet_sources` that belong to a year.
    name
        Of the entry, and start of the names of its sources.
    key, discriminant
        Name of the correction in the file, and the column of the jets that it is about.
    jet_sources
        Jet energy sources that the weight moves with, as given to `jet_energy_uncertainties`.
        Light and bottom jets take their own value in the events of such a source, which is no
        nuisance of its own here.
    **fields
        Further fields of the entry. ``keep_yield`` is on: the weight does not change the sum of
        weights behind the baseline selection.

    Notes
    -----
    As BTV asks for: ``hf``, ``lf`` and their statistical parts are for light and bottom jets,
    ``cferr1`` and ``cferr2`` for charm. The statistical parts are uncorrelated between years, so
    their nuisances have the year of the dataset in their names.

    The file has jets with abs(eta) below 2.5 and pt of 20 GeV and more. Leave others out by
    ``good_object_masks``, or give them 1 (``out_of_range="one"``). Jets without a discriminant (-1)
    need a mask (``>= 0``): the bins of the file begin at -15, so they would get the value of 0.
    """
    sources = [
        *(_btag_source(f"{name}_{one}", one, LIGHT_AND_BOTTOM) for one in _OF_BOTTOM),
        *(_btag_source(f"{name}_{one}", one, CHARM) for one in _OF_CHARM),
    ]
    for one in jet_sources_of(jet_sources, year):
        in_file = "jes" if one == "Total" else f"jes{one}"
        linked = _btag_source(f"{name}_jes_{one}", in_file, LIGHT_AND_BOTTOM)
        sources.append({**linked, "varies_with": f"jes_{one}"})
    return {
        "name": name,
        "type": "event",
        "file": file,
        "key": key,
        "use": [("Jet", one) for one in ("hadronFlavour", "eta", "pt", discriminant)],
        "transform_in": absolute_eta_second,
        "nominal_idx": "central",
        "uncertainty_sources": sources,
        "keep_yield": True,
        **fields,
    }


def _btag_source(name: str, in_file: str, flavours: Sequence[int]) -> Entry:
    own = {"correlation": "uncorrelated"} if in_file in _STATISTICAL else {}
    return {
        "name": name,
        "up_and_down_idx": (f"up_{in_file}", f"down_{in_file}"),
        "accepts": {"flavor": list(flavours)},
        **own,
    }
