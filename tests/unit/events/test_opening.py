"""Opening is quick, and reads what uproot reads."""

from __future__ import annotations

import contextlib
import gc

import numpy as np
import pytest
import uproot
from uproot.source.chunk import Chunk
from uproot.source.cursor import Cursor

from hepflow.events.opening import quicken_opening, without_collection


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 5000])
def test_a_name_ends_with_its_first_zero(length):
    quicken_opening()
    content = np.frombuffer(b"..." + b"n" * length + b"\0rest\0" * 300, dtype=np.uint8)
    chunk = Chunk.wrap(None, content)
    stays, moves = Cursor(3), Cursor(3)
    assert stays.classname(chunk, {}, move=False) == moves.classname(chunk, {}) == "n" * length
    assert (stays.index, moves.index) == (3, 3 + length + 1)


def test_a_name_without_an_end_is_an_error_as_ever():
    quicken_opening()

    class Source:
        file_path = "a.root"

    chunk = Chunk.wrap(Source, np.frombuffer(b"name", dtype=np.uint8))
    with pytest.raises(OSError, match="no terminator"):
        Cursor(0).classname(chunk, {})


def test_a_tree_has_the_same_branches(tmp_path):
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file["Events"] = {f"b{i}": np.arange(4) * i for i in range(5)}
    quicken_opening()
    with uproot.open(path) as file:
        found = file["Events"].arrays(library="np")
    assert {name: one.tolist() for name, one in found.items()} == {
        f"b{i}": [0, i, 2 * i, 3 * i] for i in range(5)
    }


def test_garbage_is_looked_for_again_also_after_an_error():
    with without_collection():
        off = not gc.isenabled()
    with contextlib.suppress(KeyError), without_collection():
        raise KeyError
    assert off
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off():
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
