"""Files are whole or absent, parts carry checksums, pickles hold no code, paths stay inside."""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow import storage
from hepflow.errors import ChecksumError, MissingArtifact, StorageError, UnsafeContent
from hepflow.storage import parts as parts_module
from hepflow.storage.atomic import _host

# ---------------------------------------------------------------- atomic writes


def test_a_write_makes_its_folder_and_leaves_no_temporary(tmp_path):
    path = tmp_path / "a" / "b.txt"
    storage.atomic_write(path, "Größe")
    storage.atomic_write(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.root"
    path.write_text("old")

    def write_half() -> None:
        with storage.atomic_writer(path) as temporary:
            assert temporary.parent == path.parent
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    writer = storage.atomic_writer(tmp_path / "x")
    with pytest.raises(StorageError, match="nothing was written"), writer:
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file/x"):
        storage.atomic_write(tmp_path / "file" / "x", "")


KILLED = """
import os, signal, sys
from hepflow.storage import atomic_writer
with atomic_writer(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_file_and_its_temporary_is_removed(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    assert len(storage.remove_stale_temporaries(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_only_abandoned_temporaries_are_removed(tmp_path):
    own = tmp_path / f".a.{_host()}-{os.getpid()}-0.tmp"
    foreign = tmp_path / ".b.elsewhere-1-0.tmp"
    old = tmp_path / ".c.elsewhere-1-0.tmp"
    other = tmp_path / ".not_ours.tmp"
    for path in (own, foreign, old, other):
        path.write_text("")
    past = time.time() - 2 * 86_400
    os.utime(old, (past, past))
    os.utime(other, (past, past))
    assert storage.remove_stale_temporaries(tmp_path) == [old]
    assert storage.remove_stale_temporaries(tmp_path / "missing") == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_that_waits_for_its_parent_has_ended(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still listed
    path = tmp_path / f".part.pkl.{_host()}-{child.pid}-0.tmp"
    path.touch()
    assert storage.remove_stale_temporaries(tmp_path) == [path]
    child.wait()


# ---------------------------------------------------------------- JSON


def test_json_comes_back_with_numpy_converted(tmp_path):
    path = tmp_path / "x.json"
    storage.write_json(path, {"b": np.float32(0.5), "a": (1, None, True), "c": np.arange(2)})
    assert storage.read_json(path, "a step") == {"a": [1, None, True], "b": 0.5, "c": [0, 1]}
    assert path.read_text().index('"a"') < path.read_text().index('"b"')
    storage.write_json(path, {"b": 1, "a": 2}, sort_keys=False)
    assert list(storage.read_json(path, "a step")) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"expected": [1.0, float("nan")]}, r"limit\.json\.expected\[1\] is nan"),
        ({"x": np.array([np.inf])}, r"limit\.json\.x\[0\] is inf"),
        ({"x": {1: 2}}, r"limit\.json\.x: key 1 is not a string"),
        ({"x": {1, 2}}, r"limit\.json\.x is a set"),
        ({"x": b"a"}, r"limit\.json\.x is a bytes"),
    ],
)
def test_what_json_cannot_hold_is_named_and_nothing_is_written(tmp_path, value, message):
    path = tmp_path / "limit.json"
    with pytest.raises(StorageError, match=message):
        storage.write_json(path, value)
    assert not path.exists()


def test_reading_json_names_the_step(tmp_path):
    with pytest.raises(MissingArtifact, match="made by metadata extraction"):
        storage.read_json(tmp_path / "fileset.json", "metadata extraction")
    for text in ('{"a": 1', '{"a": NaN}', "\xff"):
        (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(StorageError, match=r"x\.json is not valid JSON.*the fit"):
            storage.read_json(tmp_path / "x.json", "the fit")
    with pytest.raises(StorageError, match="cannot read"):
        storage.read_json(tmp_path, "the fit")


# ---------------------------------------------------------------- parts

PAYLOAD = {
    "text": "Größe",
    "list": [1, 2.5, None, True, b"x", (1, {2})],
    "array": np.arange(12, dtype=">f4").reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "strided": np.arange(10)[::2],
    "empty": np.empty((0, 3), dtype=np.int8),
    "read_only": np.frombuffer(b"abcd", dtype=np.uint8),
    "scalar": np.float64(0.1),
    "texts": np.array(["a", "bcd"]),
}


class Crafted:
    """Asks numpy for an array of references that are made of bytes."""

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


def numpys(module, name):
    """A function of numpy's that pickles name."""
    return getattr(importlib.import_module(f"numpy._core.{module}"), name)


@pytest.mark.parametrize(
    "call",
    [
        (np.ndarray, ((1,), np.dtype("O"), b"\x01" * 8)),
        (numpys("multiarray", "_reconstruct"), (np.ndarray, (0,), b"b")),
        (numpys("numeric", "_frombuffer"), (b"\x01" * 8, np.dtype("O"), (1,), "C")),
        (numpys("multiarray", "scalar"), (np.dtype("O"), b"\x01" * 8)),
        (numpys("numeric", "_frombuffer"), (b"\x01" * 8, np.dtype([("a", "O")]), (1,), "C")),
    ],
)
def test_bytes_never_become_references(tmp_path, call):
    content = pickle.dumps({"array": Crafted(call)}, protocol=5)
    path = tmp_path / "part.pkl"
    path.write_bytes(content + b"HEPFLOW1" + hashlib.sha256(content).digest())
    with pytest.raises(UnsafeContent, match="not admitted"):
        storage.read_part(path)


@pytest.mark.parametrize("value", [np.array([None, "a"]), np.zeros(2, [("a", "i4")])])
def test_an_array_of_anything_else_is_refused_at_writing(tmp_path, value):
    with pytest.raises(StorageError, match="numbers, strings and numpy arrays of these"):
        storage.write_part(tmp_path / "part.pkl", {"array": value})
    assert not list(tmp_path.iterdir())


def test_a_part_comes_back(tmp_path):
    path = tmp_path / "part.pkl"
    storage.write_part(path, PAYLOAD)
    found = storage.read_part(path)
    assert list(found) == list(PAYLOAD)
    for name, value in PAYLOAD.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value
    with path.open("rb") as file:
        assert pickle.load(file)["text"] == "Größe"  # other tools read it too


@pytest.mark.parametrize("where", [0, 10, -50, -41, -40, -33, -32, -1])
def test_one_changed_byte_is_found_before_anything_is_unpickled(tmp_path, where, monkeypatch):
    path = tmp_path / "part.pkl"
    storage.write_part(path, PAYLOAD)
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(parts_module, "_PlainUnpickler", None)
    with pytest.raises(ChecksumError, match=r"part\.pkl is damaged"):
        storage.read_part(path)


@pytest.mark.parametrize("keep", [0, 1, 39, 40, 41, -1, -40, -41])
def test_a_truncated_part_is_found(tmp_path, keep):
    path = tmp_path / "part.pkl"
    storage.write_part(path, PAYLOAD)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ChecksumError):
        storage.read_part(path)


