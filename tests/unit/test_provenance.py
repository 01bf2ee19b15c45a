"""What a run records about itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from hepflow import provenance


@pytest.fixture
def user_module(tmp_path):
    file = tmp_path / "mycuts.py"
    file.write_text("def cut(pt):\n    return pt > 30\n")
    spec = importlib.util.spec_from_file_location("mycuts", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mycuts"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mycuts"]


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_functions_are_found_at_any_depth():
    tree = {"a": [1, {"function": len}], "b": (max, "x"), "c": None}
    assert list(provenance.functions_of(tree)) == [len, max]


def test_only_folders_of_the_user_count(user_module, tmp_path):
    tree = {"cut": user_module.cut, "library": json.dumps}
    assert provenance.user_folders(tree) == [tmp_path]


def test_state_of_code_outside_a_repository(tmp_path):
    state = provenance.code_state(tmp_path)
    assert (state["commit"], state["modified"]) == (None, None)


def test_state_of_code_in_a_repository(user_module, tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    clean = provenance.code_state(tmp_path)
    assert len(clean["commit"]) == 40
    assert clean["modified"] is False
    (tmp_path / "mycuts.py").write_text("def cut(pt):\n    return pt > 40\n")
    assert provenance.code_state(tmp_path)["modified"] is True


def test_resolved_names_functions_with_their_fingerprint(user_module):
    tree = {"cut": user_module.cut, 2018: (1, None), "path": sys}
    found = provenance.resolved({"cut": user_module.cut, 2018: (1, None, 2.5)})
    assert found["cut"]["function"] == "mycuts:cut"
    assert len(found["cut"]["fingerprint"]) == 64
    assert found["2018"] == [1, None, 2.5]
    assert json.dumps(found)
    assert isinstance(provenance.resolved(tree)["path"], str)


def test_software_names_what_numbers_depend_on():
    found = provenance.software()
    assert {"hepflow", "numpy", "awkward", "correctionlib"} <= found["packages"].keys()
    assert found["python"].count(".") == 2
