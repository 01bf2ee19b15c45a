"""What a report says about a run: each number where a reader looks for it."""

from __future__ import annotations

import os

import pytest

from hepflow.errors import MissingArtifact, StorageError
from hepflow.report import collect, keep_previous
from hepflow.report.model import effects_of
from hepflow.report.numbers import MINUS, SIGMA
from hepflow.storage import write_json
from tests.unit.report.page import page_of, parsed, section, table
from tests.unit.report.run_folder import (
    EVIL,
    SECRET,
    findings,
    fit,
    invocation,
    make,
    prediction,
    ranking,
    rewrite,
    run,
    workspace,
)


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path / "out")


def names(page):
    return [one.attributes["id"] for one in page.one("main").every("section")]


def notices(page, level):
    found = section(page, "summary").every("p", **{"class": f"notice {level}"})
    return [one.text for one in found]


def headlines(page):
    found = section(page, "summary").one("dl", **{"class": "headlines"})
    return {one.one("dt").text: one.one("dd").text for one in found.every("div")}


def test_the_results_stand_in_front(folder):
    page = page_of(folder)
    assert headlines(page) == {
        "Run": "success",
        "Best fit of mu": "1.25 ± 0.33",
        "Upper limit, 95 % CL": "1.9 expected 1 (68 %: 0.7 to 1.4)",
        "Significance": f"2.05 {SIGMA} expected 2.33 {SIGMA}",
        "Goodness of fit": "p = 0.22 saturated model",
        "Events read": "160 of 2 datasets, incomplete",
        "CPU time": "12.5 s 1 min 15 s wall clock",
    }
    assert notices(page, "warning") == [
        "Every number and plot: 60 % of simulation",
        "Every number and plot: blind: SR",
    ]
    assert page.one("title").text == page.one("h1").text == "Analysis report: mu"


def test_every_section_is_there_and_in_the_list_of_sections(folder):
    page = page_of(folder)
    assert names(page) == [
        "summary", "configuration", "stages", "input", "cutflows", "n-minus-1", "data",
        "systematics", "audit", "fit", "ranking", "scans", "limit", "validation", "figures",
        "software",
    ]  # fmt: skip
    links = [one.attributes["href"] for one in page.one("nav").every("a")]
    assert links == [f"#{name}" for name in names(page)]


def test_stages_say_why_they_ran_and_what_they_took(folder):
    rows = table(page_of(folder), "stages").rows()
    assert rows[0] == ["skim", "ran", f"{EVIL}: nothing stored", "1 event", "0.50 s"]
    assert rows[2] == ["plots", "reused", "12 figures", "-", "-"]


def test_input_that_was_lost_is_told_with_its_reason(folder):
    page = page_of(folder)
    lost, data = table(page, "ledger").rows()
    assert lost == [EVIL, "60 %", "0 of 1", "60", "0", "40", "0", "30.5"]
    assert data == ["data", "yes", "1 of 1", "100", "0", "0", "0", "100"]
    (why,) = table(page, "losses").rows()
    assert why[:3] == [EVIL, "skim", "1"]
    assert "connection reset" in why[3]
    assert sorted(table(page, "files").rows(), key=lambda row: row[0]) == [
        ["a.root", "data", "100"],
        ["https://host.org/data.root?...", EVIL, "100"],
    ]


def test_cutflows_are_weighted_and_raw(folder):
    page = page_of(folder)
    assert table(page, "cutflow-sr").rows() == [
        ["skimmed", "100", "1,234.6"],
        ["met", "40", "617.3"],
        ["corrected", "-", "600.0"],
    ]
    assert table(page, "cutflow-sr-raw").rows() == [
        ["skimmed", "100", "60"],
        ["met", "40", "30"],
        ["corrected", "-", "30"],
    ]


