"""Parts that someone else wrote, with a right checksum: refused, and nothing in them is run."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from hepflow import storage
from hepflow.errors import StorageError, UnsafeContent

from .confined import confined

START = b"\x80\x05"


def signed(path: Path, content: bytes) -> Path:
    """Write a part as anybody can who knows the format."""
    path.write_bytes(content + b"HEPFLOW1" + hashlib.sha256(content).digest())
    return path


def text(value: str) -> bytes:
    """Opcode of a short text."""
    encoded = value.encode()
    return b"\x8c" + bytes([len(encoded)]) + encoded


def in_a_dict(value: bytes) -> bytes:
    """Pickle of ``{"x": value}``, of opcodes for the value."""
    return START + b"}" + text("x") + value + b"s."


class Call:
    """Is a call when it is loaded."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_command_in_a_part_is_not_run(tmp_path, protocol):
    mark = tmp_path / "mark"
    content = pickle.dumps({"x": Call(os.system, f"touch {mark}")}, protocol=protocol)
    with pytest.raises(StorageError):
        storage.read_part(signed(tmp_path / "part.pkl", content))
    assert not mark.exists()
    pickle.loads(content)  # the same with pickle: the test can fail
    assert mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        b"cbuiltins\neval\n",
        text("builtins") + text("eval") + b"\x93",
        text("numpy") + text("load") + b"\x93",
        text("hepflow.storage.parts") + text("_PlainUnpickler.find_class") + b"\x93",
        text("numpy.core.multiarray") + text("_reconstruct") + b"\x93",
    ],
)
def test_what_is_not_on_the_list_is_refused_by_name(tmp_path, name):
    call = name + text("1") + b"\x85R"
    with pytest.raises(UnsafeContent, match="not admitted") as caught:
        storage.read_part(signed(tmp_path / "part.pkl", in_a_dict(call)))
    assert str(tmp_path / "part.pkl") in caught.value.__notes__[0]


FROMBUFFER = text("numpy._core.numeric") + text("_frombuffer") + b"\x93"
SCALAR = text("numpy._core.multiarray") + text("scalar") + b"\x93"
DTYPE = text("numpy") + text("dtype") + b"\x93"


def dtype(name: str) -> bytes:
    """Opcodes of a type of elements."""
    return DTYPE + text(name) + b"\x89\x88\x87R"


def array(data: bytes, kind: bytes, shape: bytes) -> bytes:
    """Opcodes of an array."""
    return FROMBUFFER + b"(" + data + kind + shape + text("C") + b"tR"


EIGHT = b"C\x08" + b"\x01" * 8
HUGE = b"\x8a\x08" + (2**62).to_bytes(8, "little")


@pytest.mark.parametrize(
    "value",
    [
        array(EIGHT, dtype("O8"), b"K\x01\x85"),
        array(EIGHT, dtype("V8"), b"K\x01\x85"),
        array(EIGHT, dtype("f8"), HUGE + b"\x85"),
        array(EIGHT, dtype("f8"), HUGE + HUGE + b"\x86"),
        array(EIGHT, dtype("f8"), b"J\xff\xff\xff\xff" + b"K\x02\x86"),
        array(EIGHT, dtype("U999999999999"), b"K\x01\x85"),
        array(EIGHT, dtype("f9"), b"K\x01\x85"),
        array(EIGHT, dtype("i" + "9" * 38), b"K\x01\x85"),
        array(text("text"), dtype("f8"), b"K\x01\x85"),
        array(EIGHT, b"N", b"K\x01\x85"),
        array(EIGHT, EIGHT, b"K\x01\x85"),
        array(EIGHT, DTYPE + b"]" + b"\x85R", b"K\x01\x85"),
        SCALAR + dtype("O8") + EIGHT + b"\x86R",
        SCALAR + dtype("f8") + b"C\x00" + b"\x86R",
        array(EIGHT, dtype("f8") + b"(K\x03]tb", b"K\x01\x85"),
        array(EIGHT, dtype("f8") + b")b", b"K\x01\x85"),
    ],
)
def test_arrays_that_are_none_are_refused(tmp_path, value):
    with confined(), pytest.raises(StorageError) as caught:
        storage.read_part(signed(tmp_path / "part.pkl", in_a_dict(value)))
    assert "part.pkl" in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def length(opcode: bytes, value: int, width: int) -> bytes:
    """Opcode that says how many bytes follow."""
    return opcode + value.to_bytes(width, "little")


