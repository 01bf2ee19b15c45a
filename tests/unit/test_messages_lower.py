"""Messages about bytes, folders and members that no whole file of the other tests leads to."""

from __future__ import annotations

import io
import zipfile
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest

from hepflow import lumi_mask
from hepflow.corrections import content, files
from hepflow.errors import ChecksumError, StorageError, WorkspaceError
from hepflow.importers import cabinetry_templates, standins
from hepflow.planning import inventory
from hepflow.planning.looking import WouldRun
from hepflow.planning.parts import PlannedPart
from hepflow.skimming.parts import PartTask
from hepflow.statistics.pyhf_import import _Later
from hepflow.storage import arrays, digests, write_json
from hepflow.storage.archives import open_zip
from hepflow.storage.pickles import BadPickle, check_pickle
from hepflow.storage.yamlfile import read_yaml

DEEP = b")" + b"\x85" * 101 + b"."  # a tuple in a tuple in a tuple


@pytest.mark.parametrize(
    ("pickled", "told"),
    [
        (b"", "it has no end"),
        (b"N", "it has no end"),
        (b"\xff.", "the opcode b'\\xff' is not admitted"),
        (b"q\x00.", "the opcode b'q' is not admitted"),
        (b".", "it leaves something else than one object"),
        (b"NN.", "it leaves something else than one object"),
        (b"(N.", "it leaves something else than one object"),
        (b"h", "it is cut"),
        (b"M\x00", "it is cut"),
        (b"cbuiltins", "it is cut"),
        (b"B\x00\x00\x00\x10.", "it says that 268435456 bytes follow, more than there are"),
        (b"\x95" + b"\xff" * 8 + b".", "it says that more bytes follow than there are"),
        (b"\x85.", "it takes more than there is"),
        (b"N(\x85.", "it takes more than there is"),
        (b"t.", "it takes more than there is"),
        (b"Na.", "it fills nothing"),
        (b"\x94.", "it remembers nothing"),
        (b"h\x05.", "it refers to an object that is not there"),
        (b"]\x94h\x00.", "it holds a container twice"),
        (DEEP, "it nests tuples too deep"),
        (b"NNb.", "it sets attributes of something that has none"),
    ],
)
def test_pickles_of_parts_that_are_not_loaded(pickled, told):
    with pytest.raises(BadPickle) as caught:
        check_pickle(io.BytesIO(pickled), len(pickled), tree_only=True)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("pickled", "told"),
    [
        (b"Nq\x05.", "it remembers 0 objects and numbers one 5"),
        (b"Npfive\n.", "it has no number where one is expected"),
    ],
)
def test_pickles_of_others_that_are_not_loaded(pickled, told):
    with pytest.raises(BadPickle) as caught:
        check_pickle(io.BytesIO(pickled), len(pickled), tree_only=False)
    assert str(caught.value) == told


def test_long_tuples_as_keys_over_and_over():
    pairs = b"NN\x86" + b"2\x86" * 24  # of pairs: some 2^26 elements
    pickled = b"}" + pairs + b"q\x00Ns" + b"h\x00Ns" + b"."
    with pytest.raises(BadPickle, match="it repeats long tuples"):
        check_pickle(io.BytesIO(pickled), len(pickled), tree_only=False)


@pytest.mark.parametrize("buffer", [b"bytes", None, ak.to_numpy(ak.Array([[1, 2]]))])
def test_a_buffer_has_one_dimension(buffer):
    with pytest.raises(TypeError, match="a buffer is no array of one dimension"):
        arrays._flat(buffer)


def test_elements_without_content():
    layout = ak.contents.RecordArray([], [], length=10**9)
    with pytest.raises(ValueError, match="it has 1000000000 elements without content"):
        arrays.check_layout(layout, 8)


def test_a_folder_that_cannot_be_looked_into(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot look into .*file: Not a directory\. Check"):
        inventory._below(tmp_path / "file")


def test_a_plan_reads_no_events():
    part = PlannedPart(SimpleNamespace(dataset="ttbar"), "identity", {})
    for read in (part.load, part.read, part.form, part.numbered):
        with pytest.raises(WouldRun, match="ttbar: events are not read"):
            read()


def test_a_stored_part_is_not_narrowed():
    with pytest.raises(TypeError, match=r"can be narrowed: use live\(\)"):
        PartTask(SimpleNamespace()).narrowed(0, 1)


def test_what_python_asks_of_a_member_that_comes_later():
    with pytest.raises(AttributeError, match="__wrapped__"):
        _ = _Later("nosuch.module", "member").__wrapped__


def test_corrections_that_are_too_deep_twice_or_too_large(tmp_path, monkeypatch):
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="it is nested too deep"):
        content.check_content(deep)
    with pytest.raises(ValueError, match="two corrections have the same name"):
        files._by_name([{"name": "sf"}, {"name": "sf"}])
    monkeypatch.setattr(files, "_LARGEST", 2**20)
    (tmp_path / "sf.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ValueError, match="it holds more than 1 MiB"):
        files._text_of(tmp_path / "sf.json", "")


@pytest.mark.parametrize(
    ("arrays_of_file", "told"),
    [
        ({"bins": [0, 1], "yields": [1.0, 2.0], "stdev": [1.0, 1.0]}, "do not belong together"),
        ({"bins": [[0, 1]], "yields": [1.0], "stdev": [1.0]}, "bins is no list of numbers"),
    ],
)
def test_templates_of_cabinetry_that_do_not_fit(tmp_path, arrays_of_file, told):
    np.savez(tmp_path / "SR_signal.npz", **arrays_of_file)
    with pytest.raises(WorkspaceError, match=told):
        cabinetry_templates._from_npz(tmp_path / "SR_signal.npz")


def test_a_text_of_a_histogram_is_one():
    with pytest.raises(ValueError, match="a text made of a list"):
        standins.Text([1])


@pytest.mark.parametrize("one", [5, [1], [1, "2"], [3, 1]])
def test_ranges_of_blocks_have_two_ends(one):
    with pytest.raises(ValueError, match=r"run 1 has .* instead of \[first, last\]"):
        lumi_mask._ranges("1", [one])


def test_an_archive_is_read_only(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", "x")
    refused = pytest.raises(ValueError, match="opened for reading is not written")
    with open_zip(tmp_path / "a.zip") as archive, refused:
        archive.open("x", "w")


def test_a_file_that_changes_while_a_run_goes_on():
    with pytest.raises(ChecksumError, match=r"sf\.json: it changed while the run went on"):
        digests.check_unchanged(b"new", "0" * 64, "sf.json")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": {"b": object()}}, ".a.b is a object, which JSON can't hold"),
        ({"a": [1, [object()]]}, ".a[1][0] is a object"),
        ({"a": [1.0, float("nan")]}, ".a[1] is nan: JSON has finite numbers only"),
    ],
)
def test_what_json_cannot_hold(tmp_path, value, told):
    with pytest.raises(StorageError) as caught:
        write_json(tmp_path / "a.json", value)
    assert told in str(caught.value)


def test_yaml_that_is_too_deep(tmp_path):
    (tmp_path / "a.yaml").write_text("[" * 150 + "]" * 150)
    with pytest.raises(StorageError, match="it is nested too deep"):
        read_yaml(tmp_path / "a.yaml")