def signed(path: Path, content: bytes) -> Path:
    """Write bytes as a part with a valid checksum: what someone with bad intent would do."""
    path.write_bytes(content + b"HEPFLOW1" + bytes.fromhex(storage.sha256_bytes(content)))
    return path


class Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("evil", "name"),
    [
        (Evil(os.system, "touch broken"), r"posix\.system"),
        (Evil(eval, "1"), r"builtins\.eval"),
        (Evil(np.load, "x"), r"numpy\.load"),
        (Evil(getattr, 1, "real"), r"builtins\.getattr"),
        (Path("x"), "pathlib"),
        (complex(1, 2), r"builtins\.complex"),
    ],
)
def test_a_pickle_that_asks_for_code_is_refused(tmp_path, evil, name):
    path = signed(tmp_path / "part.pkl", pickle.dumps({"x": evil}))
    with pytest.raises(UnsafeContent, match=name) as caught:
        storage.read_part(path)
    assert str(path) in "".join(caught.value.__notes__)


def test_dotted_names_and_extension_codes_are_refused(tmp_path):
    dotted = b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93."
    with pytest.raises(UnsafeContent, match=r"ndarray\.dumps"):
        storage.read_part(signed(tmp_path / "a", dotted))
    with pytest.raises(StorageError, match="does not hold a part"):
        storage.read_part(signed(tmp_path / "b", b"\x80\x04\x82\x01."))


def test_what_is_no_pickle_or_no_dict_is_refused(tmp_path):
    with pytest.raises(StorageError, match="does not hold a part"):
        storage.read_part(signed(tmp_path / "a", b"hello"))
    with pytest.raises(StorageError, match="holds a list"):
        storage.read_part(signed(tmp_path / "b", pickle.dumps([1])))
    with pytest.raises(MissingArtifact, match="does not exist"):
        storage.read_part(tmp_path / "c")


def test_names_of_older_numpy_are_read(tmp_path):
    content = pickle.dumps({"x": np.float64(2)}, protocol=4)
    content = content.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
    frame = content[:3] + (int.from_bytes(content[3:11], "little") - 1).to_bytes(8, "little")
    found = storage.read_part(signed(tmp_path / "q", frame + content[11:]))
    assert found == {"x": 2.0}


@pytest.mark.parametrize(
    "value", [Path("x"), len, ak.Array([1]), np.ma.array([1]), np.array([Path("x")]), 1j, Evil]
)
def test_writing_refuses_what_reading_would_refuse(tmp_path, value):
    with pytest.raises(StorageError, match="a part can't hold a"):
        storage.write_part(tmp_path / "p", {"x": [value]})
    assert list(tmp_path.iterdir()) == []


