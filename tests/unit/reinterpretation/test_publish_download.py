"""Published likelihoods by their DOI, from a site on the loopback interface that plays HEPData."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import urllib.request
import zipfile

import pytest

from hepflow.cli import main
from hepflow.errors import ChecksumError, HepflowError, InputError, StorageError, UnreadableFile
from hepflow.errors import UnsafeContent as Unsafe
from hepflow.output_manager import default_cache_dir
from hepflow.reinterpretation.publishing import (
    Access,
    Point,
    download,
    make_patch_set,
    network,
    unpacking,
)
from hepflow.reinterpretation.publishing.addresses import Permission, read_address
from hepflow.reinterpretation.publishing.contents import look
from hepflow.reinterpretation.publishing.network import _Redirections
from hepflow.reinterpretation.publishing.unpacking import unpack
from hepflow.storage import sha256_bytes
from tests.unit.reinterpretation import published
from tests.unit.reinterpretation.published import as_bytes, tar, zipped

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
DOI = "10.17182/hepdata.89408.v1/r2"


@pytest.fixture(scope="module")
def likelihood(tmp_path_factory):
    """Files of a published likelihood."""
    point = Point("m100", (100,), tmp_path_factory.getbasetemp())
    signals = [(point, published.model((1.0, 2.0, 3.0)))]
    patches, _ = make_patch_set(published.model(), signals, labels=["mass"], description="")
    return {
        "RegionA/BkgOnly.json": as_bytes(published.model()),
        "RegionA/patchset.json": as_bytes(patches),
        "README.md": b"read me",
    }


@pytest.fixture
def hepdata():
    with published.site() as site:
        yield site


@pytest.fixture
def ask(hepdata, tmp_path):
    """Download into the test's own folders."""

    def asked(source=DOI, output="out", **how):
        sha256 = how.pop("sha256", None)
        access = Access(**{"force": True, "resolver": hepdata.url, **how})
        return download(
            source, tmp_path / output, cache=tmp_path / "cache", sha256=sha256, access=access
        )

    return asked


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "plain", "zip"])
def test_a_doi_leads_to_files_once_and_then_without_network(
    hepdata, ask, likelihood, kind, tmp_path
):
    packed = (
        zipped(likelihood)
        if kind == "zip"
        else tar(likelihood, {"plain": "w"}.get(kind, f"w:{kind}"))
    )
    hepdata.files[f"/record/{DOI}"] = packed
    first = ask(sha256=sha256_bytes(packed).upper())
    assert not first.from_cache
    assert first.sha256 == sha256_bytes(packed)
    assert first.problems == ()
    assert {name: (first.folder / name).read_bytes() for name in likelihood} == likelihood
    assert [(one.kind, one.text) for one in first.contents] == [
        ("file", "7 bytes"),
        ("workspace", "2 channels, 1 samples, POI mu"),
        ("patch set", "1 patches by mass, for RegionA/BkgOnly.json"),
    ]
    asked = len(hepdata.asked)
    for source in (DOI, f"doi:{DOI}", f"https://doi.org/{DOI.upper()}"):
        again = ask(source, offline=True)
        assert again.from_cache
        assert again.sha256 == first.sha256
    assert len(hepdata.asked) == asked
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_the_command(hepdata, likelihood, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hepdata.files["/record/10.17182/x/r1"] = tar(likelihood)
    words = ["download", "10.17182/x/r1", "--resolver", hepdata.url]
    assert main([*words, "--json", "out.json"]) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["output"] == "10.17182_x_r1"
    assert (tmp_path / "10.17182_x_r1" / "README.md").read_bytes() == b"read me"
    assert content["cached"].startswith(str(default_cache_dir()))
    assert not content["from_cache"]
    wrong = {**likelihood, "RegionA/BkgOnly.json": as_bytes(published.model((1.0, 1.0, 1.0)))}
    hepdata.files["/record/10.17182/x/r2"] = tar(wrong)
    assert main(["download", "10.17182/x/r2", "--resolver", hepdata.url]) == 1
    assert "its digests are those of no workspace" in capsys.readouterr().out


def test_what_is_in_the_cache_is_verified(hepdata, ask, likelihood, tmp_path):
    packed = tar(likelihood)
    hepdata.files[f"/record/{DOI}"] = packed
    found = ask()
    found.cached.write_bytes(b"changed")
    with pytest.raises(UnreadableFile, match="or damaged there"):
        ask(offline=True)
    assert not ask().from_cache
    found.cached.unlink()
    hepdata.files[f"/record/{DOI}"] = tar({**likelihood, "README.md": b"other"})
    with pytest.raises(ChecksumError, match="was not kept"):
        ask()
    assert sorted(one.name for one in found.cached.parent.iterdir()) == ["record.json"]
    hepdata.files[f"/record/{DOI}"] = packed
    with pytest.raises(ChecksumError, match="was stated"):
        ask(sha256="0" * 64)
    (found.cached.parent / "record.json").write_text("[]")
    with pytest.raises(StorageError, match="no record of a download"):
        ask()


def test_another_digest_than_stated_is_refused(hepdata, ask, likelihood, tmp_path):
    hepdata.files[f"/record/{DOI}"] = tar(likelihood)
    with pytest.raises(ChecksumError, match="expected 000"):
        ask(sha256="0" * 64)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="is no SHA-256"):
        ask(sha256="abc")


def test_files_of_others_stay(hepdata, ask, likelihood, tmp_path):
    hepdata.files[f"/record/{DOI}"] = tar(likelihood)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    ask()
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    (tmp_path / "out" / "README.md").write_text("mine")
    with pytest.raises(InputError, match="has other contents"):
        ask()
    assert (tmp_path / "out" / "README.md").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_answers_that_are_no_file(hepdata, ask, monkeypatch, likelihood):
    with pytest.raises(UnreadableFile, match="404"):
        ask()
    hepdata.files[f"/record/{DOI}"] = b"<html>the record</html>"
    with pytest.raises(UnreadableFile, match="leads to a web page"):
        ask()
    hepdata.files["/cut"] = b"x" * 10
    with pytest.raises(UnreadableFile, match="10 of 15 bytes"):
        ask(f"{hepdata.url}/cut")
    with pytest.raises(UnreadableFile, match="cannot be fetched"):
        ask("http://127.0.0.1:1/x")
    hepdata.files["/file"] = tar(likelihood)
    monkeypatch.setattr(network, "LARGEST", 20)
    with pytest.raises(UnreadableFile, match="is larger than"):
        ask(f"{hepdata.url}/file")


def test_hosts_are_checked_before_they_are_asked(hepdata, ask):
    with pytest.raises(InputError, match=r"127\.0\.0\.1 is none of"):
        ask(f"{hepdata.url}/file", force=False, resolver="https://doi.org/")
    with pytest.raises(InputError, match=r"example\.org is none of"):
        ask("10.17182/elsewhere", force=False)
    assert hepdata.asked == ["/10.17182/elsewhere"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://www.hepdata.net/x", "anybody on the way"),
        ("https://hepdata.net.evil.org/x", "is none of"),
        ("https://nothepdata.net/x", "is none of"),
        ("https://me:secret@zenodo.org/x", "user or password"),
        ("file:///etc/passwd", "no http:// or https://"),
    ],
)
def test_addresses_that_may_not_be_asked(url, told):
    with pytest.raises(InputError, match=told) as error:
        Permission().check(url)
    assert "secret" not in str(error.value)


def test_published_hosts_and_names_below_them_may_be_asked():
    for host in ("doi.org", "www.hepdata.net", "zenodo.org.", "opendata.cern.ch", "arxiv.org"):
        Permission().check(f"https://{host}/x")


def test_no_redirection_to_an_open_connection():
    request = urllib.request.Request("https://www.hepdata.net/x")
    handler = _Redirections(Permission(every=True))
    with pytest.raises(InputError, match="from https:// to http://"):
        handler.redirect_request(request, io.BytesIO(), 302, "", {}, "http://www.hepdata.net/y")
    assert handler.redirect_request(
        request, io.BytesIO(), 302, "", {}, "https://www.hepdata.net/y"
    ).full_url.endswith("/y")


@pytest.mark.parametrize(
    ("text", "source", "url"),
    [
        (DOI, f"doi:{DOI}", f"https://doi.org/{DOI}"),
        (f"DOI:{DOI}", f"doi:{DOI}", f"https://doi.org/{DOI}"),
        (f"http://dx.doi.org/{DOI}", f"doi:{DOI}", f"https://doi.org/{DOI}"),
        ("https://h.org/x?token=1", "https://h.org/x?...", "https://h.org/x?token=1"),
    ],
)
def test_addresses(text, source, url):
    found = read_address(text)
    assert (found.source, found.url) == (source, url)


@pytest.mark.parametrize("text", ["hepdata.89408", "10.1/x", "ftp://h/x", "", "10.17182/ x"])
def test_what_is_no_address(text):
    with pytest.raises(InputError, match="neither a DOI nor a URL"):
        read_address(text)


