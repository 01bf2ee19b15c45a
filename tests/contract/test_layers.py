"""The floors of the architecture, as import contracts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="import-linter is not installed")

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "hepflow"


def test_the_import_contracts_hold():
    # In a process of its own: import-linter disables the loggers of the process it runs in.
    words = f"lint_imports(config_filename={str(ROOT / 'pyproject.toml')!r}, no_cache=True)"
    code = f"import sys; from importlinter.cli import lint_imports; sys.exit({words})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_imports_the_package_root():
    graph = grimp.build_graph("hepflow", cache_dir=None)
    assert graph.find_modules_that_directly_import("hepflow") == set()


def test_no_module_is_called_after_nothing():
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    found = {path.stem for path in SOURCE.rglob("*.py")} | {
        path.name for path in SOURCE.rglob("*") if path.is_dir()
    }
    assert found & vague == set()


def test_init_files_only_hand_names_on():
    for path in SOURCE.rglob("__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            doing = ast.unparse(node).split("\n")[0]
            assert isinstance(node, (ast.ImportFrom, ast.Import, ast.Expr, ast.Assign)), (
                f"{path.relative_to(ROOT)} does something at import: {doing}"
            )


def test_the_framework_never_prints():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Name) and called.id == "print"), path


def test_analysis_py_is_small():
    assert len((ROOT / "analysis.py").read_text(encoding="utf-8").splitlines()) <= 60
