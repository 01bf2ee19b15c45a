"""Zip files of others: looked through before anything in them is read."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hepflow.errors import UnsafeContent, WorkspaceError
from hepflow.importers.cabinetry_templates import folder_reader
from hepflow.storage import open_zip

from .confined import confined


def write(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """Write a zip file of these entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    """Entry that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_a_good_one_is_opened(tmp_path):
    with open_zip(
        write(tmp_path / "a.zip", ("a/b.json", b"{}"), ("..c", b""), ("d..", b""))
    ) as archive:
        assert archive.read("a/b.json") == b"{}"
        assert archive.open("a/b.json").read() == b"{}"
        with pytest.raises(ValueError, match="opened for reading"):
            archive.open("a/b.json", "w")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "..\\x",
        "\\x",
        "C:x",
        "C:\\x",
        "..",
        "a/..",
        "a\0b",
        "folder/",
    ],
)
def test_names_that_lead_elsewhere(tmp_path, name):
    info = zipfile.ZipInfo("name")
    info.filename = info.orig_filename = name  # the library would mend some of them
    path = write(tmp_path / "a.zip", ("good", b""), (info, b"x" if name != "folder/" else b""))
    if "\0" in name:  # nor is such a name written
        content = path.read_bytes().replace(b"a", b"a")
        path.write_bytes(content.replace(b"\0b", b"\0b"))
    with pytest.raises(UnsafeContent, match=r"leads out of its folder|is a folder") as caught:
        open_zip(path)
    assert "a.zip" in str(caught.value)


def test_links_and_repeated_names(tmp_path):
    with pytest.raises(UnsafeContent, match="'a' of the zip file is a link"):
        open_zip(write(tmp_path / "a.zip", (link("a"), b"/etc/passwd")))
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write(tmp_path / "b.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(UnsafeContent, match="'a' of the zip file is there 2 times"):
        open_zip(path)


def patched(path: Path, change: Callable[[bytearray, int, int], None]) -> Path:
    """Change the headers of the first entry, local and central."""
    content = bytearray(path.read_bytes())
    change(content, content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02"))
    path.write_bytes(content)
    return path


def encrypted(content: bytearray, local: int, central: int) -> None:
    """Set the flag of encryption."""
    content[local + 6] |= 1
    content[central + 8] |= 1


def other_method(content: bytearray, local: int, central: int) -> None:
    """Say that it is compressed in another way."""
    content[local + 8] = content[central + 10] = 99


def absurd_size(content: bytearray, local: int, central: int) -> None:
    """Say that 4 GB less two bytes come out."""
    content[local + 22 : local + 26] = content[central + 24 : central + 28] = b"\xfe\xff\xff\xff"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (encrypted, "is encrypted"),
        (other_method, "compressed by the method 99"),
        (absurd_size, "holds 4294967294 bytes"),
    ],
)
def test_entries_that_are_not_read(tmp_path, change, why):
    path = patched(write(tmp_path / "a.zip", ("a", b"x" * 100)), change)
    with pytest.raises(UnsafeContent, match=why):
        open_zip(path, max_bytes=1 << 30)


def test_bombs(tmp_path):
    path = write(tmp_path / "a.zip", *((f"{i}", bytes(1 << 24)) for i in range(8)))
    assert path.stat().st_size < 200_000
    with confined(), pytest.raises(UnsafeContent, match="holds 134217728 bytes; at most 67108864"):
        open_zip(path, max_bytes=1 << 26)
    # An entry that says less than it holds gives no more than it says.
    path = write(tmp_path / "b.zip", ("a", bytes(1 << 26)))

    def small(content: bytearray, local: int, central: int) -> None:
        content[local + 22 : local + 26] = content[central + 24 : central + 28] = struct.pack(
            "<I", 10
        )

    with (
        confined(1 << 26),
        open_zip(patched(path, small)) as archive,
        pytest.raises(zipfile.BadZipFile),
    ):
        archive.read("a")


def test_one_in_another_is_not_looked_into(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(1 << 24))
    with (
        confined(),
        open_zip(write(tmp_path / "a.zip", ("inner.zip", inner.getvalue()))) as archive,
    ):
        assert len(archive.read("inner.zip")) < 100_000


def test_too_many_entries(tmp_path, monkeypatch):
    monkeypatch.setattr("hepflow.storage.archives.MAX_ENTRIES", 10)
    with pytest.raises(UnsafeContent, match="11 entries; at most 10"):
        open_zip(write(tmp_path / "a.zip", *((str(i), b"") for i in range(11))))


# -- histograms of cabinetry -------------------------------------------------------------


def read_template(folder: Path) -> object:
    return folder_reader(folder)({"Name": "SR"}, {"Name": "tt"}, {}, "")


def test_a_template_of_cabinetry_is_read(tmp_path):
    np.savez(tmp_path / "SR_tt.npz", bins=[0.0, 1.0], yields=[2.0], stdev=[1.0])
    assert read_template(tmp_path).edges == (0.0, 1.0)


def npy(header: str, data: bytes = b"") -> bytes:
    """Content of an entry of numpy's."""
    text = header.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        npy(
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cposix\nsystem\n(S'x'\ntR."
        ),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': 'x'}"),
        npy("__import__('os').system('true')"),
        npy("(" * 100),
        b"\x93NUMPY\x01\x00\xff\xff",
        json.dumps({}).encode(),
    ],
)
def test_templates_that_are_none(tmp_path, content):
    good = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", bytes(16))
    for name in ("bins", "yields"):
        write(
            tmp_path / "SR_tt.npz",
            *((f"{one}.npy", good) for one in ("stdev", "yields", "bins") if one != name),
            (f"{name}.npy", content),
        )
        with confined(), pytest.raises(WorkspaceError, match=r"SR_tt\.npz is not a histogram"):
            read_template(tmp_path)
