"""What is no file is refused at once: a named pipe would be waited for, a device never ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hepflow import storage
from hepflow.corrections.files import open_correction
from hepflow.errors import HepflowError, StorageError, UnsafeContent
from hepflow.events import open_tree
from hepflow.importers import from_cabinetry, load_stored
from hepflow.importers.cabinetry_templates import folder_reader
from hepflow.lumi_mask import load_certified

from .confined import confined


@pytest.fixture(params=["pipe", "device", "socket", "folder", "broken link", "link to a pipe"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A path that is no file."""
    path = tmp_path / "x"
    if request.param in {"pipe", "link to a pipe"}:
        target = path if request.param == "pipe" else tmp_path / "pipe"
        os.mkfifo(target)
        if target != path:
            path.symlink_to(target)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "broken link":
        path.symlink_to(tmp_path / "nothing")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(tmp_path)  # names of sockets are short
            server.bind("x")
            yield path
        return
    yield path


READERS: dict[str, Callable[[Path], Any]] = {
    "events": lambda path: open_tree(str(path), "Events"),
    "part": storage.read_part,
    "json": lambda path: storage.read_json(path, "the step"),
    "digest": storage.sha256_file,
    "yaml": storage.read_yaml,
    "correction": lambda path: open_correction(str(path), "key", ""),
    "certified runs": lambda path: load_certified(str(path), ""),
    "stored histograms": load_stored,
    "cabinetry": lambda path: from_cabinetry(path, luminosity=1.0),
    "cabinetry histogram": lambda path: folder_reader(path.parent)(
        {"Name": "a"}, {"Name": "b"}, {}, ""
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once(place, reader, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if reader == "cabinetry histogram":
        place = place.rename(place.with_name("a_b.npz"))
    with confined(seconds=5), pytest.raises(HepflowError) as caught:
        READERS[reader](place)
    assert place.name in str(caught.value)


def test_a_zip_file_that_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "x.zip")
    with confined(seconds=5), pytest.raises(UnsafeContent, match=r"x\.zip is a named pipe"):
        storage.open_zip(tmp_path / "x.zip")


def test_a_listing_of_files_that_are_none(tmp_path):
    from hepflow.file_lists import find_files

    os.mkfifo(tmp_path / "pipe.root")
    os.mkfifo(tmp_path / "list.txt")
    (tmp_path / "good.txt").write_text("pipe.root\n")
    with confined(seconds=5):
        for name in ("list.txt", "good.txt", "pipe.root"):
            with pytest.raises(HepflowError, match=r"pipe\.root|list\.txt"):
                find_files("data", files=[str(tmp_path / name)])


def test_a_part_that_is_a_link_is_read_and_never_written_through(tmp_path):
    storage.write_part(tmp_path / "real.pkl", {"a": 1})
    before = (tmp_path / "real.pkl").read_bytes()
    (tmp_path / "link.pkl").symlink_to("real.pkl")
    assert storage.read_part(tmp_path / "link.pkl") == {"a": 1}
    storage.write_part(tmp_path / "link.pkl", {"a": 2})
    assert not (tmp_path / "link.pkl").is_symlink()
    assert (tmp_path / "real.pkl").read_bytes() == before


def test_a_link_in_place_of_a_temporary_is_not_written_through(tmp_path, monkeypatch):
    from hepflow.storage import atomic

    victim = tmp_path / "victim"
    victim.write_text("precious")
    names = {
        f".x.json.{atomic._host()}-{os.getpid()}-{i}.tmp" for i in range(50)
    }  # what a name of process and counter would be
    for name in names:
        (tmp_path / name).symlink_to(victim)
    for _ in range(5):
        storage.write_json(tmp_path / "x.json", {"a": 1})
    assert victim.read_text() == "precious"
    with storage.atomic_writer(tmp_path / "y") as one, storage.atomic_writer(tmp_path / "y") as two:
        assert one != two
        one.touch()
        two.touch()


def test_reading_a_folder_as_a_digest_is_an_error_of_storage(tmp_path):
    with pytest.raises(StorageError, match="cannot read"):
        storage.sha256_file(tmp_path)
