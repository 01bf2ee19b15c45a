"""The chain on files that servers hand out: the same histograms as from the same files here."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepflow.errors import FileListError, UnreadableFile
from hepflow.file_lists import find_files
from hepflow.remote import check_served
from tests.pipeline.projects import (
    MODULE,
    PARTS,
    Here,
    assert_same_templates,
    changed,
    made,
    run,
    templates,
    write_project,
)
from tests.servers import (
    free_port,
    http_server,
    open_folder,
    plain_http_server,
    s3_server,
    xrootd_server,
)

SERVERS = ("xrootd", "s3", "http")
SIGNAL = '"files": [str(HERE / "signal.txt")]'
BACKGROUND = '"files": [str(HERE / "background.txt")]'
DATA = '"files": [str(HERE / "data.txt")]'
SIGNED = "?X-Amz-Signature=topsecret"


@contextlib.contextmanager
def serve(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of the folder at a server of this kind."""
    if kind == "s3":
        with s3_server(folder, monkeypatch) as url:
            yield url
    elif kind == "xrootd":
        pytest.importorskip("fsspec_xrootd")
        with xrootd_server(folder) as url:
            yield url
    else:
        with http_server(folder) as url:
            yield url


@pytest.fixture
def folder() -> Iterator[Path]:
    """The files that are served; nothing of them lies in the project."""
    with open_folder() as one:
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> dict:
    """Histograms of the same files, read here."""
    place = write_project(tmp_path_factory.mktemp("local") / "analysis")
    done = run(place, "--general.run_statistics=false")
    assert done.returncode == 0, done.stderr
    return templates(place)


def prepare(place: Path, served: Path) -> Path:
    """A project whose input files lie in the served folder, those of data deeper."""
    write_project(place)
    (served / "data").mkdir()
    for file in place.glob("*.root"):
        shutil.move(file, served / "data" if file.name.startswith("data") else served)
    (served / "signal.txt").write_text("signal_0.root  # beside the listing\n")
    for listing in ("signal.txt", "background.txt", "data.txt"):
        (place / listing).unlink()
    return place


def configure(place: Path, signal: str, background: str, data: str) -> None:
    """Say where the input files of the project are."""
    text = changed(MODULE, (SIGNAL, signal), (BACKGROUND, background), (DATA, data))
    (place / "mine.py").write_text(f'{text}\nconfig["execution"] = {{"backend": "inprocess"}}\n')


def everywhere(place: Path, url: str) -> None:
    """A listing, a glob and a directory, all at a URL."""
    configure(
        place,
        f'"files": ["{url}/signal.txt"]',
        f'"files": ["{url}/background_*.root"]',
        f'"directory": "{url}/data"',
    )


# -- every kind of server --------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERVERS)
def test_histograms_equal_those_of_the_same_files_here(
    tmp_path, folder, local, kind, monkeypatch, capsys
):
    place = prepare(tmp_path / "analysis", folder)
    with serve(kind, folder, monkeypatch) as url:
        everywhere(place, url)
        status, told = Here(place, monkeypatch, capsys).run()
    assert status == 0, told
    assert_same_templates(templates(place), local)
    files = json.loads((place / "out" / "metadata" / "workitems.json").read_text())
    assert {one["filename"].startswith(f"{url}/") for one in files} == {True}


@pytest.mark.parametrize("stage", ["metadata", "skim"])
def test_a_server_that_is_busy_is_asked_again(tmp_path, folder, local, stage, monkeypatch, capsys):
    place = prepare(tmp_path / "analysis", folder)
    left = {"metadata": 0, "skim": 0}
    now = ["metadata"]

    def busy(path: str) -> bool:
        left[now[0]] -= path == "/background_1.root"
        return path == "/background_1.root" and left[now[0]] >= 0

    here = Here(place, monkeypatch, capsys)
    with http_server(folder, busy) as url:
        everywhere(place, url)
        if stage == "skim":
            assert here.run("--general.run_histogramming=false", "--general.analysis=skip")[0] == 0
            shutil.rmtree(place / "out" / "skimmed")
        now[0] = stage
        left[stage] = 2
        status, told = here.run("--execution.retry_wait=0.01")
        assert status == 0, told
        assert "failed in a way that may pass" in told
        assert "tried again in 0.01 s (1 of 2)" in told
        assert_same_templates(templates(place), local)
        # one that stays busy is a failure, told with its file; the others are kept
        left[stage] = 10**6
        monkeypatch.setattr("hepflow.execution.retrying.time.sleep", lambda _: None)
        status, told = here.run("--general.read_from_cache=false")
    assert status != 0
    assert "tried again in 2 s (2 of 2)" in told
    assert f"{url}/background_1.root" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("kind", ["xrootd"])
