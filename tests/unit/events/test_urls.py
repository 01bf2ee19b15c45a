"""Files at URLs: ROOT and Parquet read like local ones, and faults show no credentials."""

from __future__ import annotations

import awkward as ak
import pytest

from hepflow.errors import UnreadableFile
from hepflow.events import open_tree
from tests.builders import toy_columns, write_nano
from tests.servers import http_server, plain_http_server

COLUMNS = toy_columns(60)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_nano(folder / "a.root", COLUMNS, runs=[3.0])
    ak.to_parquet(ak.Array(COLUMNS), str(folder / "a.dat"), row_group_size=20)
    (folder / "text.root").write_text("<html>log in</html>" * 20)
    with http_server(folder) as url:
        yield folder, url


@pytest.mark.parametrize("name", ["a.root", "a.dat"])
def test_a_file_at_a_url_reads_like_a_local_one(served, name):
    folder, url = served
    remote, local = open_tree(f"{url}/{name}", "Events"), open_tree(str(folder / name), "Events")
    assert (remote.uuid, remote.num_entries, remote.runs_sum) == (
        local.uuid, local.num_entries, local.runs_sum,
    )  # fmt: skip
    names = ["Muon_pt", "genWeight"]
    mine, theirs = (one.read(names, 15, 50) for one in (remote, local))
    assert all(mine[key].tolist() == theirs[key].tolist() for key in names)


@pytest.mark.parametrize("name", ["gone.root", "text.root"])
def test_what_cannot_be_read_at_a_url_is_named_without_its_credentials(served, name):
    _, url = served
    with pytest.raises(UnreadableFile) as caught:
        open_tree(f"{url}/{name}?token=secret", "Events")
    assert f"/{name}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_without_byte_ranges_is_refused(served):
    with plain_http_server(served[0]) as url, pytest.raises(UnreadableFile, match="byte ranges"):
        open_tree(f"{url}/a.root", "Events")
