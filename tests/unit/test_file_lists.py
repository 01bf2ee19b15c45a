"""Files of a dataset: sorted, each once, all there; at URLs as well as here."""

from __future__ import annotations

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import FileListError
from hepflow.file_lists import alternatives, find_files
from tests.servers import free_port, http_server


def find(**arguments):
    return find_files("dataset 'mc'", **arguments)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.root", "a.root", "c.txt.root", "d.dat"):
        (tmp_path / name).touch()
    return tmp_path


# -- here --------------------------------------------------------------------------------


def test_a_folder_gives_its_files_sorted(folder):
    names = [str(folder / name) for name in ("a.root", "b.root", "c.txt.root")]
    assert find(directories=[str(folder)]) == names
    assert find(directories=[str(folder)], pattern="*.dat") == [str(folder / "d.dat")]


def test_several_folders_are_one_list(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "z.root").touch()
    found = find(directories=[str(other), str(folder)], pattern="[az].root")
    assert found == sorted([str(other / "z.root"), str(folder / "a.root")])


def test_listings_of_a_folder_precede_its_files(folder):
    (folder / "two.txt").write_text("# a comment\n\nb.root  # here\nroot://far/x.root\n")
    assert find(directories=[str(folder)]) == [str(folder / "b.root"), "root://far/x.root"]


def test_listings_globs_paths_and_urls_can_be_mixed(folder):
    (folder / "list.txt").write_text(f"{folder / 'b.root'}\nhttps://far/y.root\n")
    found = find(files=[str(folder / "list.txt"), str(folder / "a*.root"), "s3://far/z.root"])
    assert found == sorted(
        [str(folder / "b.root"), "https://far/y.root", str(folder / "a.root"), "s3://far/z.root"]
    )
    assert find(files=[str(folder / "a.root")]) == [str(folder / "a.root")]
    assert find(files=[str(folder / "l*.txt")]) == [str(folder / "b.root"), "https://far/y.root"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"'mc': the list of files is empty"),
        ({"files": ["{}/gone.txt"]}, r"'mc': there is no listing .*gone\.txt"),
        ({"files": ["{}/empty.txt"]}, r"'mc': the listing .*empty\.txt is empty"),
        ({"files": ["{}/x*.root"]}, r"'mc': no file matches '.*x\*\.root'"),
        ({"files": ["{}/gone.root"]}, r"'mc': 1 of 1 files do not exist: .*gone\.root"),
        ({"directories": ["{}/gone"]}, r"'mc': there is no directory .*gone"),
        ({"directories": ["{}"], "pattern": "*.xyz"}, r"'mc': no file in .* matches '\*\.xyz'"),
        ({"files": ["{}/a.root", "{}/a.root"]}, r"'mc': listed more than once: .*a\.root"),
        ({"files": ["{}/a.root", "{}/*.root"]}, r"listed more than once: .*a\.root"),
        ({"files": ["{}/a.root", "{}/../*/a.root"]}, "listed more than once"),
        ({"files": ["{}/a.root", "{}/link.root"]}, "listed more than once"),
        ({"files": ["root://x/a.root", "root://x/a.root"]}, "listed more than once"),
        ({"files": ["{}/binary.txt"]}, r"binary\.txt cannot be read: it is no text"),
    ],
)
def test_files_that_are_missing_or_repeated_are_errors(folder, fields, message):
    if "empty.txt" in str(fields):
        (folder / "empty.txt").write_text("\n# nothing\n")
    if "binary.txt" in str(fields):
        (folder / "binary.txt").write_bytes(b"\xff\xfe\xfa")
    if "link.root" in str(fields):
        (folder / "link.root").symlink_to(folder / "a.root")

    def place(value):
        here = str(folder)
        return value.replace("{}", here) if isinstance(value, str) else [place(v) for v in value]

    with pytest.raises(FileListError, match=message):
        find(**{name: place(value) for name, value in fields.items()})


