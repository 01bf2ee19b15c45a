import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.plotting import (
    Table,
    fit_table,
    impact_table,
    latex,
    markdown,
    result_tables,
    systematics_table,
    text_table,
    write_tables,
    yields_table,
)
from hepflow.plotting.latex import escaped
from hepflow.plotting.tables import (
    Label,
    Sides,
    Value,
    cell_latex,
    cell_text,
    rounded,
    table_json,
    text_rows,
)
from hepflow.records import StatisticsResult
from tests.figures.example import fit, histograms, prediction, spec
from tests.figures.inference import ranking

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        # Review of Particle Physics, Introduction, 5.3: its own examples
        (0.827, 0.119, ("0.83", "0.12")),
        (0.827, 0.367, ("0.8", "0.4")),
        (0.827, 0.0963, ("0.83", "0.10")),
        # borders of the rule
        (1.0, 0.354, ("1.00", "0.35")),
        (1.0, 0.355, ("1.0", "0.4")),
        (1.0, 0.949, ("1.0", "0.9")),
        (1.0, 0.950, ("1.0", "1.0")),
        (1.0, 0.960, ("1.0", "1.0")),
        (1.0, 0.9996, ("1.0", "1.0")),
        (5432.1, 12.3, ("5432", "12")),
        (5432.1, 99.9, ("5430", "100")),
        (-0.001, 0.9, ("0.0", "0.9")),
    ],
)
def test_values_are_rounded_by_the_rule_of_the_particle_data_group(value, error, expected):
    assert rounded(value, error) == expected


@given(value=st.floats(-1e6, 1e6), error=st.floats(1e-5, 1e5))
def test_rounding_moves_neither_number_by_much(value, error):
    text, uncertainty = rounded(value, error)
    assert abs(float(text) - value) <= 0.15 * error * (1 + 1e-9)
    assert float(uncertainty) == pytest.approx(error, rel=0.15)
    digits = uncertainty.replace(".", "").lstrip("0").rstrip("0")
    assert len(digits) <= 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5 % of #1 {x}", r"a\_b \& 5 \% of \#1 \{x\}"),
        (r"$m_{t}$ in a_b", r"$m_{t}$ in a\_b"),
        ("one $ alone_", r"one \$ alone\_"),
        (r"$a$_$b_1$", r"$a$\_$b_1$"),
        ("5 ± 1", r"5 $\pm$ 1"),
        ("<50 ~ ^", r"\textless{}50 \textasciitilde{} \textasciicircum{}"),
        ("back\\slash", r"back\textbackslash{}slash"),
    ],
)
def test_texts_are_escaped_and_tex_is_kept(text, expected):
    assert escaped(text) == expected


def test_cells():
    assert cell_text(Value(12345.0)) == "12345"
    assert cell_text(Value(0.0123)) == "0.0123"
    assert cell_text(Value(0.0)) == "0"
    assert cell_text(Value(3.14159, float("nan"))) == "3.14"
    assert cell_text(Label("ttbar", r"$t\bar{t}$")) == "ttbar"
    assert cell_latex(Label("ttbar", r"$t\bar{t}$")) == r"$t\bar{t}$"
    assert cell_latex(Sides(20.0, -0.004)) == r"$+20.0\,/\,0$"
    assert cell_latex(None) == ""


def test_yields_by_region_and_process():
    table = yields_table(prediction(), spec(), remarks=["99.2 % of data"])
    background = prediction().channels[0].samples["ttbar"]
    rows = {str(row[0]): row[1] for row in text_rows(table)}
    assert rows["signal"] == "15.0"
    assert rows["ttbar"] == f"{background.sum():.0f}"
    assert rows["Sum"] == f"{background.sum() + 15:.0f} ± 12"
    assert rows["Data"] == f"{np.round(background).sum():.0f}"
    text = latex(table)
    assert r"$Z'$ & $15.0$ \\" in text
    assert text.count(r"\midrule") == 2
    assert r"\multicolumn{2}{l}{99.2 \% of data} \\" in text
    assert r" & $\mu$+jets \\" in text


def test_blind_data_are_in_no_table():
    names = [row[0] for row in text_rows(yields_table(prediction(data=False), spec()))]
    assert "Data" not in names


