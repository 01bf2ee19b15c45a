"""Rates of earlier runs: measured, kept, and found again."""

from __future__ import annotations

import pytest

from hepflow.rates import FILE, Rate, add, measured, read_rates, write_rates


def test_a_rate_is_proportional():
    assert Rate(100, 2.0).seconds(250) == pytest.approx(5.0)
    assert Rate(1, 2.0) + Rate(3, 4.0) == Rate(4, 6.0)


def test_work_is_added_up_by_stage_where_somebody_measures():
    add("skim", 5, 1.0)  # nobody does
    with measured() as found:
        add("skim", 10, 1.0)
        add("skim", 20, 2.0)
        add("plots", 0, 0.0)  # nothing was done
    add("skim", 5, 1.0)
    assert found == {"skim": Rate(30, 3.0)}


def test_a_stage_that_did_nothing_keeps_its_rate(tmp_path):
    write_rates(tmp_path, {"skim": Rate(10, 1.0), "plots": Rate(2, 1.0)})
    write_rates(tmp_path, {"plots": Rate(4, 1.0)})
    write_rates(tmp_path, {})
    assert read_rates(tmp_path) == {"skim": Rate(10, 1.0), "plots": Rate(4, 1.0)}


@pytest.mark.parametrize("content", ["{", "[]", '{"skim": 3}', '{"skim": {"count": 1}}'])
def test_a_broken_record_tells_nothing(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert read_rates(tmp_path) == {}
    assert read_rates(tmp_path / "nowhere") == {}


def test_a_rate_of_nothing_is_none(tmp_path):
    (tmp_path / FILE).write_text('{"skim": {"count": 0, "cpu_seconds": 1.0}}')
    assert read_rates(tmp_path) == {}
