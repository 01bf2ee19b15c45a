"""The folders that `hepflow init --example` writes, without running them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hepflow.cli import main
from hepflow.cli.init import EXAMPLES, FILES, files_of, text_of, write_project

ROOT = Path(__file__).resolve().parents[2]
MODULES = [(one, name) for one, files in EXAMPLES.items() for name in files if name[-3:] == ".py"]


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_an_example_is_written_and_told(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine", f"--example={example}", "--json=-"]) == 0
    told = json.loads(capsys.readouterr().out)
    files = EXAMPLES[example]
    assert told["files"] == [str(tmp_path / "mine" / name) for name in files]
    assert {path.name for path in (tmp_path / "mine").iterdir()} == set(files)
    assert (tmp_path / "mine" / "README.md").read_text().startswith("# mine\n")


def test_an_example_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine", "--example=background"]) == 2
    assert "backgrounds" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_an_example():
    assert files_of(None) == FILES


@pytest.mark.parametrize(("example", "name"), MODULES)
def test_the_modules_compile_and_name_nothing_of_this_project(example, name):
    text = text_of(name, example)
    compile(text, name, "exec")
    assert text.count("\n") < 300
    for foreign in ("user", "analysis.nondiff"):
        assert f"from {foreign}" not in text
        assert f"import {foreign}" not in text
    assert "PROJECT" not in text


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_the_modules_follow_the_style_of_the_project(example, tmp_path):
    folder = write_project("mine", tmp_path, example)
    setting = ["--config", str(ROOT / "pyproject.toml")]
    for words in (
        ["check", "--ignore=INP001,I001", "--no-cache"],
        ["format", "--check", "--no-cache"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, *setting, str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
