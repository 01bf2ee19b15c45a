"""Histograms, skims and results in a folder that somebody handed over."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import HepflowError, StorageError, UnsafeContent, WorkspaceError
from hepflow.histograms import read_histograms, write_lossless
from hepflow.keys import Key
from hepflow.records import Axis, Block, HistogramSet, Ledger, PartCounts
from hepflow.skimming.formats import FORMATS, format_of
from hepflow.skimming.manifest import read_manifest
from hepflow.stamps import read_stamp
from hepflow.statistics import load_statistics
from hepflow.statistics.cabinetry_config import read_cabinetry_config, read_generated
from hepflow.storage import write_json

from .confined import confined

COUNTS = PartCounts("mc__nominal", "a.root", 0, 5, 5, 5.0, 5.0)
PRIVATE = "https://me:topsecret@host.org/x.root?X-Amz-Signature=topsecret"


def histograms(file: str = "a.root") -> HistogramSet:
    """One template in one channel."""
    sums = np.array([[0.0, 1.0, 2.0, 0.0]])
    counts = PartCounts("mc__nominal", file, 0, 5, 5, 5.0, 5.0)
    return HistogramSet(
        axes={("SR", "x"): Axis("x", "x", (0.0, 1.0, 2.0))},
        blocks={("SR", "x", "mc"): Block(("nominal",), sums, sums)},
        cutflows={},
        data_processes=frozenset(),
        luminosity={"": 1.0},
        ledger=Ledger.of_parts([counts]),
        process_of={"mc__nominal": "mc"},
    )


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Change the entries of a zip file."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def meta_with(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    """Other values in the description of the histograms."""

    def change(entries: dict[str, bytes]) -> None:
        entries["hepflow.json"] = json.dumps(
            {**json.loads(entries["hepflow.json"]), **changes}
        ).encode()

    return change


def json_of_uhi(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    """Other values in the description of one histogram."""

    def change(entries: dict[str, bytes]) -> None:
        entries["SR__x.json"] = json.dumps(
            {**json.loads(entries["SR__x.json"]), **changes}
        ).encode()

    return change


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': ({},)}}"


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def arrays(content: bytes) -> Callable[[dict[str, bytes]], None]:
    """Other bytes in all arrays."""

    def change(entries: dict[str, bytes]) -> None:
        for name in entries:
            if name.endswith(".npy"):
                entries[name] = content

    return change


ABSURD = {"type": "regular", "bins": 2**40, "lower": 0, "upper": 1}
ELSEWHERE = {"type": "weighted", "values": "/etc/passwd", "variances": "../x"}
BAD_ZIPS: dict[str, Callable[[dict[str, bytes]], object]] = {
    "no description": lambda entries: entries.pop("hepflow.json"),
    "no histogram": lambda entries: entries.pop("SR__x.json"),
    "deep": lambda entries: entries.update({"hepflow.json": b"[" * 200_000}),
    "deep histogram": lambda entries: entries.update({"SR__x.json": b"[" * 200_000}),
    "repeated": lambda entries: entries.update({"hepflow.json": b'{"axes": [], "axes": []}'}),
    "list": lambda entries: entries.update({"hepflow.json": b"[]"}),
    "axes": meta_with(axes=5),
    "axes of": meta_with(axes=[[["SR", "x"], "x", "x", 5]]),
    "names": meta_with(axes=[[["../../etc", "passwd"], "x", "x", [0, 1]]]),
    "blocks": meta_with(blocks=[[["SR", "x", "other"], ["nominal"]]]),
    "blocks of": meta_with(blocks=[[["SR", "x", "mc"], [["nominal"]]]]),
    "ledger": meta_with(ledger=None),
    "parts": meta_with(ledger={"parts": [5]}),
    "processes": meta_with(data_processes=5),
    "no axes": json_of_uhi(axes=[]),
    "axes of histogram": json_of_uhi(axes=[ABSURD]),
    "storage": json_of_uhi(storage={"type": "other"}),
    "storage elsewhere": json_of_uhi(storage=ELSEWHERE),
    "schema": json_of_uhi(uhi_schema="x"),
    "objects": arrays(npy(HEADER.format("|O", 1), b"cos\nsystem\n.")),
    "absurd array": arrays(npy(HEADER.format("<f8", 10**13))),
    "code": arrays(npy("__import__('os').system('touch mark')")),
    "brackets": arrays(npy("(" * 100)),
    "no array": arrays(b""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ZIPS)
def test_histograms_that_are_none(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_lossless(histograms(), tmp_path / "histograms.zip")
    assert read_histograms(path).blocks["SR", "x", "mc"].sumw.tolist() == [[0.0, 1.0, 2.0, 0.0]]
    rewritten(path, BAD_ZIPS[name])
    with confined(), pytest.raises(StorageError, match=r"histograms\.zip"):
        read_histograms(path)
    assert not (tmp_path / "mark").exists()


def test_a_bomb_and_names_that_lead_elsewhere(tmp_path, monkeypatch):
    path = write_lossless(histograms(), tmp_path / "histograms.zip")
    rewritten(path, lambda entries: entries.update({"../x": b""}))
    with pytest.raises(UnsafeContent, match="leads out of its folder"):
        read_histograms(path)
    path = write_lossless(histograms(), tmp_path / "histograms.zip")
    monkeypatch.setattr("hepflow.storage.archives.open_zip.__kwdefaults__", {"max_bytes": 1 << 20})
    rewritten(path, lambda entries: entries.update({"bomb": bytes(1 << 24)}))
    with confined(), pytest.raises(UnsafeContent, match="at most 1048576"):
        read_histograms(path)


def test_histograms_are_handed_on_without_secrets(tmp_path):
    path = write_lossless(histograms(PRIVATE), tmp_path / "histograms.zip")
    with zipfile.ZipFile(path) as archive:
        assert not any(b"topsecret" in archive.read(name) for name in archive.namelist())
    (part,) = read_histograms(path).ledger.parts.values()
    assert part.file.startswith("https://host.org/x.root?")
    assert part.nevts == 5


# -- skims -------------------------------------------------------------------------------

HEADERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no list": lambda header: 5,
    "no digests": lambda header: {name: one for name, one in header.items() if name != "digests"},
    "digests": lambda header: {**header, "digests": 5},
    "no container": lambda header: {**header, "container": None},
    "length": lambda header: {**header, "container": {**header["container"], "length": 2**62}},
    "negative": lambda header: {**header, "container": {**header["container"], "length": -1}},
    "form": lambda header: {**header, "container": {**header["container"], "form": "[" * 100_000}},
    "form of": lambda header: {**header, "container": {**header["container"], "form": {"a": 1}}},
    "format": lambda header: {**header, "format": "x" * 100},
    "tree": lambda header: {**header, "tree": "../other"},
}


@pytest.mark.parametrize("kind", ["root", "parquet"])
@pytest.mark.parametrize("name", HEADERS)
def test_parts_whose_header_makes_no_sense(tmp_path, kind, name, monkeypatch):
    events = ak.zip({"pt": ak.Array([[1.0, 2.0], [], [3.0]])})
    path = tmp_path / f"a{FORMATS[kind].suffix}"

    def hostile(header: dict[str, Any]) -> str:
        inner = json.dumps(HEADERS[name](dict(header)))
        digest = hashlib.sha256(inner.encode()).hexdigest()
        return json.dumps({"header": inner, "sha256": digest})

    for module in ("root", "parquet"):
        monkeypatch.setattr(f"hepflow.skimming.formats.{module}.to_text", hostile)
    format_of(path).write(path, ak.Array({"Muon": events}), {"tree": "Events"})
    if (kind, name) == ("parquet", "tree"):
        assert len(format_of(path).read(path, None)[0]) == 3  # it has no trees
        return
    with confined(), pytest.raises(StorageError) as caught:
        format_of(path).read(path, None)
    assert path.name in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@pytest.mark.parametrize("field", ["name", "size", "n_selected", "counts", "sha256", "mtime_ns"])
@pytest.mark.parametrize("value", [None, [], {}, 0.5, True, "../x"])
def test_a_manifest_of_other_types_vouches_for_nothing(tmp_path, field, value):
    if (field, value) == ("sha256", "../x"):
        return
    record = {"name": "a.pkl", "uuid": "", "n_selected": 1, "size": 1, "sha256": "", "mtime_ns": 1}
    counts = {
        name: getattr(COUNTS, name)
        for name in (
            "dataset",
            "file",
            "entrystart",
            "entrystop",
            "nevts",
            "sum_weights",
            "sum_signs",
        )
    }
    key = Key("skim", {})
    good = {**record, "counts": counts}
    for part, found in ((good, 1), ({**good, field: value}, 0)):
        write_json(tmp_path / "manifest.json", {"format": 2, "key": key.to_json(), "parts": [part]})
        assert len(read_manifest(tmp_path, key)) == found


# -- stamps and results ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a/../../other", "link/passwd", ""])
def test_a_stamp_names_files_below_its_folder_only(tmp_path, name):
    folder = tmp_path / "plots"
    folder.mkdir()
    (folder / "link").symlink_to("/etc")
    one = {"size": 1, "mtime_ns": 1, "sha256": ""}
    content = {"key": Key("plots", {}).to_json(), "files": {"a": one}}
    write_json(folder / "key.json", content)
    assert read_stamp(folder) is not None
    write_json(folder / "key.json", {**content, "files": {name: one}})
    found = read_stamp(folder)
    assert found is None or list(found.files) == [folder]
    write_json(folder / "key.json", {**content, "files": {"a": {**one, "size": "x"}}})
    assert read_stamp(folder) is None


@pytest.mark.parametrize("content", [{}, [], 5, {"poi": 1}, {"labels": 5}, {"bestfit": "x"}, None])
def test_results_that_are_none(tmp_path, content):
    write_json(tmp_path / "fit.json", content)
    write_json(tmp_path / "prediction.json", content)
    with pytest.raises(StorageError, match=r"not whole|stored results"):
        load_statistics(tmp_path)


@pytest.mark.parametrize("read", [read_generated, read_cabinetry_config])
def test_a_cabinetry_file_that_runs_or_expands(tmp_path, read, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cabinetry_config.yaml"
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)
    )
    for text in ("a: !!python/object/apply:os.system ['touch mark']", laughs, "a: 1\na: 2"):
        path.write_text(text)
        with (
            confined(),
            pytest.raises((StorageError, WorkspaceError), match=r"cabinetry_config\.yaml"),
        ):
            read(path)
    path.unlink()
    os.mkfifo(path)
    with confined(seconds=5), pytest.raises(HepflowError, match="named pipe"):
        read(path)
    assert not (tmp_path / "mark").exists()