def test_effects_of_size_and_shape_multiply():
    """Closed form: 1.2 * 3.3 / 3 - 1 = 0.32, and 0.9 * 2.7 / 3 - 1 = -0.19."""
    found = {(one.sample, one.source): one for one in effects_of(workspace())}
    jes = found["signal", "jes"]
    assert (jes.up, jes.down, jes.shape) == (pytest.approx(0.32), pytest.approx(-0.19), True)
    lumi = found[EVIL, "lumi"]
    assert (lumi.up, lumi.down, lumi.shape) == (pytest.approx(0.025), pytest.approx(-0.025), False)
    statistics = found["signal", "statistics of the simulation"]
    assert statistics.up == pytest.approx(0.5 / 3.0)
    assert ("signal", "mu") not in found  # a free factor is no uncertainty


def test_the_table_of_effects_has_percent_and_groups(folder):
    rows = table(page_of(folder), "effects-sr").rows()
    assert rows[0] == ["lumi", "-", "norm", "±2.5", "±2.5"]
    assert rows[2] == ["jes", "jets", "norm and shape", f"+32 / {MINUS}19", "-"]


def test_audit_findings_are_counted_in_front(folder):
    page = page_of(folder)
    (problem,) = notices(page, "problem")
    assert problem.startswith("The audit of the templates found 1 error, 2 warnings, 1 accepted.")
    assert problem.endswith("The fit was made all the same, as statistics.audit.ignore says.")
    first = table(page, "audit-findings").rows()[0]
    assert first == ["error", "identical-sides", "SR", EVIL, "jes", "0, 1", "up and down are equal"]
    write_json(folder / "statistics" / "audit.json", [])
    assert section(page_of(folder), "audit").text.endswith("The audit found nothing.")


def test_an_audit_that_stopped_the_fit_is_shown(folder):
    for path in (folder / "statistics").glob("*.json"):
        if path.name != "audit.json":
            path.unlink()
    page = page_of(folder)
    assert len(table(page, "audit-findings").rows()) == len(findings())
    assert "No fit" in section(page, "fit").text


def test_parameters_have_pull_constraint_and_correlation(folder):
    page = page_of(folder)
    rows = table(page, "parameters").rows()
    assert rows[0] == ["jes", "nuisance", "jets", "2.40 ± 0.50", "+2.4", "0.5", "0"]
    assert rows[2] == ["mu", "POI", "-", "1.25 ± 0.33", "-", "-", "1"]
    (minos,) = table(page, "minos").rows()
    assert minos == ["mu", "observed", "68 %", "1.25", "0.95", "1.6"]
    assert rows[3][1:4] == ["bin statistics, held", "-", "1"]
    assert rows[4][4:6] == ["+0.5", "0.5"]  # of the ranking: (1.1 - 1) / 0.2 and 0.1 / 0.2


def test_the_strongest_correlations_are_listed_once(folder):
    assert table(page_of(folder), "correlations").rows() == [["jes", "btag", f"{MINUS}0.7"]]


def test_ranking_scans_limits_and_regions_that_are_not_fitted(folder):
    page = page_of(folder)
    first = ["1", "jes", "jets", f"+0.21 / {MINUS}0.2", f"+0.41 / {MINUS}0.4", "+2.4"]
    assert table(page, "impacts").rows()[0] == first
    assert table(page, "group-impacts").rows()[0] == ["jets", "1", "0.2"]
    row = ["mu", "observed", "68 %", "1.25", "0.9", "beyond the range"]
    assert table(page, "intervals").rows() == [row]
    limits = table(page, "limits").rows()
    assert limits[:2] == [["observed", "1.9"], [f"expected, {MINUS}2 {SIGMA}", "0.5"]]
    assert table(page, "cls").rows()[2] == ["2", *["0.05"] * 6]
    assert table(page, "yields-validation-postfit").rows() == [
        ["VR", "17.0", "3.0", "20.0 ± 1.5", "22"]
    ]
    assert table(page, "yields-postfit").rows()[0][-1] == "not shown"  # SR has no data


def test_a_difference_to_the_run_before_is_shown(folder):
    rows = table(page_of(folder), "configuration-changes").rows()
    assert ["general.lumi", "1000.0", "16400.0"] in rows
    assert rows[0][2] == "the same name, but its code or what it reads changed"
    keep_previous(folder / "config")
    assert "Configured as the run before." in section(page_of(folder), "configuration").text
    (folder / "config" / "previous.json").unlink()
    assert "no record of a run before" in section(page_of(folder), "configuration").text


