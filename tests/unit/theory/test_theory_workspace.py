"""Theory weights through the whole chain: into the files of histograms and the workspace."""

from __future__ import annotations

import json

import numpy as np
import pytest
import uproot

from hepflow.corrections.theory import parton_shower
from hepflow.pipeline import run
from tests.builders import write_nano
from tests.fields.project import make_config, real, simulation
from tests.unit.theory.weighted import entry, lists

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def sample(folder, name, counts, slope):
    """Events in the middles of four bins, with a pair of weights."""
    x = np.repeat(np.arange(4) + 0.5, counts)
    pair = 1 + np.outer(x - 2.0, [slope, -slope])
    ones = np.ones(len(x), np.float32)
    columns = {"x": x.astype(np.float32), "genWeight": ones, "Some": lists(pair)}
    if name == "data":
        columns = {"x": columns["x"]}
    return str(write_nano(folder / f"{name}.root", columns))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A run with a theory source, and with one whose weights are in no file."""
    folder = tmp_path_factory.mktemp("workspace")
    paths = {
        name: sample(folder, name, counts, slope)
        for name, counts, slope in (
            ("signal", (0, 0, 200, 600), 0.0),
            ("background", (300, 200, 100, 200), 0.125),
            ("data", (31, 21, 13, 24), 0.0),
        )
    }
    datasets = [
        simulation(folder, name="signal", files=[paths["signal"]]),
        simulation(folder, name="background", files=[paths["background"]], cross_section=20.0),
        real(folder, files=[paths["data"]]),
    ]
    size = {"name": "xsec", "type": "normalisation", "size": 0.1, "processes": ["background"]}
    config = make_config(
        folder,
        datasets,
        general={"run_statistics": True},
        preprocess={"branches": {"event": ["x"]}},
        systematics=[entry(processes=["background"]), size, *parton_shower()],
        statistics={"norm_factors": [{"name": "mu", "processes": ["signal"]}], "limit": False},
    )
    return folder / "out", run(config)


def template():
    """Bins of the upper side: the members keep the yield of nominal."""
    x = np.repeat(np.arange(4) + 0.5, (300, 200, 100, 200))
    weights = 1 + 0.125 * (x - 2.0)
    weights *= len(x) / weights.sum()
    return np.histogram(x, np.arange(5), weights=weights / 10)[0]


def test_the_workspace_has_the_source_as_one_parameter(found):
    out, result = found
    assert result.exit_status == 0
    workspace = json.loads((out / "statistics" / "workspace.json").read_text())
    samples = {one["name"]: one for one in workspace["channels"][0]["samples"]}
    modifiers = {
        (one["name"], one["type"]): one["data"] for one in samples["background"]["modifiers"]
    }
    sizes = modifiers["t", "normsys"]
    assert (sizes["hi"], sizes["lo"]) == pytest.approx((1.0, 1.0))  # the yield is kept
    shape = modifiers["t", "histosys"]
    assert shape["hi_data"] == pytest.approx(template().tolist())
    assert not [one for one in samples["signal"]["modifiers"] if one["name"] == "t"]


def test_a_source_without_weights_is_left_out_and_said(found):
    out, result = found
    workspace = (out / "statistics" / "workspace.json").read_text()
    assert '"isr"' not in workspace
    assert "no isr weights in background, signal" in result.remarks


def test_histograms_hold_sides_and_no_members(found):
    out, _ = found
    with uproot.open(out / "histograms" / "histograms.root") as file:
        names = {name.partition(";")[0] for name in file.keys(recursive=False)}
        up = file["SR__x__background__t_up"].values()
    assert {"SR__x__background", "SR__x__background__t_up", "SR__x__background__t_down"} <= names
    assert not [name for name in names if "__at__" in name]
    assert up == pytest.approx(template())