def test_worker_processes_read_from_servers_too(tmp_path, folder, local, kind, monkeypatch):
    place = prepare(tmp_path / "analysis", folder)
    with serve(kind, folder, monkeypatch) as url:
        everywhere(place, url)
        done = run(place, "--general.run_statistics=false", "--execution.backend=loky")
    assert done.returncode == 0, done.stderr
    assert_same_templates(templates(place), local)


# -- lists -----------------------------------------------------------------------------------


NOT_THERE = [
    ({"files": ["{}/q*.root"]}, r"no file matches '{}/q\*\.root'"),
    ({"directories": ["{}/deep"], "pattern": "q*"}, r"no file matches '{}/deep/q\*'"),
    ({"directories": ["{}/gone"]}, r"{}/gone: there is no such file or directory"),
    ({"files": ["{}/gone/*.root"]}, r"{}/gone/\*\.root: there is no such file or directory"),
    ({"files": ["{}/gone.txt"]}, r"the listing {}/gone\.txt cannot be read: there is no such file"),
    ({"files": ["{}/empty.txt"]}, r"the listing {}/empty\.txt is empty"),
]


@pytest.mark.parametrize("kind", SERVERS)
def test_what_is_not_there_is_told_alike_of_all_servers(folder, kind, monkeypatch):
    (folder / "deep").mkdir()
    (folder / "deep" / "x.root").touch()
    (folder / "empty.txt").touch()
    with serve(kind, folder, monkeypatch) as url:
        for fields, message in NOT_THERE:
            placed = {
                key: value if isinstance(value, str) else [one.replace("{}", url) for one in value]
                for key, value in fields.items()
            }
            with pytest.raises(FileListError, match="'mc': " + message.replace("{}", url)):
                find_files("dataset 'mc'", **placed)


# -- redirectors -----------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch) -> Iterator[None]:
    """XRootD gives up a dead server within a second, not 15."""
    client = pytest.importorskip("XRootD.client")
    before = {name: client.EnvGetInt(name) for name in ("ConnectionWindow", "ConnectionRetry")}
    for name in before:
        monkeypatch.setenv(f"XRD_{name.upper()}", "1")  # holds for what hepflow sets
        client.EnvPutInt(name, 1)  # the variables are read when the library is loaded
    yield
    for name, value in before.items():
        client.EnvPutInt(name, value)


@pytest.mark.field("datasets.datasets[].redirectors")
@pytest.mark.parametrize("kind", SERVERS[::2])
def test_the_next_redirector_is_taken_where_one_is_down(
    tmp_path, folder, local, kind, monkeypatch, capsys, request
):
    if kind == "xrootd":
        request.getfixturevalue("impatient")
    place = prepare(tmp_path / "analysis", folder)
    (place / "signal.txt").write_text("/store/signal_0.root\n")
    with serve(kind, folder, monkeypatch) as url:
        works = url.removesuffix("store")
        down = f"{works.partition('://')[0]}://127.0.0.1:{free_port()}/"
        names = "/store/" if kind == "xrootd" else "/"
        (place / "signal.txt").write_text(f"{names}signal_0.root\n")
        redirectors = f'"redirectors": ["{down}", "{works}"], '
        configure(
            place,
            redirectors + SIGNAL,
            redirectors + f'"files": ["{names}background_*.root"]',
            redirectors + f'"directory": "{names}data"',
        )
        status, told = Here(place, monkeypatch, capsys).run()
    assert status == 0, told
    assert_same_templates(templates(place), local)
    files = json.loads((place / "out" / "metadata" / "workitems.json").read_text())
    assert {one["filename"].startswith(works) for one in files} == {True}


def test_a_dead_xrootd_server_is_given_up(impatient):
    url = f"root://127.0.0.1:{free_port()}//store"
    for where in (
        {"directories": [url]},
        {"files": [f"{url}/*.root"]},
        {"files": [f"{url}/l.txt"]},
    ):
        with pytest.raises(FileListError, match=f"{url}.*no server answers there"):
            find_files("dataset 'mc'", **where)


