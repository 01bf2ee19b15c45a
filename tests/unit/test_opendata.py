"""File lists of the Open Data portal, from recorded answers of its program.

The program is a stand-in: an executable of the same name on PATH that prints what the real one
(version 1.0.2) prints, one location a line, errors as ``==> ERROR: ...`` on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow import opendata
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import FileListError, UnsafeContent
from hepflow.opendata import Record, ask_portal, fetch_listing, listing_of
from hepflow.schema import Datasets

SAMPLE = (
    "/eos/opendata/cms/mc/RunIISummer20UL16NanoAODv9/"
    "ZprimeToTT_M2000_W20_TuneCP2_PSweights_13TeV-madgraph-pythiaMLM-pythia8/NANOAODSIM/"
    "106X_mcRun2_asymptotic_v17-v1/"
)
FILES = [
    "270000/22BAB5D2-9E3F-E440-AB30-AE6DBFDF6C83.root",
    "270000/59B9ED38-8DDA-8049-BB4E-ACF0E257E79C.root",
    "270000/7CFC8EB0-EC72-FD4C-8F03-CAECF5445EED.root",
    "280000/45046F71-EB72-974D-BF4A-56A9C1B44524.root",
]
XROOTD = [f"root://eospublic.cern.ch/{SAMPLE}{name}" for name in FILES]
HTTP = [f"http://opendata.cern.ch{SAMPLE}{name}" for name in FILES]
RECORD = Record(75156, "/ZprimeToTT_M2000_W20_TuneCP2_PSweights_13TeV", files=4)


class Program:
    """The stand-in, and what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin" / opendata.PROGRAM
        self.calls_file = folder / "calls.jsonl"
        self.path.parent.mkdir()

    def says(self, out: str | bytes, *, err: str = "", status: int = 0, sleep: float = 0) -> None:
        """Record an answer."""
        data = out.encode() if isinstance(out, str) else out
        self.path.write_text(
            f"#!{sys.executable} -S\n"
            "import json, sys, time\n"
            f"open({str(self.calls_file)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
            f"time.sleep({sleep})\n"
            f"sys.stdout.buffer.write({data!r})\n"
            f"sys.stderr.write({err!r})\n"
            f"sys.exit({status})\n"
        )
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """Its arguments, call by call."""
        if not self.calls_file.exists():
            return []
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def program(tmp_path, monkeypatch) -> Program:
    found = Program(tmp_path)
    monkeypatch.setenv("PATH", str(found.path.parent))
    found.says("\n".join(reversed(XROOTD)) + "\n")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists"


def test_a_record_becomes_a_listing_that_a_dataset_can_name(program, folder):
    listing = fetch_listing(RECORD, folder)
    section = Datasets(datasets=[{"name": "signal", "files": [str(listing)], "cross_section": 1.0}])
    assert ConfigurableDatasetManager(section).get_files("signal") == XROOTD
    assert listing == listing_of(RECORD, folder) == folder / "75156-xrootd.txt"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [listing.name]


def test_the_program_is_called_as_it_documents(program, folder):
    fetch_listing(RECORD, folder)
    assert program.calls == [
        ["get-file-locations", "--recid", "75156", "--protocol", "xrootd"],
    ]


def test_locations_by_http_have_a_listing_of_their_own(program, folder):
    xrootd = fetch_listing(RECORD, folder)
    program.says("\n".join(HTTP))
    record = Record(RECORD.recid, RECORD.path, protocol="http")
    listing = fetch_listing(record, folder)
    assert ask_portal(record) == tuple(HTTP)
    assert program.calls[-1][-2:] == ["--protocol", "http"]
    assert listing.name == "75156-http.txt"
    assert xrootd.read_text().splitlines()[1:] == XROOTD


def test_the_portal_is_asked_once(program, folder):
    first = fetch_listing(RECORD, folder).read_text()
    program.says("", status=1)
    assert fetch_listing(RECORD, folder).read_text() == first
    assert len(program.calls) == 1


def test_without_the_listing_it_is_asked_again(program, folder):
    fetch_listing(RECORD, folder).unlink()
    fetch_listing(RECORD, folder)
    assert len(program.calls) == 2


def test_a_listing_made_by_hand_needs_no_program(program, folder):
    program.path.unlink()
    folder.mkdir(parents=True, mode=0o700)
    listing_of(RECORD, folder).write_text("# from elsewhere\n" + "\n".join(XROOTD[:2]) + "\n")
    assert fetch_listing(RECORD, folder).read_text().startswith("# from elsewhere")


@pytest.mark.parametrize("damage", [b"", b"# nothing\n", b"\xff\xfe", b"<html>", b"/a/b.root\n"])
def test_a_damaged_listing_is_replaced_and_the_log_says_so(program, folder, damage, caplog):
    listing = fetch_listing(RECORD, folder)
    listing.write_bytes(damage)
    assert fetch_listing(RECORD, folder).read_text().splitlines()[1:] == XROOTD
    assert "75156-xrootd.txt is not used, and the portal is asked again" in caplog.text


