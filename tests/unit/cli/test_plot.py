"""``hepflow plot``: what it draws of folders and files, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import uproot

from hepflow.cli.endings import Guard
from hepflow.cli.plot import main
from hepflow.histograms import write_histograms
from hepflow.records import Blinded
from tests.figures.example import fit, histograms, limit, prediction, spec
from tests.figures.inference import goodness, ranking, scan, scan_of_two
from tests.unit.statistics.models import counting, normsys

MORE = ["--format", "svg", "--json", "-"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def contents():
    """What the commands of a test told as JSON, one after the other."""
    return []


@pytest.fixture
def plot(capsys, contents):
    """Run the command: exit status, files that it names, all that it said."""

    def run(*words):
        guard = Guard(debug=False)
        status = guard.run(lambda: main([*MORE, *map(str, words)], guard, "hepflow plot"))
        said = capsys.readouterr()
        contents.append(json.loads(said.out) if said.out else {"files": []})
        return status, contents[-1]["files"], said.out + said.err

    return run


def stored(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def predictions():
    return {kind: prediction(kind).to_json() for kind in ("prefit", "postfit")} | {
        "expected_only": False
    }


RESULTS = {
    "fit.json": (lambda: fit().to_json(), ["pulls", "correlation"]),
    "limit.json": (lambda: limit().to_json(), ["limit_scan"]),
    "ranking.json": (lambda: ranking().to_json(), ["ranking", "ranking_groups"]),
    "scan_mu.json": (lambda: scan().to_json(), ["scan_mu"]),
    "scan_mu_k.json": (lambda: scan_of_two().to_json(), ["scan_mu_k"]),
    "goodness_of_fit.json": (lambda: goodness().to_json(), ["goodness_of_fit"]),
    "prediction.json": (predictions, ["prefit_SR", "postfit_SR"]),
    "validation.json": (predictions, ["validation_prefit_SR", "validation_postfit_SR"]),
    "one.json": (lambda: prediction().to_json(), ["postfit_SR"]),
}


@pytest.mark.parametrize("name", RESULTS)
def test_each_result_is_drawn(plot, here, name):
    content, expected = RESULTS[name]
    status, files, _ = plot(stored(here / name, content()))
    assert status == 0
    stem = name.removesuffix(".json")
    wanted = [f"figures/{stem}/statistics/{one}.svg" for one in expected]
    assert [one for one in files if one.endswith(".svg")] == wanted
    assert all((here / one).is_file() for one in files)


def test_scans_of_one_parameter_share_a_figure(plot, here):
    seen = stored(here / "a.json", scan().to_json())
    expected = stored(here / "b.json", scan(data="asimov").to_json())
    status, files, _ = plot(seen, expected)
    assert (status, files) == (0, ["figures/a/statistics/scan_mu.svg"])


def test_limits_by_mass(plot, here, contents):
    paths = [
        stored(here / f"limit_{i}.json", replace(limit(scan=False), observed=0.1 * i).to_json())
        for i in (1, 20)
    ]
    status, files, _ = plot(*paths, "--x", "1000,2000", "--x-label", "$m$ [GeV]")
    assert (status, files) == (0, ["figures/limit_1/statistics/limit_band.svg"])
    band = contents[-1]["band"]
    assert band["observed"] == pytest.approx([0.1, 2.0])
    assert band["excluded"] == [[1000.0, pytest.approx(1768.6, abs=0.1)]]
    plot(*paths, "--x", "1000,2000", "--cross-sections", "10,1")
    assert contents[-1]["band"]["observed"] == pytest.approx([1.0, 2.0])


def test_a_workspace(plot, here):
    path = stored(here / "model.json", counting(5.0, 50.0, 52.0, normsys("lumi", 1.1, 0.9)))
    status, files, _ = plot(path)
    assert status == 0
    assert [one.removeprefix("figures/model/") for one in files] == [
        "statistics/prefit_sr.svg",
        "sr/variations/lumi.svg",
        "tables/yields_prefit.tex",
    ]


def test_histograms_made_elsewhere(plot, here):
    with uproot.recreate(here / "made.root") as file:
        source = histograms()
        axis, filled = source.axes["SR", "m_tt"], source.blocks
        for (channel, observable, process), block in filled.items():
            for name, row in zip(block.variations, block.sumw, strict=True):
                end = "" if name == "nominal" else f"__{name}"
                content = (row[1:-1], np.asarray(axis.edges))
                file[f"{channel}__{observable}__{process}{end}"] = content
    status, files, _ = plot(here / "made.root", "--signal", "signal", "--style", "ATLAS")
    assert status == 0
    assert files[:2] == ["figures/made/SR/m_tt.svg", "figures/made/SR/variations/jes.svg"]
    status, _, said = plot(here / "made.root", "--signal", "sinal")
    assert status == 2
    assert "--signal sinal: the histograms have no such process" in said


def run(folder, look, *, converged=True, data=True):
    """Folder of a run, with or without what says how its figures look."""
    statistics = folder / "statistics"
    stored(statistics / "fit.json", fit(converged=converged).to_json())
    stored(statistics / "prediction.json", predictions())
    stored(statistics / "limit.json", limit().to_json())
    (folder / "histograms").mkdir(parents=True)
    write_histograms(histograms(data=data), folder / "histograms")
    stored(folder / "report" / "run.json", {"remarks": ["99.2 % of data"]})
    if look is not None:
        stored(folder / "plots" / "look.json", look.to_json())
    return folder


def test_a_run_is_drawn_as_it_was(plot, here):
    status, files, _ = plot(run(here / "out", spec(experiment="CMS")), "--output", "again")
    assert status == 0
    assert files == [
        f"again/{name}"
        for name in (
            "statistics/prefit_SR.svg",
            "statistics/postfit_SR.svg",
            "statistics/pulls.svg",
            "statistics/correlation.svg",
            "statistics/limit_scan.svg",
            "SR/m_tt.svg",
            "SR/variations/jes.svg",
            "tables/yields_prefit.tex",
            "tables/yields_postfit.tex",
            "tables/parameters.tex",
            "tables/systematics_SR.tex",
        )
    ]
    assert "99.2 % of data" in (here / "again/SR/m_tt.svg").read_text()
    assert r"99.2 \% of data" in (here / "again/tables/yields_prefit.tex").read_text()


def test_blind_data_stay_blind(here):
    from argparse import Namespace

    from hepflow.cli.plotting.found import Folder, Look
    from hepflow.cli.plotting.runs import of_run

    folder = run(here / "out", spec(blind=(Blinded("SR", "m_tt", 1000.0, 2000.0),)))
    look = Look.of(folder, Namespace())
    found = of_run(folder, Folder(here / "again"), look)
    (task,) = (one for one in found.tasks if one.name == "m_tt")
    low, high = task.content.edges[:-1], task.content.edges[1:]
    touched = (low < 2000) & (high > 1000)
    np.testing.assert_array_equal(np.isnan(task.content.data), touched)


def test_without_its_look_a_run_is_refused(plot, here):
    status, _, said = plot(run(here / "out", None))
    assert status == 2
    assert "holds no plots/look.json" in said
    assert "blind" in said


def test_a_broken_look(plot, here):
    folder = run(here / "out", spec())
    (folder / "plots" / "look.json").write_text("{}")
    status, _, said = plot(folder)
    assert status == 1
    assert "look.json cannot be read" in said


def test_a_failed_fit_is_not_drawn_as_a_result(plot, here):
    folder = run(here / "out", spec(), converged=False)
    status, _, said = plot(folder / "statistics" / "fit.json")
    assert status == 1
    assert "the fit did not converge, so that nothing in it is a result" in said
    status, files, said = plot(folder / "statistics" / "prediction.json")
    assert [one for one in files if one.endswith(".svg")] == [
        "figures/prediction/statistics/prefit_SR.svg"
    ]
    assert "nothing of it is drawn" in said
    status, files, said = plot(folder, "--kind", "pulls,stack")
    assert status == 0
    assert "nothing of it is drawn" in said
    assert not any("postfit" in one or "pulls" in one for one in files)


def test_only_the_kinds_that_are_wanted(plot, here):
    folder = run(here / "out", spec())
    status, files, _ = plot(folder, "--kind", "correlation,tables")
    assert status == 0
    assert [one.rpartition("/")[2] for one in files] == [
        "correlation.svg", "yields_prefit.tex", "yields_postfit.tex", "parameters.tex",
        "systematics_SR.tex",
    ]  # fmt: skip
    status, _, said = plot(folder, "--kind", "gof")
    assert status == 2
    assert "no figure of the kind gof: it has correlation, limit, pulls, stack, variations" in said


def test_free_factors_are_those_of_the_workspace_beside_the_fit(plot, here):
    stored(here / "fit.json", fit(("mu", "k", "jes")).to_json())
    model = counting(5.0, 50.0, 52.0, {"name": "k", "type": "normfactor", "data": None})
    stored(here / "workspace.json", model)
    _, (pulls, _), _ = plot(here / "fit.json")
    assert "Normalisation" not in (here / pulls).name
    from hepflow.cli.plotting.results import _free

    assert _free(here / "workspace.json") == ("mu", "k")


def test_a_workspace_of_a_blind_run_shows_no_data(here):
    from argparse import Namespace

    from hepflow.cli.plotting.found import Folder, Look
    from hepflow.cli.plotting.results import Alike, of_result

    path = stored(here / "statistics" / "workspace.json", counting(5.0, 50.0, 52.0))
    options = Namespace(patch=None)
    seen = of_result(path, Folder(here), Look.of(path, options), Alike()).tasks[0].content
    assert seen.data.tolist() == [52.0]
    stored(here / "statistics" / "prediction.json", {"expected_only": True})
    blind = of_result(path, Folder(here), Look.of(path, options), Alike()).tasks[0].content
    assert blind.data is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.json"], "gone.json does not exist"),
        (["other.json"], "is no result that can be drawn"),
        (["list.json"], "is no result that can be drawn"),
        (["limit.json"], "has no scan of CLs to draw"),
        (["limit.json", "limit.json"], "2 limits: say with --x"),
        (["limit.json", "--x", "1,b"], "--x 1,b: expected numbers with commas"),
        (["limit.json", "--kind", "pull"], "--kind pull: expected one or more of stack"),
        (["limit.json", "--format", "gif"], "--format gif: expected one or more of pdf"),
    ],
)
def test_what_cannot_be_drawn(plot, here, words, message):
    stored(here / "limit.json", limit(scan=False).to_json())
    stored(here / "other.json", {"observed_p": 0.1})
    stored(here / "list.json", [])
    status, _, said = plot(*words)
    assert status == 2
    assert message in said
    assert not (here / "figures").exists()


def test_a_result_that_is_not_whole(plot, here):
    content = fit().to_json()
    del content["bestfit"]
    status, _, said = plot(stored(here / "fit.json", content))
    assert status == 1
    assert "the stored result is not whole (KeyError" in said
