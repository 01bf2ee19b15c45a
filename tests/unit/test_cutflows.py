"""Cutflow tables and their file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.histograms import cutflow_latex, cutflow_table, write_cutflows
from hepflow.records import Axis, Cutflow, HistogramSet, Ledger


def flow(counts, sumw, names=("skimmed", "met")):
    w = np.asarray(sumw, dtype=np.float64)
    return Cutflow(names, np.asarray(counts, dtype=np.int64), w, w**2 / 10)


@pytest.fixture
def histograms():
    cutflows = {
        ("SR", "low__nominal"): flow([100, 40], [10.0, 4.0]),
        ("SR", "high__nominal"): flow([50, 30], [2.5, 1.5]),
        ("SR", "data"): flow([2000, 15, 12], [2000.0, 15.0, 12.0], ("skimmed", "certified", "met")),
        ("CR", "data"): flow([7, 7], [7.0, 7.0]),
    }
    return HistogramSet(
        axes={("SR", "m"): Axis("m", "m", (0.0, 1.0)), ("CR", "m"): Axis("m", "m", (0.0, 1.0))},
        blocks={},
        cutflows=cutflows,
        data_processes=frozenset({"data"}),
        luminosity={"": 1.0},
        ledger=Ledger(),
        process_of={"low__nominal": "wjets", "high__nominal": "wjets", "data": "data"},
    )


def test_datasets_of_a_process_add_up_and_data_are_counts(histograms):
    table = cutflow_table(histograms, "SR")
    assert table.columns == ("wjets", "data")
    assert table.rows == (
        ("skimmed", "12.5", "2,000"),
        ("certified", "-", "15"),
        ("met", "5.5", "12"),
    )


def test_the_file_holds_counts_and_weights(histograms, tmp_path):
    stored = json.loads(write_cutflows(histograms, tmp_path, ("50 % of data",)).read_text())
    assert stored["remarks"] == ["50 % of data"]
    assert stored["input"] == [one.to_json() for one in histograms.ledger.accounts()]
    content = stored["channels"]
    assert list(content) == ["SR", "CR"]
    last = content["SR"]["wjets"][-1]
    assert last["cut"] == "met"
    assert last["events"] == 70
    assert last["sumw"] == pytest.approx(5.5)
    assert last["sumw2"] == pytest.approx((16 + 2.25) / 10)


def test_cutflows_of_different_cuts_do_not_add(histograms):
    with pytest.raises(ValueError, match="different cuts"):
        histograms.cutflows["SR", "data"] + histograms.cutflows["CR", "data"]


def test_datasets_and_raw_counts_are_columns_on_request(histograms):
    table = cutflow_table(histograms, "SR", by="dataset")
    assert table.columns == ("low__nominal", "high__nominal", "data")
    assert table.rows[-1] == ("met", "4.0", "1.5", "12")
    table = cutflow_table(histograms, "SR", weighted=False)
    assert table.rows == (
        ("skimmed", "150", "2,000"),
        ("certified", "-", "15"),
        ("met", "70", "12"),
    )
    assert cutflow_table(histograms, "CR").rows == (("skimmed", "7"), ("met", "7"))


def test_a_channel_that_is_not_there_is_an_error(histograms):
    with pytest.raises(InputError, match=r"no channel 'SRR'. Did you mean 'SR'"):
        cutflow_table(histograms, "SRR")


def test_the_file_has_datasets_too(histograms, tmp_path):
    stored = json.loads(write_cutflows(histograms, tmp_path).read_text())
    assert list(stored) == ["remarks", "input", "channels", "datasets", "variations"]
    assert list(stored["datasets"]["SR"]) == ["low__nominal", "high__nominal", "data"]
    last = stored["datasets"]["SR"]["low__nominal"][-1]
    assert last == {"cut": "met", "events": 40, "sumw": 4.0, "sumw2": 1.6}


def test_a_table_as_latex(histograms):
    table = cutflow_table(histograms, "SR", by="dataset")
    assert cutflow_latex(table, ["50 % of data"]) == (
        "\\begin{tabular}{lrrr}\n"
        "\\hline\n"
        "cut & low\\_\\_nominal & high\\_\\_nominal & data \\\\\n"
        "\\hline\n"
        "skimmed & 10.0 & 2.5 & 2,000 \\\\\n"
        "certified & - & - & 15 \\\\\n"
        "met & 4.0 & 1.5 & 12 \\\\\n"
        "\\hline\n"
        "\\multicolumn{4}{l}{50 \\% of data} \\\\\n"
        "\\end{tabular}\n"
    )
