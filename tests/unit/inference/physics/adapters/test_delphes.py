"""Trees of Delphes, as made here with uproot, and a program that plays Delphes."""

import gzip

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.errors import (
    ExecutionError,
    InputError,
    MissingBranch,
    MissingTree,
    UnreadableFile,
)
from hepflow.inference.expressions import parse
from hepflow.inference.physics.adapters.delphes import (
    DelphesEvents,
    check_order,
    read_trees,
    simulate,
)
from tests.unit.inference.physics.adapters.fakes import DELPHES, program

BRANCHES = {
    "Electron": {"PT": [[], [30.0, 40.0], []], "Eta": [[], [1.0, 2.0], []],
                 "Phi": [[], [0.1, 0.2], []], "Charge": [[], [1, -1], []]},
    "Muon": {"PT": [[20.0], [], []], "Eta": [[0.5], [], []], "Phi": [[3.0], [], []],
             "Charge": [[-1], [], []]},
    "Photon": {"PT": [[], [], [50.0]], "Eta": [[], [], [0.0]], "Phi": [[], [], [1.0]]},
    "Jet": {"PT": [[25.0, 90.0], [], [60.0]], "Eta": [[0.0, 1.0], [], [2.0]],
            "Phi": [[0.0, 1.0], [], [2.0]], "Mass": [[5.0, 9.0], [], [6.0]],
            "BTag": [[1, 2], [], [3]]},
    "MissingET": {"MET": [[10.0], [20.0], [30.0]], "Phi": [[0.5], [-0.5], [2.0]]},
    "Event": {"Number": [[0], [1], [2]], "Weight": [[2.0], [2.5], [-1.0]]},
}  # fmt: skip


def write(path, without=(), **changes):
    types = {"Charge": np.int32, "BTag": np.uint32, "Number": np.int64}
    data = {}
    for branch, leaves in {**BRANCHES, **changes}.items():
        columns = {
            f"{branch}.{leaf}": ak.values_astype(ak.Array(values), types.get(leaf, np.float32))
            for leaf, values in leaves.items()
            if f"{branch}.{leaf}" not in without
        }
        data.update(columns)
    with uproot.recreate(path) as file:
        file.mktree("Delphes", {name: column.type.content for name, column in data.items()})
        file["Delphes"].extend(data)
    return path


def test_objects_of_a_tree(tmp_path):
    found = read_trees(write(tmp_path / "d.root"))
    particles = found.particles
    assert particles.e.pt.tolist() == [[], [40.0, 30.0], []]
    assert particles.e.charge.tolist() == [[], [-1.0, 1.0], []]
    assert particles.j.btag.tolist() == [[0.0, 1.0], [], [1.0]]
    assert particles.j.mass.tolist() == [[9.0, 5.0], [], [6.0]]
    assert particles.mu.mass[0, 0] == pytest.approx(0.10566)
    assert particles.a.charge.tolist() == [[], [], [0.0]]
    assert np.asarray(particles.met.pt) == pytest.approx([10.0, 20.0, 30.0])
    assert np.asarray(particles.met.phi) == pytest.approx([0.5, -0.5, 2.0])
    assert found.numbers.tolist() == [0, 1, 2]
    assert found.weights.tolist() == [2.0, 2.5, -1.0]
    assert parse("l[0].pt + met.pt").number(particles) == pytest.approx(
        [30.0, 60.0, np.nan], nan_ok=True
    )


def test_what_a_file_lacks_is_named(tmp_path):
    path = write(tmp_path / "d.root", without=["Jet.Mass"])
    with pytest.raises(MissingBranch, match=r"no Jet.Mass.*branch 'Jet'"):
        read_trees(path)
    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("Events", {"x": np.float32})
    with pytest.raises(MissingTree, match="no tree 'Delphes'"):
        read_trees(tmp_path / "other.root")
    (tmp_path / "text.root").write_text("no ROOT file, whatever its name says")
    for name in ("text.root", "missing.root"):
        with pytest.raises(UnreadableFile, match=name):
            read_trees(tmp_path / name)
    twice = write(tmp_path / "e.root", Event={"Number": [[0], [], [2]], "Weight": [[1.0]] * 3})
    with pytest.raises(InputError, match="none or several values"):
        read_trees(twice)


def events_of(numbers, weights):
    return DelphesEvents(None, np.array(numbers), np.array(weights, dtype=float))


def test_events_in_the_same_order_are_accepted():
    nominal = np.array([1.0, 2.0, -0.5])
    check_order(events_of([0, 1, 2], nominal), nominal, "d.root")
    check_order(events_of([7, 8, 9], 3e-9 * nominal), nominal, "d.root")
    check_order(events_of([0, 1, 2], [1, 1, 1]), nominal, "d.root")


