"""Where a model comes from: a run, a workspace, a cabinetry configuration."""

from __future__ import annotations

import json

import pytest

from hepflow.errors import InputError, StorageError, WorkspaceError
from hepflow.output_manager import OutputDirectoryManager
from hepflow.statistics import run_statistics
from hepflow.statistics.source import read_source, read_workspace
from tests.unit.statistics.models import counting, histograms, spec


@pytest.fixture
def run(tmp_path):
    """Folder of a run with statistics."""
    folders = OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "c")
    run_statistics(spec(limit=False, significance=False), histograms(signal=0.4), folders)
    return tmp_path / "out"


def test_a_workspace_is_read_as_it_is(tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(counting(3.0, 10.0, 12.0)))
    found = read_source(path)
    assert found.workspace == counting(3.0, 10.0, 12.0)
    assert found.run is None
    assert not found.expected_only


def test_a_run_gives_its_workspace(run):
    found = read_source(run)
    assert found.run == run
    assert found.workspace == read_workspace(run / "statistics" / "workspace.json")
    assert not found.expected_only


def test_a_run_with_asimov_data_is_never_observed(run):
    path = run / "statistics" / "prediction.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "expected_only": True}))
    assert read_source(run).expected_only


def test_groups_of_a_run_come_with_it(run):
    (run / "statistics" / "groups.json").write_text(json.dumps({"jets": ["jes", "jer"]}))
    assert read_source(run).groups == {"jets": ("jes", "jer")}


def test_a_patch_is_applied(tmp_path):
    path, patch = tmp_path / "workspace.json", tmp_path / "patch.json"
    path.write_text(json.dumps(counting(3.0, 10.0, 12.0)))
    operation = {"op": "replace", "path": "/observations/0/data/0", "value": 9.0}
    patch.write_text(json.dumps([operation]))
    assert read_source(path, patch=patch).workspace["observations"][0]["data"] == [9.0]


@pytest.mark.parametrize("content", [{}, [], {"channels": [], "observations": []}, 3])
def test_json_that_is_no_workspace(tmp_path, content):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(content))
    with pytest.raises(WorkspaceError, match="no HistFactory workspace"):
        read_source(path)


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_source(tmp_path / "nothing.json")
    with pytest.raises(InputError, match="no run with statistics"):
        read_source(tmp_path)


def test_what_is_no_json(tmp_path):
    path = tmp_path / "workspace.json"
    path.write_text("channels:")
    with pytest.raises(StorageError):
        read_source(path)
