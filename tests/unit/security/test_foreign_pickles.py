"""Pickles of other frameworks: nothing in them is run, and none fills the memory or hangs."""

from __future__ import annotations

import gzip
import os
import pickle
import pickletools
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import hist
import lz4.frame
import numpy as np
import pytest

from hepflow.errors import HepflowError, StorageError, UnsafeContent
from hepflow.importers import ImportSpec, from_coffea, load_stored

from .confined import confined


def named(module: str, name: str) -> bytes:
    """Opcodes of a class or function."""
    texts = (b"\x8c" + bytes([len(one)]) + one.encode() for one in (module, name))
    return b"".join(texts) + b"\x93"


def doubled(levels: int, empty: bytes, join: bytes) -> bytes:
    """A container of twice the one before, of twice the one before, ..."""
    found = empty + b"\x94"
    for i in range(levels):
        found += join % {b"i": b"h" + bytes([i])} + b"\x94"
    return found


LISTS = doubled(60, b"]", b"](%(i)b%(i)be")
TUPLES = doubled(60, b")", b"%(i)b%(i)b\x86")
DEEP = b")" + b"\x85" * 1_000_000


def called(levels: int, name: str) -> bytes:
    """A container made by a call, in one made by a call, ..."""
    return named("builtins", name) * levels + b")" + b"\x85R" * levels


BOMBS = {
    "memo": b"\x80\x05Nr\xff\xff\xff\xff.",
    "memo of text": b"Np4000000000\n.",
    "frame": b"\x80\x05\x95" + (2**62).to_bytes(8, "little") + b"N.",
    "bytes": b"\x80\x05\x8e" + (2**40).to_bytes(8, "little") + b".",
    "bytearray": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",
    "text": b"\x80\x05\x8d" + (2**40).to_bytes(8, "little") + b".",
    "old text": b"\x80\x02T\xff\xff\xff\x7f.",
    "number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "deep key": b"\x80\x05}" + DEEP + b"Ns.",
    "deep member": b"\x80\x05\x8f(" + DEEP + b"\x90.",
    "doubled key": b"\x80\x05}" + TUPLES + b"Ns.",
    "doubled frozen": b"\x80\x05}(" + TUPLES + b"\x91Ns.",
    "text of lists": b"\x80\x05" + named("builtins", "str") + LISTS + b"\x85R.",
    "tuples by calls": b"\x80\x05}" + called(100_000, "tuple") + b"Ns.",
    "frozen sets by calls": b"\x80\x05}" + called(100_000, "frozenset") + b"Ns.",
    "type of lists": b"\x80\x05" + named("numpy", "dtype") + LISTS + b"\x85R" + b")b.",
    "next buffer": b"\x80\x05\x97.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"\x80\x02Nq\x00Q.",
    "other end": b"\x80\x05(N.",
    "nothing": b"\x80\x05.",
    "old instance": b"(S'touch mark'\nios\nsystem\n.",
    "old object": b"(cos\nsystem\nS'touch mark'\no.",
    "old call": b"cos\nsystem\n(S'touch mark'\ntR.",
    "new call": b"\x80\x02cos\nsystem\nU\x0atouch mark\x85R.",
    "new object": b"\x80\x02cbuiltins\neval\nU\x011\x85\x81.",
    "dotted": b"\x80\x04" + named("collections", "OrderedDict.__init__.__globals__") + b".",
    "class changed": b"ccollections\ndefaultdict\n(N(Vget\ncbuiltins\nlist\ndtb.",
    "inner": b"\x80\x05" + named("numpy._core.multiarray", "_reconstruct") + b"(" * 9 + b".",
}


@pytest.mark.parametrize("compression", [bytes, lz4.frame.compress, gzip.compress])
@pytest.mark.parametrize("name", BOMBS)
def test_hostile_pickles(tmp_path, name, compression, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out.coffea"
    path.write_bytes(compression(BOMBS[name]))
    with confined(), pytest.raises(StorageError) as caught:
        load_stored(path)
    assert str(path) in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("tail", [b"", b"garbage", pickle.dumps(os.system)])
def test_what_follows_a_pickle_is_not_looked_at(tmp_path, tail):
    path = tmp_path / "a.pickle"
    path.write_bytes(pickle.dumps({"a": 1}) + tail)
    assert load_stored(path) == {"a": 1}


def test_mappings_that_hold_each_other_often_are_not_walked(tmp_path):
    inner: dict[str, Any] = {}
    for _ in range(5):
        inner = {str(i): inner for i in range(100)}
    path = tmp_path / "a.coffea"
    path.write_bytes(pickle.dumps(inner))
    assert path.stat().st_size < 10_000
    levels = ("dataset", "process", "channel", "variation", "observable")
    with confined(), pytest.raises(UnsafeContent, match="entries on one level"):
        from_coffea(path, ImportSpec(luminosity=1.0), levels=levels)


def content() -> dict[str, Any]:
    """What processors hand back."""
    histogram = hist.Hist.new.StrCat(["nominal"], name="variation").Reg(4, 0, 1, name="m").Weight()
    histogram.fill("nominal", [0.1, 0.5])
    return {
        "h": histogram,
        "counts": Counter("aab"),
        "ordered": OrderedDict(a=1, b=(1, 2)),
        "default": defaultdict(set, {"a": {("x", 1), ("y", 2)}}),
        "texts": defaultdict(str, a="b"),
        "pairs": {("a", 1): 2, frozenset({1, 2}): 3, (("a", 1), 2): 4},
        "edges": tuple((i, i + 1) for i in range(5_000)),
        "same": [histogram, histogram],
        "number": np.float64(1.5),
        "large": 2**200,
        "bytes": b"\x00" * 70_000,
        "text": "x" * 70_000,
    }


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_good_files_are_read(tmp_path, protocol):
    path = tmp_path / "a.pickle"
    data = pickle.dumps(content(), protocol=protocol)
    for one in (data, pickletools.optimize(data)):
        path.write_bytes(one)
        found = load_stored(path)
        assert found["counts"] == {"a": 2, "b": 1}
        assert found["pairs"]["a", 1] == 2
        assert found["pairs"][frozenset({1, 2})] == 3
        assert found["edges"][4_999] == (4_999, 5_000)
        assert found["large"] == 2**200
        assert found["text"] == "x" * 70_000
        assert found["bytes"] == b"\x00" * 70_000
        assert found["same"][0] is found["same"][1]
        assert found["h"].build() == content()["h"]


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_good_files_of_old_protocols_are_read(tmp_path, protocol):
    path = tmp_path / "a.pickle"
    given = {"a": [1, 2.5, None, True, "x" * 70_000], "b": {("a", 1): {"c": 2**200}}}
    path.write_bytes(pickle.dumps(given, protocol=protocol))
    assert load_stored(path) == given


def test_any_changed_byte_is_survived(tmp_path):
    path = tmp_path / "a.coffea"
    good = pickle.dumps({"tt": {"m": content()["h"]}}, protocol=5)
    random = np.random.default_rng(3)
    refused = 0
    for place in random.integers(0, len(good), 150):
        changed = bytearray(good)
        changed[place : place + 2] = random.bytes(2)
        path.write_bytes(bytes(changed[: len(good)]))
        try:
            with confined():
                from_coffea(path, ImportSpec(luminosity=1.0), levels=("process", "observable"))
        except HepflowError:
            refused += 1
    assert refused > 50
    assert Path(path).exists()
