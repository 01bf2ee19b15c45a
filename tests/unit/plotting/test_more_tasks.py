import json
import logging
from dataclasses import replace

import pytest

from hepflow.keys import make_key
from hepflow.plotting import (
    LOOK_FILE,
    NormalisationSource,
    PlottingSpec,
    fit_tasks,
    inference_tasks,
    make_figure,
    pull_numbers,
    pull_pages,
    result_tasks,
    variation_tasks,
)
from hepflow.plotting.spec import LeftOut
from hepflow.records import Blinded
from tests.figures.example import Folders, fit, histograms, limit, prediction, spec
from tests.figures.inference import goodness, ranking, scan, scan_of_two
from tests.unit.plotting.test_tables import result


def names(tasks):
    return [task.name for task in tasks]


def everything(**fields):
    more = {
        "limit": limit(),
        "scans": (scan(), scan(data="asimov"), scan_of_two(), scan_of_two("asimov")),
        "goodness": goodness(),
        "validation": (prediction("prefit"), prediction("postfit")),
    }
    return replace(result(**fields), **more)


def test_all_figures_of_a_result(tmp_path):
    tasks = result_tasks(everything(), spec(), Folders(tmp_path), remarks=["note"])
    assert names(tasks) == [
        "prefit_SR", "postfit_SR", "pulls", "correlation", "limit_scan",
        "validation_prefit_SR", "validation_postfit_SR", "ranking", "ranking_groups",
        "scan_mu", "scan_mu_k", "scan_mu_k_asimov", "goodness_of_fit",
    ]  # fmt: skip
    assert {task.folder for task in tasks} == {tmp_path / "plots" / "statistics"}
    assert {task.remarks for task in tasks} == {("note",)}
    assert all(make_figure(task).axes for task in tasks[5:])
    assert len(next(task for task in tasks if task.name == "scan_mu").content.curves) == 2
    assert tasks[5].content.title == "Pre-fit, validation region"


def test_every_content_has_a_key_that_changes_with_it(tmp_path):
    tasks = result_tasks(everything(), spec(), Folders(tmp_path))
    tasks += variation_tasks(histograms(), {"SR": "m_tt"}, spec(), Folders(tmp_path))
    keys = {make_key("figure", content=one.content).digest for one in tasks}
    assert len(keys) == len(tasks)
    again = variation_tasks(histograms(scale=2.0), {"SR": "m_tt"}, spec(), Folders(tmp_path))
    assert make_key("figure", content=again[0].content).digest not in keys


def test_what_follows_a_failed_fit_is_not_drawn(tmp_path):
    failed = replace(everything(converged=False), limit=None)
    tasks = result_tasks(failed, spec(), Folders(tmp_path))
    assert names(tasks) == ["prefit_SR", "validation_prefit_SR"]


def test_toys_and_impacts_that_are_not_there_have_no_figure(tmp_path):
    nothing = replace(ranking(), impacts=())
    no_toys = replace(goodness(), toys=())
    assert inference_tasks(spec(), Folders(tmp_path), ranking=nothing, goodness=no_toys) == []
    alone = replace(ranking(), groups=())
    assert names(inference_tasks(spec(), Folders(tmp_path), ranking=alone)) == ["ranking"]


def test_names_of_parameters_may_hold_anything(tmp_path):
    odd = scan(parameter="mu/a b")
    assert names(inference_tasks(spec(), Folders(tmp_path), scans=[odd])) == ["scan_mu-a-b"]


def test_a_bounded_number_of_variations(tmp_path, caplog):
    found = variation_tasks(histograms(), {"SR": "m_tt", "VR": "m_tt"}, spec(), Folders(tmp_path))
    assert names(found) == ["jes"]
    assert found[0].folder == tmp_path / "plots" / "SR" / "variations"
    with caplog.at_level(logging.INFO):
        none = variation_tasks(histograms(), {"SR": "m_tt"}, spec(), Folders(tmp_path), most=0)
    assert none == []
    assert "the 0 with the largest effect of 1 are drawn" in caplog.text


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (45, 1), (46, 2), (100, 3)])
def test_pulls_of_many_parameters_are_on_pages(tmp_path, count, pages):
    labels = ("mu", *(f"s{i}" for i in range(count)), "ttbar_norm")
    found = pull_pages(pull_numbers(fit(labels), ["ttbar_norm"]))
    assert len(found) == pages
    assert sum((page.nuisances.labels for page in found), ()) == labels[1:-1]
    assert max(len(page.nuisances.labels) for page in found) <= 45
    assert [len(page.factors.labels) for page in found] == [2] + [0] * (pages - 1)
    tasks = [t for t in fit_tasks(spec(), Folders(tmp_path), fit=fit(labels)) if "pulls" in t.name]
    assert names(tasks) == ["pulls", "pulls_2", "pulls_3"][:pages]
    assert tasks[-1].remarks == ((f"page {pages} of {pages}",) if pages > 1 else ())


def test_the_look_of_a_run_survives_json():
    look = spec(
        normalisations=(NormalisationSource("lumi", 0.02, ("a",)), NormalisationSource("x", 0.1)),
        blind=(Blinded("SR"), Blinded("CR", "m", 0.0, 5.0)),
        left_out={("SR", "m"): LeftOut("n_jets", (2.0,))},
        signal_scale=3.0,
    )
    assert PlottingSpec.from_json(json.loads(json.dumps(look.to_json()))) == look
    assert (
        PlottingSpec.from_json(json.loads(json.dumps(PlottingSpec().to_json()))) == PlottingSpec()
    )
    assert LOOK_FILE == "look.json"
