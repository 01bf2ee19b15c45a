"""Bundles that were changed: each is refused, and the file is named."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.cli import main
from hepflow.errors import ChecksumError, InputError, StorageError, UnsafeContent
from hepflow.reinterpretation.bundle import contents as contents_module
from hepflow.reinterpretation.bundle import stored_zip, verify, verifying
from hepflow.reinterpretation.bundle.contents import MANIFEST
from hepflow.reinterpretation.bundle.manifest import Manifest
from hepflow.reinterpretation.bundle.stored_zip import zip_pieces
from hepflow.storage import sha256_bytes
from tests.unit.reinterpretation import bundles


@pytest.fixture
def folder(tmp_path) -> Path:
    return bundles.write_folder(tmp_path / "tiny")


@pytest.fixture
def archive(tmp_path) -> Path:
    return bundles.write_zip(tmp_path / "tiny.zip")


def test_a_bundle_as_it_was_written(folder, archive):
    found, zipped = verify(folder), verify(archive)
    assert found.files == tuple(sorted(bundles.FILES))
    assert found.manifest == zipped.manifest == bundles.manifest()
    assert found.digest == zipped.digest == sha256_bytes((folder / MANIFEST).read_bytes())
    assert found.read("README.md") == zipped.read("README.md") == b"# tiny\n"
    verify(folder, digest=found.digest)
    verify(archive, digest=found.digest.upper())


def test_a_manifest_is_the_same_after_it_was_written():
    made = bundles.manifest(luminosity={"2016": 36.3}, analysis="a:B", remarks=("blind",))
    assert Manifest.from_bytes(made.to_bytes(), "test") == made


NAMES = [*bundles.FILES, MANIFEST]


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(NAMES), where=st.floats(0, 1), flip=st.integers(1, 255))
def test_any_changed_byte_of_any_file_is_found(name, where, flip):
    with tempfile.TemporaryDirectory() as place:
        folder = bundles.write_folder(Path(place) / "tiny")
        content = bytearray((folder / name).read_bytes())
        if content:
            content[min(int(where * len(content)), len(content) - 1)] ^= flip
        else:
            content.append(flip)
        (folder / name).write_bytes(content)
        with pytest.raises((ChecksumError, InputError), match=name.replace(".", r"\.")):
            verify(folder)


@settings(max_examples=150, deadline=None)
@given(where=st.floats(0, 1), flip=st.integers(1, 255))
def test_any_changed_byte_of_a_zip_is_found(where, flip):
    with tempfile.TemporaryDirectory() as place:
        archive = bundles.write_zip(Path(place) / "tiny.zip")
        content = bytearray(archive.read_bytes())
        content[min(int(where * len(content)), len(content) - 1)] ^= flip
        archive.write_bytes(content)
        with pytest.raises((StorageError, InputError)):
            verify(archive)


@settings(max_examples=30, deadline=None)
@given(kept=st.floats(0, 0.999))
def test_a_zip_that_is_cut_off_is_found(kept):
    with tempfile.TemporaryDirectory() as place:
        archive = bundles.write_zip(Path(place) / "tiny.zip")
        content = archive.read_bytes()
        archive.write_bytes(content[: int(kept * len(content))])
        with pytest.raises((StorageError, InputError)):
            verify(archive)


def test_a_changed_file_in_a_zip_is_named(archive):
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"x > 1", b"x > 2"))
    with pytest.raises(ChecksumError, match=r"code/tiny_study/cuts\.py"):
        verify(archive)


def test_a_zip_that_was_packed_again(archive, tmp_path):
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
        for one in old.infolist():
            new.writestr(one.filename, old.read(one))
    with pytest.raises(ChecksumError, match="unpack it and verify the folder"):
        verify(tmp_path / "new.zip")


def test_files_that_are_added_or_missing(folder):
    (folder / "code" / "more.py").write_text("")
    with pytest.raises(ChecksumError, match=r"not listed in bundle\.json: code/more\.py"):
        verify(folder)
    (folder / "code" / "more.py").unlink()
    (folder / "README.md").unlink()
    with pytest.raises(ChecksumError, match=r"missing: README\.md"):
        verify(folder)


def test_many_names_are_cut(folder):
    for i in range(30):
        (folder / f"file{i:02}").write_text("")
    with pytest.raises(ChecksumError, match=r"file19, \.\.\."):
        verify(folder)


def test_links_and_devices(folder):
    (folder / "link").symlink_to(folder / "README.md")
    with pytest.raises(UnsafeContent, match="a link"):
        verify(folder)
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnsafeContent, match="no plain file"):
        verify(folder)


def test_a_link_that_takes_the_place_of_a_file(folder, monkeypatch):
    """Between the look at the folder and the reading of the file."""
    before = contents_module._check

    def swap(*args):
        before(*args)
        (folder / "README.md").unlink()
        (folder / "README.md").symlink_to("/etc/hostname")

    monkeypatch.setattr(contents_module, "_check", swap)
    with pytest.raises(StorageError):
        verify(folder)


@pytest.mark.parametrize(
    "name", ["../up.py", "/etc/passwd", "a/../../b", "a//b", "a\\b", "a\u202eb"]
)
def test_names_that_lead_elsewhere(name, tmp_path):
    files = {**bundles.FILES, name: b""}
    entries = {**files, MANIFEST: bundles.manifest(files).to_bytes()}
    path = tmp_path / "bad.zip"
    path.write_bytes(b"".join(zip_pieces(sorted(entries.items()))))
    with pytest.raises(UnsafeContent):
        verify(path)
    folder = bundles.write_folder(
        tmp_path / "listed", digests={**bundles.manifest().digests, name: ""}
    )
    with pytest.raises(UnsafeContent):
        verify(folder)


def test_links_repetitions_and_folders_in_a_zip(tmp_path):
    entries = {**bundles.FILES, MANIFEST: bundles.manifest().to_bytes()}
    for kind in ("link", "twice", "case", "folder"):
        path = tmp_path / f"{kind}.zip"
        with zipfile.ZipFile(path, "w") as made:
            for name, content in entries.items():
                made.writestr(name, content)
            if kind == "link":
                info = zipfile.ZipInfo("l")
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                made.writestr(info, "/etc/passwd")
            elif kind == "twice":
                with pytest.warns(UserWarning, match="Duplicate"):
                    made.writestr("README.md", "other")
            elif kind == "case":
                made.writestr("readme.MD", "")
            else:
                made.writestr("empty/", "")
        with pytest.raises(UnsafeContent):
            verify(path)


def test_code_is_python_source(tmp_path):
    files = {**bundles.FILES, "code/tiny_study/cuts.pyc": b"\0"}
    with pytest.raises(UnsafeContent, match="no Python source"):
        verify(bundles.write_folder(tmp_path / "compiled", files))


def test_sizes_are_bounded(folder, archive, monkeypatch):
    monkeypatch.setattr(contents_module, "MAX_BYTES", 10)
    for one in (folder, archive):
        with pytest.raises(UnsafeContent, match="at most"):
            verify(one)
    monkeypatch.undo()
    monkeypatch.setattr(verifying, "_LARGEST", 10)
    with pytest.raises(UnsafeContent, match="more than 10 bytes"):
        verify(folder)


def test_what_no_zip_holds(monkeypatch):
    monkeypatch.setattr(stored_zip, "_LARGEST", 150)
    with pytest.raises(StorageError, match="too large"):
        list(zip_pieces([("a", b"x" * 200)]))
    with pytest.raises(StorageError, match="too large"):
        list(zip_pieces([("a", b"x" * 60), ("b", b"")]))


def test_a_zip_is_always_the_same_and_others_read_it(archive, tmp_path):
    again = bundles.write_zip(tmp_path / "again.zip")
    assert again.read_bytes() == archive.read_bytes()
    with zipfile.ZipFile(archive) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in bundles.FILES} == bundles.FILES
        assert {one.date_time for one in found.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_another_bundle(folder):
    with pytest.raises(ChecksumError, match="another bundle"):
        verify(folder, digest="0" * 64)


def test_what_is_no_bundle(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("a")
    (tmp_path / "text.zip").write_text("a")
    with pytest.raises(InputError, match="does not exist"):
        verify(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"no bundle\.json"):
        verify(tmp_path / "empty")
    with pytest.raises(InputError, match="is no bundle"):
        verify(tmp_path / "text.txt")
    with pytest.raises(ChecksumError, match="no zip file"):
        verify(tmp_path / "text.zip")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not that of a bundle"),
        ({"version": 2}, "version '2'"),
        ({"poi": None, "digest": None}, "not as `hepflow preserve` writes it"),
        ({"functions": {"a": 1}, "digest": None}, "not as `hepflow preserve` writes it"),
    ],
)
def test_manifests_of_others(change, message, folder):
    content = {**json.loads((folder / MANIFEST).read_text()), **change}
    if change.get("digest", "") is None:
        del content["digest"]
        content["digest"] = sha256_bytes(text(content))
    (folder / MANIFEST).write_bytes(text(content))
    with pytest.raises(InputError, match=message):
        verify(folder)


def text(content) -> bytes:
    return (json.dumps(content, sort_keys=True, indent=1) + "\n").encode()


def test_reading_a_file_that_changed_since(folder):
    found = verify(folder)
    with pytest.raises(InputError, match="no 'other'"):
        found.read("other")
    (folder / "README.md").write_text("changed")
    with pytest.raises(ChecksumError, match=r"README\.md was changed"):
        found.read("README.md")


def test_the_command(folder, tmp_path, capsys):
    digest = verify(folder).digest
    assert main(["verify", str(folder), "--json", str(tmp_path / "found.json")]) == 0
    assert digest in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["digest"], found["digest_given"]) == (digest, False)
    assert main(["verify", str(folder), "--digest", digest]) == 0
    assert main(["verify", str(folder), "--digest", "1" * 64]) == 1
    shutil.copytree(folder, tmp_path / "bad")
    (tmp_path / "bad" / "code" / "tiny_study" / "cuts.py").write_text("x")
    assert main(["verify", str(tmp_path / "bad")]) == 1
    assert "code/tiny_study/cuts.py" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == 2
