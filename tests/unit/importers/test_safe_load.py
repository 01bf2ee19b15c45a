"""Pickles of others: histograms come out as they were, and nothing in them is run."""

from __future__ import annotations

import collections
import gzip
import os
import pickle
from pathlib import Path

import boost_histogram as bh
import cloudpickle
import hist
import lz4.frame
import numpy as np
import pytest

from hepflow.errors import StorageError, UnsafeContent
from hepflow.importers import load_stored


def example(storage=None) -> hist.Hist:
    histogram = hist.Hist(
        hist.axis.StrCategory(["tt", "wj"], name="process", growth=True),
        hist.axis.IntCategory([0, 7], name="shift"),
        hist.axis.Regular(2, 0, 10, name="mtt", label="m [GeV]"),
        hist.axis.Variable([0, 1, 5], name="pt", underflow=False),
        hist.axis.Integer(0, 3, name="n", overflow=False),
        hist.axis.Boolean(name="b"),
        storage=storage or hist.storage.Weight(),
    )
    x, pt, n = [-1.0, 3.0], [0.5, 7.0], [1, 2]
    histogram.fill(["tt", "wj"], [0, 7], x, pt, n, True, weight=[2.0, 0.5])
    return histogram


def write(path: Path, content: object) -> Path:
    path.write_bytes(cloudpickle.dumps(content))
    return path


@pytest.mark.parametrize("storage", ["Weight", "Double", "Int64", "AtomicInt64"])
@pytest.mark.parametrize("protocol", [4, 5])
def test_a_histogram_comes_out_as_it_was(tmp_path, storage, protocol):
    given = hist.Hist.new.Reg(3, 0, 1, name="x").StrCat(["a"], name="p")
    given = getattr(given, storage)().fill(x=[0.1, 0.5, 2.0], p="a")
    path = tmp_path / "h.pickle"
    path.write_bytes(pickle.dumps({"h": given}, protocol=protocol))
    found = load_stored(path)["h"].build()
    np.testing.assert_array_equal(found.view(flow=True), given.view(flow=True))
    assert found.axes == given.axes
    assert [one.name for one in found.axes] == [one.name for one in given.axes]
    assert [one.label for one in found.axes] == [one.label for one in given.axes]


@pytest.mark.parametrize("storage", [hist.storage.Weight(), hist.storage.Double()])
def test_all_kinds_of_axes_come_out_as_they_were(tmp_path, storage):
    given = example(storage)
    found = load_stored(write(tmp_path / "h.pickle", given)).build()
    assert found == given
    assert [one.traits for one in found.axes] == [one.traits for one in given.axes]


def test_a_histogram_of_boost_histogram(tmp_path):
    given = bh.Histogram(bh.axis.Regular(3, 0, 1), storage=bh.storage.Weight())
    given.fill([0.1, 0.5, 2.0], weight=[1.0, 2.0, 3.0])
    found = load_stored(write(tmp_path / "h.pickle", given)).build()
    np.testing.assert_array_equal(found.view(flow=True), given.view(flow=True))


@pytest.mark.parametrize("compression", ["lz4", "gzip", None])
def test_compressions(tmp_path, compression):
    data = cloudpickle.dumps({"h": example(), "n": 3})
    packed = {"lz4": lz4.frame.compress, "gzip": gzip.compress, None: bytes}[compression](data)
    path = tmp_path / "out.coffea"
    path.write_bytes(packed)
    found = load_stored(path)
    assert found["n"] == 3
    assert found["h"].build() == example()


def test_what_coffea_saves(tmp_path):
    from coffea.processor import column_accumulator, defaultdict_accumulator, dict_accumulator
    from coffea.util import save

    content = dict_accumulator(
        {
            "h": example(),
            "cutflow": defaultdict_accumulator(int, {"all": 4}),
            "sumw": collections.defaultdict(float, {"tt": np.float64(2.5)}),
            "columns": column_accumulator(np.array(["a", None], dtype=object)),
            "datasets": {"2018": collections.defaultdict(set, {"tt": {"tt_2018"}})},
            "counts": collections.Counter("aab"),
            "times": np.arange(3),
        }
    )
    save(content, tmp_path / "out.coffea")
    found = load_stored(tmp_path / "out.coffea")
    assert found["h"].build() == example()
    assert found["cutflow"] == {"all": 4}
    assert found["datasets"]["2018"]["tt"] == {"tt_2018"}
    assert found["counts"] == {"a": 2, "b": 1}