def test_many_missing_files_are_counted_not_listed(folder):
    names = [str(folder / f"gone{i}.root") for i in range(9)]
    with pytest.raises(FileListError, match=r"9 of 9 files do not exist.* and 4 more"):
        find(files=names)


# -- redirectors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("redirector", "name", "url"),
    [
        ("root://host/", "/store/x.root", "root://host//store/x.root"),
        ("root://host", "/store/x.root", "root://host//store/x.root"),
        ("root://host:1094//", "store/x.root", "root://host:1094//store/x.root"),
        ("root://host//eos/cms", "/store/x.root", "root://host//eos/cms/store/x.root"),
        ("https://host", "/store/x.root", "https://host/store/x.root"),
        ("https://host/data/", "x.root", "https://host/data/x.root"),
        ("s3://bucket/", "/store/x.root", "s3://bucket/store/x.root"),
    ],
)
def test_a_redirector_stands_in_front_of_names_that_are_no_url(redirector, name, url):
    assert find(files=[name], redirectors=[redirector]) == [url]
    assert find(files=["s3://own/y.root"], redirectors=[redirector]) == ["s3://own/y.root"]


def test_names_of_listings_here_get_the_redirector(folder):
    (folder / "list.txt").write_text("/store/x.root\nhttps://far/y.root\n")
    expected = ["https://far/y.root", "root://host//store/x.root"]
    assert find(files=[str(folder / "list.txt")], redirectors=["root://host"]) == expected
    assert find(directories=[str(folder)], redirectors=["root://host"]) == expected


def test_a_redirector_that_is_no_url_is_an_error():
    with pytest.raises(FileListError, match=r"redirector 'host' is no URL.*root://host/"):
        find(files=["/store/x.root"], redirectors=["host"])


def test_the_same_file_through_the_other_redirectors():
    three = ["root://one/", "root://two//eos", "https://three"]
    found = find(files=["/store/x.root"], redirectors=three)
    assert [alternatives(file, three) for file in found] == [
        ("root://two//eos/store/x.root", "https://three/store/x.root")
    ]
    assert alternatives("root://other//store/x.root", three) == ()
    assert alternatives("root://one//store/x.root", three[:1]) == ()
    assert alternatives("root://one//store/x.root", []) == ()


_HOSTS = st.sampled_from(["root://a", "root://b:1/", "root://c//eos/", "https://d/x", "s3://e"])
_PATHS = st.lists(st.text("abc_", min_size=1), min_size=1, max_size=3).map("/".join)


@given(path=_PATHS, hosts=st.lists(_HOSTS, min_size=2, max_size=4, unique=True))
def test_an_alternative_is_the_name_with_that_redirector_alone(path, hosts):
    name = f"/{path}.root"
    (first,) = find(files=[name], redirectors=hosts)
    alone = [find(files=[name], redirectors=[one])[0] for one in hosts]
    assert (first, *alternatives(first, hosts)) == tuple(alone)


# -- at URLs -----------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    """URL of a folder with two files, a listing, and a folder without one."""
    names = ("x_0.root", "x_1.root", "y.root")
    (tmp_path / "bare").mkdir()
    (tmp_path / "listed").mkdir()
    for name in names:
        (tmp_path / "bare" / name).touch()
    (tmp_path / "bare" / "deep.root").mkdir()
    (tmp_path / "listed" / "l.txt").write_text("a.root # one\n/top/b.root\ns3://far/c.root\n")
    (tmp_path / "listed" / "beside.root").touch()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xfa")
    with http_server(tmp_path) as url:
        yield url


@pytest.mark.parametrize("end", ["", "/"])
def test_a_directory_at_a_url_is_listed(served, end):
    found = find(directories=[f"{served}/bare{end}"], pattern="x_*.root")
    assert found == [f"{served}/bare/x_0.root", f"{served}/bare/x_1.root"]


def test_a_glob_at_a_url_is_expanded(served):
    assert find(files=[f"{served}/bare/x_[0].root"]) == [f"{served}/bare/x_0.root"]


