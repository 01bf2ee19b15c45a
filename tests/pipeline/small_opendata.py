"""Small files under names of CMS Open Data 2016, with events whose fate is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from tests.builders import write_nano

SELECTED = {"signal": 400, "ttbar_semilep": 3000, "ttbar_had": 300, "ttbar_lep": 400, "wjets": 300}
YIELDS = {  # events that the recorded run expects
    "signal": 513.014,
    "ttbar_semilep": 1957.603,
    "ttbar_had": 15.196,
    "ttbar_lep": 188.139,
    "wjets": 62.318,
}
CROSS_SECTIONS = {  # [pb]
    "signal": 1.0,
    "ttbar_semilep": 364.31088,
    "ttbar_had": 380.11432,
    "ttbar_lep": 87.3348,
    "wjets": 61526.7,
}
LUMINOSITY = 16_400.0  # [1/pb]
OBSERVED = 1800  # certified data events that pass
NOT_CERTIFIED = 60
ERAS = {"/Run2016G/": 278822, "/Run2016H/": 284044}  # part of the location -> a certified run


def objects(*columns: Any) -> Any:
    """Slots of all events, each of shape (n,), as one jagged column."""
    return ak.from_regular(ak.Array(np.stack(columns, axis=1)))


def float_objects(*columns: Any) -> Any:
    return objects(*(np.asarray(one, np.float32) for one in columns))


def passing(n: int, seed: int, *, heavy: bool) -> dict[str, Any]:
    """Branches of `n` events that pass, as in NanoAOD v9: a top jet against a leptonic side."""
    rng = np.random.default_rng(seed)
    fat_pt = rng.normal(950.0, 40.0, n) if heavy else 510.0 + 300.0 * rng.power(0.7, n)
    phi, share = rng.uniform(-3.1, 3.1, n), rng.dirichlet([4, 4, 3], n).T
    other = (phi + np.pi + rng.normal(0, 0.1, (3, n)) + np.pi) % (2 * np.pi) - np.pi
    eta = rng.uniform(-0.5, 0.5, (4, n))
    muon_pt, met, jet_pt = 60.0 + share * (fat_pt - 120.0)
    one, zero = np.ones(n, np.int32), np.zeros(n)
    return {
        "luminosityBlock": np.ones(n, np.uint32),
        "event": np.arange(n, dtype=np.uint64),
        "HLT_TkMu50": np.ones(n, bool),
        "PuppiMET_pt": met.astype(np.float32),
        "PuppiMET_phi": other[1].astype(np.float32),
        # the second muon is too soft, the third not isolated
        "Muon_pt": float_objects(muon_pt, zero + 54.0, zero + 53.0),
        "Muon_eta": float_objects(eta[0], zero, zero),
        "Muon_phi": float_objects(other[0], phi, phi),
        "Muon_mass": float_objects(zero + 0.10566, zero + 0.10566, zero + 0.10566),
        "Muon_charge": objects(one, one, -one),
        "Muon_tightId": objects(one == 1, one == 1, one == 1),
        "Muon_miniIsoId": objects(*(np.full(n, k, np.uint8) for k in (4, 4, 1))),
        # the first jet has no b-tag, the second fails the identification
        "Jet_pt": float_objects(zero + 900.0, zero + 800.0, jet_pt, zero + 30.0),
        "Jet_eta": float_objects(eta[1], zero, eta[2], zero + 3.0),
        "Jet_phi": float_objects(phi, phi, other[2], phi),
        "Jet_mass": float_objects(zero + 50.0, zero + 40.0, zero + 12.0, zero + 6.0),
        "Jet_jetId": objects(6 * one, 2 * one, 6 * one, 4 * one),
        "Jet_btagDeepB": float_objects(zero + 0.4, zero + 0.9, zero + 0.9, zero + 0.6),
        # the first fat jet has no top-tag, the third is too soft
        "FatJet_pt": float_objects(fat_pt + 100.0, fat_pt, zero + 499.0),
        "FatJet_eta": float_objects(zero, eta[3], zero),
        "FatJet_phi": float_objects(phi, phi, phi),
        "FatJet_mass": float_objects(zero + 50.0, zero + 172.0, zero + 172.0),
        "FatJet_particleNet_TvsQCD": float_objects(zero + 0.4, zero + 0.9, zero + 0.9),
    }


def failing() -> dict[str, Any]:
    """Branches of events that each fail one requirement, all others met."""
    changes: list[tuple[str, Any]] = [
        ("HLT_TkMu50", False),
        ("PuppiMET_pt", np.float32(49.9)),
        ("Muon_pt", [54.9, 54.0, 53.0]),
        ("Muon_pt", [200.0, 56.0, 53.0]),
        ("Muon_eta", [2.41, 0.0, 0.0]),
        ("Muon_tightId", [False, True, True]),
        ("Muon_miniIsoId", [1, 4, 1]),
        ("Jet_btagDeepB", [0.4, 0.9, 0.9, 0.5]),
        ("Jet_jetId", [6, 2, 6, 3]),
        ("FatJet_pt", [700.0, 500.0, 499.0]),
        ("FatJet_pt", [700.0, 600.0, 501.0]),
        ("FatJet_particleNet_TvsQCD", [0.4, 0.5, 0.9]),
    ]
    good = passing(len(changes) + 1, 99, heavy=False)
    rows = {name: ak.to_list(values) for name, values in good.items()}
    for i, (name, value) in enumerate(changes):
        rows[name][i] = value
    rows["Muon_pt"][-1], rows["PuppiMET_pt"][-1] = [70.0, 54.0, 53.0], 79.0  # 149 in all
    return {
        name: ak.values_astype(ak.Array(rows[name]), np.asarray(ak.flatten(old, axis=None)).dtype)
        if isinstance(old, ak.Array)
        else np.array(rows[name], old.dtype)
        for name, old in good.items()
    }


def joined(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Events of several after each other."""
    return {
        name: ak.concatenate([one[name] for one in parts])
        if isinstance(first, ak.Array)
        else np.concatenate([one[name] for one in parts])
        for name, first in parts[0].items()
    }