class Hostile:
    """Runs a command when it is loaded by `pickle`."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_hostile_pickle_runs_nothing(tmp_path):
    mark = tmp_path / "mark"
    path = write(tmp_path / "out.coffea", {"h": example(), "x": Hostile(f"touch {mark}")})
    with pytest.raises(UnsafeContent, match=r"posix\.system") as caught:
        load_stored(path)
    assert not mark.exists()
    assert str(path) in caught.value.__notes__[0]
    pickle.loads(path.read_bytes())  # the same file with pickle: the test can fail
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        lambda: collections.defaultdict(lambda: 0, {"a": 1}),
        lambda: getattr,
        lambda: eval,
        lambda: Path("x"),
        lambda: np.memmap,
        lambda: hist.Hist(hist.axis.Regular(3, 1, 2, transform=hist.axis.transform.log)),
    ],
    ids=["lambda", "getattr", "eval", "path", "memmap", "transform"],
)
def test_other_classes_and_functions_are_refused_by_name(tmp_path, content):
    with pytest.raises(UnsafeContent, match=r"the file asks for [\w.]+\.\w+, which"):
        load_stored(write(tmp_path / "f.pickle", content()))


def test_pointers_in_a_buffer_of_objects_are_not_followed(tmp_path):
    # numpy.ndarray((1,), dtype("O"), <8 bytes>) makes numpy take the bytes for a pointer
    pointer = (
        b"\x80\x04cnumpy\nndarray\n(K\x01\x85cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R"
        b"C\x08\x01\x00\x00\x00\x00\x00\x00\x00tR."
    )
    path = tmp_path / "f.pickle"
    path.write_bytes(pointer)
    assert not isinstance(load_stored(path), np.ndarray)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: (*s[:-1], s[-1][:2]),
        lambda s: (*s[:7], 1_000_000, *s[8:]),
        lambda s: (*s[:7], -1, *s[8:]),
        lambda s: (*s[:7], 2**31 - 1, *s[8:]),
        lambda s: (s[0], 2**31 - 1, *s[2:]),
        lambda s: (*s[:4], 99, *s[5:]),
        lambda s: s[:4],
        lambda s: (*s[:-1], None),
        lambda s: (*s[:-1], s[-1].astype("U8")),
        lambda s: (*s[:-1], s[-1].reshape(2, -1)),
    ],
)
def test_a_storage_that_does_not_fit_to_the_axes_is_refused(change):
    from hepflow.importers.standins import Array, Core, Dtype, StoredHistogram

    def stand_in(value):
        if not isinstance(value, np.ndarray):
            return value
        dtype, array = Dtype(value.dtype.str[1:]), Array()
        array.__setstate__((1, value.shape, dtype, False, value.tobytes()))
        return array

    real = bh.Histogram(bh.axis.Regular(3, 0, 1), storage=bh.storage.Weight())._hist.__getstate__()

    def stored(state):
        core, histogram = Core.of("weight")(), StoredHistogram()
        core.__setstate__(tuple(stand_in(one) for one in state))
        histogram.__setstate__((0, {"_hist": core}))
        return histogram

    assert stored(real).build().ndim == 1
    with pytest.raises(StorageError):
        stored(change(real)).build()


def test_a_small_file_that_holds_a_lot_is_refused(tmp_path):
    path = tmp_path / "bomb.coffea"
    path.write_bytes(lz4.frame.compress(pickle.dumps(b"\0" * 50_000_000)))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UnsafeContent, match="more than 1000000 bytes"):
        load_stored(path, max_bytes=1_000_000)


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -30])
def test_a_truncated_file_is_an_error_of_storage(tmp_path, cut):
    path = tmp_path / "out.coffea"
    path.write_bytes(lz4.frame.compress(cloudpickle.dumps(example()))[:cut])
    with pytest.raises(StorageError, match=r"out\.coffea"):
        load_stored(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(StorageError, match="does not exist"):
        load_stored(tmp_path / "none.coffea")


def test_references_out_of_the_file_are_refused(tmp_path):
    path = tmp_path / "f.pickle"
    path.write_bytes(b"Pname\n.")
    with pytest.raises(UnsafeContent, match="outside"):
        load_stored(path)


@pytest.mark.parametrize(
    "name", ["numpy\ndtype", "hist.hist\nHist", "collections\ndefaultdict", "builtins\ndict"]
)
def test_a_pickle_cannot_change_a_class(tmp_path, name):
    path = tmp_path / "f.pickle"  # BUILD on the class itself, with attributes to be set
    path.write_bytes(f"c{name}\n(N(Vget\ncbuiltins\nlist\ndtb.".encode())
    with pytest.raises(StorageError):
        load_stored(path)
    assert {"a": 1}.get("a") == 1