@pytest.mark.parametrize(
    "content",
    [
        START + length(b"\x95", 2**63, 8) + b"}.",
        START + length(b"\x95", 2**40, 8) + b"}.",
        in_a_dict(length(b"\x8e", 2**62, 8)),
        in_a_dict(length(b"\x8e", 2**36, 8)),
        in_a_dict(length(b"\x96", 2**63 + 1, 8)),
        in_a_dict(length(b"\x96", 2**36, 8)),
        in_a_dict(length(b"\x8d", 2**36, 8)),
        in_a_dict(length(b"B", 2**32 - 1, 4)),
        in_a_dict(length(b"X", 2**32 - 1, 4)),
        in_a_dict(length(b"\x8b", 2**31 - 1, 4)),
        in_a_dict(b"\x8a\xff"),
        in_a_dict(b"N" + length(b"r", 2**32 - 1, 4)),
        in_a_dict(b"N" + b"p4000000000\n"),
        in_a_dict(b"h\x07"),
        in_a_dict(b"\x82\x01"),
        in_a_dict(b"\x97"),
        in_a_dict(b"Pname\n"),
        in_a_dict(b"I" + b"9" * 100_000 + b"\n"),
        START + b"s.",
        START + b"u.",
        START + b"}" + text("x") + b".",
        START + b"(}.",
        START + b"}",
        b"",
        b".",
    ],
)
def test_absurd_sizes_and_broken_pickles_take_no_memory(tmp_path, content):
    with confined(), pytest.raises(StorageError, match=r"part\.pkl"):
        storage.read_part(signed(tmp_path / "part.pkl", content))


NESTED = b")" + b"\x85" * 1_000_000  # a tuple in a tuple in ...
DOUBLED = (
    b")" + b"\x94" + b"".join((b"h" + bytes([i])) * 2 + b"\x86" + b"\x94" + b"0" for i in range(60))
)


@pytest.mark.parametrize(
    "content",
    [
        START + b"}" + NESTED + b"Ns.",  # hashing it would overflow the stack
        START + b"}" + DOUBLED.removesuffix(b"0") + b"Ns.",  # ... or take 2^60 steps
        in_a_dict(NESTED),
        in_a_dict(b"]\x94" + b"".join(b"]\x94(h%ch%ce" % (i, i) for i in range(60))),
        in_a_dict(b"]\x94h\x00a"),  # holds itself
        in_a_dict(b"]" * 200_000 + b"a" * 199_999),
    ],
    ids=["key_deep", "key_doubled", "deep", "doubled", "cycle", "lists"],
)
def test_a_few_bytes_do_not_expand_to_anything(tmp_path, content):
    path = signed(tmp_path / "part.pkl", content)
    with confined():
        try:
            found = storage.read_part(path)
        except StorageError:
            return
    assert list(found) == ["x"]  # lists in lists: as deep as the file is long, and harmless


def test_what_is_written_is_read_and_the_rest_is_refused_at_writing(tmp_path):
    shared = [1, 2]
    with pytest.raises(StorageError, match=r"holds a container twice.*Copy it"):
        storage.write_part(tmp_path / "part.pkl", {"a": shared, "b": shared})
    assert not list(tmp_path.iterdir())
    one = np.arange(3)
    storage.write_part(tmp_path / "part.pkl", {"a": one, "b": one, "c": [1, 2], "d": (1, 2)})
    assert storage.read_part(tmp_path / "part.pkl")["b"].tolist() == [0, 1, 2]


def test_bytes_behind_the_end_are_refused(tmp_path):
    content = pickle.dumps({"a": 1}, protocol=5)
    assert storage.read_part(signed(tmp_path / "part.pkl", content)) == {"a": 1}
    with pytest.raises(StorageError, match="7 bytes follow its end"):
        storage.read_part(signed(tmp_path / "part.pkl", content + b"garbage"))


@pytest.mark.parametrize("attribute", ["__defaults__", "__kwdefaults__"])
def test_a_pickle_cannot_change_the_functions_that_it_may_call(tmp_path, attribute):
    state = b"(N}" + text(attribute) + b")st"
    with pytest.raises(StorageError, match="sets attributes"):
        storage.read_part(signed(tmp_path / "part.pkl", in_a_dict(FROMBUFFER + state + b"b")))


