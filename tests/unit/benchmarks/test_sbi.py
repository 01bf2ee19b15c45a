"""The benchmark beside madminer judges against the truth, and would tell if a bar was missed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.sbi import __main__ as sbi
from benchmarks.sbi import environment
from benchmarks.sbi.accuracy import information_ratio, judge, relative_error
from benchmarks.sbi.comparison import Line, lines
from benchmarks.sbi.environment import existing_python, measure
from benchmarks.sbi.page import comparison, row, write_page

RNG = np.random.default_rng(5)
TRUE = RNG.normal(size=(500, 2)) * [1.0, 3.0]
EVENLY = np.full(len(TRUE), 1 / len(TRUE))
ASKED = {"training, CPU [s]": 4.0, "error of the log ratio": 0.01}
RESULTS = {
    "hepflow": {"alice": [ASKED, {**ASKED, "error of the log ratio": 0.03}, ASKED]},
    "madminer": {"alice": [{"training, CPU [s]": 20.0, "error of the log ratio": 0.02}]},
    "settings": {"events": 100},
    "seeds": {"hepflow": 3, "madminer": 1},
    "machine": {"numpy": "2"},
}


def test_the_truth_has_no_error_and_its_mean_has_one():
    np.testing.assert_array_equal(relative_error(TRUE, TRUE), 0.0)
    np.testing.assert_allclose(relative_error(np.zeros((1, 2)) + TRUE.mean(axis=0), TRUE), 1.0)
    np.testing.assert_allclose(relative_error(TRUE + TRUE.std(axis=0) / 10, TRUE), 0.01)


def test_the_information_of_wrong_scores_is_off_by_the_square():
    information = TRUE.T @ TRUE / len(TRUE)
    np.testing.assert_allclose(information_ratio(TRUE, EVENLY, information), 1.0)
    mixed = TRUE @ np.array([[1.0, 0.4], [0.0, 1.0]]) * 2.0
    turned = information_ratio(mixed, EVENLY, information)
    assert np.prod(turned) == pytest.approx(16.0)  # the determinant, whatever the mixture
    assert turned[0] < 4.0 < turned[1]


def test_arrays_are_judged_by_what_they_are(tmp_path):
    information = TRUE.T @ TRUE / len(TRUE)
    test = {"score": TRUE, "log_ratio": TRUE.T, "many_weights": EVENLY, "information": information}
    ratio = np.exp(TRUE.T)
    np.savez(tmp_path / "test.npz", **test, closure_ratio=ratio)
    np.savez(tmp_path / "score.npz", score=0.9 * TRUE, many=0.9 * TRUE)
    found = judge(tmp_path / "score.npz", tmp_path / "test.npz")
    assert found["information, smaller eigenvalue"] == pytest.approx(0.81)
    assert found["error of the score, C_RR"] == pytest.approx(0.01, rel=0.05)
    assert "error of the log ratio" not in found
    closure = np.log(ratio + np.array([[0.02], [0.0]]))
    found = {"score": TRUE, "many": TRUE, "log_ratio": TRUE.T, "closure": closure}
    np.savez(tmp_path / "ratio.npz", **found)
    said = judge(tmp_path / "ratio.npz", tmp_path / "test.npz")
    assert said["error of the log ratio"] == 0.0
    assert said["mean ratio, distance from 1"] == pytest.approx(0.02)


def test_medians_count_and_ratios_of_times():
    time, error = lines(RESULTS)
    assert (time.ratio, time.asked, time.reached) == (5.0, "3 times as fast", True)
    assert (error.ours, error.theirs, error.reached) == (0.01, 0.02, True)
    assert Line("alice", "training, CPU [s]", 10.0, 20.0, 3.0, None).reached is False
    assert Line("alice", "training, CPU [s]", 10.0, None, 3.0, None).reached is None
    assert Line("alice", "error of the log ratio", 0.02, None, None, 0.016).reached is False
    between = Line("sally", "information, smaller eigenvalue", 0.8, 0.7, 0.9, 1.1)
    assert (between.asked, between.reached) == ("0.9 to 1.1", False)
    assert Line("rascal", "error of the log ratio", 0.02, None, None, None).asked == ""


def test_the_page_gets_the_table(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- figures: begin -->old<!-- figures: end -->\nend\n", encoding="utf-8")
    write_page(page, RESULTS)
    text = page.read_text(encoding="utf-8")
    assert "100 training events; medians of 3 seeds of hepflow and 1 of madminer" in text
    assert comparison(RESULTS) in text
    assert "old" not in text
    assert text.endswith("\nend\n")
    assert row(next(iter(lines(RESULTS))))[2:5] == ("4", "20", "5")
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="figures: begin"):
        write_page(page, RESULTS)


def test_the_exit_status_says_whether_a_bar_was_missed(tmp_path, capsys):
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps(RESULTS), encoding="utf-8")
    assert sbi.main(["--from-json", str(stored), "--json", str(tmp_path / "again.json")]) == 0
    assert json.loads((tmp_path / "again.json").read_text(encoding="utf-8")) == RESULTS
    worse = {**RESULTS, "hepflow": {"alice": [{**ASKED, "error of the log ratio": 0.5}]}}
    stored.write_text(json.dumps(worse), encoding="utf-8")
    assert sbi.main(["--from-json", str(stored)]) == 1
    assert capsys.readouterr().out.count(" no ") == 1


def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)hepflow_side alice: .*settings\.json"):
        measure("hepflow_side", tmp_path, "alice", 1)


def test_an_environment_that_cannot_be_made_is_no_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "MADMINER", str(tmp_path / "missing.whl"))
    monkeypatch.setattr(environment, "CPU_BUILDS", (tmp_path / "nowhere").as_uri())
    with pytest.raises(RuntimeError, match="--without-madminer leaves it out"):
        environment.madminer_python(tmp_path)
    assert existing_python(tmp_path) is None


@pytest.mark.campaign
def test_a_small_run(tmp_path):
    words = ["--without-madminer", "--events", "2000", "--epochs", "1", "--seeds", "1"]
    words += ["--methods", "sally", "alices"]
    sbi.main([*words, "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert set(found["hepflow"]) == {"sally", "alices"}
    assert found["hepflow"]["alices"][0]["grid, CPU [s]"] > 0
    assert found["hepflow"]["alices"][0]["error of the log ratio"] < 1.5