def test_digests_agree(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert storage.sha256_bytes(b"abc") == storage.sha256_file(tmp_path / "x") == known
    with pytest.raises(StorageError, match="cannot read"):
        storage.sha256_file(tmp_path / "y")


# ---------------------------------------------------------------- arrays

numbers = st.integers(-5, 5) | st.floats(allow_nan=False) | st.booleans()
names = st.sampled_from(["pt", "eta", "phi"])


def nested(children):
    return (
        st.lists(children, max_size=4)
        | st.none()
        | st.dictionaries(names, children, max_size=3)
        | st.text(max_size=3)
    )


values = st.lists(st.recursive(numbers, nested, max_leaves=8), max_size=6)


@settings(max_examples=80, deadline=None)
@given(data=values, cut=st.integers(0, 6))
def test_any_array_comes_back_from_a_part(tmp_path_factory, data, cut):
    array = ak.Array(data)[cut:]
    path = tmp_path_factory.getbasetemp() / "law.pkl"
    storage.write_part(path, storage.pack_array(array))
    found = storage.unpack_array(storage.read_part(path))
    assert found.to_list() == array.to_list()
    assert len(found) == len(array)


def test_types_record_names_and_behaviours_survive():
    muons = ak.zip({"pt": [[50.0, 3.0], [], [1.0]]}, with_name="Muon")
    masked = ak.mask(muons, muons.pt > 2)
    packed = storage.pack_array(masked)
    assert all(type(b) is np.ndarray and b.ndim == 1 for b in packed["buffers"].values())

    class Muon(ak.Record):
        pass

    found = storage.unpack_array(packed, behavior={"Muon": Muon})
    assert found.type == masked.type
    assert isinstance(found[0, 0], Muon)
    regular = ak.Array(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    assert storage.unpack_array(storage.pack_array(regular)).type == regular.type


def test_a_slice_is_packed_without_the_rest():
    jagged = ak.unflatten(np.arange(100_000), np.full(1000, 100))
    packed = storage.pack_array(jagged[:10])
    assert sum(buffer.nbytes for buffer in packed["buffers"].values()) < 10_000


def test_containers_that_do_not_fit_are_refused():
    packed = storage.pack_array(ak.Array([1, 2]))
    with pytest.raises(StorageError, match="format 1 expected, found 7"):
        storage.unpack_array({**packed, "format": 7})
    with pytest.raises(StorageError, match="format 1 expected"):
        storage.unpack_array([1])
    with pytest.raises(StorageError, match="incomplete"):
        storage.unpack_array({**packed, "buffers": {}})


# ---------------------------------------------------------------- folders


def test_a_private_folder_is_the_users_own(tmp_path):
    path = storage.private_folder(tmp_path / "a" / "cache")
    assert path.stat().st_mode & 0o777 == 0o700
    assert storage.private_folder(path) == path
    path.chmod(0o777)
    with pytest.raises(UnsafeContent, match=r"writable by others.*chmod go-w"):
        storage.private_folder(path)
    path.chmod(0o755)
    storage.private_folder(path)


def test_a_private_folder_is_no_link_and_nobody_elses(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafeContent, match="a link or a file"):
        storage.private_folder(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UnsafeContent, match="a link or a file"):
        storage.private_folder(tmp_path / "dangling")
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(UnsafeContent, match="belongs to user id"):
        storage.private_folder(tmp_path / "mine")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "a\0b"])
def test_names_that_leave_their_folder_are_refused(tmp_path, name):
    with pytest.raises(UnsafeContent, match="can't be the name"):
        storage.safe_join(tmp_path, "ok", name)


def test_links_out_of_the_folder_are_refused(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    with pytest.raises(UnsafeContent, match="through a link"):
        storage.safe_join(tmp_path / "root", "out", "x")


@given(
    name=st.text(min_size=1, max_size=10).filter(
        lambda n: n.isprintable() and not set(n) & set("/\\")
    )
)
def test_a_joined_path_stays_below_its_root(name):
    if name in {".", ".."}:
        return
    path = storage.safe_join("/some/root", name)
    assert path.parent == Path("/some/root")
    assert os.path.normpath(path) == str(path)


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    for i in range(4):
        path = tmp_path / f"{i}.pkl"
        path.write_bytes(b"x" * 10)
        os.utime(path, (i, i))
    storage.forget_oldest(tmp_path, 25, keep=[tmp_path / "1.pkl"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pkl", "2.pkl", "3.pkl"]
    storage.mark_used([tmp_path / "2.pkl"])
    storage.forget_oldest(tmp_path, 15)
    assert [path.name for path in tmp_path.iterdir()] == ["2.pkl"]
