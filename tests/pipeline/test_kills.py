"""Thirty of the kills of ``benchmarks/kills.py``: nothing is wrong, and nothing is left behind."""

from __future__ import annotations

import sys

import pytest

from benchmarks.kills import EXECUTORS, STAGES, campaign, table

KILLS = 15  # of each seed
# In one process most of them: starting workers takes longer than all the rest.
TURNS = ("loky", *("inprocess",) * 5, "dask", *("inprocess",) * 5)


@pytest.mark.slow
@pytest.mark.campaign
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("seed", [1, 2])
def test_after_kills_nothing_is_wrong(tmp_path, seed):
    with campaign(tmp_path) as chosen:
        cases = list(chosen.cases(KILLS, seed, TURNS))
    told = table(cases)
    assert [case for case in cases if case.wrong or case.clean_ups] == [], told
    hit = {kill.partition(":")[0] for case in cases for kill in case.kills}
    assert len(hit) >= len(STAGES) - 3, told  # chance may spare some short ones
    assert {case.executor for case in cases if case.kills} == set(EXECUTORS)
