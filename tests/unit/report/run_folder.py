"""A small folder of a run, made by hand with the records that a run writes."""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hepflow.keys import make_key
from hepflow.records import (
    ChannelPrediction,
    FitResult,
    Ledger,
    LimitResult,
    LimitScan,
    Loss,
    PartCounts,
    Prediction,
    Significance,
)
from hepflow.records.inference import (
    Finding,
    GoodnessOfFit,
    GroupImpact,
    Impact,
    Interval,
    LikelihoodScan,
    Ranking,
)
from hepflow.stamps import write_stamp
from hepflow.storage import write_json

EVIL = "<script>alert('x')</script>&\"quoted\""  # a name that a user may choose
SECRET = "hunter2"  # noqa: S105 - of nothing
URL = f"https://me:{SECRET}@host.org/data.root?token={SECRET}"
DIGEST = {"digest": "feed" * 16}
LABELS = ("jes", "btag", "mu", "staterror_SR[0]", "staterror_SR[1]")
SAMPLES = ("signal", EVIL)
EDGES = (0.0, 1.0, 2.0)


def make(folder: Path, **changes: Any) -> Path:
    """Write a complete run; `changes` are keys of ``run.json`` that are others."""
    write_json(folder / "config" / "resolved.json", settings())
    write_json(folder / "config" / "previous.json", settings(lumi=1000.0))
    write_json(folder / "config" / "invocation.json", invocation())
    write_json(folder / "histograms" / "cutflow.json", cutflows(), sort_keys=False)
    statistics(folder / "statistics")
    for channel, name in (
        ("SR", "mass"), ("CR", "mass"), ("VR", "mass"), ("SR", "n_minus_1_met"),
        ("statistics", "prefit_SR"), ("statistics", "postfit_SR"), ("statistics", "pulls"),
        ("statistics", "correlation"), ("statistics", "ranking"), ("statistics", "scan_mu"),
        ("statistics", "limit_scan"), ("SR/variations", "jes"),
        ("statistics", "validation_postfit_VR"), ("own/folder", "extra"),
    ):  # fmt: skip
        picture(folder / "plots" / channel, name)
    write_json(folder / "report" / "rates.json", {"skim": {"count": 1, "cpu_seconds": 0.5}})
    write_json(folder / "report" / "run.json", {**run(), **changes})
    return folder


def rewrite(path: Path, **changes: Any) -> None:
    """Change some keys of a JSON file, which keeps its time."""
    before = path.stat()
    write_json(path, {**json.loads(path.read_text()), **changes})
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def settings(lumi: float = 16400.0) -> dict[str, Any]:
    function = {"function": "user.cuts:mass", "fingerprint": f"f{lumi}", "reads": {"user.M": "1"}}
    mass = {"name": "mass", "label": r"$m(t\bar{t})$ [GeV]", "function": function}
    cut = {"cut": "met", "label": "Missing momentum [GeV]"}
    kinds = {"SR": "signal", "CR": "control", "VR": "validation"}
    channels = [
        {"name": name, "kind": kind, "observables": [mass], "selection": {"n_minus_1": [cut]}}
        for name, kind in kinds.items()
    ]
    return {
        "general": {"lumi": lumi, "blind": False, "channels": None},
        "datasets": {"datasets": [{"name": EVIL, "files": ["https://host.org/data.root?..."]}]},
        "channels": channels,
        "baseline_selection": None,
    }


def invocation() -> dict[str, Any]:
    return {
        "prog": "python analysis.py", "cwd": "/work", "config": "user.configuration:config",
        "analysis": None, "overrides": ["--general.lumi=16400"], "withheld": ["datasets.token"],
        "script_dir": "/work",
    }  # fmt: skip