# -- events: the lists of an array -------------------------------------------------------


def container() -> dict[str, Any]:
    """Container of 100 events with lists of numbers."""
    counts = np.arange(100) % 4
    lists = ak.unflatten(np.arange(counts.sum(), dtype=np.float32), counts)
    return storage.pack_array(ak.Array({"Muon": ak.zip({"pt": lists}), "run": np.arange(100)}))


def offsets_of(packed: dict[str, Any]) -> tuple[str, np.ndarray]:
    name = next(name for name in packed["buffers"] if name.endswith("offsets"))
    return name, packed["buffers"][name].copy()


@pytest.mark.parametrize(
    "change",
    [
        lambda offsets: offsets.__setitem__(50, 2**40),
        lambda offsets: offsets.__setitem__(-1, 2**40),
        lambda offsets: offsets.__setitem__(-1, -1),
        lambda offsets: offsets.__setitem__(0, -5),
        lambda offsets: offsets.__setitem__(slice(None), offsets[::-1].copy()),
    ],
)
def test_offsets_out_of_the_content_are_refused(tmp_path, change):
    packed = container()
    name, offsets = offsets_of(packed)
    assert storage.unpack_array(packed).Muon.pt[3].tolist() == [3.0, 4.0, 5.0]
    change(offsets)
    packed["buffers"][name] = offsets
    path = tmp_path / "part.pkl"
    storage.write_part(path, {"events": packed})
    with confined(), pytest.raises(StorageError, match="array container is incomplete"):
        storage.unpack_array(storage.read_part(path)["events"])


@pytest.mark.parametrize(
    "change",
    [
        {"length": -1},
        {"length": 2**62},
        {"length": "many"},
        {"length": None},
        {"form": "[" * 100_000},
        {"form": '{"class": "ListArray", "content": ' * 5_000},
        {"form": None},
        {"form": '{"class": "Nothing"}'},
        {"form": '{"class": "RecordArray", "fields": [], "contents": []}', "length": 2**60},
        {"form": '{"class": "RegularArray", "size": 0, "content": "int64"}', "length": 2**60},
        {"form": '{"class": "NumpyArray", "primitive": "object", "form_key": "a"}'},
        {"buffers": None},
        {"buffers": {"a": "text"}},
        {"buffers": {"a": np.zeros((2, 2))}},
        {"format": [[]]},
    ],
)
def test_containers_that_make_no_sense_are_refused(change):
    with confined(), pytest.raises(StorageError, match="array container"):
        storage.unpack_array({**container(), **change})


@pytest.mark.parametrize(
    "layout",
    [
        ak.contents.IndexedArray(ak.index.Index64(np.array([0, 9])), ak.contents.NumpyArray([1.0])),
        ak.contents.ListArray(
            ak.index.Index64(np.array([0, 5])),
            ak.index.Index64(np.array([1, 2**40])),
            ak.contents.NumpyArray(np.arange(3)),
        ),
        ak.contents.IndexedOptionArray(
            ak.index.Index64(np.array([0, 2**40])), ak.contents.NumpyArray([1.0])
        ),
    ],
)
def test_other_layouts_are_looked_at_as_well(layout):
    with pytest.raises(ValueError, match=r"\w"):
        storage.check_layout(layout, 100)


def test_any_changed_byte_of_a_signed_part_is_survived(tmp_path):
    path = tmp_path / "part.pkl"
    storage.write_part(path, {"events": container()})
    content = path.read_bytes()[:-40]
    random = np.random.default_rng(4)
    refused = 0
    for place in random.integers(0, len(content), 150):
        changed = bytearray(content)
        changed[place : place + 4] = struct.pack("<I", random.integers(0, 2**32))[
            : len(content) - place
        ]
        try:
            with confined():
                events = storage.unpack_array(
                    storage.read_part(signed(path, bytes(changed)))["events"]
                )
                ak.sum(ak.to_packed(events)[events.fields[0]], axis=None) if events.fields else None
        except (StorageError, KeyError):
            refused += 1
        except TypeError:  # a field of another name or type than pt
            continue
    assert refused > 30
