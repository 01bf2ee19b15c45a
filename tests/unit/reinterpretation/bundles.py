"""Bundles made by hand, without a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hepflow.reinterpretation.bundle.contents import MANIFEST
from hepflow.reinterpretation.bundle.manifest import Manifest
from hepflow.reinterpretation.bundle.stored_zip import zip_pieces
from hepflow.storage import sha256_bytes

FILES = {
    "README.md": b"# tiny\n",
    "code/tiny_study/__init__.py": b"",
    "code/tiny_study/cuts.py": b"def cut(x):\n    return x > 1\n",
    "model/background.json": b'{"channels": []}\n',
}


def manifest(files: Mapping[str, bytes] = FILES, **changes: Any) -> Manifest:
    """Manifest of these files."""
    made = Manifest(
        name="tiny",
        hepflow="0.1.0",
        python="3.11.7",
        poi="mu",
        measurement="hepflow",
        signals=("signal",),
        patch="signal",
        channels=("SR",),
        luminosity=1.0,
        analysis=None,
        expected_only=False,
        modules=("tiny_study.cuts",),
        digests={name: sha256_bytes(content) for name, content in files.items()},
    )
    return replace(made, **changes)


def write_folder(folder: Path, files: Mapping[str, bytes] = FILES, **changes: Any) -> Path:
    """Write a bundle as a folder."""
    for name, content in {**files, MANIFEST: manifest(files, **changes).to_bytes()}.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes] = FILES, **changes: Any) -> Path:
    """Write a bundle as a zip file."""
    entries = {**files, MANIFEST: manifest(files, **changes).to_bytes()}
    path.write_bytes(b"".join(zip_pieces(sorted(entries.items()))))
    return path


def resealed(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Change texts of a bundle's files and write digests that fit, as only its author may."""
    found = Manifest.from_bytes((folder / MANIFEST).read_bytes(), "test")
    digests = dict(found.digests)
    for name, old, new in changes:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
        digests[name] = sha256_bytes((folder / name).read_bytes())
    (folder / MANIFEST).write_bytes(replace(found, digests=digests).to_bytes())
    return folder
