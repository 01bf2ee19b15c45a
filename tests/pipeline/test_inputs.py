"""Every input: flat trees, other names, absent branches, other versions, URLs, redirectors."""

from __future__ import annotations

import math
from itertools import pairwise

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.analysis import Analysis
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import MissingBranch, MissingTree, NormalisationError, UnreadableFile
from hepflow.events import open_tree
from hepflow.execution import make_executor
from hepflow.metadata_extractor import (
    FileTask,
    NanoAODMetadataGenerator,
    inspect_file,
    work_steps,
)
from hepflow.pipeline import make_output_manager
from hepflow.records import WorkItem
from hepflow.schema import Config
from hepflow.skimming import SkimSpec, process_workitems_with_skimming
from hepflow.skimming.select import select_events
from tests.builders import shared, tiny_config, toy_columns, write_nano
from tests.servers import http_server

COLUMNS = toy_columns(60)


def histograms_of(config):
    """Metadata, skim and histograms of a configuration; also the analysis."""
    valid = Config.of(config)
    manager = make_output_manager(valid)
    metadata = NanoAODMetadataGenerator(
        dataset_manager=ConfigurableDatasetManager(valid.datasets),
        output_manager=manager,
        executor=make_executor("inprocess"),
    )
    metadata.run()
    skims = process_workitems_with_skimming(
        metadata.workitems, valid, manager, metadata.fileset, metadata.nanoaods_summary
    )
    analysis = Analysis(valid, skims, manager)
    return analysis.fill_histograms(), skims


# -- a flat file that is not NanoAOD, in five compressions -------------------------------

COMPRESSIONS = ("uncompressed", "zlib", "lz4", "lzma", "zstd")
MASS_EDGES = np.linspace(0.0, 150.0, 31)


def two_muons(px):
    return ak.num(px) >= 2


def mass_of_two(px, py, pz, energy):
    """Invariant mass of the first two objects; -1 without two."""
    enough = ak.num(px) >= 2
    sums = [ak.sum(one[:, :2], axis=1) for one in (energy, px, py, pz)]
    squared = sums[0] ** 2 - sums[1] ** 2 - sums[2] ** 2 - sums[3] ** 2
    return ak.where(enough, np.sqrt(np.maximum(squared, 0)), -1.0)


def itself(values):
    return values


def hzz_config(folder, compression):
    momentum = [("Muon", name) for name in ("Px", "Py", "Pz", "E")]
    path = str(shared(f"nanoaod/uproot-HZZ-{compression}.root"))
    dataset = {
        "name": "hzz",
        "files": [path],
        "cross_section": 10.0,
        "tree_name": "events",
        "weight_branch": "EventWeight",
        "branch_map": {"MET_x": "MET_px"},
    }
    met = {"name": "met_x", "binning": "-100,100,20", "function": itself, "use": [("MET", "x")]}
    mass = {
        "name": "mass",
        "binning": MASS_EDGES.tolist(),
        "function": mass_of_two,
        "use": momentum,
    }
    return {
        "general": {
            "lumi": 100.0,
            "output_dir": str(folder / "out"),
            "cache_dir": str(folder / "cache"),
            "run_statistics": False,
        },
        "datasets": {"datasets": [dataset]},
        "preprocess": {
            "branches": {"Muon": ["Px", "Py", "Pz", "E", "Charge"], "MET": ["x"]},
            "skimming": {"function": two_muons, "use": [("Muon", "Px")], "chunk_size": 1000},
        },
        "channels": [{"name": "all", "observables": [mass, met], "fit_observable": "mass"}],
        "plotting": {"enabled": False},
        "execution": {"backend": "inprocess"},
    }


@pytest.fixture(scope="module")
def hzz(tmp_path_factory):
    """Templates by compression."""
    found = {}
    for name in COMPRESSIONS:
        histograms, skims = histograms_of(hzz_config(tmp_path_factory.mktemp(name), name))
        templates = {one: histograms.template("all", one, "hzz") for one in ("mass", "met_x")}
        found[name] = templates, [metadata for _, metadata in skims["hzz__nominal"]]
    return found