def test_figures_lie_where_they_belong_and_say_what_they_show(folder):
    page = page_of(folder)
    where = {
        one.attributes["alt"]: name
        for name in names(page)
        for one in section(page, name).every("img")
    }
    assert where == {
        "Missing momentum [GeV] in SR, of the events that pass all cuts but met.": "n-minus-1",
        "Data and prediction of m(tt) [GeV] in SR, with the ratio below.": "data",
        "Data and prediction of m(tt) [GeV] in CR, with the ratio below.": "data",
        "Templates of SR for jes up and down and nominal, with their ratio below.": "systematics",
        "Data and the model's prediction in SR after the fit, with the ratio below.": "fit",
        "Data and the model's prediction in SR before the fit, with the ratio below.": "fit",
        "Pulls and constraints of the nuisance parameters.": "fit",
        "Correlation of the parameters of the fit.": "fit",
        "Impact of the parameters on the parameter of interest, with their pulls.": "ranking",
        "Profiled likelihood against mu.": "scans",
        "CLs against the parameter of interest, with expected bands.": "limit",
        "Data and prediction of m(tt) [GeV] in VR, with the ratio below.": "validation",
        "Data and the model's prediction in VR after the fit, which is not of this region.": (
            "validation"
        ),
        "Figure extra of own/folder.": "figures",
    }


def test_a_picture_without_the_stamp_of_a_run_is_not_shown(folder):
    before = len(page_of(folder).one("main").every("img"))
    (folder / "plots" / "SR" / "own.png").write_bytes(b"x")
    (folder / "plots" / "statistics" / ".pulls.key.json").unlink()
    assert len(page_of(folder).one("main").every("img")) == before - 1


def test_a_failed_fit_is_prominent_and_has_no_plot_that_looks_like_a_result(folder):
    note = "the likelihood is flat"
    failed = fit(converged=False, notes=(note,)).to_json()
    rewrite(folder / "statistics" / "fit.json", **failed)
    problem = f"the fit has no result: {note}"
    rewrite(folder / "report" / "run.json", exit_status=1, problems=[problem])
    page = page_of(folder)
    assert headlines(page)["Run"] == "not a success 1 problem, see above"
    assert headlines(page)["Fit"] == "no result see the problems above"
    assert f"Not a success: {problem}" in notices(page, "problem")
    alt = [one.attributes["alt"] for one in section(page, "fit").every("img")]
    assert alt == ["Data and the model's prediction in SR before the fit, with the ratio below."]
    assert not {"ranking", "scans", "limit"} & set(names(page))
    assert "2.40" not in page.text
    assert note in section(page, "fit").text
    assert "Upper limit" not in page.text


def test_statistics_that_were_left_out_are_not_shown(folder):
    """Files of an earlier fit may lie there still."""
    stages = [{"name": "statistics", "outcome": "left out", "why": "general.run_statistics is off"}]
    rewrite(folder / "report" / "run.json", stages=stages)
    page = page_of(folder)
    said = "statistics were left out: general.run_statistics is off"
    assert notices(page, "note") == [f"No fit and no limit: {said}."]
    assert section(page, "fit").text == f"Fit No fit: {said}."
    assert not {"audit", "ranking", "scans", "limit"} & set(names(page))
    assert "Best fit of mu" not in headlines(page)


def test_results_of_another_model_are_left_out(folder):
    write_json(
        folder / "statistics" / "ranking.json", {**ranking().to_json(), "model": {"digest": "0"}}
    )
    page = page_of(folder)
    assert "ranking" not in names(page)
    assert any("ranking.json" in one for one in notices(page, "warning"))


