"""Files that stay open between entry ranges."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import uproot

from hepflow.errors import UnreadableFile
from hepflow.events import file_version, keep_open, kept_open, open_file, status_of
from hepflow.events.kept_open import _kept


@pytest.fixture
def opened(monkeypatch):
    """Names of files in the order in which they were opened."""
    module = sys.modules["hepflow.events.kept_open"]  # the package has a function of that name
    names = []

    def count(filename, *arguments):
        names.append(filename.rsplit("/", 1)[-1])
        return open_file.open_tree(filename, *arguments)

    monkeypatch.setattr(module, "open_tree", count)
    _kept.files.clear()
    yield names
    _kept.files.clear()


def write(path, value, n=10):
    with uproot.recreate(path) as file:
        file["Events"] = {"x": np.full(n, value)}
    return str(path)


def first(path, version="a", tree="Events"):
    with kept_open(path, tree, {}, version) as file:
        return float(file.read(["x"], 0, 1)["x"][0])


def test_a_file_is_opened_once(opened, tmp_path):
    path = write(tmp_path / "a.root", 1.0)
    assert [first(path), first(path), first(path)] == [1.0, 1.0, 1.0]
    assert opened == ["a.root"]


def test_another_version_is_opened_anew(opened, tmp_path):
    path = write(tmp_path / "a.root", 1.0)
    first(path, "a")
    first(path, "b")
    assert opened == ["a.root", "a.root"]


def test_a_replaced_file_is_read_anew(opened, tmp_path):
    path = write(tmp_path / "a.root", 1.0)
    assert first(path) == 1.0
    write(tmp_path / "b.root", 2.0)
    (tmp_path / "b.root").replace(path)
    assert first(path) == 2.0
    assert opened == ["a.root", "a.root"]


def test_an_error_is_not_kept(opened, tmp_path):
    path = write(tmp_path / "a.root", 1.0)
    with pytest.raises(RuntimeError, match="a server"), kept_open(path, "Events", {}, "a"):
        raise RuntimeError("a server that hung up")
    first(path)
    assert opened == ["a.root", "a.root"]
    with pytest.raises(UnreadableFile):
        first(str(tmp_path / "nowhere.root"))


def test_only_the_last_files_stay_open(opened, tmp_path):
    paths = [write(tmp_path / f"{name}.root", 1.0) for name in "abc"]
    for path in (*paths, *paths[1:], paths[0]):
        first(path)
    assert opened == ["a.root", "b.root", "c.root", "a.root"]


def test_a_file_that_was_looked_into_is_open_already(opened, tmp_path):
    path = write(tmp_path / "a.root", 1.0)
    before, file = status_of(path), open_file.open_tree(path, "Events")
    keep_open(file, file_version("uuid", "digest"), before)
    assert first(path, "uuid digest") == 1.0
    assert opened == []


def test_a_file_that_was_replaced_meanwhile_is_not_kept(opened, tmp_path):
    path = write(tmp_path / "a.root", 1.0)
    before, file = status_of(path), open_file.open_tree(path, "Events")
    write(tmp_path / "b.root", 2.0)
    (tmp_path / "b.root").replace(path)
    keep_open(file, file_version("uuid", "digest"), before)
    assert first(path, "uuid digest") == 2.0
    assert opened == ["a.root"]
