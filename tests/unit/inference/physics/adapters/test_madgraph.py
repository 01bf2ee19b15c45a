"""MadGraph's adapter from end to end, with a small program that plays MadGraph."""

import numpy as np
import pytest

from hepflow.errors import ExecutionError, InputError
from hepflow.inference.lhe import read_lhe
from hepflow.inference.physics.adapters.madgraph import (
    MadGraphSettings,
    Point,
    check_parameters,
    generate,
    read_run,
    read_weights,
)
from hepflow.inference.physics.lhe_particles import particles_of
from hepflow.inference.records import Benchmark, Parameter
from tests.unit.inference.physics.adapters.fakes import MADGRAPH, program
from tests.unit.inference.toys import shared

PARAMETERS = (
    Parameter("cHW", -1, 1, lha_block="SMEFT", lha_id=7),
    Parameter("cHB", -1, 1, lha_block="SMEFT", lha_id=8),
)
BENCHMARKS = (
    Benchmark("sm", (0.0, 0.0)),
    Benchmark("w", (0.5, 0.0)),
    Benchmark("both", (-0.4, 0.7)),
)
PROCESS = ("generate p p > e+ e-",)


def settings(tmp_path, mode="", **changes):
    executable = program(tmp_path / "mg5_aMC", MADGRAPH, mode)
    return MadGraphSettings(PROCESS, executable=str(executable), **changes)


def rate(point, x):
    return (1 + point[0] * x) ** 2 + (point[1] - 0.3 * point[0]) ** 2


@pytest.mark.parametrize("origin", [0, 2])
def test_events_with_the_weights_of_all_benchmarks(tmp_path, origin):
    pytest.importorskip("pylhe", reason="pylhe is not installed")
    given = settings(tmp_path, run_card={"ptj": 33.5})
    made = generate(given, Point(PARAMETERS, BENCHMARKS, origin), 50, 3, tmp_path / "job")
    events = read_run(made)
    weights = read_weights(events, BENCHMARKS)
    assert weights.shape == (50, 3)
    assert weights[:, origin].sum() == pytest.approx(1.5)  # [pb], of the head
    x = 0.5 * ((np.arange(50) * 7 + 3) % 50) / 50  # the seed went through the run card
    for column, benchmark in zip(weights.T, BENCHMARKS, strict=True):
        expected = rate(benchmark.values, x) / rate(BENCHMARKS[origin].values, x) * 1.5 / 50
        assert column == pytest.approx(expected, rel=1e-8)
    electrons = particles_of(events).e
    assert np.asarray(electrons.pt[:, 0]) == pytest.approx(20 + 100 * x)
    assert "ptj 33.5" in (tmp_path / "job" / "logs" / "events.log").read_text()
    assert made.hepmc is None


def test_a_killed_run_is_begun_anew(tmp_path):
    (tmp_path / "job" / "process" / "Cards").mkdir(parents=True)
    made = generate(settings(tmp_path), Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")
    assert made.lhe.is_file()


def test_a_shower_leaves_its_events_for_delphes(tmp_path):
    given = settings(tmp_path, shower=True)
    made = generate(given, Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")
    assert made.hepmc is not None
    assert made.hepmc.name == "tag_1_pythia8_events.hepmc.gz"


def test_a_tag_of_the_user_changes_the_name_of_the_showered_events(tmp_path):
    given = settings(tmp_path, shower=True, run_card={"run_tag": "mine"})
    made = generate(given, Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")
    assert made.hepmc is not None
    assert made.hepmc.name == "mine_pythia8_events.hepmc.gz"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fails", "ended with status 3.*Error detected in launch"),
        ("nothing", "left no unweighted_events.lhe.gz"),
    ],
)
def test_a_madgraph_that_fails_is_said_with_the_end_of_its_log(tmp_path, mode, words):
    given = settings(tmp_path, mode)
    with pytest.raises(ExecutionError, match=f"(?s){words}"):
        generate(given, Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")


def test_missing_weights_are_named(tmp_path):
    pytest.importorskip("pylhe", reason="pylhe is not installed")
    given = settings(tmp_path, "no reweighting")
    made = generate(given, Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")
    with pytest.raises(InputError, match=r"benchmarks sm, w, both \(there are: none\)"):
        read_weights(read_run(made), BENCHMARKS)


def test_names_of_benchmarks_are_looked_at_before_anything_runs(tmp_path):
    point = Point(PARAMETERS, (Benchmark("1", (0.0, 0.0)),), 0)
    with pytest.raises(InputError, match="benchmark '1'"):
        generate(settings(tmp_path), point, 5, 3, tmp_path / "job")
    assert not (tmp_path / "job").exists()


def test_a_missing_program_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    point = Point(PARAMETERS, BENCHMARKS, 0)
    with pytest.raises(InputError, match=r"mg5_aMC is asked for and is not on the search path"):
        generate(MadGraphSettings(PROCESS), point, 5, 3, tmp_path / "job")
    elsewhere = MadGraphSettings(PROCESS, executable="/nowhere/mg5_aMC")
    with pytest.raises(InputError, match=r"at /nowhere/mg5_aMC.*madgraph.executable"):
        generate(elsewhere, point, 5, 3, tmp_path / "job")


def test_what_hepflow_sets_itself_is_not_set_twice(tmp_path):
    given = settings(tmp_path, run_card={"Nevents": 3})
    with pytest.raises(InputError, match="sets nevents, which hepflow sets"):
        generate(given, Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")


def test_parameters_need_their_place_and_seeds_a_range(tmp_path):
    with pytest.raises(InputError, match=r"lha_block \(a word\) and lha_id of the parameters x"):
        check_parameters([*PARAMETERS, Parameter("x", -1, 1)])
    with pytest.raises(InputError, match="seed 0 for MadGraph"):
        generate(settings(tmp_path), Point(PARAMETERS, BENCHMARKS, 0), 5, 0, tmp_path)


def test_a_process_folder_without_cards_is_said(tmp_path):
    empty = program(tmp_path / "mg5_aMC", "pass")
    given = MadGraphSettings(PROCESS, executable=str(empty))
    with pytest.raises(ExecutionError, match=r"MadGraph made no run_card\.dat"):
        generate(given, Point(PARAMETERS, BENCHMARKS, 0), 5, 3, tmp_path / "job")


@pytest.mark.slow
def test_particles_and_weights_of_real_events(caplog):
    pytest.importorskip("pylhe", reason="pylhe is not installed")
    events = read_lhe(shared("lhe/smeftsim_VBFH-1.lhe.gz"))
    found = particles_of(events)
    assert len(found) == 10_000
    # h q q: two jets in each event, from u, d, s, c; the Higgs belongs to no collection
    assert np.asarray(found.j.pt).shape == (10_000, 2)
    assert "the PDG ids 25 belong to none" in caplog.text
    weights = read_weights(events, [Benchmark("SM", ()), Benchmark("cHW_0p1", ())])
    assert weights[:, 0].sum() == pytest.approx(3.343019, rel=1e-6)
    assert weights[0, 1] / weights[0, 0] == pytest.approx(3.1243153 / 3.3430188, rel=1e-7)
