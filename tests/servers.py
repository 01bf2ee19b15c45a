"""Servers on the loopback interface that hand out the files of a folder: XRootD, S3, HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOST = "127.0.0.1"
WAIT = 30.0  # seconds for a server to come up
S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def xrootd_server(folder: Path) -> Iterator[str]:
    """XRootD: the URL of the folder, which must be one of `open_folder`.

    The server refuses to run as root, and takes the files that it hands out as user ``nobody``.
    """
    program = shutil.which("xrootd")
    if program is None:
        pytest.skip("there is no XRootD server (Debian's package xrootd-server)")
    port = free_port()
    with open_folder() as own:
        (own / "xrootd.cfg").write_text(
            f"xrd.port {port}\nall.export /store\noss.localroot {own / 'files'}\n"
            f"all.adminpath {own / 'admin'}\nall.pidpath {own / 'admin'}\n"
        )
        (own / "files").mkdir()
        (own / "files" / "store").symlink_to(folder)
        user = ["-R", "nobody"] if os.geteuid() == 0 else []
        words = [program, *user, "-c", str(own / "xrootd.cfg"), "-l", str(own / "log")]
        with _process(words, port, own / "log"):
            yield f"root://{HOST}:{port}//store"


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may read and write: that of a test belongs to its user alone."""
    with tempfile.TemporaryDirectory(prefix="served-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextlib.contextmanager
def s3_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bucket: str = "store"
) -> Iterator[str]:
    """S3, by moto: the URL of a bucket with the files of the folder."""
    pytest.importorskip("moto")
    s3fs = pytest.importorskip("s3fs")
    port = free_port()
    endpoint = f"http://{HOST}:{port}"
    for name, value in {**S3_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    with open_folder() as own:
        words = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
        with _process(words, port, own / "log"):
            _put(f"{endpoint}/{bucket}", b"")
            for path in folder.rglob("*"):
                if path.is_file():
                    _put(f"{endpoint}/{bucket}/{path.relative_to(folder)}", path.read_bytes())
            s3fs.S3FileSystem.clear_instance_cache()  # those know the endpoint of another test
            yield f"s3://{bucket}"


def _put(url: str, content: bytes) -> None:
    kind = {"Content-Type": "application/octet-stream"}  # the default would be taken for a form
    request = urllib.request.Request(url, content, kind, method="PUT")  # noqa: S310 - own server
    with urllib.request.urlopen(request, timeout=WAIT):  # noqa: S310 - own server
        pass


@contextlib.contextmanager
def _process(words: list[str], port: int, log: Path) -> Iterator[None]:
    """A server as a process, from when it listens."""
    with log.with_suffix(".out").open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(lambda: _listens(port), lambda: process.poll() is not None, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex((HOST, port)) == 0


def _wait(ready: Callable[[], bool], ended: Callable[[], bool], log: Path) -> None:
    stop = time.monotonic() + WAIT
    while not ready():
        if ended() or time.monotonic() > stop:
            told = "".join(one.read_text() for one in log.parent.glob("log*"))
            pytest.fail(f"the server does not come up:\n{told}")
        time.sleep(0.05)


@contextlib.contextmanager
def http_server(folder: Path, busy: Callable[[str], bool] | None = None) -> Iterator[str]:
    """HTTP with byte ranges and a page that lists the folder, by aiohttp.

    Where `busy` says so of a path, the server answers that it has no time (503).
    """
    from aiohttp import web

    @web.middleware
    async def answer(request: Any, handler: Any) -> Any:
        if busy is not None and busy(request.path):
            raise web.HTTPServiceUnavailable
        return await handler(request)

    ready = threading.Event()
    started: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        app = web.Application(middlewares=[answer])
        app.router.add_static("/", folder, show_index=True)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        end = asyncio.Event()
        started.append((int(runner.addresses[0][1]), asyncio.get_running_loop(), end))
        ready.set()
        await end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(WAIT)
    port, loop, end = started[0]
    try:
        yield f"http://{HOST}:{port}"
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(WAIT)


@contextlib.contextmanager
def plain_http_server(folder: Path) -> Iterator[str]:
    """HTTP that answers a request for a byte range with the whole file, as many simple ones do."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(WAIT)
