"""Commands on a statistical model: tables, JSON, figures, exit status."""

from __future__ import annotations

import json

import pytest

from hepflow.cli import main
from tests.unit.statistics.models import counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def model(observed=(18.0, 14.0, 11.0), scale=1.0):
    """Three bins, a signal, a background with a shape and a size uncertainty."""
    poi = {"name": "mu", "type": "normfactor", "data": None}
    background = [
        {"name": "size", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
        {
            "name": "tilt",
            "type": "histosys",
            "data": {"hi_data": [11.0, 10.0, 9.0], "lo_data": [9.2, 10.0, 10.8]},
        },
        {"name": "staterror_SR", "type": "staterror", "data": [1.0, 1.0, 1.0]},
    ]
    samples = [
        {"name": "signal", "data": [scale * x for x in (6.0, 4.0, 1.0)], "modifiers": [poi]},
        {"name": "background", "data": [10.0, 10.0, 10.0], "modifiers": background},
    ]
    parameters = [{"name": "mu", "inits": [1.0], "bounds": [[0.0, 10.0]]}]
    return {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": list(observed)}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the workspace; nothing of it is left elsewhere."""
    (tmp_path / "model.json").write_text(json.dumps(model()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(here, words):
    """Exit status and JSON of a command."""
    status = main([*words.split(), "--json", "answer.json"])
    path = here / "answer.json"
    return status, json.loads(path.read_text()) if path.exists() else None


def test_fit(here, capsys):
    status, found = answer(here, "fit model.json --minos mu --minos size")
    assert status == 0
    assert found["converged"]
    assert {one["parameter"] for one in found["intervals"]} == {"mu", "size"}
    assert "Best fit of mu" in capsys.readouterr().out
    stored = json.loads((here / "inference" / "model" / "fit.json").read_text())
    assert stored["bestfit"] == found["bestfit"]
    names = {path.stem for path in (here / "inference" / "model").glob("*.png")}
    assert names == {"prefit_SR", "postfit_SR", "pulls", "correlation"}


def test_minimisers_agree(here):
    values = [
        answer(here, f"fit model.json --no-plots --optimizer {name}")[1]["bestfit"]
        for name in ("newton", "minuit", "scipy")
    ]
    for other in values[1:]:
        assert other == pytest.approx(values[0], abs=1e-4)


@pytest.mark.parametrize("backend", ["hepflow", "pyhf"])
def test_limit(here, capsys, backend):
    status, found = answer(here, f"limit model.json --backend {backend} --format png")
    assert status == 0
    assert found["cls_at_observed"] == pytest.approx(0.05, abs=1e-4)
    assert (here / "inference" / "model" / "limit_scan.png").exists()
    assert not (here / "inference" / "model" / "limit_scan.pdf").exists()
    assert "expected, median" in capsys.readouterr().out


def test_limits_of_both_backends_agree(here):
    ours, theirs = (
        answer(here, f"limit model.json --no-plots --backend {name}")[1]
        for name in ("hepflow", "pyhf")
    )
    assert ours["observed"] == pytest.approx(theirs["observed"], rel=1e-4)
    assert ours["expected"] == pytest.approx(theirs["expected"], rel=1e-4)


def test_a_limit_with_toys(here):
    words = "limit model.json --no-plots --calculator toys --toys 1500 --seed 3"
    _, toys = answer(here, words)
    _, formula = answer(here, "limit model.json --no-plots")
    assert toys["calculator"] == "toys"
    assert toys["observed"] == pytest.approx(formula["observed"], rel=0.3)


def test_nothing_is_observed_where_that_is_not_wanted(here):
    _, found = answer(here, "limit model.json --no-plots --expected-only")
    assert found["observed"] is None
    assert found["expected_kind"] == "a_priori"
    other = model(observed=(100.0, 0.0, 3.0))
    (here / "model.json").write_text(json.dumps(other))
    _, again = answer(here, "limit model.json --no-plots --expected-only")
    assert again["expected"] == pytest.approx(found["expected"], rel=1e-9)


@pytest.mark.parametrize("calculator", ["asymptotic", "toys"])
def test_significance(here, capsys, calculator):
    words = f"significance model.json --calculator {calculator} --toys 400"
    status, found = answer(here, words)
    assert status == 0
    assert found["poi"] == "mu"
    assert 0 < found["observed_p"] < 0.5
    assert "standard deviations" in capsys.readouterr().out


def test_ranking(here, capsys):
    status, found = answer(here, "ranking model.json --group shapes=tilt --top 2")
    assert status == 0
    sizes = [max(map(abs, one["postfit"])) for one in found["impacts"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {one["parameter"] for one in found["impacts"]} >= {"size", "tilt"}
    assert "shapes" in {one["group"] for one in found["groups"]}
    text = capsys.readouterr().out
    assert "Impacts on mu" in text
    assert "more are in ranking.json" in text
    assert (here / "inference" / "model" / "ranking.png").exists()


def test_scans(here):
    status, found = answer(here, "scan model.json --points 15 --range 0,4")
    assert status == 0
    assert found["parameters"] == ["mu"]
    assert found["values"][0][0] == 0.0
    assert len(found["values"][0]) == 15
    status, found = answer(here, "scan model.json --parameter mu --parameter tilt --points 5")
    assert status == 0
    assert len(found["delta"]) == 25
    folder = here / "inference" / "model"
    assert (folder / "scan_mu.png").exists()
    assert (folder / "scan_mu_tilt.json").exists()


@pytest.mark.parametrize("calculator", ["asymptotic", "toys"])
def test_goodness_of_fit(here, calculator):
    status, found = answer(here, f"gof model.json --calculator {calculator} --toys 200")
    assert status == 0
    assert found["calculator"] == calculator
    assert 0 < found["p_value"] <= 1
    assert (here / "inference" / "model" / "goodness_of_fit.png").exists() == (calculator == "toys")


def test_a_patch_is_applied(here):
    operation = {"op": "replace", "path": "/observations/0/data", "value": [10.0, 10.0, 10.0]}
    (here / "patch.json").write_text(json.dumps([operation]))
    _, before = answer(here, "limit model.json --no-plots")
    _, after = answer(here, "limit model.json --no-plots --patch patch.json")
    assert after["observed"] < before["observed"]


def test_json_alone_goes_to_standard_output(here, capsys):
    assert main(["limit", "model.json", "--no-plots", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["poi"] == "mu"


def test_another_parameter_of_interest(here):
    status, found = answer(here, "fit model.json --no-plots --poi size")
    assert status == 0
    assert found["poi"] == "size"


WRONG = [
    ("fit nothing.json", "does not exist"),
    ("fit model.json --poi other", "other"),
    ("fit model.json --measurement other", "other"),
    ("fit model.json --minos othre", "othre"),
    ("fit model.json --format gif", "expected one or more of pdf, png, svg"),
    ("fit model.json --observable mass", "expected CHANNEL=NAME"),
    ("limit model.json --calculator toys --toys 2", "toys"),
    ("limit model.json --confidence-level 95", "confidence level"),
    ("ranking model.json --top 0", "expected a number from 1"),
    ("ranking model.json --group all=xyz", "no parameter matches"),
    ("ranking model.json --group all=[", "regular expression"),
    ("scan model.json --range 3", "expected two numbers"),
    ("scan model.json --range 0,1 --range 0,1", "stands 2 times for 1 parameters"),
    ("scan model.json --parameter xyz", "xyz"),
    ("gof model.json --expected-only", "have no goodness of fit"),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_wrong_input(here, capsys, words, message):
    status = main([*words.split(), "--no-plots"])
    told = capsys.readouterr().err
    assert status in {1, 2}
    assert message in told
    assert "Traceback" not in told
    assert not (here / "inference").exists()


def test_the_audit_stops_what_cannot_be_right(here, capsys):
    wrong = model()
    wrong["channels"][0]["samples"][1]["modifiers"][0]["data"] = {"hi": 31.0, "lo": 30.0}
    (here / "model.json").write_text(json.dumps(wrong))
    assert main(["limit", "model.json", "--no-plots"]) == 1
    assert "norm-effect" in capsys.readouterr().err
    assert main(["limit", "model.json", "--no-plots", "--ignore-audit"]) == 0
    assert "1 error" in capsys.readouterr().out


def test_a_fit_that_fails_is_no_result(here, capsys):
    flat = counting(3.0, 10.0, 12.0)
    factor = {"name": "nu", "type": "normfactor", "data": None}
    flat["channels"][0]["samples"][0]["modifiers"].append(factor)
    (here / "model.json").write_text(json.dumps(flat))
    assert main(["fit", "model.json"]) == 1
    told = capsys.readouterr()
    assert "no result that may be used" in told.err
    assert not list((here / "inference").rglob("*.png"))
    assert not json.loads((here / "inference/model/fit.json").read_text())["converged"]