def simulated(process: str, index: int) -> dict[str, Any]:
    """Branches of one dataset; most of its weight is that of an event which fails the trigger."""
    good = passing(SELECTED[process], index, heavy=process == "signal")
    events = joined(good, failing(), {name: one[:1] for name, one in failing().items()})
    n, rng = len(events["event"]), np.random.default_rng(index)
    weights = rng.choice([1.0, 1.0, 1.0, 0.5, -0.25], n)
    all_of_them = CROSS_SECTIONS[process] * LUMINOSITY * weights[: SELECTED[process]].sum()
    weights[-1] = np.ceil(all_of_them / YIELDS[process] - weights[:-1].sum())
    return {
        "run": np.ones(n, np.uint32),
        **events,
        "genWeight": weights.astype(np.float32),
        "Pileup_nTrueInt": rng.uniform(5.0, 50.0, n).astype(np.float32),
    }


def taken(part: str, good: Mapping[str, Any]) -> dict[str, Any]:
    """Branches of the data of one era; the last events lie in blocks that are not certified."""
    events = joined(good, failing())
    n = len(events["event"])
    run, block = np.full(n, ERAS[part], np.uint32), np.ones(n, np.uint32)
    bad = slice(len(good["event"]) - NOT_CERTIFIED // 2, len(good["event"]))
    run[bad], block[bad] = (273159, 1) if part == "/Run2016G/" else (ERAS[part], 31)
    event = np.arange(n, dtype=np.uint64)
    return {"run": run, **events, "luminosityBlock": block, "event": event}


def cut(events: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    return {name: one[start:stop] for name, one in events.items()}


def write_small(
    top: Path, names: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[Path]], dict[str, dict[str, Any]]]:
    """Write small files below a folder; their paths, and what they hold, by dataset key.

    `names` are the paths of the real files below that folder; the first ones are taken.
    """
    content: dict[str, dict[str, Any]] = {}
    paths: dict[str, list[Path]] = {}
    for index, process in enumerate(SELECTED):
        key = f"{process}__nominal"
        content[key] = events = simulated(process, index)
        half = len(events["event"]) // 2
        for name, one in zip(
            names[key][:2],
            (cut(events, 0, half), cut(events, half, len(events["event"]))),
            strict=True,
        ):
            runs = [float(one["genWeight"].astype(np.float64).sum())]
            paths.setdefault(key, []).append(write_nano(top / name, one, runs=runs))
    seen = passing(SELECTED["ttbar_semilep"], list(SELECTED).index("ttbar_semilep"), heavy=False)
    each = (OBSERVED + NOT_CERTIFIED) // 2
    for i, part in enumerate(ERAS):
        events = taken(part, cut(seen, i * each, (i + 1) * each))
        name = next(one for one in names["data"] if part in one)
        paths.setdefault("data", []).append(write_nano(top / name, events))
    content["data"] = seen
    return paths, content
