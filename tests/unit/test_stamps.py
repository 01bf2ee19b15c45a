"""Stamps: files of a folder count as made only with the same key, all there, in full size."""

from __future__ import annotations

import pytest

from hepflow.keys import make_key
from hepflow.stamps import STAMP, is_current, remove_stamp, write_stamp

KEY = make_key("histograms", lumi=100.0)


@pytest.fixture
def folder(tmp_path):
    files = [tmp_path / "a.root", tmp_path / "sub" / "b.zip"]
    files[1].parent.mkdir()
    for path in files:
        path.write_text("content")
    write_stamp(tmp_path, KEY, files)
    return tmp_path


def test_the_same_key_is_current(folder):
    assert is_current(folder, make_key("histograms", lumi=100.0))


def test_another_key_or_stage_is_not(folder):
    assert not is_current(folder, make_key("histograms", lumi=100.1))
    assert not is_current(folder, make_key("statistics", lumi=100.0))


def test_a_file_that_is_gone_or_cut_is_not_current(folder):
    (folder / "a.root").write_text("cut")
    assert not is_current(folder, KEY)
    (folder / "a.root").unlink()
    assert not is_current(folder, KEY)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"key": {}, "files": {}}'])
def test_a_broken_stamp_vouches_for_nothing(folder, content):
    (folder / STAMP).write_text(content)
    assert not is_current(folder, KEY)


def test_a_removed_stamp_is_forgotten_and_may_be_removed_twice(folder):
    remove_stamp(folder)
    remove_stamp(folder)
    assert not is_current(folder, KEY)


def test_several_stamps_live_side_by_side(folder):
    other = make_key("figure", content="x")
    write_stamp(folder, other, [folder / "a.root"], ".a.key.json")
    assert is_current(folder, other, ".a.key.json")
    assert is_current(folder, KEY)
    remove_stamp(folder, ".a.key.json")
    assert is_current(folder, KEY)