def test_effects_of_sources_largest_first():
    table = systematics_table(histograms(), "SR", "m_tt", spec())
    assert text_rows(table) == [
        ["jes", *[f"+10.0 / {MINUS}10.0"] * 4],
        ["lumi", *[f"+2.5 / {MINUS}2.5"] * 4],
    ]
    assert [cell_text(one) for one in table.columns] == [
        "Source",
        "Sum",
        "signal",
        "ttbar",
        "wjets",
    ]
    assert json.loads(json.dumps(table_json(table)))["rows"][1][1] == {
        "up": pytest.approx(2.5),
        "down": pytest.approx(-2.5),
    }


def test_a_source_of_one_process_leaves_the_others_empty():
    from hepflow.plotting import NormalisationSource

    only = spec(normalisations=(NormalisationSource("xsec", 0.1, ("ttbar",)),))
    rows = text_rows(systematics_table(histograms(), "SR", "m_tt", only))
    row = next(row for row in rows if row[0] == "xsec")
    assert (row[2], row[4]) == ("", "")
    assert row[3] == f"+10.0 / {MINUS}10.0"
    uneven = spec(normalisations=(NormalisationSource("xsec", 1.0, ("ttbar",), None, 0.5),))
    rows = text_rows(systematics_table(histograms(), "SR", "m_tt", uneven))
    assert next(row[3] for row in rows if row[0] == "xsec") == f"+100.0 / {MINUS}50.0"
    elsewhere = spec(normalisations=(NormalisationSource("xsec", 0.1, None, ("CR",)),))
    rows = text_rows(systematics_table(histograms(), "SR", "m_tt", elsewhere))
    assert [row[0] for row in rows] == ["jes"]


def test_parameters_without_the_statistics_of_templates():
    table = fit_table(fit(), spec())
    assert [row[0] for row in text_rows(table)] == ["mu", "jes", "lumi", "ttbar_norm"]
    assert text_rows(table)[0][1] == f"{MINUS}0.5 ± 0.5"
    assert table.notes == ("1 more: fixed ones, and the statistics of the templates",)


def test_numbers_are_not_rounded_in_json():
    rows = table_json(yields_table(prediction(), spec()))["rows"]
    total = float(prediction().channels[0].total.sum())
    assert rows[2] == ["Sum", {"value": total, "error": 12.0}]
    assert rows[0][0] == "signal"


def test_groups_and_their_part_of_the_whole():
    rows = text_rows(impact_table(ranking(), spec()))
    assert rows == [
        ["jets", "0.100", "50"],
        ["theory", "0.0300", "15"],
        ["data statistics", "0.150", "75"],
        ["Total", "0.200", "100"],
    ]


def result(*, converged=True):
    return StatisticsResult(
        fit=fit(converged=converged),
        limit=None,
        significance=None,
        prefit=prediction("prefit"),
        postfit=prediction("postfit"),
        expected_only=False,
        ranking=ranking(),
    )


def test_a_failed_fit_has_only_the_table_before_it():
    names = [table.name for table in result_tables(result(), spec())]
    assert names == ["yields_prefit", "yields_postfit", "parameters", "impacts"]
    failed = result_tables(result(converged=False), spec())
    assert [table.name for table in failed] == ["yields_prefit"]


def test_a_table_of_texts_in_markdown_and_in_files(tmp_path):
    labels = {"ttbar": r"$t\bar{t}$"}
    table = text_table(
        "cut/flow", "Cutflow", ["cut", "ttbar"], [["n|jets", "12"]], ["a_b"], labels=labels
    )
    assert markdown(table) == "| cut | ttbar |\n| --- | ---: |\n| n\\|jets | 12 |\n\na_b\n"
    (path,) = write_tables([table], tmp_path)
    assert path.name == "cut-flow.tex"
    assert path.read_text() == (
        "\\begin{tabular}{lr}\n\\toprule\ncut & $t\\bar{t}$ \\\\\n\\midrule\n"
        "n|jets & 12 \\\\\n\\bottomrule\n\\multicolumn{2}{l}{a\\_b} \\\\\n\\end{tabular}\n"
    )
    assert isinstance(table, Table)
