"""The folder that `hepflow init` writes, without running it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from hepflow.cli import main
from hepflow.cli.init import FILES, text_of, write_project
from hepflow.errors import InputError, StorageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_writes_a_folder_and_tells_what_is_in_it(here, capsys):
    assert main(["init", "my_search"]) == 0
    assert names(here) == {"my_search"}
    assert names(here / "my_search") == set(FILES)
    told = capsys.readouterr().out
    assert [name for name in FILES if f"my_search/{name}" not in told] == []
    assert "cd my_search && python analysis.py" in told
    assert (here / "my_search" / "README.md").read_text().startswith("# my_search\n")


def test_json(here, capsys):
    assert main(["init", "--json=-", "a"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "folder": str(here / "a"),
        "files": [str(here / "a" / name) for name in FILES],
    }


def test_an_empty_folder_is_taken(here):
    (here / "empty").mkdir()
    assert main(["init", "empty"]) == 0
    assert names(here / "empty") == set(FILES)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "/a", "1st", "-a.b", "a b", "a.py", "näme", "a\n"]
)
def test_a_name_that_leads_elsewhere_is_refused(name, here, capsys):
    before = names(here.parent)
    assert main(["init", "--", name]) == 2
    assert "cannot be the name of a new folder" in capsys.readouterr().err
    assert names(here) == set()
    assert names(here.parent) == before


def test_what_is_there_already_stays(here, capsys):
    (here / "mine").mkdir()
    (here / "mine" / "cuts.py").write_text("MINE = 1\n")
    (here / "file").write_text("")
    (here / "elsewhere").mkdir()
    (here / "link").symlink_to(here / "elsewhere")
    for name, reason in (("mine", "not empty"), ("file", "no folder"), ("link", "no folder")):
        assert main(["init", name]) == 2
        assert reason in capsys.readouterr().err
    assert names(here / "mine") == {"cuts.py"}
    assert (here / "mine" / "cuts.py").read_text() == "MINE = 1\n"
    assert names(here / "elsewhere") == set()


def test_without_a_name(here, capsys):
    assert main(["init"]) == 2
    assert "NAME" in capsys.readouterr().err


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="permissions"):
        write_project("a", tmp_path / "file")


def test_a_wrong_name_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="hepflow init my_search"):
        write_project("a/b", tmp_path)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_the_modules_are_short_and_name_nothing_of_this_project(name):
    text = text_of(name)
    compile(text, name, "exec")
    assert text.count("\n") < 200
    for foreign in ("user", "analysis.nondiff", "PROJECT"):
        assert f"from {foreign}" not in text
        assert f"import {foreign}" not in text
    assert "PROJECT" not in text


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
def test_the_modules_follow_the_style_of_the_project(here):
    folder = write_project("a", here)
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


@pytest.mark.slow
@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling, which builds the wheel")
def test_the_wheel_holds_what_it_writes(tmp_path):
    """From a wheel alone: neither the source tree nor its `user` package."""
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", f"--wheel-dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *build, str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("hepflow-*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    told = subprocess.run(
        [sys.executable, "-m", "hepflow.cli", "init", "a", "--json=-"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(told.stdout)["folder"] == str(tmp_path / "a")
    for name in FILES:
        assert (tmp_path / "a" / name).read_text() == text_of(name).replace("PROJECT", "a")
    where = subprocess.run(
        [sys.executable, "-c", "import hepflow; print(hepflow.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(tmp_path / "site")
