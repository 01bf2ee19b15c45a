"""What differs between two runs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.cli import main
from hepflow.cli.differences import Row, Section, number
from hepflow.cli.run_differences import RunContents, Tolerances, compare_runs
from hepflow.histograms import write_histograms
from hepflow.records import Axis, Block, FitResult, HistogramSet, Ledger, LimitResult, Significance
from hepflow.storage import write_json

CONFIG = {
    "general": {"lumi": 100.0, "output_dir": "here", "password": "one"},
    "channels": [{"name": "SR", "binning": [0.0, 1.0]}, {"name": "CR", "binning": [0.0, 2.0]}],
}


def block(*rows, names=("nominal", "jes_up", "jes_down")):
    sumw = np.array([[0.0, *row, 0.5] for row in rows])
    return Block(tuple(names[: len(rows)]), sumw, sumw / 2)


def histograms(**changes) -> HistogramSet:
    axes = {("SR", "x"): Axis("x", "x", (0.0, 1.0, 2.0)), ("CR", "y"): Axis("y", "y", (0.0, 1.0))}
    blocks = {
        ("SR", "x", "top"): block([3.0, 1.0], [3.3, 1.2], [2.8, 0.9]),
        ("SR", "x", "data"): block([4.0, 1.0]),
        ("CR", "y", "top"): block([30.0]),
    }
    found = HistogramSet(
        axes, blocks, {}, frozenset({"data"}), {"": 100.0}, Ledger(), {"top": "top", "data": "data"}
    )
    return replace(found, **changes)


def fit(**changes) -> FitResult:
    found = FitResult(
        "mu", ("mu", "jes"), np.array([0.8, 0.1]), np.array([0.3, 0.9]), np.eye(2), 20.0, 0.4,
        converged=True,
    )  # fmt: skip
    return replace(found, **changes)


def limit(**changes) -> LimitResult:
    found = LimitResult(
        "mu", (0.0, 10.0), 0.95, 1.5, (0.5, 0.7, 1.0, 1.4, 2.0), "a_posteriori", 0.05, "qtilde",
        "asymptotic", {},
    )  # fmt: skip
    return replace(found, **changes)


def contents(**changes) -> RunContents:
    found = RunContents(CONFIG, histograms(), fit(), limit(), Significance(0.1, 1.3, 0.02, 2.0))
    return replace(found, **changes)


def differing(first: RunContents, second: RunContents, tolerance=1e-6, **more):
    sections = compare_runs(first, second, Tolerances(tolerance), **more)
    return {one.name: one.different for one in sections if one.different}


# -- numbers ---------------------------------------------------------------------------------


@given(one=st.floats(), other=st.floats(), tolerance=st.floats(0, 1))
def test_which_run_is_first_does_not_matter(one, other, tolerance):
    left, right = number(("x",), one, other, tolerance), number(("x",), other, one, tolerance)
    assert (left.different, left.relative) == (right.different, right.relative)


@given(value=st.one_of(st.none(), st.floats()), tolerance=st.floats(0, 1))
def test_a_number_equals_itself(value, tolerance):
    assert not number(("x",), value, value, tolerance).different


@pytest.mark.parametrize(
    ("one", "other", "floor", "different"),
    [
        (1.0, 1.0009, 0, False),
        (1.0, 1.0011, 0, True),
        (-1.0, 1.0, 0, True),
        (0.0, 1e-9, 0, True),
        (0.0, 1e-9, 1.0, False),
        (None, 1.0, 0, True),
        (math.nan, 1.0, 0, True),
        (math.inf, math.inf, 0, False),
    ],
)
def test_differences_are_relative(one, other, floor, different):
    assert number(("x",), one, other, 1e-3, floor).different is different


# -- sections --------------------------------------------------------------------------------


def test_a_run_equals_itself():
    sections = compare_runs(contents(), contents(), Tolerances(0.0))
    assert [one.name for one in sections] == [
        "configuration", "yields", "templates", "fit", "limits", "significance",
    ]  # fmt: skip
    assert all(one.rows and not one.different for one in sections)


def test_configuration_is_told_by_path():
    other = {
        "general": {"lumi": 99.0, "output_dir": "there", "password": "two"},
        "channels": [{"name": "CR", "binning": [0.0, 2.0]}, {"name": "VR", "binning": [1.0]}],
    }
    found = differing(contents(), contents(config=other), ignore=("general.output_dir",))
    rows = {row.where[0]: (row.first, row.second, row.note) for row in found["configuration"]}
    assert rows["general.lumi"] == ("100.0", "99.0", "")
    assert rows["channels[SR].binning"] == ("[0.0, 1.0]", None, "absent in the second")
    assert rows["channels[VR].name"][2] == "absent in the first"
    assert "general.output_dir" not in rows
    assert set(rows["general.password"]) == {"***", ""}


def test_yields_count_the_overflow():
    other = histograms()
    other.blocks["CR", "y", "top"].sumw[0, -1] = 0.6
    found = differing(contents(), contents(histograms=other))
    (row,) = found["yields"]
    assert row.where == ("CR", "top")
    assert (row.first, row.second) == pytest.approx((30.5, 30.6))
    assert row.relative == pytest.approx(0.1 / 30.6)
    assert differing(contents(), contents(histograms=other), tolerance=0.01).keys() == {"templates"}


def test_templates_name_the_worst_bin():
    other = histograms()
    other.blocks["SR", "x", "top"].sumw[1, 1:3] = [3.4, 1.8]
    (row,) = differing(contents(), contents(histograms=other))["templates"]
    assert row.where == ("SR", "x", "top", "jes_up", "1")
    assert (row.first, row.second, row.note) == (1.2, 1.8, "2 of 4 bins")
    other = histograms()
    other.blocks["SR", "x", "data"].sumw2[0, 0] = 1.0
    (row,) = differing(contents(), contents(histograms=other))["templates"]
    assert row.where == ("SR", "x", "data", "nominal", "underflow (squares)")


def test_what_is_missing_in_one_run_is_named():
    less, axes = histograms(), histograms().axes
    blocks = {key: one for key, one in less.blocks.items() if key != ("SR", "x", "data")}
    blocks["SR", "x", "top"] = block([3.0, 1.0], [3.3, 1.2])
    less = replace(less, blocks=blocks, axes={**axes, ("VR", "z"): axes["CR", "y"]})
    found = differing(contents(), contents(histograms=less))
    notes = {row.where: row.note for row in found["templates"]}
    assert notes == {
        ("SR", "x", "data", "", ""): "absent in the second",
        ("SR", "x", "top", "jes_down", ""): "absent in the second",
        ("VR", "z", "", "", ""): "absent in the first",
    }
    assert {row.where: row.note for row in found["yields"]} == {
        ("SR", "data"): "absent in the second"
    }


def test_other_edges_are_one_difference():
    axes = {**histograms().axes, ("SR", "x"): Axis("x", "x", (0.0, 1.5, 2.0))}
    (row,) = differing(contents(), contents(histograms=histograms(axes=axes)))["templates"]
    assert (row.where[-1], row.first, row.second) == ("edges", "0, 1, 2", "0, 1.5, 2")


def test_rounding_in_an_empty_bin_is_no_difference():
    other = histograms()
    other.blocks["SR", "x", "top"].sumw[0, 0] = 1e-19
    assert differing(contents(), contents(histograms=other)) == {}


def test_pulls_are_compared_in_units_of_their_uncertainty():
    near = fit(bestfit=np.array([0.8, 0.1 + 1e-8]))
    assert differing(contents(), contents(fit=near)) == {}
    other = fit(
        bestfit=np.array([0.9, 0.1]), uncertainty=np.array([0.3, 0.8]), twice_nll=21.0,
        goodness_of_fit=None, converged=False,
    )  # fmt: skip
    rows = {row.where for row in differing(contents(), contents(fit=other))["fit"]}
    assert rows == {
        ("mu", "best fit"), ("jes", "uncertainty"), ("all", "-2 ln L"), ("all", "converged"),
        ("all", "goodness of fit"),
    }  # fmt: skip
    renamed = fit(labels=("mu", "jer"), poi="jer")
    rows = {row.where: row.note for row in differing(contents(), contents(fit=renamed))["fit"]}
    assert rows["jer", ""] == "absent in the first"
    assert ("all", "POI") in rows


def test_limits_and_significance_stand_side_by_side():
    other = contents(
        limit=limit(observed=None, expected=(0.5, 0.7, 1.1, 1.4, 2.0), confidence_level=0.9),
        significance=Significance(None, None, 0.02, 2.1),
    )
    found = differing(contents(), other)
    assert [row.where[0] for row in found["limits"]] == ["kind", "observed", "expected"]
    assert [row.where[0] for row in found["significance"]] == [
        "observed z", "observed p", "expected z",
    ]  # fmt: skip


def test_a_section_that_one_run_lacks_differs():
    found = differing(contents(), RunContents(config=CONFIG))
    assert {name: [row.note for row in rows] for name, rows in found.items()} == {
        name: ["absent in the second"]
        for name in ("yields", "templates", "fit", "limits", "significance")
    }
    empty = compare_runs(RunContents(), RunContents(), Tolerances())
    assert {one.note for one in empty} == {"neither run has any"}


def test_each_section_has_its_tolerance():
    other = contents(limit=limit(observed=1.51), fit=fit(bestfit=np.array([0.801, 0.1])))
    tolerances = Tolerances(1e-6, {"limits": 0.01})
    found = [one.name for one in compare_runs(contents(), other, tolerances) if one.different]
    assert found == ["fit"]


def test_rows_are_sorted_by_their_difference():
    rows = [
        Row((name,), 1.0, 2.0, True, size) for name, size in (("a", 0.1), ("b", 0.5), ("c", None))
    ]
    section = Section("x", ("name",), (*rows, Row(("d",), 1.0, 1.0, False, 0.0)))
    assert [row.where[0] for row in section.different] == ["c", "b", "a"]
    assert len(section.to_json(everything=True)["rows"]) == 4
    assert section.to_json(everything=False)["rows"][1] == {
        "name": "b", "first": 1.0, "second": 2.0, "relative": 0.5, "different": True, "note": "",
    }  # fmt: skip


# -- the command -----------------------------------------------------------------------------


def write_run(folder, run: RunContents):
    """A run's folder as hepflow writes it."""
    if run.config is not None:
        write_json(folder / "config" / "resolved.json", run.config)
    if run.histograms is not None:
        (folder / "histograms").mkdir(parents=True)
        write_histograms(run.histograms, folder / "histograms")
    for name in ("fit", "limit"):
        if getattr(run, name) is not None:
            stored = {**getattr(run, name).to_json(), "remarks": []}
            write_json(folder / "statistics" / f"{name}.json", stored)
    if run.significance is not None:
        write_json(folder / "statistics" / "significance.json", asdict(run.significance))
    return folder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a", contents())
    return tmp_path


