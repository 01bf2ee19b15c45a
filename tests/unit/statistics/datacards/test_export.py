"""Workspaces as datacards, and back."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from hepflow.cli import main
from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards import export_card, import_card, read_card, write_card
from tests.unit.statistics.datacards.evaluator import CardLikelihood
from tests.unit.statistics.datacards.model import Model
from tests.unit.statistics.models import (
    all_modifiers,
    counting,
    normsys,
    shared,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it


def modifier(name: str, kind: str, data: Any = None) -> dict[str, Any]:
    return {"name": name, "type": kind, "data": data}


def shape(low, high) -> dict[str, Any]:
    return {"lo_data": list(low), "hi_data": list(high)}


def settings(workspace, *parameters):
    found = copy.deepcopy(workspace)
    found["measurements"][0]["config"]["parameters"] += list(parameters)
    return found


def with_shapes() -> dict[str, Any]:
    """Two channels: norm and shape together, as hepflow and cabinetry make them."""
    sr = [
        {
            "name": "signal",
            "data": [2.0, 4.0, 6.0],
            "modifiers": [
                modifier("mu", "normfactor"),
                normsys("jes", 1.1, 0.92),
                modifier("jes", "histosys", shape([2.4, 4.0, 5.6], [1.7, 4.0, 6.3])),
                modifier("stat_sr", "staterror", [0.2, 0.3, 0.4]),
            ],
        },
        {
            "name": "top quark",
            "data": [30.0, 20.0, 10.0],
            "modifiers": [
                modifier("k_top", "normfactor"),
                normsys("jes", 0.95, 1.08),
                modifier("jes", "histosys", shape([31.0, 20.0, 9.0], [29.0, 20.0, 11.0])),
                normsys("xs", 1.06, 1 / 1.06),
                modifier("stat_sr", "staterror", [2.0, 1.5, 1.0]),
            ],
        },
    ]
    cr = [
        {
            "name": "top quark",
            "data": [300.0, 200.0],
            "modifiers": [
                modifier("k_top", "normfactor"),
                normsys("xs", 1.06, 1 / 1.06),
                normsys("jes", 1.02, 0.97),  # a yield here, a shape there
                modifier("stat_cr", "staterror", [6.0, 5.0]),
            ],
        }
    ]
    config = {
        "poi": "mu",
        "parameters": [{"name": "k_top", "inits": [1.0], "bounds": [[0.1, 5.0]]}],
    }
    return {
        "channels": [{"name": "sr", "samples": sr}, {"name": "cr", "samples": cr}],
        "measurements": [{"name": "m", "config": config}],
        "observations": [
            {"name": "sr", "data": [35.0, 23.0, 19.0]},
            {"name": "cr", "data": [310.0, 190.0]},
        ],
        "version": "1.0.0",
    }


def round_trip(workspace: dict[str, Any], folder: Path) -> tuple[Model, Model, CardLikelihood]:
    """The model before and after, and the card in between."""
    write_card(export_card(workspace), folder)
    found = import_card(folder / "datacard.txt", poi="mu")
    return Model(workspace), Model(found.workspace), CardLikelihood(folder / "datacard.txt")


def same(one, other, names=None, tolerance=1e-9):
    for (channel, process), values in one.items():
        new = (names or {}).get(process, process)
        assert values == pytest.approx(other[channel, new], rel=tolerance), (channel, process)


# -- yields ----------------------------------------------------------------------------------


def test_yields_come_back_at_each_point_of_the_templates(tmp_path):
    before, after, card = round_trip(with_shapes(), tmp_path)
    names = {"top quark": "top_quark"}
    for point in ({}, *({name: side} for name in ("jes", "xs") for side in (-1.0, 1.0))):
        same(before.expected(**point), after.expected(**point), names)
        same(before.expected(**point), card.expected(point), names)
    scaled = {"k_top": 1.7, "mu": 2.0}
    same(before.expected(**scaled), after.expected(**scaled), names)
    same(before.expected(**scaled), card.expected({"k_top": 1.7}, 2.0), names)


def test_shapes_at_the_nominal_yield_are_the_same_everywhere(tmp_path):
    workspace = with_shapes()
    before, after, card = round_trip(workspace, tmp_path)
    told = export_card(workspace).approximations
    worst = 0.0
    for theta in np.linspace(-2.5, 2.5, 21):
        mine, others = before.expected(jes=theta), card.expected({"jes": theta})
        for (channel, process), values in mine.items():
            ratio = others[channel, process.replace(" ", "_")] / values
            worst = max(worst, float(np.abs(ratio - 1).max()))
        same(mine, after.expected(jes=theta), {"top quark": "top_quark"}, 1e-9)
    (jes,) = (one for one in told if "jes" in one.names)
    assert 0 < worst <= jes.largest * 1.01
    assert jes.largest < 2e-3


def test_statistical_uncertainties_come_back(tmp_path):
    before, after, _ = round_trip(with_shapes(), tmp_path)
    for old, new in (("stat_sr", "prop_binsr"), ("stat_cr", "prop_bincr")):
        widths = [
            one.model.config.param_set(name).sigmas for one, name in ((before, old), (after, new))
        ]
        assert widths[0] == pytest.approx(widths[1])


def test_statistical_uncertainties_of_scaled_processes_come_back(tmp_path):
    workspace = with_shapes()
    workspace["measurements"][0]["config"]["parameters"][0]["inits"] = [1.5]
    before, after, _ = round_trip(workspace, tmp_path)
    widths = [
        one.model.config.param_set(name).sigmas
        for one, name in ((before, "stat_sr"), (after, "prop_binsr"))
    ]
    assert widths[0] == pytest.approx(widths[1])


# -- likelihoods -----------------------------------------------------------------------------


def profile(workspace: dict[str, Any], values) -> np.ndarray:
    """-2 ln L over its minimum, with the parameter of interest held."""
    from hepflow.statistics.fitting import fit
    from hepflow.statistics.workspace import load_model

    found = []
    for value in values:
        one = copy.deepcopy(workspace)
        config = one["measurements"][0]["config"]
        said = [it for it in config["parameters"] if it["name"] != "mu"]
        fixed = {"name": "mu", "inits": [value], "bounds": [[0.0, 10.0]], "fixed": True}
        config["parameters"] = [*said, fixed]
        found.append(fit(*load_model(one)).twice_nll)
    return np.array(found) - min(found)


def test_profiles_agree_within_what_is_told(tmp_path):
    workspace = with_shapes()
    write_card(export_card(workspace), tmp_path)
    back = import_card(tmp_path / "datacard.txt", poi="mu").workspace
    values = (0.0, 0.5, 1.0, 2.0, 3.0)
    assert profile(workspace, values) == pytest.approx(profile(back, values), abs=1e-4)


def test_a_counting_model_has_the_likelihood_of_its_card(tmp_path):
    base = counting(3.0, 40.0, 47.0, normsys("a", 1.1, 1 / 1.1), modifier("b", "shapesys", [8.0]))
    before, after, card = round_trip(base, tmp_path)
    assert not (tmp_path / "shapes.root").exists()
    # (40 / 8)^2 = 25 events in the sideband
    assert read_card(tmp_path / "datacard.txt").nuisances[1].events == 25
    values = [
        (
            before.twice_nll(mu=mu, a=a, **{"b[0]": gamma}),
            card.twice_nll({"a": a, "b": 25 * gamma}, mu),
            after.twice_nll(mu=mu, a=a, b=gamma),
        )
        for mu in (0.0, 2.0)
        for a in (-1.0, 0.0, 1.0, 1.7)
        for gamma in (0.8, 1.2)
    ]  # fmt: skip
    first, *others = np.transpose(values)
    assert all(one == pytest.approx(first, abs=1e-8) for one in others)


def test_the_card_of_a_real_run_has_its_yields(tmp_path):
    workspace = json.loads(shared("zprime_opendata_run/workspace.json").read_text())
    poi = workspace["measurements"][0]["config"]["poi"]
    exported = export_card(workspace)
    write_card(exported, tmp_path)
    back = Model(import_card(tmp_path / "datacard.txt", poi=poi).workspace)
    before = Model(workspace)
    constrained = [one.name for one in exported.card.nuisances]
    assert constrained
    names = {old: new for new, old in exported.renamed.items()}
    channels = {old: new for new, old in exported.renamed.items()}
    for name in constrained:
        for side in (-1.0, 0.0, 1.0):
            old = exported.renamed.get(name, name)
            mine, others = before.expected(**{old: side}), back.expected(**{name: side})
            for (channel, process), values in mine.items():
                if values.any():
                    key = channels.get(channel, channel), names.get(process, process)
                    assert values == pytest.approx(others[key], rel=1e-7, abs=1e-9), (key, name)


# -- what a card says in other words ---------------------------------------------------------


def test_luminosity_is_a_log_normal(tmp_path):
    said = {
        "name": "lumi",
        "auxdata": [36.0],
        "sigmas": [0.9],
        "inits": [36.0],
        "bounds": [[30, 42]],
    }
    workspace = settings(counting(3.0, 40.0, 47.0, modifier("lumi", "lumi")), said)
    exported = export_card(workspace)
    (nuisance,) = exported.card.nuisances
    assert nuisance.kind == "lnN"
    assert nuisance.effects[1].factors == pytest.approx((1 / 1.025, 1.025))
    assert exported.card.columns[1].rate == pytest.approx(40 * 36)
    (told,) = exported.approximations
    assert told.largest == pytest.approx(0.025**2, rel=0.05)  # 1 - w beside 1 / (1 + w)


def test_factors_on_bins_are_shapes_of_their_own(tmp_path):
    workspace = with_shapes()
    workspace["channels"][0]["samples"][1]["modifiers"] += [
        modifier("other", "staterror", [3.0, 0.0, 1.0]),
        modifier("iso", "shapesys", [6.0, 20.0, 0.0]),
    ]
    exported = export_card(workspace)
    kinds = {one.name: one.kind for one in exported.card.nuisances}
    assert kinds == {
        "jes": "shape", "xs": "lnN", "other_bin0": "shape", "other_bin2": "shape",
        "iso_bin0": "shape", "iso_bin1": "shape",
        "stat_sr_bin0": "shape", "stat_sr_bin1": "shape", "stat_sr_bin2": "shape",
    }  # fmt: skip
    assert set(exported.card.statistics) == {"cr"}
    up = exported.histograms["sr/top_quark_iso_bin0Up"][0]
    assert up == pytest.approx([36.0, 20.0, 10.0])
    down = exported.histograms["sr/top_quark_iso_bin1Down"][0]
    assert down == pytest.approx([30.0, 10.0, 10.0])  # 100 %: the inverse


def test_a_statistical_uncertainty_over_two_channels_stays_independent():
    workspace = with_shapes()
    for channel in workspace["channels"]:
        top = channel["samples"][-1]
        n_bins = len(top["data"])
        top["modifiers"].append(modifier("both", "staterror", [2.0] * n_bins))
    names = {one.name for one in export_card(workspace).card.nuisances}
    assert {f"both_bin{at}" for at in range(5)} <= names


def test_few_events_that_are_no_whole_number_are_a_log_normal():
    base = counting(3.0, 40.0, 47.0, modifier("b", "shapesys", [9.0]))
    exported = export_card(base)
    (nuisance,) = exported.card.nuisances
    assert nuisance.kind == "lnN"
    assert nuisance.effects[1].factors == pytest.approx((1 - 9 / 40, 1 + 9 / 40))
    assert [one.names for one in exported.approximations] == [("b_bin0",)]


def test_a_shape_of_one_bin_is_a_factor():
    base = counting(3.0, 40.0, 47.0, modifier("b", "histosys", shape([36.0], [42.0])))
    base["channels"][0]["samples"][1]["modifiers"].append(modifier("f", "shapefactor"))
    exported = export_card(base)
    assert exported.card.nuisances[0].effects[1].factors == pytest.approx((0.9, 1.05))
    assert [one.name for one in exported.card.rates] == ["f"]
    (told,) = exported.approximations
    assert told.largest > 0


def test_what_is_fixed_is_no_line():
    base = counting(3.0, 40.0, 47.0, normsys("a", 1.1, 0.9), modifier("k", "normfactor"))
    held = settings(
        base,
        {"name": "a", "fixed": True},
        {"name": "k", "inits": [1.5], "fixed": True},
    )
    card = export_card(held).card
    assert (card.nuisances, card.rates) == ((), ())
    assert card.columns[1].rate == pytest.approx(60.0)


def test_a_fixed_statistical_uncertainty_is_none():
    workspace = settings(with_shapes(), {"name": "stat_sr", "fixed": True})
    exported = export_card(workspace)
    assert set(exported.card.statistics) == {"cr"}


def test_samples_without_events_are_left_out():
    base = counting(3.0, 0.0, 0.0)
    base["channels"][0]["samples"].append({"name": "x", "data": [4.0], "modifiers": []})
    exported = export_card(base)
    assert [one.process for one in exported.card.columns] == ["signal", "x"]
    assert exported.approximations[0].names == ("sr/background",)


def test_negative_contents_are_told():
    workspace = with_shapes()
    workspace["channels"][1]["samples"][0]["data"] = [300.0, -1.0]
    sample = workspace["channels"][0]["samples"][0]
    sample["modifiers"][2]["data"]["lo_data"] = [-0.1, 4.0, 8.1]
    told = {name for one in export_card(workspace).approximations for name in one.names}
    assert {"cr/top_quark", "sr/signal"} <= told


def test_groups_keep_those_that_have_a_line(tmp_path):
    groups = {"jets": ["jes", "gone[0]"], "free": ["k_top"], "a b": ["xs"]}
    exported = export_card(with_shapes(), groups=groups)
    assert exported.renamed == {"top_quark": "top quark", "a_b": "a b"}
    write_card(exported, tmp_path)
    assert read_card(tmp_path / "datacard.txt").groups == {"jets": ("jes",), "a_b": ("xs",)}


def test_the_file_holds_histograms_that_root_can_read(tmp_path):
    write_card(export_card(with_shapes()), tmp_path)
    with uproot.open(tmp_path / "shapes.root") as file:
        assert file.classnames(cycle=False, recursive=True)["sr/signal"] == "TH1D"
        assert file["sr/signal"].errors() == pytest.approx([0.2, 0.3, 0.4])
        assert file["sr/signal_jesUp"].values() == pytest.approx(np.array([1.7, 4.0, 6.3]) * 1.1)
        assert file["cr/top_quark_jesDown"].values() == pytest.approx([291.0, 194.0])
        assert "cr/top_quark_xsUp" not in file
        assert file["sr/data_obs"].values() == pytest.approx([35.0, 23.0, 19.0])


def test_a_card_of_counts_removes_histograms_of_before(tmp_path):
    write_card(export_card(with_shapes()), tmp_path)
    write_card(export_card(counting(3.0, 40.0, 47.0, normsys("a", 1.1, 0.9))), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["datacard.txt"]


# -- what is refused -------------------------------------------------------------------------


def changed(workspace: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(workspace), **changes}


def edited(edit) -> dict[str, Any]:
    workspace = with_shapes()
    edit(workspace["channels"])
    return workspace


def rename_sample(channels):
    channels[1]["samples"][0]["name"] = "signal"


def rename_parameter(channels):
    for channel in channels:
        for sample in channel["samples"]:
            for one in sample["modifiers"]:
                one["name"] = {"xs": "x s", "jes": "x_s"}.get(one["name"], one["name"])


def same_keys(channels):
    channels[0]["samples"].append(
        {"name": "signal_jesUp", "data": [1.0] * 3, "modifiers": [normsys("xs", 1.1, 0.9)]}
    )


def data(name):
    def edit(channels):
        channels[0]["samples"][1]["name"] = name

    return edit


BASE = counting(3.0, 40.0, 47.0, normsys("a", 1.1, 0.9), modifier("k", "normfactor"))


@pytest.mark.parametrize(
    ("workspace", "message"),
    [
        (all_modifiers(), "shapefactor 'any' scales each bin for itself"),
        (changed(BASE, measurements=[]), "has no measurement, so no parameter"),
        (changed(BASE, observations=[]), "channel 'sr' has no observation"),
        (settings(BASE, {"name": "a", "auxdata": [0.3]}), "auxiliary measurement of 'a'"),
        (settings(BASE, {"name": "a", "inits": [0.3], "fixed": True}), "'a' is fixed at 0.3"),
        (counting(3.0, -4.0, 1.0), "expects -4 events; a card needs"),
        (counting(0.0, 0.0, 0.0), "expects no events in any channel"),
        (counting(3.0, 40.0, 1.0, modifier("b", "histosys", shape([0.0], [1.0]))), "'b' leaves no"),
        (edited(rename_sample), "scales 'signal' in one channel and not"),
        (edited(rename_parameter), "would be 'x_s' in the card, as 'x s' is"),
        (edited(same_keys), "two histograms would be called sr/signal_jesUp"),
        (edited(data("data_obs")), "the process 'data_obs' would be 'data_obs'"),
    ],
)  # fmt: skip
def test_what_a_card_cannot_say(workspace, message):
    with pytest.raises(WorkspaceError, match=message):
        export_card(workspace)


def test_the_parameter_of_interest_scales_the_signal():
    base = copy.deepcopy(BASE)
    base["measurements"][0]["config"]["poi"] = "a"
    with pytest.raises(WorkspaceError, match="'a' is no normfactor"):
        export_card(base)
    with pytest.raises(WorkspaceError, match=r"no measurement 'x'\. Valid: m"):
        export_card(BASE, measurement="x")


# -- the command -----------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Folder of a run with groups, fitted to Asimov data."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "out" / "statistics"
    folder.mkdir(parents=True)
    (folder / "workspace.json").write_text(json.dumps(with_shapes()))
    (folder / "groups.json").write_text(json.dumps({"jets": ["jes"]}))
    (folder / "prediction.json").write_text(json.dumps({"expected_only": True}))
    return tmp_path


def test_the_command_writes_a_card_of_a_run(run, capsys):
    assert main(["datacard", "export", "out", "--output=card", "--json=-"]) == 0
    caught = capsys.readouterr()
    told = json.loads(caught.out)
    assert told["files"] == ["card/datacard.txt", "card/shapes.root"]
    assert told["groups"] == {"jets": ["jes"]}
    assert told["renamed"] == {"top_quark": "top quark"}
    assert told["asimov"]
    assert "Asimov data" in caught.err
    assert "# top_quark is 'top quark' in the workspace" in (run / "card/datacard.txt").read_text()
    assert main(["datacard", "import", "card/datacard.txt", "--output=w.json"]) == 0


def test_groups_can_come_from_a_file(run, capsys):
    (run / "g.json").write_text('{"theory": ["xs"]}')
    words = ["datacard", "export", "out/statistics/workspace.json", "--output=card"]
    assert main([*words, "--groups=g.json", "--measurement=m"]) == 0
    assert read_card(run / "card" / "datacard.txt").groups == {"theory": ("xs",)}
    (run / "g.json").write_text("[1]")
    assert main([*words, "--groups=g.json"]) == 2
    assert "expected groups as" in capsys.readouterr().err


def test_a_card_that_says_the_same_is_told_so(run, capsys):
    (run / "w.json").write_text(json.dumps(counting(3.0, 40.0, 47.0, normsys("a", 1.1, 1 / 1.1))))
    assert main(["datacard", "export", "w.json", "--output=card"]) == 0
    shown = capsys.readouterr().out
    assert "nothing: both say the same" in shown
    assert "none: all channels are counts" in shown
    assert main(["datacard", "export", "w.json", "--output=card", "--mass=1"]) == 2
