import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import uproot

from hepflow.errors import InputError, StorageError, WorkerLost
from hepflow.samples import build, describe_sample, ensure_sample, is_whole, truth
from hepflow.samples.__main__ import main

EVENTS = 1500


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return ensure_sample(tmp_path_factory.mktemp("sample"), EVENTS, seed=11, workers=1)


def content(path):
    """Return every branch of every tree as plain lists of bytes."""
    with uproot.open(path) as file:
        return {
            (tree, name): array.tolist()
            for tree in ("Events", "Runs", "LuminosityBlocks")
            for name, array in file[tree].arrays(library="ak", how=dict).items()
        }


def some_files(layout):
    return [info.files[-1] for info in layout.datasets.values()]


def test_describing_a_sample_makes_nothing_and_agrees_with_what_is_made(layout, tmp_path):
    described = describe_sample(layout.root.parent, EVENTS, seed=11)
    assert described == layout
    describe_sample(tmp_path / "none", EVENTS)
    assert not (tmp_path / "none").exists()


def test_describing_needs_no_heavy_library():
    code = (
        "import sys; from hepflow.samples import describe_sample; describe_sample('x', 5000);"
        "print(sorted({'uproot','awkward','correctionlib','loky','dask'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sizes_and_seeds_have_folders_of_their_own(tmp_path):
    roots = {
        describe_sample(tmp_path, events, seed).root
        for events, seed in ((1000, 1), (1001, 1), (1000, 2))
    }
    assert len(roots) == 3


@pytest.mark.parametrize(("events", "seed"), [(999, 1), (-1, 1), (1000, -1)])
def test_impossible_samples_are_refused(tmp_path, events, seed):
    with pytest.raises(InputError):
        describe_sample(tmp_path, events, seed)


def test_the_default_sample_has_half_a_million_events_and_several_files_each():
    layout = describe_sample("x")
    simulated = sum(info.events for info in layout.datasets.values() if not info.is_data)
    assert simulated >= 0.9 * truth.DEFAULT_EVENTS
    assert all(len(info.files) >= 3 for info in layout.datasets.values())


def test_each_file_has_many_branches_of_nanoaod_types(layout):
    expected = {
        "run": "uint32_t",
        "luminosityBlock": "uint32_t",
        "event": "uint64_t",
        "HLT_TkMu50": "bool",
        "Flag_goodVertices": "bool",
        "PuppiMET_pt": "float",
        "PV_npvs": "int32_t",
        "Muon_pt": "float[]",
        "Muon_tightId": "bool[]",
        "Muon_miniIsoId": "uint8_t[]",
        "Muon_jetIdx": "int32_t[]",
        "Jet_pt": "float[]",
        "Jet_jetId": "int32_t[]",
        "FatJet_particleNet_TvsQCD": "float[]",
    }
    simulated = {
        "genWeight": "float",
        "Pileup_nTrueInt": "float",
        "Jet_hadronFlavour": "int32_t[]",
        "LHEScaleWeight": "float[]",
    }
    for name, info in layout.datasets.items():
        with uproot.open(info.files[0]) as file:
            types = {branch.name: branch.typename for branch in file["Events"].branches}
        wanted = expected if info.is_data else expected | simulated
        assert {key: types.get(key) for key in wanted} == wanted, name
        assert len(types) > 150
        assert not info.is_data or not set(simulated) & set(types)


def test_data_has_nothing_of_the_generator(layout):
    with uproot.open(layout.datasets["data"].files[0]) as file:
        names = [branch.name for branch in file["Events"].branches]
        assert file["Runs"].keys() == ["run"]
    forbidden = ("gen", "Gen", "LHE", "PSWeight", "nLHE", "nPSWeight", "Pileup_")
    assert [n for n in names if n.startswith(forbidden) or "hadronFlavour" in n] == []


@pytest.mark.parametrize("name", truth.PROCESSES)
def test_runs_hold_the_sums_of_the_generator_weights(layout, name):
    for path in layout.datasets[name].files:
        with uproot.open(path) as file:
            weight = file["Events/genWeight"].array(library="np").astype(np.float64)
            runs = file["Runs"].arrays(library="np")
        assert len(runs["run"]) > 1
        assert runs["genEventCount"].sum() == len(weight)
        assert runs["genEventSumw"].sum() == pytest.approx(weight.sum())
        assert runs["genEventSumw2"].sum() == pytest.approx((weight**2).sum())


def test_some_generator_weights_are_negative_and_none_is_one(layout):
    for name in ("ttbar_semilep", "wjets"):
        weight = np.concatenate(
            [
                uproot.open(path)["Events/genWeight"].array(library="np")
                for path in layout.datasets[name].files
            ]
        )
        assert np.mean(weight < 0) == pytest.approx(
            truth.PROCESSES[name].negative_fraction, abs=0.03
        )
        assert np.abs(weight).std() > 0
        assert (weight != 1).all()


def test_events_are_numbered_once_and_lie_in_known_blocks(layout):
    for info in layout.datasets.values():
        rows = [
            uproot.open(path)["Events"].arrays(["run", "luminosityBlock", "event"], library="np")
            for path in info.files
        ]
        numbers = np.concatenate([row["event"] for row in rows])
        assert len(np.unique(numbers)) == len(numbers)
        assert info.events in (None, len(numbers))
    blocks = uproot.open(info.files[0])["LuminosityBlocks"].arrays(library="np")
    listed = set(zip(blocks["run"].tolist(), blocks["luminosityBlock"].tolist(), strict=True))
    assert set(zip(rows[0]["run"].tolist(), rows[0]["luminosityBlock"].tolist(), strict=True)) == (
        listed
    )


def test_muon_links_point_to_the_jet_they_are_in(layout):
    with uproot.open(layout.datasets["ttbar_had"].files[0]) as file:
        arrays = file["Events"].arrays(["Muon_eta", "Muon_jetIdx", "Jet_eta"])
    linked = [
        (eta, jets[index])
        for etas, indices, jets in zip(
            arrays["Muon_eta"], arrays["Muon_jetIdx"], arrays["Jet_eta"], strict=True
        )
        for eta, index in zip(etas, indices, strict=True)
        if index >= 0
    ]
    assert len(linked) > 20
    assert all(abs(a - b) < 0.4 for a, b in linked)


def test_listings_lead_to_the_files(layout):
    for info in layout.datasets.values():
        lines = info.listing.read_text().splitlines()
        assert [(info.listing.parent / line).resolve() for line in lines] == [
            path.resolve() for path in info.files
        ]


def test_the_truth_is_stored_with_the_sample(layout):
    stored = json.loads(layout.truth.read_text())
    assert stored["luminosity"] == layout.luminosity
    assert stored["mu_true"] == truth.MU_TRUE
    assert stored["cross_sections"]["wjets"] == layout.datasets["wjets"].cross_section


def test_the_sample_is_the_same_whatever_the_workers(layout, tmp_path):
    again = ensure_sample(tmp_path, EVENTS, seed=11, workers=2)
    for first, second in zip(some_files(layout), some_files(again), strict=True):
        assert first != second
        assert content(first) == content(second)
        with uproot.open(first) as a, uproot.open(second) as b:
            assert a.file.uuid == b.file.uuid


def test_another_seed_gives_other_events(layout, tmp_path):
    other = describe_sample(tmp_path, EVENTS, seed=12)
    job = build._jobs(other, other.datasets["signal"])[0]
    build.make_file(job)
    assert content(job.path) != content(layout.datasets["signal"].files[0])


def test_a_whole_sample_is_reused(layout, monkeypatch):
    monkeypatch.setattr(build, "make_file", lambda job: pytest.fail(f"made {job.path}"))
    assert ensure_sample(layout.root.parent, EVENTS, seed=11) == layout


class Interrupted(BaseException):
    pass


def test_what_was_finished_before_an_interruption_is_kept(tmp_path, monkeypatch):
    made = []

    def slow(job):
        if len(made) == 3:
            job.path.parent.mkdir(exist_ok=True)
            job.path.with_name(f".{job.path.name}.1.tmp").write_bytes(b"half")
            raise Interrupted
        made.append(job.path)
        return real(job)

    real = build.make_file
    monkeypatch.setattr(build, "make_file", slow)
    with contextlib.suppress(Interrupted):
        ensure_sample(tmp_path, EVENTS, seed=11, workers=1)
    layout = describe_sample(tmp_path, EVENTS, seed=11)
    assert not is_whole(layout)
    stamps = {path: path.stat().st_mtime_ns for path in made}
    calls = []
    monkeypatch.setattr(build, "make_file", real)
    ensure_sample(tmp_path, EVENTS, seed=11, progress=lambda *a: calls.append(a), workers=1)
    total = sum(len(info.files) for info in layout.datasets.values())
    assert is_whole(layout)
    assert {path: path.stat().st_mtime_ns for path in made} == stamps
    assert calls[0][:2] == (4, total)
    assert calls[-1][:2] == (total, total)

    victim = layout.datasets["wjets"].files[0]
    victim.write_bytes(victim.read_bytes()[:1000])
    assert not is_whole(layout)
    redone = []
    ensure_sample(tmp_path, EVENTS, seed=11, progress=lambda *a: redone.append(a[2]))
    assert redone == [victim.name]
    assert is_whole(layout)


def stop_the_worker(job):
    os._exit(3)


def test_a_lost_worker_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "make_file", stop_the_worker)
    with pytest.raises(WorkerLost, match="run it again"):
        ensure_sample(tmp_path, EVENTS, workers=2)


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(layout, tmp_path):
    other = describe_sample(tmp_path, EVENTS)
    other.root.mkdir()
    (other.root / "signal").write_text("in the way")
    with pytest.raises(StorageError, match="signal"):
        ensure_sample(tmp_path, EVENTS, workers=1)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        ensure_sample(tmp_path / "file", EVENTS)


def test_the_command_shows_where_the_sample_is(layout, capsys):
    folder = str(layout.root.parent)
    assert main(["--folder", folder, "--events", str(EVENTS), "--seed", "11"]) == 0
    assert str(layout.root) in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["--folder", str(tmp_path), "--events", "3"]) == 2
    assert "at least 1000" in capsys.readouterr().err
