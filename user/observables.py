"""What is histogrammed, and the computed columns."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

TOP_TAG = 0.5
FATJET_RADIUS = 0.8


def leading(objects: Any) -> Any:
    """First object of each event; missing where there is none."""
    return ak.firsts(objects, axis=1)


def delta_r(one: Any, other: Any) -> Any:
    """Distance in eta and phi."""
    dphi = (one.phi - other.phi + np.pi) % (2 * np.pi) - np.pi
    return np.hypot(one.eta - other.eta, dphi)


def far_from(jets: Any, other: Any, radius: float) -> Any:
    """Jets farther than `radius` from one other object; all where there is no such object."""
    return jets[ak.fill_none(delta_r(jets, other) > radius, True, axis=1)]


def _tagged(fatjets: Any) -> Any:
    return leading(fatjets[fatjets.particleNet_TvsQCD > TOP_TAG])


def _momentum(particle: Any) -> tuple[Any, Any, Any, Any]:
    """Cartesian components (px, py, pz, E)."""
    px, py = particle.pt * np.cos(particle.phi), particle.pt * np.sin(particle.phi)
    pz = particle.pt * np.sinh(particle.eta)
    return px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + particle.mass**2)


def zprime_mass(muons: Any, jets: Any, fatjets: Any, met: Any) -> Any:
    """Mass [GeV] of muon, top-tagged fat jet, leading jet outside it, and missing momentum.

    The missing momentum is taken as massless and without longitudinal component.
    """
    fatjet = _tagged(fatjets)
    jet = leading(far_from(jets, fatjet, FATJET_RADIUS))
    parts = [_momentum(one) for one in (leading(muons), fatjet, jet)]
    neutrino = (met.pt * np.cos(met.phi), met.pt * np.sin(met.phi), 0.0 * met.pt, met.pt)
    px, py, pz, energy = (sum(components) for components in zip(*parts, neutrino, strict=True))
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))


def muon_pt(muons: Any) -> Any:
    """Transverse momentum [GeV] of the muon."""
    return leading(muons).pt


def muon_eta(muons: Any) -> Any:
    """Pseudorapidity of the muon."""
    return leading(muons).eta


def missing_pt(met: Any) -> Any:
    """Missing transverse momentum [GeV]."""
    return met.pt


def leading_jet_pt(jets: Any) -> Any:
    """Transverse momentum [GeV] of the leading jet."""
    return leading(jets).pt


def fatjet_pt(fatjets: Any) -> Any:
    """Transverse momentum [GeV] of the top-tagged fat jet."""
    return _tagged(fatjets).pt


def fatjet_softdrop_mass(fatjets: Any) -> Any:
    """Soft-drop mass [GeV] of the top-tagged fat jet."""
    return _tagged(fatjets).msoftdrop


def itself(values: Any) -> Any:
    """A column as it is."""
    return values


def event_shapes(muons: Any, jets: Any, fatjets: Any, met: Any) -> tuple[Any, ...]:
    """Computed columns of an event after the baseline (one muon, two or more jets).

    Returns
    -------
    tuple
        Jet multiplicity; masses [GeV] of the leading jet and of the leading fat jet (0 without
        one); scalar sum [GeV] of the transverse momenta of jets, muon and missing momentum;
        sphericity along z, sum of pz^2 over sum of p^2 of the jets; smallest distance between
        muon and jets; muon momentum [GeV] transverse to the nearest jet.
    """
    muon = leading(muons)
    scalar_sum = ak.sum(jets.pt, axis=1) + muon.pt + met.pt
    pz = jets.pt * np.sinh(jets.eta)
    p_squared = (jets.pt * np.cosh(jets.eta)) ** 2
    sphericity_z = ak.sum(pz**2, axis=1) / ak.sum(p_squared, axis=1)
    distance = delta_r(jets, muon)
    nearest = ak.firsts(jets[ak.argmin(distance, axis=1, keepdims=True)], axis=1)
    return (
        ak.num(jets, axis=1),
        ak.fill_none(leading(jets).mass, 0.0),
        ak.fill_none(leading(fatjets).mass, 0.0),
        scalar_sum,
        sphericity_z,
        ak.min(distance, axis=1),
        relative_pt(muon, nearest),
    )


def relative_pt(muon: Any, jet: Any) -> Any:
    """Momentum [GeV] of the muon transverse to a jet's direction."""
    mx, my, mz, _ = _momentum(muon)
    jx, jy, jz, _ = _momentum(jet)
    cx, cy, cz = my * jz - mz * jy, mz * jx - mx * jz, mx * jy - my * jx
    return np.sqrt(cx**2 + cy**2 + cz**2) / np.sqrt(jx**2 + jy**2 + jz**2)
