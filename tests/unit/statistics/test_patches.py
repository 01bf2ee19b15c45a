"""Patches: JSON patches and patch sets, their entries and digests."""

from __future__ import annotations

import copy
import json

import pytest

from hepflow.errors import WorkspaceError
from hepflow.statistics.patches import digest, patched, split_reference
from tests.unit.statistics.models import counting, shared

OPERATION = {"op": "replace", "path": "/channels/0/samples/0/data/0", "value": 7.5}


def workspace():
    return counting(3.0, 10.0, 12.0)


def patch_set(*names, digests=None):
    made_for = {"sha256": digest(workspace())} if digests is None else digests
    return {
        "metadata": {"name": "grid", "digests": made_for, "labels": ["m"], "description": ""},
        "patches": [
            {
                "metadata": {"name": name, "values": [float(k)]},
                "patch": [{**OPERATION, "value": float(k)}],
            }
            for k, name in enumerate(names, start=1)
        ],
        "version": "1.0.0",
    }


def write(tmp_path, content, name="patch.json"):
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def signal(found):
    return found["channels"][0]["samples"][0]["data"]


def test_a_json_patch_changes_a_copy(tmp_path):
    before = workspace()
    kept = copy.deepcopy(before)
    assert signal(patched(before, write(tmp_path, [OPERATION]))) == [7.5]
    assert before == kept


def test_an_entry_of_a_patch_set_is_chosen_by_name(tmp_path):
    path = write(tmp_path, patch_set("m100", "m200"))
    assert signal(patched(workspace(), f"{path}:m200")) == [2.0]


def test_a_set_of_one_entry_needs_no_name(tmp_path):
    assert signal(patched(workspace(), write(tmp_path, patch_set("m100")))) == [1.0]


def test_a_file_with_a_colon_in_its_name_is_that_file(tmp_path):
    path = write(tmp_path, [OPERATION], "a:b.json")
    assert split_reference(path) == (path, "")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (patch_set("m100", "m200"), "", "holds several patches"),
        (patch_set("m100", "m200"), ":m20", "Did you mean"),
        (patch_set("m100", digests={"sha256": "0" * 64}), "", "is for a workspace of sha256"),
        (patch_set("m100", digests={"md5": "0" * 32}), "", "is for a workspace of md5"),
        ({"patches": [{"patch": []}]}, "", "is not whole"),
        ({"channels": []}, "", "is no patch"),
        ([{**OPERATION, "path": "/channels/9/name"}], "", "cannot be applied"),
        ([{"op": "jump"}], "", "cannot be applied"),
        (["replace"], "", "cannot be applied"),
        ([OPERATION], ":m100", "has no entry"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, content, name, message):
    path = write(tmp_path, content)
    with pytest.raises(WorkspaceError, match=message):
        patched(workspace(), f"{path}{name}")


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_digests_are_those_of_pyhf():
    import pyhf

    path = shared("likelihoods/sbottom_regionA/BkgOnly.json")
    content = json.loads(path.read_text())
    for kind in ("sha256", "md5"):
        assert digest(content, kind) == pyhf.utils.digest(content, algorithm=kind)


def test_a_published_patch_adds_its_signal():
    folder = shared("likelihoods/sbottom_regionA")
    background = json.loads((folder / "BkgOnly.json").read_text())
    found = patched(background, folder / "patch.sbottom_1300_205_60.json")
    names = {one["name"] for channel in found["channels"] for one in channel["samples"]}
    before = {one["name"] for channel in background["channels"] for one in channel["samples"]}
    assert names - before
