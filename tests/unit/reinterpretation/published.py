"""Small results as runs leave them, a bundle of them, and a site that plays HEPData."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.records.prediction import ChannelPrediction, Prediction
from hepflow.records.results import FitResult, LimitResult
from hepflow.reinterpretation.bundle.manifest import MANIFEST, Manifest
from hepflow.storage import sha256_file, write_json

BACKGROUND = (52.0, 31.0, 17.0)
DATA = (50.0, 33.0, 16.0)
EXPECTED = (0.41, 0.55, 0.7654321987, 1.07, 1.43)
FIT = FitResult(
    poi="mu",
    labels=("mu", "lumi", "staterror_SR[0]"),
    bestfit=np.array([0.31234567891, 0.1, 1.0]),
    uncertainty=np.array([0.25, 0.9, 0.0]),
    correlation=np.array([[1.0, -0.25, 0.0], [-0.25, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    twice_nll=12.3,
    goodness_of_fit=0.4,
    converged=True,
)


def model(signal: tuple[float, ...] = (), scale: float = 1.0) -> dict[str, Any]:
    """Workspace of two channels, with signal in the first or without."""
    poi = {"name": "mu", "type": "normfactor", "data": None}
    lumi = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    samples = [{"name": "background", "data": list(BACKGROUND), "modifiers": [lumi]}]
    if signal:
        content = [scale * one for one in signal]
        samples.insert(0, {"name": "signal", "data": content, "modifiers": [poi]})
    control = [{"name": "background", "data": [120.0], "modifiers": [lumi]}]
    parameters = [{"name": "mu", "inits": [1.0], "bounds": [[0.0, 10.0]]}]
    return {
        "channels": [{"name": "SR", "samples": samples}, {"name": "CR", "samples": control}],
        "observations": [{"name": "SR", "data": list(DATA)}, {"name": "CR", "data": [118.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


def limit(scale: float = 1.0) -> LimitResult:
    low, down, median, up, high = (scale * one for one in EXPECTED)
    return LimitResult(
        "mu", (0.0, 4.0), 0.95, 0.6125 * scale, (low, down, median, up, high), "a_posteriori",
        0.05, "qtilde", "asymptotic", {},
    )  # fmt: skip


def prediction(kind: Any) -> Prediction:
    channel = ChannelPrediction(
        name="SR",
        observable="mass",
        label="$m(tt)$ [GeV]",
        edges=(200.0, 400.0, 700.0, 1000.0),
        samples={"background": np.array(BACKGROUND), "signal": np.array([1.23456789, 2.0, 0.0])},
        uncertainty=np.array([5.0, 3.0, 0.0]),
        data=np.array(DATA),
        total_uncertainty=6.5,
    )
    return Prediction((channel,), kind)


def results(*, expected_only: bool = False, scale: float = 1.0) -> dict[str, Any]:
    """Contents of the files of a run, by name."""
    data = [{"cut": "all", "events": 9, "sumw": 9.0, "sumw2": 9.0}]
    simulation = [
        {"cut": "all", "events": 40, "sumw": 20.5, "sumw2": 16.0},
        {"cut": "2 jets", "events": 10, "sumw": 5.5, "sumw2": 4.0},
    ]
    predictions = {kind: prediction(kind).to_json() for kind in ("prefit", "postfit")}
    return {
        "fit.json": FIT.to_json(),
        "limit.json": limit(scale).to_json(),
        "prediction.json": {"expected_only": expected_only, **predictions},
        "cutflow.json": {"remarks": [], "channels": {"SR": {"data": data, "tt": simulation}}},
        "resolved.json": {
            "general": {"lumi": {"2016": 16000.0, "2017": 400.0}},
            "plotting": {"center_of_mass_energy": 13.0},
        },
    }


def run_folder(folder: Path, *, picture: bool = False, **how: Any) -> Path:
    """Output folder of a run with statistics."""
    places = {"cutflow.json": "histograms", "resolved.json": "config"}
    for name, content in results(**how).items():
        write_json(folder / places.get(name, "statistics") / name, content)
    write_json(folder / "statistics" / "workspace.json", model((1.0, 2.0, 3.0)))
    if picture:
        from PIL import Image

        (folder / "plots" / "statistics").mkdir(parents=True)
        for name in ("postfit_SR", "pulls"):
            image = Image.new("RGB", (480, 360), "white")
            image.save(folder / "plots" / "statistics" / f"{name}.png")
        (folder / "plots" / "statistics" / "limit_scan.png").write_bytes(b"no picture")
    return folder


def bundle(folder: Path, patch_set: Mapping[str, Any]) -> Path:
    """A preserved bundle with the same results."""
    places = {"cutflow.json": "histograms", "resolved.json": "config"}
    for name, content in results().items():
        write_json(folder / places.get(name, "results") / name, content)
    write_json(folder / "model" / "background.json", model())
    write_json(folder / "model" / "signal.patchset.json", patch_set)
    digests = {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*.json"))
    }
    manifest = Manifest(
        name="study", hepflow="0.1", python="3.11.7", poi="mu", measurement="m",
        signals=("signal",), patch="signal", channels=("SR", "CR"), luminosity=16400.0,
        analysis=None, expected_only=False, digests=digests,
    )  # fmt: skip
    (folder / MANIFEST).write_bytes(manifest.to_bytes())
    return folder


def tar(files: Mapping[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """A tar file; entries may be given as they are."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def as_bytes(content: Any) -> bytes:
    return json.dumps(content).encode()


class Site(http.server.ThreadingHTTPServer):
    """Plays doi.org, which leads to HEPData, which has files by their path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Page(http.server.BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/10."):
            target = {"/10.17182/elsewhere": "http://example.org/x"}.get(
                self.path, f"/record{self.path}"
            )
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        wanted = "application/x-tar" in self.headers["Accept"] and content[:1] != b"<"
        self.send_response(200)
        self.send_header("Content-Type", "application/x-tar" if wanted else "text/html")
        more = 5 if self.path.endswith("cut") else 0
        self.send_header("Content-Length", str(len(content) + more))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
