"""Bundles to export, and engines to run what was exported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hepflow.reinterpretation.workflows.export import Export, export_workflow
from tests.unit.reinterpretation import bundles

LOCK = {"environment/requirements.lock": b"awkward==2.8.1\nhepflow==0.1.0\n"}
BIN = Path(sys.executable).parent


def bundle(folder: Path, **changes: Any) -> Path:
    """A bundle without an analysis that could run."""
    content = {"name": "Tiny study, (2026)", "channels": ("SR", "CR-1"), **changes}
    return bundles.write_zip(folder / "tiny.zip", {**bundles.FILES, **LOCK}, **content)


def export(folder: Path, target: str, source: Path | None = None, **options: Any) -> Export:
    """Export it into a folder of the name of the target."""
    return export_workflow(source or bundle(folder), target, folder / target, **options)


def engine(folder: Path, *words: str) -> str:
    """Run a program of this environment in a folder; what it wrote."""
    variables = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HEPFLOW_CACHE_DIR": str(folder.parent / "cache"),
        "PACKTIVITY_LOGGING_DISABLE": "true",
    }
    done = subprocess.run(
        [BIN / words[0], *words[1:]],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout
