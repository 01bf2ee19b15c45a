"""ROOT files that lie about themselves: refused with one error, without filling the memory."""

from __future__ import annotations

import lzma
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import awkward as ak
import cramjam
import numpy as np
import pytest
import uproot

from hepflow.errors import HepflowError, InputError, MissingTree, UnreadableFile
from hepflow.events import open_tree
from hepflow.events.decompression import bound_decompression
from hepflow.metadata_extractor.files import FileTask, inspect_file

from .confined import confined

NAMES = ("run", "met", "nMuon", "Muon_pt")
COUNTS = (np.arange(300) % 4).astype(np.int32)


def write(path: Path, compression: Any = None) -> Path:
    """Write 300 events in two baskets, and a folder beside them."""
    lists = ak.unflatten(np.arange(COUNTS.sum(), dtype=np.float32), COUNTS)
    columns = {
        "run": np.arange(300, dtype=np.uint32),
        "met": np.linspace(0, 1, 300),
        "Muon_pt": lists,
    }
    types = {"run": np.uint32, "met": np.float64, "Muon_pt": "var * float32"}
    with uproot.recreate(path, compression=compression) as file:
        file.mktree("Events", types, counter_name=lambda _: "nMuon")
        for part in (slice(0, 150), slice(150, 300)):
            events = {name: values[part] for name, values in columns.items()}
            file["Events"].extend({"nMuon": COUNTS[part], **events})
        file.mkdir("sub")["note"] = "text"
    return path


def read(path: Path, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """Read all events, and do with them what selections do."""
    file = open_tree(str(path), "Events")
    found = file.read([name for name in names if name in file.names], 0, file.num_entries)
    for values in found.values():
        with np.errstate(all="ignore"):  # what lies beside the lists may be any number
            ak.sum(ak.to_packed(values))
            ak.fill_none(ak.firsts(values), 0.0) if values.ndim > 1 else None
    return found


def replaced(path: Path, old: bytes, new: bytes, *, which: int | None = None) -> int:
    """Put other bytes in place of some, all of them or one; return how many there were."""
    content = path.read_bytes()
    places = [found.start() for found in re.finditer(re.escape(old), content)]
    for i, place in enumerate(places):
        if which in {None, i}:
            content = content[:place] + new + content[place + len(new) :]
    path.write_bytes(content)
    return len(places)


def test_the_files_are_right_before_they_are_changed(tmp_path):
    for compression in (None, uproot.ZLIB(1), uproot.ZSTD(1), uproot.LZMA(1), uproot.LZ4(1)):
        found = read(write(tmp_path / "a.root", compression))
        assert ak.num(found["Muon_pt"]).tolist() == COUNTS.tolist() == found["nMuon"].tolist()


@pytest.mark.parametrize("entries", [-1, -300, 10**6, 10**9, 10**15, 2**62])
def test_absurd_numbers_of_events(tmp_path, entries):
    path = write(tmp_path / "a.root")
    places = replaced(path, struct.pack(">q", 300), struct.pack(">q", 300))
    for which in range(places):  # in the tree, or in one of its branches
        write(path)
        replaced(path, struct.pack(">q", 300), struct.pack(">q", entries), which=which)
        with confined():
            try:
                found = read(path)
            except UnreadableFile:
                continue
        assert all(len(values) == 300 for values in found.values())  # a number that nobody uses


@pytest.mark.parametrize("entries", [-1, 10**6, 10**9, 10**15, 2**62])
@pytest.mark.parametrize("weight", ["met", None])
def test_absurd_numbers_of_events_that_agree_with_each_other(tmp_path, entries, weight):
    path = write(tmp_path / "a.root")
    replaced(path, struct.pack(">q", 300), struct.pack(">q", entries))
    task = FileTask("mc", str(path), "Events", weight, 100_000)
    with confined():
        try:
            info = inspect_file(task)
        except UnreadableFile:
            return
        assert weight is None  # nothing was read yet
        assert len(info.steps) < 100_000
        with pytest.raises(UnreadableFile):
            open_tree(str(path), "Events").read(["met"], 0, 100_000)


def key_of(path: Path, what: str) -> bytes:
    """First bytes of the key of the tree, or of a basket: its sizes."""
    with uproot.open(path) as file:
        key = file.key("Events;1") if what == "tree" else file["Events"]["met"].basket_key(0)
        return struct.pack(">ihi", key.fNbytes, key.fVersion, key.fObjlen)


@pytest.mark.parametrize("what", ["tree", "basket"])
@pytest.mark.parametrize("compression", [None, uproot.ZLIB(1)])
@pytest.mark.parametrize(
    ("bytes_", "objlen"), [(2**31 - 1, None), (None, 2**31 - 1), (-1, None), (None, -1), (0, 0)]
)
def test_absurd_sizes_in_a_key(tmp_path, what, compression, bytes_, objlen):
    path = write(tmp_path / "a.root", compression)
    old = key_of(path, what)
    nbytes, version, size = struct.unpack(">ihi", old)
    new = (nbytes if bytes_ is None else bytes_, version, size if objlen is None else objlen)
    assert replaced(path, old, struct.pack(">ihi", *new))
    with confined():
        try:
            found = read(path)
        except InputError:
            return
    assert found["met"].tolist() == np.linspace(0, 1, 300).tolist()  # a size that nobody uses


def bombs() -> dict[str, tuple[bytes, bytes]]:
    """First bytes of a block and what follows them: a few bytes that hold 2 GiB of zeros."""
    flush = zlib.compressobj(9)
    head = flush.compress(bytes(1 << 20)) + flush.flush(zlib.Z_FULL_FLUSH)
    again = flush.compress(bytes(1 << 20)) + flush.flush(zlib.Z_FULL_FLUSH)
    zeros = bytes(cramjam.zstd.compress(bytes(1 << 28)))
    return {
        "zlib": (b"ZL\x08", head + again * 2047),
        "zstd": (b"ZS\x01", zeros * 8),  # frames behind each other are one stream
    }


@pytest.mark.parametrize("kind", ["zlib", "zstd"])
def test_a_block_that_holds_more_than_it_says(tmp_path, kind):
    first, bomb = bombs()[kind]
    path = tmp_path / "a.root"
    compression = {"zlib": uproot.ZLIB(1), "zstd": uproot.ZSTD(1)}[kind]
    numbers = np.random.default_rng(1).normal(size=400_000)
    with uproot.recreate(path, compression=compression) as file:
        file.mktree("Events", {"x": np.float64})
        file["Events"].extend({"x": numbers})
    content = bytearray(path.read_bytes())
    with uproot.open(path) as file:
        key = file["Events"]["x"].basket_key(0)
        assert key.fObjlen > len(bomb)
        place = key.fSeekKey + key.fKeylen
    assert content[place : place + 3] == first
    content[place + 9 : place + 9 + len(bomb)] = bomb
    path.write_bytes(content)
    if kind == "zlib":  # without protection; the other library would end this program
        with confined(), pytest.raises(MemoryError):
            uproot.compression._DecompressZLIB().decompress(bomb, 1000)
    with confined(), pytest.raises(UnreadableFile, match=r"a\.root, entries 0 to 10"):
        open_tree(str(path), "Events").read(["x"], 0, 10)


@pytest.mark.parametrize("kind", ["zlib", "lzma", "zstd"])
def test_blocks_of_another_size_than_they_say_are_refused(kind):
    bound_decompression()
    content = bytes(range(256)) * 40
    packed = {
        "zlib": zlib.compress(content),
        "lzma": lzma.compress(content),
        "zstd": bytes(cramjam.zstd.compress(content)),
    }[kind]
    codec = getattr(uproot.compression, f"_decompress_{kind.upper()}")
    assert bytes(codec.decompress(packed, len(content))) == content
    with pytest.raises(ValueError, match=f"a block of {len(content) - 1} bytes cannot"):
        codec.decompress(packed, len(content) - 1)
    if kind == "zstd":  # ROOT writes no checksum
        return
    with pytest.raises(ValueError, match="cannot be decompressed"):
        codec.decompress(packed[:40] + b"?" + packed[41:], len(content))


@pytest.mark.parametrize("first", [0, 70, 299])
@pytest.mark.parametrize("value", [-1, 2**31 - 1, 10_000])
def test_offsets_of_lists_that_point_elsewhere(tmp_path, first, value):
    path = write(tmp_path / "a.root")
    with uproot.open(path) as file:
        basket = file["Events"]["Muon_pt"].basket(first // 150)
        offsets = (
            np.asarray(basket.byte_offsets, dtype=np.int64)
            + file["Events"]["Muon_pt"].basket_key(first // 150).fKeylen
        )
    old = offsets[:-1].astype(">i4")
    new = old.copy()
    new[first % 150] = value
    assert replaced(path, old.tobytes(), new.tobytes()) == 1
    with confined():
        try:
            found = read(path)
        except UnreadableFile as error:
            assert "entries 0 to 300" in str(error)  # noqa: PT017 - it may also be right
            return
    assert first == 0  # nothing lies before the first list
    assert value == -1
    assert ak.num(found["Muon_pt"])[1:].tolist() == COUNTS[1:].tolist()


def test_counts_that_are_not_those_of_the_lists_change_no_list(tmp_path):
    path = write(tmp_path / "a.root")
    absurd = np.full(150, 2**31 - 1, dtype=">i4").tobytes()
    assert replaced(path, COUNTS[:150].astype(">i4").tobytes(), absurd) == 1
    with confined():
        found = read(path)
    assert ak.num(found["Muon_pt"]).tolist() == COUNTS.tolist()


def test_a_folder_that_is_in_itself(tmp_path):
    path = write(tmp_path / "a.root")
    with uproot.open(path) as file:
        outer, inner = file.fSeekKeys, file["sub"].fSeekKeys
    assert replaced(path, struct.pack(">i", inner), struct.pack(">i", outer))
    with confined(), pytest.raises(InputError, match=r"a\.root"):
        read(path)


@pytest.mark.parametrize(
    "name", ["Events/met", "sub/note", "../Events", "sub", "Events;9", "/", "", "a" * 9999]
)
def test_names_of_trees_that_are_paths(tmp_path, name):
    with pytest.raises((MissingTree, UnreadableFile), match=r"a\.root"):
        open_tree(str(write(tmp_path / "a.root")), name)


def test_a_list_of_classes_that_is_cut(tmp_path):
    path = write(tmp_path / "a.root")
    with uproot.open(path) as file:
        place, size = file.file.fSeekInfo, file.file.fNbytesInfo
    content = bytearray(path.read_bytes())
    content[place + size // 2 : place + size] = bytes(size - size // 2)
    path.write_bytes(content)
    with confined():
        try:
            found = read(path)
        except InputError:
            return
    assert found["nMuon"].tolist() == COUNTS.tolist()  # uproot knows these classes by itself


def test_a_file_that_shrinks_while_it_is_open(tmp_path):
    path = write(tmp_path / "a.root", uproot.ZLIB(1))
    file = open_tree(str(path), "Events")
    os.truncate(path, 300)
    with pytest.raises(UnreadableFile, match="corrupted"):
        file.read(["met"], 0, 300)


def test_a_file_that_grows_has_the_events_of_its_header(tmp_path):
    path = write(tmp_path / "a.root", uproot.ZLIB(1))
    file = open_tree(str(path), "Events")
    with path.open("ab") as more:
        more.write(bytes(100_000))
    assert len(file.read(["met"], 0, 300)["met"]) == len(read(path)["met"]) == 300


@pytest.mark.parametrize("compression", [None, uproot.ZLIB(1), uproot.ZSTD(1), uproot.LZ4(1)])
def test_any_changed_bytes_give_events_or_one_error(tmp_path, compression):
    path = write(tmp_path / "a.root", compression)
    content = path.read_bytes()
    random = np.random.default_rng(7)
    told = []
    for place in random.integers(0, len(content), 60):
        changed = bytearray(content)
        changed[place : place + 4] = random.choice(
            [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"]
        )
        path.write_bytes(changed[: len(content)])
        try:
            with confined():
                read(path)
        except HepflowError as error:
            told.append(str(error))
    assert len(told) > 5
    assert all(str(path) in one for one in told)


def test_names_of_members_are_no_code():
    # uproot writes Python classes from the list of classes in a file, and runs them
    evil = "x'];{__import__('os').system('false')};\"\\"
    from uproot.streamers import _sanitize_string

    assert "{__import__" not in _sanitize_string(evil).replace("{{", "")
    source = Path(uproot.streamers.__file__).read_text(encoding="utf-8")
    assert "{self.name}'" not in source.replace("of type {self.typename} in member", "")
