"""URLs: what is shown of them, what tells them apart, why one cannot be read."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import UnreadableFile
from hepflow.remote import (
    check_packages,
    check_served,
    errors,
    has_magic,
    identity,
    is_remote,
    reason,
    shown,
    transport_errors,
)
from tests.servers import free_port, http_server, plain_http_server

# -- what is shown -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root://host//store/x.root", "root://host//store/x.root"),
        ("root://me@host:1094//store/x.root", "root://host:1094//store/x.root"),
        ("https://me:p@ss?w@host/a@b.root", "https://host/a@b.root"),
        ("s3://bucket/x_[0-9]*.root", "s3://bucket/x_[0-9]*.root"),
        ("GET 'https://h/x?sig=1,2;3' failed", "GET 'https://h/x?...' failed"),
        ("no /store/x.root?authz=abc; gone", "no /store/x.root?... gone"),
        ("/data/x_?.root", "/data/x_?.root"),
        ("is it there? no", "is it there? no"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_user_and_query(text, expected):
    assert shown(text) == expected


_WORDS = st.text("abcXYZ0189-_.:=%&+@?", max_size=8)


@given(user=_WORDS, query=_WORDS, around=st.sampled_from(["{}", "no {} there", "at '{}'", "<{}>"]))
def test_a_secret_is_never_shown(user, query, around):
    url = f"https://{user}SECRET@host/store/x.root?{query}SECRET"
    text = shown(around.format(url))
    assert "SECRET" not in text
    assert "https://host/store/x.root" in text


@given(user=_WORDS, query=_WORDS, other=_WORDS)
def test_a_key_tells_urls_apart_by_path_and_query_not_by_user(user, query, other):
    plain = f"https://host/x.root?{query}"
    assert identity(f"https://{user}@host/x.root?{query}") == identity(plain)
    assert (identity(plain) == identity(f"https://host/x.root?{other}")) == (query == other)
    assert identity(plain) != identity(f"https://host/y.root?{query}")
    assert "SECRET" not in identity(f"https://{user}SECRET@host/x.root?{query}SECRET")


@pytest.mark.parametrize(
    ("name", "remote", "magic"),
    [
        ("root://host//store/*.root", True, True),
        ("https://host/x_[01].root", True, True),
        ("https://host/x.root?sign=a*b", True, False),
        ("https://host/x.root?", True, False),
        ("http://[::1]:8080/x.root", True, False),
        ("/store/x.root", False, False),
    ],
)
def test_what_is_a_url_and_what_a_glob(name, remote, magic):
    assert (is_remote(name), has_magic(name)) == (remote, magic)


# -- why it cannot be read ---------------------------------------------------------------

OPEN = "Failed to open file: [ERROR] Server responded with an error: "


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(f"{OPEN}[3011] Unable to open /a/Timeout.root; no such file"), "there is no"),
        (OSError(f"{OPEN}[3010] Unable to open /x; permission denied"), "access is refused"),
        (OSError("Failed to open file: [FATAL] Auth failed"), "access is refused"),
        (OSError("Failed to open file: [FATAL] Connection error"), "no server answers"),
        (OSError("Failed to submit request: [FATAL] Invalid address"), "no server answers"),
        (OSError("Failed to open file: [ERROR] Operation expired"), "no server answers"),
        (TimeoutError(), "no server answers"),
        (PermissionError("Forbidden"), "access is refused"),
        (FileNotFoundError("https://host/x.root"), "there is no such file"),
        (OSError("expected Chunk of length 403,\nreceived 8 bytes"), "it ends too early"),
        (ValueError("Protocol not known: xyz"), "'root' is no protocol that can be read"),
        (RuntimeError("bad root://me:pw@host//x?authz=pw\nmore"), "RuntimeError: bad root://host//x?..."),
        (RuntimeError(), "RuntimeError: RuntimeError"),
    ],
)  # fmt: skip
def test_libraries_are_translated(error, told):
    text = reason("root://me:pw@host//store/x.root", error)
    assert text.startswith(told)
    assert "pw" not in text
    assert isinstance(error, errors())


def test_a_silent_server_is_no_missing_file():
    error = FileNotFoundError("http://host/x.root")
    error.__cause__ = ConnectionRefusedError("Connect call failed")
    assert reason("http://host/x.root", error).startswith("no server answers")


def test_errors_of_libraries_that_are_no_oserror_are_known():
    aiohttp = pytest.importorskip("aiohttp")
    assert issubclass(aiohttp.ServerDisconnectedError, transport_errors())
    botocore = pytest.importorskip("botocore.exceptions")
    assert issubclass(botocore.EndpointConnectionError, transport_errors())
    refused = botocore.ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
    assert reason("s3://bucket/x.root", refused).startswith("access is refused")


def test_a_missing_package_is_named_with_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"s3:// needs s3fs, .* Install hepflow\[s3\]"):
        check_packages("s3://bucket/x.root")
    expected = r"root://host//x: root:// needs XRootD and fsspec_xrootd.*hepflow\[xrootd\]\."
    with pytest.raises(UnreadableFile, match=expected):
        check_served("root://me:pw@host//x")
    check_packages("https://host/x.root")


# -- byte ranges -------------------------------------------------------------------------


def test_a_server_must_serve_ranges(tmp_path):
    (tmp_path / "x.root").write_bytes(b"root" + bytes(1000))
    with http_server(tmp_path) as url:
        check_served(f"{url}/x.root")
        check_served(f"{url}/gone.root")  # opening it tells
    with plain_http_server(tmp_path) as url:
        with pytest.raises(UnreadableFile, match=r"x\.root\?\.\.\.: the server ignores byte ran"):
            check_served(f"{url}/x.root?token=secret")
        check_served(f"{url}/gone.root")
    down = f"http://me:secret@127.0.0.1:{free_port()}/x.root"
    with pytest.raises(UnreadableFile, match="no server answers there") as caught:
        check_served(down)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
