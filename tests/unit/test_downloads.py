"""Published files: fetched once, checked, and never kept where they are wrong."""

from __future__ import annotations

import contextlib
import http.server
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from hepflow import downloads
from hepflow.downloads import Published, fetch
from hepflow.errors import ChecksumError, InputError, StorageError, UnreadableFile, UnsafeContent
from hepflow.storage import sha256_bytes

CONTENT = b"correction factors\n" * 1000


class Site(http.server.ThreadingHTTPServer):
    """A web site with one good page and several that are none."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked: list[str] = []
        self.release = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Page(http.server.BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *args) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.partition("?")[0].strip("/")
        if name == "missing":
            self.send_error(404)
        elif name == "slow":
            self.server.release.wait(30)
        elif name in {"moved", "out"}:
            self.send_response(302)
            self.send_header("Location", "/good" if name == "moved" else "file:///etc/hostname")
            self.end_headers()
        else:
            self._answer({"good": CONTENT, "cut": CONTENT}.get(name, b"<html>Sign in</html>"), name)

    def _answer(self, content: bytes, name: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name == "cut" else content)


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "files"


def published(site: Site, path: str = "good") -> Published:
    return Published("factors.json.gz", site.url(path), sha256_bytes(CONTENT))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_into_a_folder_of_the_user_s_own(site, folder):
    path = fetch(published(site), folder)
    assert path == folder / "factors.json.gz"
    assert path.read_bytes() == CONTENT
    assert folder.stat().st_mode & 0o777 == 0o700
    assert names(folder) == ["factors.json.gz"]


def test_what_is_there_is_not_fetched_again(site, folder):
    fetch(published(site), folder)
    fetch(published(site), folder)
    assert site.asked == ["/good"]


def test_a_file_put_there_by_hand_counts_and_needs_no_network(folder):
    folder.mkdir(parents=True, mode=0o700)
    (folder / "factors.json.gz").write_bytes(CONTENT)
    nowhere = Published("factors.json.gz", "http://127.0.0.1:9/x", sha256_bytes(CONTENT))
    assert fetch(nowhere, folder).read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_again_and_the_log_says_so(site, folder, caplog):
    fetch(published(site), folder).write_bytes(CONTENT[:-1])
    assert fetch(published(site), folder).read_bytes() == CONTENT
    assert "factors.json.gz is not the published file: it is fetched again" in caplog.text
    assert site.asked == ["/good", "/good"]


def test_a_file_that_moved_is_followed(site, folder):
    assert fetch(published(site, "moved"), folder).read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["signin", "cut"])
def test_wrong_content_is_refused_with_both_digests_and_not_kept(site, folder, path):
    with pytest.raises((ChecksumError, UnreadableFile)) as caught:
        fetch(published(site, path), folder)
    assert names(folder) == []
    assert f"put it at {folder / 'factors.json.gz'}" in str(caught.value)
    if path == "signin":
        assert isinstance(caught.value, ChecksumError)
        for digest in (sha256_bytes(CONTENT), sha256_bytes(b"<html>Sign in</html>")):
            assert digest in str(caught.value)


def test_wrong_content_does_not_replace_what_is_there(site, folder):
    path = fetch(published(site), folder)
    path.write_bytes(b"older")
    with pytest.raises(ChecksumError):
        fetch(published(site, "signin"), folder)
    assert path.read_bytes() == b"older"


def test_an_error_of_the_server_is_named(site, folder):
    with pytest.raises(UnreadableFile, match=r"/missing cannot be fetched: the server answers 404"):
        fetch(published(site, "missing"), folder)
    assert names(folder) == []


def test_no_network_is_one_clear_error(folder):
    nowhere = Published("a.json", "http://127.0.0.1:9/a.json", "0" * 64)
    with pytest.raises(UnreadableFile, match=r"cannot be fetched: .*refused.*Check the network"):
        fetch(nowhere, folder)


def test_a_host_that_does_not_exist_is_the_same_error(folder):
    nowhere = Published("a.json", "https://host.invalid/a.json", "0" * 64)
    with pytest.raises(UnreadableFile, match=r"https://host.invalid/a.json cannot be fetched"):
        fetch(nowhere, folder)


def test_a_server_that_says_nothing_is_given_up(site, folder):
    with pytest.raises(UnreadableFile, match=r"/slow cannot be fetched: timed out"):
        fetch(published(site, "slow"), folder, timeout=0.2)


def test_what_is_too_large_is_refused(site, folder, monkeypatch):
    monkeypatch.setattr(downloads, "_LARGEST", 1000)
    with pytest.raises(UnreadableFile, match="larger than"):
        fetch(published(site), folder)


def test_a_redirection_to_a_file_of_this_machine_is_not_followed(site, folder):
    with pytest.raises(UnreadableFile):
        fetch(published(site, "out"), folder)
    assert names(folder) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a", "a.json", "", "http://"])
def test_only_http_is_fetched(folder, url):
    with pytest.raises(InputError, match=r"is no http:// or https:// address"):
        fetch(Published("a.json", url, "0" * 64), folder)


def test_a_digest_that_is_none_is_refused(site, folder):
    with pytest.raises(InputError, match="'abc' is no SHA-256"):
        fetch(replace(published(site), sha256="abc"), folder)


@pytest.mark.parametrize("name", ["../a.json", "a/b.json", "", ".."])
def test_a_name_does_not_lead_out_of_the_folder(site, folder, name):
    with pytest.raises(UnsafeContent):
        fetch(replace(published(site), name=name), folder)
    assert site.asked == []


def test_a_folder_that_others_write_is_refused(site, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(UnsafeContent):
        fetch(published(site), tmp_path / "open")


def test_a_folder_in_the_place_of_the_file_is_one_clear_error(site, folder):
    (folder / "factors.json.gz").mkdir(parents=True)
    folder.chmod(0o700)
    with pytest.raises(StorageError, match=r"cannot write .*factors.json.gz"):
        fetch(published(site), folder)


def test_secrets_of_a_url_are_nowhere(site, folder, caplog):
    caplog.set_level(logging.DEBUG)
    url = site.url("signin?token=abc123").replace("http://", "http://me:pa55@")
    for path in ("signin", "missing"):
        with pytest.raises((ChecksumError, UnreadableFile, InputError)) as caught:
            fetch(replace(published(site), url=url.replace("signin", path)), folder)
        text = f"{caught.value} {caught.value.__cause__} {caplog.text}"
        assert "abc123" not in text
        assert "pa55" not in text


def test_threads_that_fetch_the_same_file_do_not_disturb_each_other(site, folder):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch(published(site), folder), range(16)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert names(folder) == ["factors.json.gz"]


def test_processes_that_fetch_the_same_file_do_not_disturb_each_other(site, folder):
    one = published(site)
    code = (
        "import sys; from hepflow.downloads import Published, fetch; "
        "print(fetch(Published(*sys.argv[1:4]), sys.argv[4]).stat().st_size)"
    )
    words = [sys.executable, "-c", code, one.name, one.url, one.sha256, str(folder)]
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            for _ in range(3)
        ]
        said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert said == [str(len(CONTENT))] * 3
    assert names(folder) == ["factors.json.gz"]
