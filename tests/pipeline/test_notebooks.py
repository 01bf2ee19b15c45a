"""The notebooks run as they are handed out, on a small sample."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What a notebook must have shown, and the result that it leaves.
SHOWN = {
    "workflow": (
        "upper limit on zprime_norm: observed",
        "same limit: True",
        "histograms: reused",  # the second call
        "SR filled, changed: channel SR; CR reused",  # after the change of one cut
        "unknown key. Did you mean 'lumi'?",
        "No changes: both configurations are the same",
    ),
    "own_search": (
        "upper limit on signal_norm: observed",
        "resolved_cuts:b_tagged",
        "SR, CR filled, changed: analysis",  # the base class gives other histograms
    ),
    "inference": (
        "events with ('mass', 'rapidity', 'cos_theta')",
        "error of the log ratio:",
        "mean ratio at (0.2, 0.0):",
        "exact C_LL:",
        "exact standard deviations",
    ),
}
RESULTS = {
    "workflow": ("notebook/statistics/limit.json", "observed"),
    "own_search": ("own_search/outputs/statistics/limit.json", "observed"),
    "inference": ("inference_notebook/limits.json", "exact"),
}
# Names that users rely on; notebooks are written with them alone.
PUBLIC = {
    "hepflow.analysis",
    "hepflow.datasets",
    "hepflow.errors",
    "hepflow.inference",
    "hepflow.logging",
    "hepflow.metadata_extractor",
    "hepflow.output_manager",
    "hepflow.samples",  # the files to try things on
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
def test_it_runs_and_gives_a_result(path, tmp_path, small_sample):
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
            "HEPFLOW_SBI_EVENTS": "30000",
            "IPYTHONDIR": str(tmp_path / "ipython"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    shown = re.sub(r"\s+", " ", text_shown(copy))
    assert [one for one in SHOWN[path.stem] if one not in shown] == []
    assert "Traceback" not in shown
    assert "Warning" not in shown
    assert '"image/png"' in json.dumps(cells(copy))
    name, key = RESULTS[path.stem]
    result = json.loads((tmp_path / "outputs" / name).read_text())[key]
    assert result["fit"]["converged"] if path.stem == "inference" else result > 0


def text_shown(path: Path) -> str:
    """All text that the cells of a notebook have shown."""
    outputs = [one for cell in cells(path) for one in cell.get("outputs", ())]
    texts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
    return "\n".join("".join(text) for text in texts)