def ledger() -> Ledger:
    parts = Ledger.of_parts([
        PartCounts("data", "a.root", 0, 100, 100, 100.0, 100.0),
        PartCounts(EVIL, URL, 0, 60, 60, 30.5, 60.0),
    ])  # fmt: skip
    lost = Loss(EVIL, URL, 60, 100, f"cannot read {URL}: connection reset", "skim", 100)
    sizes = Ledger(
        file_events={"data": {"a.root": 100}, EVIL: {URL: 100}},
        files_expected={"data": 1, EVIL: 1},
    )
    return parts.with_losses([lost]) + sizes


def run() -> dict[str, Any]:
    return {
        "cpu_seconds": 12.5, "wall_seconds": 75.0, "exit_status": 0, "problems": [],
        "remarks": ["60 % of simulation", "blind: SR"],
        "python": "3.11.7", "platform": "Linux", "packages": {"hepflow": "0.1.0", "numpy": "2.4"},
        "user_code": [
            {"folder": "/work/user", "commit": "0123456789abcdef", "modified": True},
            {"folder": "/elsewhere", "commit": None, "modified": None},
        ],
        "input_digests": {f"{URL}/jes.json": "ab" * 32},
        "stages": [
            {"name": "skim", "outcome": "ran", "why": f"{EVIL}: nothing stored"},
            {"name": "statistics", "outcome": "ran", "why": "changed: histograms"},
            {"name": "plots", "outcome": "reused", "why": "12 figures"},
        ],
        "stage_seconds": {"analysis": 70.0},
        "losses": [],
        "input": [one.to_json() for one in ledger().accounts()],
        "ledger": ledger().to_json(),
    }  # fmt: skip


def cutflows() -> dict[str, Any]:
    def steps(*rows: tuple[str, int, float, float]) -> list[dict[str, Any]]:
        return [{"cut": c, "events": n, "sumw": w, "sumw2": w2} for c, n, w, w2 in rows]

    flows = {
        "data": steps(("skimmed", 100, 100.0, 100.0), ("met", 40, 40.0, 40.0)),
        EVIL: steps(
            ("skimmed", 60, 1234.56, 2.0), ("met", 30, 617.28, 1.0), ("corrected", 30, 600.0, 1.0)
        ),
    }  # fmt: skip
    return {"remarks": [], "channels": {"SR": flows}}


def fit(**changes: Any) -> FitResult:
    correlation = np.eye(len(LABELS))
    correlation[0, 1] = correlation[1, 0] = -0.7
    given: dict[str, Any] = {
        "poi": "mu", "labels": LABELS, "bestfit": np.array([2.4, -0.1, 1.25, 1.0, 1.1]),
        "uncertainty": np.array([0.5, 0.99, 0.33, 0.0, 0.1]), "correlation": correlation,
        "twice_nll": 123.4, "goodness_of_fit": 0.34, "converged": True,
        "model": {**DIGEST, "optimizer": "minuit"}, "notes": (),
        "intervals": (Interval("mu", 1.25, 0.95, 1.6, 0.68),),
    }  # fmt: skip
    return FitResult(**{**given, **changes})


def limit() -> LimitResult:
    curve = (1.0, 0.3, 0.05)
    return LimitResult(
        poi="mu", poi_range=(0.0, 4.0), confidence_level=0.95, observed=1.9,
        expected=(0.5, 0.7, 1.0, 1.4, 2.0), expected_kind="a_posteriori", cls_at_observed=0.05,
        test_statistic="qtilde", calculator="asymptotic", model=DIGEST,
        scan=LimitScan((0.0, 1.0, 2.0), curve, (curve,) * 5),
    )  # fmt: skip


def prediction(kind: Any, channels: tuple[str, ...] = ("SR",)) -> Prediction:
    each = tuple(
        ChannelPrediction(
            name, "mass", "m [GeV]", EDGES,
            {"signal": np.array([1.0, 2.0]), EVIL: np.array([8.0, 9.0])}, np.array([1.0, 1.0]),
            None if name == "SR" else np.array([10.0, 12.0]), 1.5,
        )
        for name in channels
    )  # fmt: skip
    return Prediction(each, kind)