def test_equal_runs_end_well(runs, capsys):
    config = {**CONFIG, "general": {**CONFIG["general"], "output_dir": "there"}}
    write_run(runs / "b", contents(config=config))
    assert main(["diff", "a", "b", "--json=told.json"]) == 0
    told = json.loads((runs / "told.json").read_text())
    assert told["equal"]
    assert told["sections"]["templates"]["compared"] == 5
    assert told["sections"]["fit"]["rows"] == []
    shown = capsys.readouterr().out
    assert "Templates      5 equal" in shown
    assert "│" not in shown


def test_different_runs_end_with_1(runs, capsys):
    write_run(runs / "b", contents(limit=limit(observed=1.6), significance=None))
    assert main(["diff", "a", "b"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "observed │ 1.5 │ 1.6 │ 0.063 │" in shown
    assert "absent in the second" in shown
    assert "Limits 1 of 7 differ" in shown
    assert main(["diff", "a", "b", "--tolerance.limits=0.1"]) == 1
    (runs / "a" / "statistics" / "significance.json").unlink()
    assert main(["diff", "a", "b", "--tolerance.limits=0.1"]) == 0
    assert main(["diff", "a", "b", "--tolerance=0.1"]) == 0


def test_all_shows_what_is_equal(runs, capsys):
    write_run(runs / "b", contents())
    assert main(["diff", "a", "b", "--all", "--json=-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["sections"]["limits"]["rows"]) == 7
    assert main(["diff", "a", "b", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "SR / x / top / jes_down / underflow" in " ".join(shown.split())


def test_long_tables_are_cut_and_say_so(runs, capsys):
    config = {**CONFIG, "plotting": {f"value_{i}": i for i in range(40)}}
    write_run(runs / "b", contents(config=config))
    assert main(["diff", "a", "b"]) == 1
    assert "10 more; --all shows them" in capsys.readouterr().out
    assert main(["diff", "a", "b", "--ignore=plotting*"]) == 0


def test_results_of_an_earlier_run_do_not_count(runs):
    write_run(runs / "b", contents(fit=fit(twice_nll=3.0)))
    stages = [{"name": "statistics", "outcome": "left out", "why": "off"}]
    for name in ("a", "b"):
        write_json(runs / name / "report" / "run.json", {"stages": stages})
    assert main(["diff", "a", "b"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "nowhere"], "nowhere is no folder of a run"),
        (["a", "."], ". is no folder of a run"),
        (["a", "a", "--tolerance=-1"], "a tolerance is a number from 0, not -1.0"),
        (["a", "a", "--tolerance.fit=nan"], "a tolerance is a number from 0, not nan"),
    ],
)
def test_wrong_input_ends_with_2(words, message, runs, capsys):
    assert main(["diff", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "{}", '{"labels": 1}'])
def test_a_damaged_run_is_wrong_input(text, runs, capsys):
    write_run(runs / "b", contents())
    (runs / "b" / "statistics" / "fit.json").write_text(text)
    assert main(["diff", "a", "b"]) == 2
    assert "b: what the run left is not whole" in capsys.readouterr().err