def test_another_number_of_files_than_expected_is_told(program, folder, caplog):
    program.says("\n".join(XROOTD[:3]))
    fetch_listing(RECORD, folder)
    assert "record 75156: number of files 3, expected 4" in caplog.text


# -- failures of the program --------------------------------------------------------------------


def fails(folder: Path, record: Record = RECORD, **options: float) -> str:
    """Message of the error; nothing is cached."""
    with pytest.raises(FileListError) as caught:
        fetch_listing(record, folder, **options)
    assert list(folder.iterdir()) == []
    return str(caught.value)


def test_a_missing_program_is_one_error_that_says_how_to_install_it(
    program, folder, monkeypatch, tmp_path
):
    program.path.unlink()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    told = fails(folder)
    assert "cernopendata-client" in told
    assert "is not installed" in told
    assert "pip install 'hepflow[opendata]'" in told


def test_the_program_beside_python_is_found_without_path(program, folder, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(program.path.parent / "python"))
    assert fetch_listing(RECORD, folder).exists()


def test_an_exit_status_is_told_with_what_the_program_said(program, folder):
    program.says("==> ERROR: The record ID number you supplied is not valid.\n", status=1)
    told = fails(folder)
    assert "record 75156: cernopendata-client failed (exit status 1)" in told
    assert "The record ID number you supplied is not valid. Check" in told


def test_a_list_that_broke_off_is_not_taken(program, folder):
    program.says("\n".join(XROOTD[:2]), err="Traceback ...\nConnectionError: reset\n", status=1)
    assert "it said: ConnectionError: reset" in fails(folder)


def test_a_program_that_takes_too_long_is_ended(program, folder):
    program.says("\n".join(XROOTD), sleep=30)
    assert "gave no answer within 0.5 s" in fails(folder, timeout=0.5)


def test_a_program_that_cannot_run_is_named(program, folder):
    program.path.write_text("#!/nowhere/python\n")
    told = fails(folder)
    assert str(program.path) in told
    assert "cannot be run" in told


def test_secrets_and_control_characters_are_not_shown(program, folder):
    proxy = "ProxyError: http://me:pa55@proxy:80/?token=abc \x1b[2J"
    program.says("", err=proxy, status=1)
    told = fails(folder)
    assert "pa55" not in told
    assert "abc" not in told
    assert "\x1b" not in told


# -- answers that are no list -------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["", "\n \n"])
def test_an_empty_answer_is_refused(program, folder, answer):
    program.says(answer)
    assert "the list of files is empty" in fails(folder)


@pytest.mark.parametrize(
    "line",
    [
        "<html>Service unavailable</html>",
        "==> WARNING: Some files are stored on tape.",
        f"/eos{SAMPLE}a.root",
        f"file:///eos{SAMPLE}a.root",
        f"s3://bucket{SAMPLE}a.root",
        f"root://host{SAMPLE}a_file_index.json",
        f"root://host{SAMPLE}a.root\t305\tadler32:ff63668a",
        f"root://host{SAMPLE}a.root # note.root",
        f"root://host{SAMPLE}a#b.root",
        f"root://host{SAMPLE}../../secret.root",
        f"root://user:pw@host{SAMPLE}a.root",
        f"root://host{SAMPLE}*.root",
        f"root://host{SAMPLE}a.root\x00.root",
        f"root://{SAMPLE}a.root",
    ],
)
def test_a_line_that_is_no_location_of_a_root_file_is_refused(program, folder, line):
    program.says("\n".join([*XROOTD, line]))
    told = fails(folder)
    assert "is not the location of a ROOT file" in told
    assert "pw@" not in told


def test_bytes_that_are_no_text_are_refused(program, folder):
    program.says(b"\xff\xfe\x00" * 10)
    assert "is not the location of a ROOT file" in fails(folder)


def test_files_of_another_dataset_are_refused(program, folder):
    told = fails(folder, Record(1, "/SingleMuon/"))
    assert "is of another dataset: expected '/SingleMuon/'" in told


def test_a_file_listed_twice_is_refused(program, folder):
    program.says("\n".join([*XROOTD, XROOTD[0]]))
    assert "listed more than once" in fails(folder)


def test_a_folder_that_others_write_is_refused(program, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(UnsafeContent):
        fetch_listing(RECORD, tmp_path / "open")
    assert program.calls == []


_inside = st.text(st.sampled_from("ab/#.% "), max_size=5)


@given(st.lists(st.builds("root://h/{}.root".format, _inside), min_size=1, max_size=2))
def test_what_is_accepted_reads_back_as_it_is(tmp_path_factory, lines):
    record = Record(1, "/")
    try:
        opendata._check(record, lines)
    except FileListError:
        return
    listing = tmp_path_factory.getbasetemp() / f"law-{os.getpid()}.txt"
    listing.write_text("\n".join(lines) + "\n")
    section = Datasets(datasets=[{"name": "x", "files": [str(listing)], "cross_section": 1.0}])
    assert ConfigurableDatasetManager(section).get_files("x") == sorted(lines)
