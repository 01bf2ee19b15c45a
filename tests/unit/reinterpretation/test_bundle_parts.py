"""What goes into a bundle: signal and background, functions, modules, files, versions."""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.machinery
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from hepflow.errors import UnsafeContent, WorkspaceError
from hepflow.keys import describe_function
from hepflow.reinterpretation.bundle.environment import differences, lock_text, locked
from hepflow.reinterpretation.bundle.files import moved, named_files
from hepflow.reinterpretation.bundle.functions import (
    Named,
    addresses,
    follow,
    functions_in,
    with_functions,
)
from hepflow.reinterpretation.bundle.isolation import modules_of
from hepflow.reinterpretation.bundle.manifest import Address
from hepflow.reinterpretation.bundle.modules import imports_of, user_code
from hepflow.reinterpretation.bundle.signal import patch_name, patch_set, split
from hepflow.storage import sha256_bytes

# -- signal and background -------------------------------------------------------------------

MU = {"name": "mu", "type": "normfactor", "data": None}


def _sample(name, *modifiers, data=(1.0, 2.0)):
    return {"name": name, "data": list(data), "modifiers": list(modifiers)}


def workspace() -> dict:
    """Two channels, two signals; the second one stands between backgrounds."""
    norm = {"name": "norm", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    return {
        "channels": [
            {"name": "SR", "samples": [_sample("s1", MU), _sample("b", norm), _sample("s2", MU)]},
            {"name": "CR", "samples": [_sample("b", norm, data=(50.0, 60.0)), _sample("s2", MU)]},
        ],
        "observations": [
            {"name": "SR", "data": [3.0, 4.0]},
            {"name": "CR", "data": [50.0, 61.0]},
        ],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def test_the_signal_is_what_the_parameter_of_interest_multiplies():
    given = workspace()
    found = split(given)
    assert given == workspace()
    assert (found.poi, found.measurement, found.signals) == ("mu", "m", ("s1", "s2"))
    samples = [[one["name"] for one in c["samples"]] for c in found.background["channels"]]
    assert samples == [["b"], ["b"]]
    assert [one["path"] for one in found.operations] == [
        "/channels/0/samples/0",
        "/channels/0/samples/2",
        "/channels/1/samples/1",
    ]


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_pyhf_verifies_the_patch_set_and_gets_the_workspace_back():
    import pyhf

    found = split(workspace())
    patches = pyhf.PatchSet(patch_set(found, "Search for s"))
    background = pyhf.Workspace(copy.deepcopy(dict(found.background)))
    patches.verify(background)
    back = patches.apply(background, patch_name(found.signals))
    assert dict(back) == workspace()
    model = pyhf.Workspace(back).model()
    data = pyhf.Workspace(back).data(model)
    expected = pyhf.Workspace(workspace()).model()
    assert model.logpdf([1.0, 0.0], data) == expected.logpdf([1.0, 0.0], data)


def test_workspaces_without_signal_or_background():
    without = workspace()
    without["measurements"][0]["config"]["poi"] = "other"
    with pytest.raises(WorkspaceError, match="'other'"):
        split(without)
    only = workspace()
    only["channels"][1]["samples"] = [_sample("s2", MU)]
    with pytest.raises(WorkspaceError, match="'CR' has signal only"):
        split(only)


def test_names_that_pyhf_admits():
    assert patch_name(("zprime-1.5TeV", "b")) == "zprime_1_5TeV_b"


# -- functions -------------------------------------------------------------------------------

_KINDS = """
import functools
import numpy as np


def plain(x):
    return x


def above(x, threshold):
    return x > threshold


class Cut:
    def __init__(self, threshold):
        self.threshold = threshold

    def __call__(self, x):
        return x > self.threshold

    def method(self, x):
        return x < self.threshold

    @staticmethod
    def static(x):
        return x


def make(threshold):
    def inner(x):
        return x > threshold
    return inner


named = lambda x: x + 1
bound = functools.partial(above, threshold=3)
closure = make(4)
cut = Cut(5)
again = above
config = {
    "functions": [lambda x: x + 2, functools.partial(above, threshold=6), make(7), Cut(8)],
    "more": {"method": Cut(9).method, "tuple": (lambda x: x + 3,)},
    "same": None,
}
config["same"] = config
"""


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    (tmp_path / "kinds_of_functions.py").write_text(_KINDS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("kinds_of_functions")
    del sys.modules["kinds_of_functions"]


def _named(function, path="x") -> Named:
    stored = describe_function(function)
    return Named(path, stored["function"], stored["fingerprint"])


def test_functions_of_every_kind_are_found_again(kinds):
    more = kinds.config["more"]
    wanted = {
        "plain": (kinds.plain, ("plain",)),
        "class": (kinds.Cut, ("Cut",)),
        "static": (kinds.Cut.static, ("Cut", "static")),
        "lambda": (kinds.named, ("named",)),
        "partial": (kinds.bound, ("bound",)),
        "closure": (kinds.closure, ("closure",)),
        "object": (kinds.cut, ("cut",)),
        "inner": (kinds.config["functions"][0], ("config", "functions", 0)),
        "partial in": (kinds.config["functions"][1], ("config", "functions", 1)),
        "closure in": (kinds.config["functions"][2], ("config", "functions", 2)),
        "object in": (kinds.config["functions"][3], ("config", "functions", 3)),
        "method": (more["method"], ("config", "more", "method")),
        "tuple": (more["tuple"][0], ("config", "more", "tuple", 0)),
    }
    records = [_named(function, path) for path, (function, _) in wanted.items()]
    found, problems = addresses(records, ["kinds_of_functions"])
    assert problems == []
    for path, (function, steps) in wanted.items():
        assert found[path] == Address("kinds_of_functions", steps), path
        again = follow(found[path])
        assert again is function or path == "method"


def test_functions_of_libraries_are_found_by_their_names():
    records = [_named(one, str(i)) for i, one in enumerate((len, np.sum, np.hypot, json.dumps))]
    found, problems = addresses(records, ["numpy"])
    assert problems == []
    assert [follow(found[str(i)]) for i in range(4)] == [len, np.sum, np.hypot, json.dumps]


def test_functions_that_are_not_found_again(kinds):
    here = _named(kinds.make(100), "nowhere")
    script = Named("script", "__main__:cut", "0" * 64)
    gone = Named("gone", "kinds_of_functions:gone", "0" * 64)
    missing = Named("missing", "no_such_module_at_all:cut", "0" * 64)
    changed = Named("changed", "kinds_of_functions:plain", "0" * 64)
    number = Named("number", "kinds_of_functions:__name__", "0" * 64)
    records = [here, script, gone, missing, changed, number]
    found, problems = addresses(records, ["kinds_of_functions", "no_such_module_at_all"])
    assert found == {}
    told = dict(zip([one.path for one in records], problems, strict=True))
    assert "has no name" in told["nowhere"]
    assert "script or a notebook" in told["script"]
    assert "cannot be imported (AttributeError" in told["gone"]
    assert "cannot be imported (ModuleNotFoundError" in told["missing"]
    assert "it is not what it was in the run" in told["changed"]
    assert "is no function" in told["number"]


def test_a_function_without_fingerprint_is_found_by_its_name(kinds):
    found, _ = addresses([Named("a", "kinds_of_functions:plain", None)], [])
    assert follow(found["a"]) is kinds.plain
    found, problems = addresses([Named("a", "functools:partial", None)], ["kinds_of_functions"])
    assert found == {}
    assert "cannot be told from its class" in problems[0]


def test_functions_of_a_configuration(kinds):
    record = describe_function(kinds.plain)
    tree = {"a": [{"function": record, "use": [["x", None]]}, 1], "b": {"c": record}}
    assert [one.path for one in functions_in(tree)] == ["a[0].function", "b.c"]
    filled = with_functions(tree, {"a[0].function": len, "b.c": sum})
    assert filled == {"a": [{"function": len, "use": [["x", None]]}, 1], "b": {"c": sum}}


# -- modules ---------------------------------------------------------------------------------


def test_imports_are_read_off_the_source():
    source = "import a.b as c, d\nfrom . import e\nfrom ..f import g\ndef h():\n    import i\n"
    source += "from j import *\n"
    inside = list(imports_of(ast.parse(source), "p.q.r", is_package=False))
    assert inside == ["a.b", "d", "p.q", "p.q.e", "p.f", "p.f.g", "j", "i"]
    package = list(imports_of(ast.parse("from . import e"), "p.q", is_package=True))
    assert package == ["p.q", "p.q.e"]


def _project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_modules_with_all_that_they_import(tmp_path, monkeypatch):
    files = {
        "walked/__init__.py": "",
        "walked/cuts.py": "import json\nimport numpy\nfrom .deep import tool\nimport not_there\n",
        "walked/deep/__init__.py": "from walked.deep import tool\n",
        "walked/deep/tool.py": "from space_of_names.inner import value\n",
        "walked/unused.py": "",
        "space_of_names/inner.py": "value = 1\n",
    }
    monkeypatch.syspath_prepend(_project(tmp_path, files))
    found = user_code(["walked.cuts"])
    assert found.problems == []
    assert sorted(found.files) == [
        "space_of_names/__init__.py",
        "space_of_names/inner.py",
        "walked/__init__.py",
        "walked/cuts.py",
        "walked/deep/__init__.py",
        "walked/deep/tool.py",
    ]
    assert set(found.libraries) == {"json", "numpy"}
    assert "walked.cuts" not in sys.modules, "nothing of it was run"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('url = "https://me:pass@host/x"\n', "line 1, holds what looks like a credential"),
        ('\nurl = "https://host/x?X-Amz-Signature=abc"\n', "line 2"),
        ('url = f"https://me:{token}@host/x?token={token}"\nurl = "https://host/?page=2"\n', ""),
        ("def broken(:\n", "cannot be read"),
    ],
)
def test_code_that_is_not_to_be_handed_on(text, problem, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(_project(tmp_path, {"handed_on.py": text}))
    found = user_code(["handed_on"])
    assert len(found.problems) == bool(problem)
    assert problem in "".join(found.problems)


def test_code_that_is_compiled_or_reads_files(tmp_path, monkeypatch):
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    files = {
        f"compiled_tool{suffix}": "",
        "reads_files.py": "import compiled_tool\nopen(__file__)\n",
    }
    monkeypatch.syspath_prepend(_project(tmp_path, files))
    found = user_code(["reads_files"])
    assert "compiled_tool is no Python source" in found.problems[0]
    assert found.remarks[0].startswith("reads_files uses __file__ in line 2, open in line 2")


# -- modules of a bundle beside those of the project -----------------------------------------


def test_modules_step_aside_and_come_back(tmp_path, monkeypatch):
    for place, value in (("project", 1), ("code", 2)):
        texts = {"beside/__init__.py": "", "beside/value.py": f"VALUE = {value}\n"}
        texts["beside/late.py"] = f"LATE = {value}\n"
        _project(tmp_path / place, texts)
    monkeypatch.syspath_prepend(tmp_path / "project")
    beside = importlib.import_module("beside")
    importlib.import_module("beside.value")
    path, kept = list(sys.path), {}
    with modules_of(tmp_path / "code", kept):
        value = importlib.import_module("beside.value")
        assert value.VALUE == 2
        assert sys.path[0] == str(tmp_path / "code"), "as worker processes take it over"
        with modules_of(tmp_path / "code", kept):  # within itself
            assert sys.modules["beside.value"] is value
        assert sys.modules["beside.value"] is value
    assert sys.modules["beside.value"] is beside.value
    assert beside.value.VALUE == 1
    assert "beside.late" not in sys.modules
    with pytest.raises(ZeroDivisionError), modules_of(tmp_path / "code", kept):
        _fail(sys.modules["beside.value"] is value and importlib.import_module("beside.late").LATE)
    assert (importlib.import_module("beside.late").LATE, sys.path) == (1, path)
    for name in [one for one in sys.modules if one.startswith("beside")]:
        del sys.modules[name]


def _fail(late: int) -> None:
    assert late == 2
    raise ZeroDivisionError


@pytest.mark.parametrize("name", ["numpy", "json", "hepflow", "made_by_hand"])
def test_a_module_with_the_name_of_a_library(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "made_by_hand", types.ModuleType("made_by_hand"))
    _project(tmp_path, {f"{name}.py": ""})
    before = sys.modules[name]
    with pytest.raises(UnsafeContent, match="take the place"), modules_of(tmp_path, {}):
        pass
    assert sys.modules[name] is before


# -- files and versions ----------------------------------------------------------------------


def _config(folder: Path) -> dict:
    return {
        "general": {
            "lumifile": "golden.json",
            "lumi_table": "lumi.csv",
            "cache_dir": "/a",
            "lumi": 1.0,
        },
        "datasets": {
            "datasets": [{"name": "a", "lumi_mask": None}, {"lumi_mask": "golden.json"}],
            "prepare": {"function": "a:b", "fingerprint": None, "reads": {}},
        },
        "preprocess": {"skimming": {"output": {"output_dir": "/b", "format": "root"}}},
        "corrections": {"2016": [{"file": None}, {"file": str(folder / "sf.json.gz")}]},
        "statistics": {"cabinetry_config": "own.yaml"},
        "execution": {"backend": "dask", "scheduler": "tcp://host:1", "on_missing": "rescale"},
    }


def test_files_of_a_configuration(tmp_path):
    for name in ("golden.json", "sf.json.gz", "own.yaml", "lumi.csv"):
        (tmp_path / name).write_text(name)
    config = _config(tmp_path)
    found = named_files(config, tmp_path, {})
    assert found.problems == []
    short = sha256_bytes(b"golden.json")[:12]
    assert found.names["general.lumifile"] == f"certified/{short}-golden.json"
    assert found.names["datasets.datasets[1].lumi_mask"] == f"certified/{short}-golden.json"
    assert found.names["corrections.2016[1].file"].endswith("-sf.json.gz")
    assert found.names["statistics.cabinetry_config"].startswith("model/")
    assert found.names["general.lumi_table"].startswith("lumi/")
    assert set(found.contents.values()) == {b"golden.json", b"sf.json.gz", b"own.yaml", b"lumi.csv"}
    before = copy.deepcopy(config)
    again = moved(config, found.names, Path("/else"))
    assert config == before
    assert again["corrections"]["2016"][1]["file"].startswith("/else/corrections/")
    assert again["datasets"]["datasets"][1]["lumi_mask"] == f"/else/certified/{short}-golden.json"
    assert again["general"]["cache_dir"] is None
    assert again["datasets"]["prepare"] is None
    assert again["preprocess"]["skimming"]["output"] == {"output_dir": None, "format": "root"}
    assert again["execution"] == {
        "backend": "loky",
        "workers": None,
        "scheduler": None,
        "on_missing": "rescale",
    }


def test_files_that_are_gone_or_changed(tmp_path):
    (tmp_path / "golden.json").write_text("new")
    config = _config(tmp_path)
    found = named_files(config, tmp_path, {"golden.json": sha256_bytes(b"old")})
    assert [one.partition(":")[0] for one in found.problems] == [
        "general.lumifile",
        "general.lumi_table",
        "datasets.datasets[1].lumi_mask",
        "statistics.cabinetry_config",
    ]
    assert "has changed since the run" in found.problems[0]
    assert "no file" in found.problems[3]
    assert "corrections.2016[1].file" not in found.names, "of a year that was not run"


def test_versions_of_all_that_is_needed():
    found = locked(["yaml", "json"], {"packages": {"numpy": "0.1", "Unknown": "1"}})
    assert {"hepflow", "numpy", "pyhf", "iminuit", "pyyaml"} <= {one.lower() for one in found}
    assert found["numpy"] == "0.1", "as in the run"
    assert "pytest" not in found
    assert "Unknown" not in found
    assert lock_text({"a": "1", "b": "2"}) == "a==1\nb==2\n"


def test_versions_that_are_others():
    from importlib.metadata import version

    here = ".".join(map(str, sys.version_info[:2]))
    assert differences(f"numpy=={version('numpy')}\n", f"{here}.99") == []
    found = differences("numpy==0.1\nno-such-package==1\n", "3.1.0")
    assert "instead of 3.1.0" in found[0]
    assert found[1:] == [
        f"numpy {version('numpy')} instead of 0.1",
        "no-such-package none instead of 1",
    ]