@pytest.mark.parametrize(
    ("numbers", "weights", "words"),
    [
        ([0, 1], [1, 2], "has 2 events and the Les Houches file 3"),
        ([0, 2, 1], [1, 2, -0.5], "event 2 follows event 0"),
        ([0, 1, 2], [2, 1, -0.5], "the weights of .* events"),
    ],
)
def test_another_order_is_an_error(numbers, weights, words):
    with pytest.raises(InputError, match=words):
        check_order(events_of(numbers, weights), np.array([1.0, 2.0, -0.5]), "d.root")


@pytest.fixture
def inputs(tmp_path):
    write(tmp_path / "prepared.root")
    (tmp_path / "card.tcl").write_text("set ExecutionPath {}")
    with gzip.open(tmp_path / "events.hepmc.gz", "wt") as file:
        file.write("\nHepMC::Version 3.02.05\nHepMC::Asciiv3-START_EVENT_LISTING\n")
    return tmp_path


VERSION_2 = "\nHepMC::Version 2.06.09\nHepMC::IO_GenEvent-START_EVENT_LISTING\nE 1 0\n"


def test_the_program_is_the_one_that_reads_the_version_of_the_events(inputs, monkeypatch):
    monkeypatch.setenv("PATH", str(inputs))
    program(inputs / "DelphesHepMC3", DELPHES, "fails")
    program(inputs / "DelphesHepMC2", DELPHES)
    (inputs / "events.hepmc").write_text(VERSION_2)
    made = simulate(None, inputs / "card.tcl", inputs / "events.hepmc", inputs / "delphes.root")
    assert len(read_trees(made).particles) == 3
    with pytest.raises(ExecutionError, match="DelphesHepMC3"):
        simulate(None, inputs / "card.tcl", inputs / "events.hepmc.gz", inputs / "delphes.root")
    # a file that is called as the zipped one without .gz stays
    assert (inputs / "events.hepmc").read_text() == VERSION_2
    other = str(inputs / "DelphesHepMC3")
    with pytest.raises(
        InputError, match=r"does not read the version of HepMC .*expected DelphesHepMC2"
    ):
        simulate(other, inputs / "card.tcl", inputs / "events.hepmc", inputs / "delphes.root")


def test_events_that_are_not_hepmc_are_refused(inputs):
    executable = str(program(inputs / "my_delphes", DELPHES))
    (inputs / "events.hepmc").write_text("<LesHouchesEvents>")
    with pytest.raises(InputError, match="text format of HepMC 2 or 3"):
        simulate(executable, inputs / "card.tcl", inputs / "events.hepmc", inputs / "o.root")
    (inputs / "events.hepmc.gz").write_bytes(gzip.compress(b"HepMC" * 1000)[:20])
    with pytest.raises(UnreadableFile, match="make the events again"):
        simulate(executable, inputs / "card.tcl", inputs / "events.hepmc.gz", inputs / "o.root")


def test_delphes_is_run_on_the_unzipped_events(inputs):
    executable = program(inputs / "DelphesHepMC3", DELPHES)
    output = inputs / "out" / "delphes.root"
    for _ in range(2):  # a file that is there is no obstacle
        made = simulate(str(executable), inputs / "card.tcl", inputs / "events.hepmc.gz", output)
    assert len(read_trees(made).particles) == 3
    assert "events HepMC::Version 3" in output.with_suffix(".log").read_text()
    assert sorted(path.name for path in output.parent.iterdir()) == ["delphes.log", "delphes.root"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [("fails", "ended with status 1.*ERROR: cannot read"), ("nothing", "left no .*delphes.root")],
)
def test_a_delphes_that_fails_is_said(inputs, mode, words):
    executable = program(inputs / "DelphesHepMC3", DELPHES, mode)
    with pytest.raises(ExecutionError, match=f"(?s){words}"):
        simulate(
            str(executable),
            inputs / "card.tcl",
            inputs / "events.hepmc.gz",
            inputs / "delphes.root",
        )


def test_missing_files_and_programs_are_named(inputs, monkeypatch):
    executable = str(program(inputs / "DelphesHepMC3", DELPHES))
    with pytest.raises(InputError, match=r"no file .*none.tcl for the card"):
        simulate(executable, inputs / "none.tcl", inputs / "events.hepmc.gz", inputs / "o.root")
    with pytest.raises(InputError, match=r"no file .*none.hepmc for the events"):
        simulate(executable, inputs / "card.tcl", inputs / "none.hepmc", inputs / "o.root")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="DelphesHepMC3 is asked for"):
        simulate(None, inputs / "card.tcl", inputs / "events.hepmc.gz", inputs / "o.root")
