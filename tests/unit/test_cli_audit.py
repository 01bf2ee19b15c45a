"""``hepflow audit``: what it looks at, what it shows, and its exit status."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import asdict

import numpy as np
import pytest
import uproot

from hepflow.cli import main
from hepflow.cli.last_run import FILE
from hepflow.failed import Invocation
from hepflow.histograms import write_histograms
from hepflow.output_manager import OutputDirectoryManager
from tests.unit.statistics.models import counting, histograms, normsys, shared

_names = (f"hepflow_audit_module_{i}" for i in itertools.count())


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def workspace(here, size=1.1):
    """A workspace of one source; its file."""
    content = counting(5.0, 50.0, 52.0, normsys("lumi", size, 2 - size))
    path = here / "workspace.json"
    path.write_text(json.dumps(content))
    return path


def test_a_clean_workspace(here, capsys):
    assert main(["audit", str(workspace(here))]) == 0
    assert "Found      nothing" in capsys.readouterr().out


def test_findings_and_what_to_do(here, capsys):
    path = shared("zprime_opendata_run/histograms.root")
    assert main(["audit", str(path), "--json", "found.json"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "Error: identical-sides (10)" in text
    assert "Check that up and down are not read from the same place" in text
    assert "20 errors" in text
    found = json.loads((here / "found.json").read_text())
    assert (found["errors"], found["accepted"]) == (20, 0)
    assert len(found["findings"]) == found["errors"] + found["warnings"]


def test_json_can_be_all_of_the_output(here, capsys):
    assert main(["audit", str(workspace(here)), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def lost_factor(here):
    """Histograms in which a source lost a factor."""
    path, edges = here / "h.root", np.array([0.0, 1.0, 2.0])
    with uproot.recreate(path) as file:
        for channel in ("SR", "CR"):
            file[f"{channel}__m__tt"] = np.array([400.0, 500.0]), edges
            file[f"{channel}__m__tt__id_up"] = np.array([4.0, 5.0]), edges
            file[f"{channel}__m__tt__id_down"] = np.array([410.0, 510.0]), edges
            file[f"{channel}__m__obs"] = np.array([400.0, 500.0]), edges
    return path


def test_codes_can_be_ignored(here, capsys):
    path = str(lost_factor(here))
    assert main(["audit", path, "--data", "obs"]) == 1
    assert main(["audit", path, "--data", "obs", "--ignore", "norm-effect"]) == 0
    assert "Accepted: norm-effect (2)" in capsys.readouterr().out
    assert main(["audit", path, "--ignore", "norm-efect"]) == 2
    assert "no such code. Did you mean 'norm-effect'?" in capsys.readouterr().err


def test_observables_can_be_chosen(here, capsys):
    path = str(lost_factor(here))
    assert main(["audit", path, "--observable", "SR=m"]) == 1
    assert main(["audit", path, "--observable", "SR"]) == 2
    assert "expected CHANNEL=NAME" in capsys.readouterr().err
    assert main(["audit", path, "--observable", "SR=pt"]) == 2
    assert "no observable 'pt'" in capsys.readouterr().err
    assert main(["audit", path, "--patch", "p.json"]) == 2
    assert "--patch is for workspaces" in capsys.readouterr().err


def test_a_patch_is_applied(here, capsys):
    path = workspace(here)
    where = "/channels/0/samples/1/modifiers/0/data"
    patch = [{"op": "replace", "path": where, "value": {"hi": 31.0, "lo": 0.9}}]
    (here / "patch.json").write_text(json.dumps(patch))
    assert main(["audit", str(path), "--patch", "patch.json"]) == 1
    assert "multiplied by 31 up" in " ".join(capsys.readouterr().out.split())


def test_many_findings_are_shown_in_part(here, capsys):
    modifiers = [normsys(f"s{i:02}", 1.0, 1.0) for i in range(40)]
    (here / "w.json").write_text(json.dumps(counting(5.0, 50.0, 52.0, *modifiers)))
    assert main(["audit", "w.json"]) == 0
    text = capsys.readouterr().out
    assert "and 10 more: --all shows them" in text
    assert "s39" not in text
    assert main(["audit", "w.json", "--all"]) == 0
    assert "s39" in capsys.readouterr().out


def test_what_is_no_model(here, capsys):
    assert main(["audit"]) == 2
    assert "outputs does not exist" in capsys.readouterr().err
    (here / "outputs").mkdir()
    assert main(["audit"]) == 2
    assert "holds no statistics/workspace.json" in capsys.readouterr().err
    (here / "w.json").write_text("{}")
    assert main(["audit", "w.json"]) == 2


CONFIG = """
def itself(x):
    return x

channel = {"observables": [{"name": "mass", "function": itself, "use": [("event", "mass")],
                            "binning": "200,3000,20"}], "fit_observable": "mass"}
slope = {"type": "event", "use": [("event", "mass")],
         "up_function": itself, "down_function": itself}
config = {
    "general": {"lumi": 1000.0, "output_dir": "outputs"},
    "datasets": {"datasets": [
        *({"name": name, "files": ["x.root"], "cross_section": 1.0}
          for name in ("signal", "ttbar", "wjets")),
        {"name": "data", "files": ["d.root"], "is_data": True},
    ]},
    "preprocess": {"branches": {"event": ["mass"]}},
    "channels": [{**channel, "name": "sr"}, {**channel, "name": "cr"}],
    "systematics": [{**slope, "name": name} for name in ("jes", "btag", "tune")],
    "statistics": {"norm_factors": [{"name": "mu", "processes": ["signal"]}]},
}
"""


@pytest.fixture
def run(here):
    """A folder as a run leaves it: histograms, and how it was started."""
    manager = OutputDirectoryManager(root_output_dir="outputs")
    write_histograms(histograms(), manager.get_histograms_dir())
    name = next(_names)
    (here / f"{name}.py").write_text(CONFIG)
    invocation = asdict(Invocation("hepflow run", str(here), config=f"{name}:config"))
    path = here / "outputs" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(invocation))
    return here / "outputs"


def test_a_run_is_looked_at_as_configured(run, capsys):
    assert main(["audit", "--json", "f.json"]) == 0
    assert "the histograms of outputs, with the configuration" in capsys.readouterr().out
    found = json.loads((run.parent / "f.json").read_text())["findings"]
    missing = {one["systematic"] for one in found if one["code"] == "missing-variation"}
    assert missing == {"tune"}  # only the configuration knows that it should be there


def test_a_model_of_ones_own_is_looked_at_as_a_workspace(run, here, capsys):
    statistics = run / "statistics"
    statistics.mkdir()
    (statistics / "cabinetry_config.yaml").write_text("General: {}\n")
    workspace(statistics)
    assert main(["audit"]) == 0
    assert "the workspace outputs/statistics/workspace.json" in capsys.readouterr().out
