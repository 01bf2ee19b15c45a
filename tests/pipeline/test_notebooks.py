"""The notebooks run as they are handed out, on a small sample."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Names that users rely on; notebooks are written with them alone.
PUBLIC = {
    "hepflow.analysis",
    "hepflow.datasets",
    "hepflow.errors",
    "hepflow.logging",
    "hepflow.metadata_extractor",
    "hepflow.output_manager",
    "hepflow.schema",
    "hepflow.skimming",
}


def cells(path: Path) -> list[dict]:
    found: list[dict] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def source(path: Path) -> str:
    """Code of a notebook without the lines that only IPython understands."""
    lines = [
        line
        for cell in cells(path)
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
    ]
    return "\n".join(line for line in lines if not line.startswith("%"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_stored(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_public_names_only(path):
    nodes = list(ast.walk(ast.parse(source(path))))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    names = {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names}
    assert {name for name in modules if name.startswith("hepflow")} <= PUBLIC
    assert {name for name in names if name.startswith("_")} == set()


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_gives_a_limit(path, tmp_path, small_sample):
    for name in ("user", "analysis"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "notebooks").mkdir()
    copy = Path(shutil.copy(path, tmp_path / "notebooks"))
    execute = "from nbclient.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", execute, str(copy), "--inplace", "--timeout=300"],
        cwd=copy.parent,
        env={
            **os.environ,
            "HEPFLOW_SAMPLE_EVENTS": str(small_sample.requested_events),
            "IPYTHONDIR": str(tmp_path / "ipython"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    shown = json.dumps(cells(copy))
    assert "upper limit on zprime_norm: observed" in shown
    assert " 0 made, " in shown  # the second skim reuses the parts of the first
    assert '"image/png"' in shown
    assert (tmp_path / "outputs" / "notebook" / "statistics" / "limit.json").exists()