def test_a_flat_tree_gives_what_plain_numpy_gives(hzz):
    with uproot.open(shared("nanoaod/uproot-HZZ-zlib.root")) as file:
        tree = file["events"]
        px, py, pz, energy = (tree[f"Muon_{name}"].array() for name in ("Px", "Py", "Pz", "E"))
        weight = tree["EventWeight"].array(library="np").astype(np.float64)
        met = tree["MET_px"].array(library="np").astype(np.float64)
    passed = ak.to_numpy(ak.num(px)) >= 2
    first = [ak.to_numpy(one[passed][:, 0]) for one in (energy, px, py, pz)]
    second = [ak.to_numpy(one[passed][:, 1]) for one in (energy, px, py, pz)]
    e, x, y, z = (a + b for a, b in zip(first, second, strict=True))
    mass = np.sqrt(np.maximum(e**2 - x**2 - y**2 - z**2, 0))
    scale = 10.0 * 100.0 / math.fsum(weight)
    templates, parts = hzz["zlib"]
    assert [one["part_nevts"] for one in parts] == [1211, 1210]
    assert parts[0]["nevts"] == 2421
    assert parts[0]["sum_weights"] == pytest.approx(math.fsum(weight), rel=1e-12)
    for name, values, edges in (
        ("mass", mass, MASS_EDGES),
        ("met_x", met[passed], np.linspace(-100, 100, 21)),
    ):
        flow = [-np.inf, *edges, np.inf]
        expected = scale * np.histogram(values, flow, weights=weight[passed])[0]
        np.testing.assert_allclose(templates[name].sumw, expected, rtol=1e-12, atol=1e-12)
        assert templates[name].sumw.sum() > 0


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
def test_five_compressions_agree(hzz, compression):
    for name in ("mass", "met_x"):
        mine, first = hzz[compression][0][name], hzz["uncompressed"][0][name]
        assert mine.sumw.tolist() == first.sumw.tolist()
        assert mine.sumw2.tolist() == first.sumw2.tolist()


# -- other names and absent branches -----------------------------------------------------


def one_dataset(folder, path, **dataset):
    entry = {"name": "mc", "files": [str(path)], "cross_section": 10.0, **dataset}
    return tiny_config(folder, [entry])


def renamed_columns():
    """As another experiment might call them."""
    others = {"Muon": "lep", "MET": "PFMET", "genWeight": "mcWeight", "Pileup": "pu"}
    split = {name: name.partition("_") for name in COLUMNS}
    return {
        f"{others.get(head, head)}{mark}{tail}": COLUMNS[name]
        for name, (head, mark, tail) in split.items()
    }


def test_renamed_branches_give_the_same_templates(tmp_path):
    plain = write_nano(tmp_path / "a.root", COLUMNS)
    other = write_nano(tmp_path / "b.root", renamed_columns(), tree="nominal")
    renamed = {
        "Muon": "lep",
        "MET": "PFMET",
        "genWeight": "mcWeight",
        "Pileup_nTrueInt": "pu_nTrueInt",
    }
    expected, _ = histograms_of(one_dataset(tmp_path / "1", plain))
    found, skims = histograms_of(
        one_dataset(tmp_path / "2", other, branch_map=renamed, tree_name="nominal")
    )
    assert "Muon" in skims["mc__nominal"][0][0].fields
    channel, names = "SR", ("muon_pt", "jet_pts")
    for name in names:
        mine, theirs = (one.template(channel, name, "mc") for one in (found, expected))
        assert mine.sumw.tolist() == theirs.sumw.tolist()
        assert theirs.sumw.any()


MET_OF = {  # where the versions of NanoAOD keep it
    "nanoaod/nano_tt_v12.root": {"MET": "PuppiMET"},
    "nanoaod/nano_dy.root": {"MET": "RawMET"},
    "nanoaod/nano_dy.parquet": {"MET": "PuppiMET", "MET_phi": "MET_phi"},
    "nanoaod/nano_dy_rntuple.root": {"MET_pt": "PuppiMET_pt"},
}


@pytest.mark.parametrize("name", MET_OF)
def test_missing_momentum_of_another_name_in_real_files(name):
    path = str(shared(name))
    plain, file = open_tree(path, "Events"), open_tree(path, "Events", MET_OF[name])
    there = MET_OF[name].get("MET", "PuppiMET") + "_pt"
    expected = plain.read([there, "MET_phi", "MET_pt"], 0, plain.num_entries)
    found = file.read(["MET_pt", "MET_phi"], 0, file.num_entries)
    assert found["MET_pt"].tolist() == expected[there].tolist() != expected["MET_pt"].tolist()
    if "MET" not in MET_OF[name] or "MET_phi" in MET_OF[name]:
        assert found["MET_phi"].tolist() == expected["MET_phi"].tolist()


def test_absent_branches_are_an_error_until_they_are_ignored(tmp_path):
    path = str(shared("nanoaod/nano_tt_v12.root"))
    config = one_dataset(tmp_path, path)
    config["preprocess"]["branches"] = {"Muon": ["pt", "softMva"], "CaloJet": ["pt"], "MET": ["pt"]}
    config["preprocess"]["mc_branches"] = {"event": ["genWeight"]}
    for name in ("function", "use"):
        config["preprocess"]["skimming"].pop(name, None)
    for name in config.keys() - {"general", "datasets", "preprocess", "execution"}:
        del config[name]
    config["general"]["analysis"] = "skip"
    item, dataset = work_of(config, path)
    with pytest.raises(MissingBranch, match=r"'CaloJet_pt', wanted by preprocess\.branches"):
        select_events(SkimSpec.from_config(config), dataset, item)
    config["preprocess"]["ignore_missing"] = True
    events, counts = select_events(SkimSpec.from_config(config), dataset, item)
    assert (set(events.fields), counts.nevts) == ({"Muon", "MET", "genWeight"}, 200)