def ranking() -> Ranking:
    impacts = (
        Impact("jes", 2.4, 0.5, 0.0, 1.0, (-0.2, 0.21), (-0.4, 0.41), "jets"),
        Impact("staterror_SR[1]", 1.1, 0.1, 1.0, 0.2, (-0.1, 0.1), None),
    )
    groups = (GroupImpact("jets", ("jes",), 0.2), GroupImpact("statistics of data", (), 0.25))
    return Ranking("mu", 1.25, 0.33, impacts, groups, DIGEST)


def findings() -> tuple[Finding, ...]:
    return (
        Finding("identical-sides", "error", "SR", EVIL, "jes", (0, 1), "up and down are equal"),
        Finding("large-change", "warning", "SR", "signal", "btag", (), "a factor of 31"),
        Finding("empty-bin", "warning", "CR", "", "", (1,), "no expectation"),
        Finding("empty-bin", "accepted", "CR", "", "", (2,), "no expectation; as designed"),
    )


def workspace() -> dict[str, Any]:
    def modifiers(name: str) -> list[dict[str, Any]]:
        shape = {"hi_data": [1.1, 2.2], "lo_data": [0.9, 1.8]}
        found: list[dict[str, Any]] = [
            {"name": "lumi", "type": "lumi", "data": None},
            {"name": "staterror_SR", "type": "staterror", "data": [0.3, 0.4]},
        ]
        if name == "signal":
            found.append({"name": "mu", "type": "normfactor", "data": None})
            found.append({"name": "jes", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}})
            found.append({"name": "jes", "type": "histosys", "data": shape})
        return found

    data = {"signal": [1.0, 2.0], EVIL: [8.0, 12.0]}
    samples = [{"name": n, "data": d, "modifiers": modifiers(n)} for n, d in data.items()]
    parameter = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.025], "inits": [1.0]}
    config = {"poi": "mu", "parameters": [parameter]}
    return {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": [10, 12]}],
        "measurements": [{"name": "hepflow", "config": config}],
        "version": "1.0.0",
    }


def statistics(folder: Path) -> None:
    interval = Interval("mu", 1.25, 0.9, None, 0.68)
    scan = LikelihoodScan(
        ("mu",), ((0.0, 1.0, 2.0),), (4.0, 0.1, 2.0), (1.25,), "observed", (interval,), DIGEST
    )
    origin = {"remarks": ["60 % of simulation"], "input": []}
    predictions: dict[str, Any] = {
        kind: prediction(kind).to_json() for kind in ("prefit", "postfit")
    }
    files: dict[str, Any] = {
        "workspace": workspace(),
        "fit": {**fit().to_json(), **origin},
        "limit": {**limit().to_json(), **origin},
        "significance": {**asdict(Significance(0.02, 2.05, 0.01, 2.33)), **origin},
        "prediction": predictions | {"expected_only": False},
        "ranking": ranking().to_json(),
        "scan_mu": scan.to_json(),
        "goodness_of_fit": GoodnessOfFit(3.0, 2, 0.22, model=DIGEST).to_json(),
        "audit": [one.to_json() for one in findings()],
        "validation": {"postfit": prediction("postfit", ("VR",)).to_json()},
        "groups": {"jets": ["jes"]},
    }  # fmt: skip
    for name, content in files.items():
        write_json(folder / f"{name}.json", content)


def picture(folder: Path, name: str, size: tuple[int, int] = (240, 200)) -> Path:
    """A picture with its stamp, as a run leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    image = Image.new("RGBA", size, (255, 255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 60, 160, 180), fill=(63, 144, 218, 255))
    draw.line((20, 180, 220, 20), fill=(189, 31, 1, 255), width=3)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    path.write_bytes(buffer.getvalue())
    write_stamp(folder, make_key("figure", content=name), [path], f".{name}.key.json")
    return path
