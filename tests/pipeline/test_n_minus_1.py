"""N-1 histograms and cutflows by variation in a whole run: files, figures, what runs again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import uproot

from hepflow.pipeline import run
from tests.builders import write_nano
from tests.fields.project import itself, make_config, of_x, one_more, simulation

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
USE = [("event", "x")]


def above_one(x):
    """Events above 1."""
    return x > 1.0


def below_three(x):
    """Events below 3."""
    return x < 3.0


CUTS = [
    {"name": "low", "function": above_one, "use": USE},
    {"name": "high", "function": below_three, "use": USE},
]
WITHOUT = {"cut": "low", "function": itself, "use": USE, "binning": "0,4,4", "thresholds": [1.0]}


def inputs(here):
    """Signal, background and data between 0 and 4; written once, as a run sees new files."""
    if not here.exists():
        for name, counts in {"signal": (9, 20, 20, 9), "background": (50, 90, 60, 30)}.items():
            x = np.repeat(np.arange(4) + 0.5, counts).astype(np.float32)
            write_nano(here / f"{name}.root", {"x": x, "genWeight": np.ones(len(x), np.float32)})
        write_nano(here / "data.root", {"x": np.array([0.5] * 5 + [1.5] * 4 + [2.5] * 3, "f4")})
    return here


def config_of(folder, *, wanted=(WITHOUT,), varied=True):
    """Two cuts, and one source that moves all weights."""
    here = inputs(folder / "own")
    selection = {"cuts": CUTS, "n_minus_1": list(wanted)}
    channel = {
        "name": "SR", "observables": [of_x()], "fit_observable": "x", "selection": selection,
        "cutflow_variations": varied,
    }  # fmt: skip
    data = {"name": "data", "is_data": True, "files": [str(here / "data.root")]}
    return make_config(
        folder,
        [
            *(
                simulation(here, name=name, files=[str(here / f"{name}.root")], cross_section=1.0)
                for name in ("signal", "background")
            ),
            data,
        ],
        general={"run_statistics": True},
        preprocess={"branches": {"event": ["x"]}},
        channels=[channel],
        systematics=[{"name": "id", "type": "event", "use": USE, "up_function": one_more}],
        statistics={
            "norm_factors": [{"name": "mu", "processes": ["signal"], "bounds": (0, 50)}],
            "audit": {"ignore": True},  # the source moves far
        },
        plotting={"formats": ["png"]},
    )


def stages(result):
    """What each stage did."""
    return {one.name: one.outcome for one in result.stages}


def model(folder):
    """Workspace of the fit."""
    return (folder / "out" / "statistics" / "workspace.json").read_bytes()


def test_a_run_with_n_minus_1_histograms(tmp_path):
    out = tmp_path / "out"
    assert run(config_of(tmp_path, wanted=(), varied=False)).exit_status == 0
    fitted = model(tmp_path)
    assert not (out / "plots" / "SR" / "n_minus_1_low.png").exists()

    result = run(config_of(tmp_path))
    assert result.exit_status == 0
    assert stages(result)["histograms"] == "ran"
    assert model(tmp_path) == fitted  # it does not enter the fit
    with uproot.open(out / "histograms" / "histograms.root") as file:
        found = file["SR__n_minus_1_low__data"].values(flow=True)
        assert found.tolist() == [0.0, 5.0, 4.0, 3.0, 0.0, 0.0]
        assert "SR__n_minus_1_low__signal__id_up" not in file
        assert "SR__x__signal__id_up" in file
    assert (out / "plots" / "SR" / "n_minus_1_low.png").exists()
    cutflow = json.loads((out / "histograms" / "cutflow.json").read_text())
    events = {name: [step["events"] for step in rows]
              for name, rows in cutflow["datasets"]["SR"].items()}  # fmt: skip
    assert events == {
        "signal__nominal": [58, 49, 40, 40],
        "background__nominal": [230, 180, 150, 150],
        "data": [12, 7, 7, 7],
    }
    last = cutflow["variations"]["SR"]["id_up"]["signal__nominal"][-1]
    assert last["sumw"] == pytest.approx(
        2 * cutflow["datasets"]["SR"]["signal__nominal"][-1]["sumw"]
    )

    assert set(stages(run(config_of(tmp_path))).values()) <= {"reused", "left out"}
    moved = stages(run(config_of(tmp_path, wanted=({**WITHOUT, "thresholds": [1.1]},))))
    assert moved["plots"] == "ran"
    assert (moved["histograms"], moved["statistics"]) == ("reused", "reused")
    varied = stages(run(config_of(tmp_path, wanted=({**WITHOUT, "variations": True},))))
    assert varied["histograms"] == "ran"
    with uproot.open(out / "histograms" / "histograms.root") as file:
        up = file["SR__n_minus_1_low__signal__id_up"].values()
        assert up == pytest.approx(2 * file["SR__n_minus_1_low__signal"].values())
    assert stages(run(config_of(tmp_path, wanted=())))["histograms"] == "ran"
    assert not (out / "plots" / "SR" / "n_minus_1_low.png").exists()