def work_of(config, path):

    spec = SkimSpec.from_config(config)
    (dataset,) = spec.datasets.values()
    return WorkItem(
        dataset.key, path, "Events", 0, open_tree(path, "Events").num_entries, ""
    ), dataset


# -- one file: metadata ------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 7, 11, 15, 100])
def test_entry_ranges_are_those_of_coffea(chunk):
    """Others are refused by coffea itself, where its last ranges begin beyond the end."""
    from coffea.dataset_tools import DataGroupSpec, preprocess

    path = str(shared("nanoaod/nano_dy.root"))
    spec = DataGroupSpec({"dy": {"files": {path: "Events"}}})
    ready, _ = preprocess(spec, step_size=chunk, save_form=False, scheduler="sync")
    (found,) = ready["dy"].files.values()
    assert list(work_steps(40, chunk)) == [tuple(one) for one in found.steps]
    assert open_tree(path, "Events").uuid == str(found.uuid)


@pytest.mark.parametrize("count", [1, 2, 7, 149, 150, 151, 1000, 700_772])
@pytest.mark.parametrize("chunk", [1, 3, 100, 333, 100_000])
def test_entry_ranges_cover_all_events_once(count, chunk):
    steps = work_steps(count, chunk)
    assert steps[0][0] == 0
    assert steps[-1][1] == count
    assert all(start < stop for start, stop in steps)
    assert all(left[1] == right[0] for left, right in pairwise(steps))
    size = math.ceil(count / max(round(count / chunk), 1))
    assert all(stop - start == size for start, stop in steps[:-1])


def test_a_file_without_events_has_one_empty_range():
    assert work_steps(0, 100) == ((0, 0),)


def task(path, **changes):
    values = {"weight_branch": "genWeight", "chunk_size": 25, "tree": "Events", **changes}
    return FileTask(dataset="mc__nominal", path=str(path), **values)


def test_the_weight_is_found_under_its_name_in_the_file(tmp_path):
    path = write_nano(tmp_path / "b.root", renamed_columns())
    info = inspect_file(task(path, branch_map={"genWeight": "mcWeight"}))
    assert info.sum_weights == pytest.approx(COLUMNS["genWeight"].astype(np.float64).sum())
    assert info.steps == ((0, 30), (30, 60))
    with pytest.raises(MissingBranch, match=r"no branch 'mcWeigth'.*Did you mean 'mcWeight'"):
        inspect_file(task(path, branch_map={"genWeight": "mcWeigth"}))
    assert hash(task(path, branch_map={"a": "b"})) == hash(task(path))


def test_a_weight_that_is_a_list_is_an_error(tmp_path):
    path = write_nano(tmp_path / "a.root", {"LHE_weights": ak.Array([[1.0, 2.0], [3.0]])})
    with pytest.raises(NormalisationError, match=r"'LHE_weights' is of type 2 \* var"):
        inspect_file(task(path, weight_branch="LHE_weights"))


@pytest.mark.parametrize("name", ["nano_dy_rntuple.root", "nano_dy.parquet"])
def test_other_forms_have_the_metadata_of_the_tree(name):
    tree = inspect_file(task(shared("nanoaod/nano_dy.root")))
    other = inspect_file(task(shared(f"nanoaod/{name}")))
    assert (other.nevts, other.steps, other.sum_weights) == (40, tree.steps, tree.sum_weights)
    assert (tree.runs_sum, other.runs_sum) == (pytest.approx(1.51667e10, rel=1e-5), None)


def test_a_file_without_the_tree_is_an_error_that_names_those_it_has():
    with pytest.raises(MissingTree, match=r"no tree 'Events'\. Did you mean 'events'\?"):
        inspect_file(task(shared("nanoaod/uproot-HZZ-zlib.root")))


# -- files at URLs -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_nano(folder / "a.root", COLUMNS, runs=[3.0])
    with http_server(folder) as server:
        yield server


def test_the_next_url_of_a_file_is_tried_where_one_cannot_be_opened(url):
    dead = "http://127.0.0.1:9/a.root"
    info = inspect_file(task(dead, alternatives=(f"{url}/gone.root", f"{url}/a.root")))
    assert info.path == f"{url}/a.root"
    assert info.runs_sum == 3.0
    with pytest.raises(UnreadableFile) as caught:
        inspect_file(task(dead, alternatives=(f"{url}/gone.root",)))
    assert dead in str(caught.value)
    assert f"{url}/gone.root" in str(caught.value)


def test_a_wrong_tree_is_no_reason_to_try_another_url(url):
    with pytest.raises(MissingTree):
        inspect_file(task(f"{url}/a.root", tree="nominal", alternatives=(f"{url}/gone.root",)))