def test_asimov_data_are_told(folder):
    rewrite(folder / "statistics" / "prediction.json", expected_only=True)
    rewrite(folder / "statistics" / "significance.json", observed_p=None, observed_z=None)
    rewrite(folder / "statistics" / "limit.json", observed=None, cls_at_observed=None)
    page = page_of(folder)
    assert any("nothing is observed" in one for one in notices(page, "warning"))
    assert headlines(page)["Upper limit, 95 % CL"] == "1 expected, 1 (68 %: 0.7 to 1.4)"
    assert headlines(page)["Significance"] == f"2.33 {SIGMA} expected"
    assert table(page, "limits").rows()[0][0] == f"expected, {MINUS}2 {SIGMA}"


def test_a_run_without_plots_says_why(folder):
    for stamp in (folder / "plots").rglob(".*.key.json"):
        stamp.unlink()
    assert "not in a format that a page can show" in section(page_of(folder), "data").text
    stages = [*run()["stages"][:2], {"name": "plots", "outcome": "left out", "why": "it is off"}]
    rewrite(folder / "report" / "run.json", stages=stages)
    assert "No plots were drawn: it is off." in section(page_of(folder), "data").text
    rewrite(folder / "report" / "run.json", stages=stages[:2])
    assert "This run drew no plots." in section(page_of(folder), "data").text


def test_a_later_run_that_did_not_end_is_told(folder):
    resolved = folder / "config" / "resolved.json"
    later = (folder / "report" / "run.json").stat().st_mtime + 10
    os.utime(resolved, (later, later))
    assert any("did not come to its end" in one for one in notices(page_of(folder), "problem"))


def test_a_run_that_read_nothing_and_knows_little(tmp_path):
    nothing = {"ledger": {"file_events": {}}, "input_digests": {}, "user_code": [], "stages": []}
    write_json(tmp_path / "report" / "run.json", {**run(), **nothing, "input": [], "remarks": []})
    page = page_of(tmp_path)
    assert names(page) == [
        "summary", "configuration", "stages", "input", "data", "systematics", "fit", "software"
    ]  # fmt: skip
    assert "no statistical model" in section(page, "fit").text
    assert "read no events" in section(page, "input").text


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("report/run.json", {"stages": None}, "no list 'stages' in it"),
        ("report/run.json", {"stages": []}, "the files of the run are not whole"),
        ("statistics/limit.json", {"poi": "mu"}, "the stored results are not whole"),
        ("statistics/fit.json", [1], "the stored results are not whole"),
    ],
)
def test_files_that_no_run_writes_are_named(folder, file, content, message):
    write_json(folder / file, content)
    with pytest.raises(StorageError, match=message) as error:
        collect(folder)
    assert "epeat" in str(error.value) or "Run again" in str(error.value)


def test_without_a_run_there_is_no_report(tmp_path):
    with pytest.raises(MissingArtifact, match="made by a run of hepflow"):
        collect(tmp_path)


def test_no_secret_is_in_the_page(folder):
    write_json(
        folder / "config" / "invocation.json",
        {**invocation(), "overrides": [f"--datasets.files=root://u:{SECRET}@h//x?authz={SECRET}"]},
    )
    path = folder / "report" / "index.html"
    page_of(folder)
    assert SECRET not in path.read_text(encoding="utf-8")
    assert "https://host.org/data.root?..." in parsed(path.read_text(encoding="utf-8")).text


def test_a_bad_fit_is_marked(folder):
    (folder / "statistics" / "goodness_of_fit.json").unlink()
    rewrite(folder / "statistics" / "fit.json", goodness_of_fit=0.002, notes=["mu is at its bound"])
    page = page_of(folder)
    assert headlines(page)["Goodness of fit"] == "p = 0.002 data and model do not agree"
    assert "mu is at its bound" in section(page, "fit").text


def test_a_prediction_without_an_uncertainty_and_with_other_samples(folder):
    one = prediction("prefit", ("CR",)).channels[0].to_json()
    one = {**one, "samples": {"signal": [1.0, 2.0]}, "total_uncertainty": None}
    both = prediction("prefit").to_json()
    rewrite(
        folder / "statistics" / "prediction.json",
        prefit={**both, "channels": [*both["channels"], one]},
    )
    rows = table(page_of(folder), "yields-prefit").rows()
    assert rows[1] == ["CR", "-", "3.0", "3", "22"]