def entry(name, kind=tarfile.SYMTYPE, link="/etc/passwd"):
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def strange_zip(mode, method=zipfile.ZIP_STORED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        one = zipfile.ZipInfo("link")
        one.external_attr = mode << 16
        archive.writestr(one, "/etc/passwd", method)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (tar({"../x": b"1"}), "way out"),
        (tar({"/x": b"1"}), "way out"),
        (tar({"a": b"1", "./a": b"2"}), "there twice"),
        (tar({"a": entry("a")}), "link or device"),
        (tar({"a": entry("a", tarfile.LNKTYPE, "b")}), "link or device"),
        (tar({"a": entry("a", tarfile.FIFOTYPE)}), "link or device"),
        (tar({"a": entry("a", tarfile.CHRTYPE)}), "link or device"),
        (zipped({"a/../../x": b"1"}), "way out"),
        (zipped({"..\\x": b"1"}), "way out"),
        (tar({"a": entry("a", tarfile.GNUTYPE_SPARSE)}), "link or device"),
        (strange_zip(0o120777), "a link"),
        (strange_zip(0o010644), "rare way"),
        (strange_zip(0o100644, zipfile.ZIP_LZMA), "rare way"),
        (tar({"x": b"0" * 300_000}), "unpacks to more"),
        (zipped({"x": b"0" * 300_000}), "unpacks to more"),
        (zipped({"x": b"0" * 60_000, "y": b"0" * 60_000}), "unpacks to more"),
        (b"[" + b" " * 300_000 + b"]", "unpacks to more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # archives have the time in them
)
def test_archives_that_are_not_unpacked(tmp_path, content, told):
    path, folder = tmp_path / "content", tmp_path / "inner" / "files"
    path.write_bytes(content)
    folder.mkdir(parents=True)
    with pytest.raises(Unsafe, match=told):
        unpack(path, folder, "it", max_bytes=100_000)
    outside = {one.name for one in tmp_path.iterdir()} | {
        one.name for one in (tmp_path / "inner").iterdir()
    }
    assert outside == {"content", "inner", "files"}


def test_a_bomb_is_not_unpacked_to_its_end(tmp_path, monkeypatch):
    """Headers that promise little, before a stream that does not end."""
    path = tmp_path / "content"
    path.write_bytes(gzip.compress(b"\0" * 20_000_000))
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 2)
    with pytest.raises(Unsafe, match="unpacks to more"):
        unpack(path, tmp_path, "it", max_bytes=1000)
    many = {f"f{n}": b"" for n in range(3)}
    for number, content in enumerate((tar(many), zipped(many))):
        path.write_bytes(content)
        with pytest.raises(Unsafe, match="more than 2 entries"):
            unpack(path, tmp_path / str(number), "it")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\3\4xx", b"\x1f\x8bxx", tar({"a": b"1" * 9000})[:90], b"text"],
    ids=["empty", "zip", "gzip", "cut off", "text"],
)
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "content").write_bytes(content)
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        unpack(tmp_path / "content", tmp_path, "it")


def test_folders_and_leavings_of_macos_are_left_out(tmp_path):
    path = tmp_path / "content"
    folder = entry("a", tarfile.DIRTYPE)
    files = {"a/x.json": b"{}", "a/._x.json": b"1", "__MACOSX/y": b"2"}
    for number, content in enumerate((tar({"a": folder, **files}), zipped({"a/": b"", **files}))):
        path.write_bytes(content)
        out = tmp_path / str(number)
        assert unpack(path, out, "it") == (out / "a" / "x.json",)


def test_a_single_file_of_json(tmp_path, ask, hepdata):
    hepdata.files["/workspace.json"] = as_bytes(published.model())
    found = ask(f"{hepdata.url}/workspace.json")
    assert [one.kind for one in found.contents] == ["workspace"]


@pytest.mark.parametrize(
    ("content", "kind", "problem"),
    [
        (b"{", "file", "not valid JSON"),
        (b'{"channels": [], "observations": 1, "measurements": []}', "workspace", "observations"),
        (b'{"channels": [{}], "observations": [], "measurements": []}', "workspace", "not whole"),
        (b'{"patches": [], "metadata": {}}', "patch set", "pyhf refuses"),
        (b'[{"op": "remove", "path": "/x"}]', "patch", ""),
        (b"[1]", "file", ""),
    ],
)
def test_contents_are_looked_at(tmp_path, content, kind, problem):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    (found,) = look(tmp_path, [path])
    assert found.kind == kind
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)


def test_a_source_that_is_not_cached_cannot_be_offline(ask, hepdata):
    with pytest.raises(HepflowError, match="is not in the cache"):
        ask(offline=True)
    assert hepdata.asked == []