def test_where_no_redirector_works_each_is_named(tmp_path, folder, monkeypatch, capsys):
    place = prepare(tmp_path / "analysis", folder)
    down = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    with http_server(folder) as url:
        everywhere(place, url)
        text = (place / "mine.py").read_text()
        new = f'"redirectors": {json.dumps(down)}, "files": ["/signal_0.root"]'
        (place / "mine.py").write_text(changed(text, (f'"files": ["{url}/signal.txt"]', new)))
        status, told = Here(place, monkeypatch, capsys).run()
    assert status != 0
    assert "reading metadata: 1 of 5 failed" in told
    for one in down:
        assert f"{one}/signal_0.root: no server answers there" in told


# -- what goes wrong -------------------------------------------------------------------------


def forget_open_files(kind: str) -> None:
    """XRootD's file system keeps files open for 30 s: one that was removed can still be read."""
    if kind == "xrootd":
        kinds = importlib.import_module("fsspec_xrootd").XRootDFileSystem
        for one in kinds._cache.values():
            one.invalidate_cache()


@pytest.mark.parametrize("kind", ["xrootd", "http"])
def test_a_file_that_vanishes_is_named_and_what_was_done_is_kept(
    tmp_path, folder, local, kind, monkeypatch, capsys
):
    place = prepare(tmp_path / "analysis", folder)
    gone = folder / "background_1.root"
    with serve(kind, folder, monkeypatch) as url:
        everywhere(place, url)
        here = Here(place, monkeypatch, capsys)
        here.run("--general.run_skimming=false")  # metadata alone: there is no skim to go on with
        assert (place / "out" / "metadata" / "workitems.json").exists()
        content = gone.read_bytes()
        gone.unlink()
        forget_open_files(kind)
        status, told = here.run("--general.run_metadata_generation=false")
        assert status != 0
        assert f"{url}/background_1.root: there is no such file" in told
        assert not list((place / "out" / "histograms").glob("histograms.*"))
        gone.write_bytes(content)
        gone.chmod(0o644)
        status, told = here.run("--general.run_metadata_generation=false")
        assert status == 0, told
        assert made(told)["skim"] == (PARTS, 2)
    assert_same_templates(templates(place), local)


def test_a_server_that_ignores_ranges_is_refused(tmp_path, folder, monkeypatch, capsys):
    place = prepare(tmp_path / "analysis", folder)
    with plain_http_server(folder) as url:
        with pytest.raises(UnreadableFile, match=f"{url}/signal.* ignores byte ranges"):
            check_served(f"{url}/signal_0.root{SIGNED}")
        everywhere(place, url)
        status, told = Here(place, monkeypatch, capsys).run()
    assert status != 0
    assert "reading metadata: 5 of 5 failed" in told
    assert f"{url}/signal_0.root: the server ignores byte ranges" in told
    assert "download the file" in told


@pytest.mark.parametrize("module", ["fsspec_xrootd", "s3fs"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    tmp_path, folder, monkeypatch, capsys, module
):
    extra, url = {
        "fsspec_xrootd": ("xrootd", "root://127.0.0.1//store"),
        "s3fs": ("s3", "s3://store"),
    }[module]
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else find(name)
    )
    place = prepare(tmp_path / "analysis", folder)
    everywhere(place, url)
    status, told = Here(place, monkeypatch, capsys).run()
    assert status == 2
    assert f"Install hepflow[{extra}]" in told
    assert module in told


def test_credentials_in_a_url_are_used_but_never_told(tmp_path, folder, local, monkeypatch, capsys):
    place = prepare(tmp_path / "analysis", folder)
    with http_server(folder) as url:
        mine = url.replace("://", "://me:topsecret@")
        configure(
            place,
            f'"files": ["{url}/signal_0.root{SIGNED}"]',
            f'"files": ["{mine}/background_*.root"]',
            f'"directory": "{url}/data"',
        )
        here = Here(place, monkeypatch, capsys)
        status, told = here.run()
        assert status == 0, told
        assert_same_templates(templates(place), local)
        assert "topsecret" not in told + here.out
        (folder / "signal_0.root").unlink()
        (folder / "background_0.root").unlink()
        status, told = here.run("--general.read_from_cache=false")
    assert status != 0
    assert f"{url}/signal_0.root?...: there is no such file" in told
    assert "topsecret" not in told + here.out
    for log in (place / "out" / "logs").rglob("*"):
        assert log.is_dir() or "topsecret" not in log.read_text()
