"""Fifty of the kills of ``benchmarks/kills.py``: nothing is wrong, and nothing is left behind."""

from __future__ import annotations

import sys

import pytest

from benchmarks.kills import EXECUTORS, STAGES, campaign, table

KILLS = 50
# In one process most of them: starting workers takes longer than all the rest.
TURNS = ("loky", *("inprocess",) * 5, "dask", *("inprocess",) * 5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_after_fifty_kills_nothing_is_wrong(tmp_path):
    with campaign(tmp_path) as chosen:
        cases = list(chosen.cases(KILLS, 1, TURNS))
    told = table(cases)
    assert [case for case in cases if case.wrong or case.clean_ups] == [], told
    hit = {kill.partition(":")[0] for case in cases for kill in case.kills}
    assert len(hit) >= len(STAGES) - 2, told  # chance may spare a short one
    assert {case.executor for case in cases if case.kills} == set(EXECUTORS)