def test_a_listing_at_a_url_names_files_beside_it(served):
    expected = sorted([f"{served}/listed/a.root", f"{served}/top/b.root", "s3://far/c.root"])
    assert find(files=[f"{served}/listed/l.txt"]) == expected
    assert find(files=[f"{served}/listed/*.txt"]) == expected
    assert find(directories=[f"{served}/listed"]) == expected
    assert find(files=[f"{served}/listed/l.txt"], redirectors=["root://h"]) == sorted(
        ["root://h//a.root", "root://h//top/b.root", "s3://far/c.root"]
    )


def test_the_next_redirector_is_asked_and_the_first_stands_in_front(served):
    down = f"http://127.0.0.1:{free_port()}"
    expected = [f"{down}/bare/x_0.root", f"{down}/bare/x_1.root"]
    assert find(files=["/bare/x_*.root"], redirectors=[down, served]) == expected
    assert find(directories=["/bare"], pattern="x_*", redirectors=[down, served]) == expected
    listed = find(directories=["listed"], redirectors=[down, served])
    assert listed == sorted([f"{down}/a.root", f"{down}/top/b.root", "s3://far/c.root"])
    assert alternatives(expected[0], [down, served]) == (f"{served}/bare/x_0.root",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"files": ["{}/bare/q*.root"]}, r"'mc': no file matches 'http://.*/bare/q\*\.root'"),
        ({"directories": ["{}/bare"], "pattern": "*.x"}, r"no file matches 'http.*/bare/\*\.x'"),
        ({"directories": ["{}/gone"]}, r"http://.*/gone: there is no such file or directory"),
        ({"files": ["{}/gone/*.root"]}, r"gone/\*\.root: there is no such file or directory"),
        ({"files": ["{}/gone.txt"]}, r"listing http://.*/gone\.txt cannot be read: there is no"),
        ({"files": ["{}/empty.txt"]}, r"the listing http://.*/empty\.txt is empty"),
        ({"files": ["{}/binary.txt"]}, r"listing http://.*/binary\.txt cannot be read: it is no"),
        ({"files": ["{}/x.root", "{}/x.root"]}, "listed more than once: http"),
        ({"directories": ["-"]}, r"http://.*: no server answers there"),
        ({"files": ["-/a*.root"]}, r"http://.*: no server answers there"),
        ({"files": ["-/a.txt"]}, r"listing http://.* cannot be read: no server answers there"),
        ({"directories": ["xyz://a/b"]}, r"xyz://a/b: 'xyz' is no protocol that can be read"),
    ],
)
def test_what_cannot_be_listed_is_one_clear_error(served, fields, message):
    down = f"http://127.0.0.1:{free_port()}"

    def place(value):
        if isinstance(value, list):
            return [place(one) for one in value]
        return value.replace("{}", served).replace("-", down)

    with pytest.raises(FileListError, match=message) as caught:
        find(**{name: place(value) for name, value in fields.items()})
    assert "\n" not in str(caught.value)


def test_every_redirector_that_failed_is_named(served):
    down = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(FileListError, match=f"{down}/q.*no server.* no file matches '{served}/q"):
        find(files=["/q*.root"], redirectors=[down, served])


@pytest.mark.parametrize(
    "file",
    [
        "http://me:secret@127.0.0.1:1/store/*.root",
        "http://127.0.0.1:1/store/l.txt?X-Amz-Signature=secret",
        "https://me:secret@host/a.root?token=secret",
    ],
)
def test_credentials_never_appear(file):
    with pytest.raises(FileListError) as caught:
        find(files=[file, file])
    error = caught.value
    while error is not None:
        assert "secret" not in str(error)
        error = error.__cause__


def test_other_file_systems_of_fsspec_work_as_well():
    fsspec.filesystem("memory").pipe({"/toy/a.root": b"", "/toy/b.root": b"", "/toy/c.dat": b""})
    found = find(directories=["memory://toy"])
    assert [name.rpartition("/")[2] for name in found] == ["a.root", "b.root"]
    assert fsspec.core.url_to_fs(found[0])[1] == "/toy/a.root"
