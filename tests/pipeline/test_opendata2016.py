"""The search in CMS Open Data 2016: planned as recorded, and run on small files."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
import pytest
import vector

from hepflow import pipeline
from hepflow.corrections.files import evaluate, open_correction
from hepflow.datasets import ConfigurableDatasetManager, expand_datasets
from hepflow.histograms import read_histograms
from hepflow.metadata_extractor import build_workitems, work_steps
from hepflow.opendata import PROGRAM
from hepflow.records import FileInfo
from hepflow.schema import Config
from hepflow.storage import sha256_file
from tests.builders import shared
from tests.pipeline.projects import ROOT, run_command
from tests.pipeline.small_opendata import (
    CROSS_SECTIONS,
    LUMINOSITY,
    OBSERVED,
    SELECTED,
    write_small,
)
from tests.servers import http_server

RECORDED = "zprime_opendata_run/metadata"
CORRECTIONS = {  # name in the cache -> where the real one lies
    "muon_Z.json.gz": "corrections/2016postVFP/muon_Z.json.gz",
    "puWeights.json.gz": "corrections/2016postVFP/puWeights.json.gz",
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt": "corrections/golden/"
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt",
}
RECIDS = {  # dataset key -> records that hold a part of its files, by a part of the location
    "signal__nominal": {"": 75156},
    "ttbar_semilep__nominal": {"": 67993},
    "ttbar_had__nominal": {"": 67841},
    "ttbar_lep__nominal": {"": 67801},
    "wjets__nominal": {"": 69747},
    "data": {"/Run2016G/": 30530, "/Run2016H/": 30563},
}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of the module with a cache of its own: where that lies is decided at import."""
    monkeypatch.setenv("HEPFLOW_CACHE_DIR", str(tmp_path / "cache"))
    path = ROOT / "user" / "opendata2016.py"
    spec = importlib.util.spec_from_file_location("opendata2016_of_tests", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def recorded(name: str) -> Any:
    """One of the JSON files of the recorded run."""
    path = shared(f"{RECORDED}/{name}")
    return json.loads(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_text()
    )


def answers(files: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """What the portal says of each record, from the files by dataset key."""
    return {
        str(recid): [one for one in files[key] if part in one]
        for key, parts in RECIDS.items()
        for part, recid in parts.items()
    }


def install(folder: Path, known: Mapping[str, Sequence[str]]) -> Path:
    """Write a stand-in for the portal's program; the folder that it lies in."""
    (folder / "answers.json").write_text(json.dumps(known))
    program = folder / "bin" / PROGRAM
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable} -S\nimport json, sys\n"
        "command, recid, protocol = sys.argv[1], sys.argv[3], sys.argv[5]\n"
        "assert [command, protocol] == ['get-file-locations', 'xrootd'], sys.argv\n"
        f"print('\\n'.join(json.load(open({str(folder / 'answers.json')!r}))[recid]))\n"
    )
    program.chmod(0o755)
    return program.parent


def put_corrections(cache: Path) -> None:
    """Put the real files where those that are fetched lie."""
    folder = cache / "opendata" / "files"
    folder.mkdir(parents=True)
    for one in (cache, cache / "opendata", folder):
        one.chmod(0o700)
    for name, path in CORRECTIONS.items():
        shutil.copyfile(shared(path), folder / name)


# -- the plan -----------------------------------------------------------------------------------


def test_the_work_items_are_those_of_the_recorded_run(module, tmp_path, monkeypatch):
    fileset = recorded("fileset.json")
    program = install(tmp_path, answers({key: list(one["files"]) for key, one in fileset.items()}))
    monkeypatch.setenv("PATH", str(program))
    put_corrections(tmp_path / "cache")
    config = Config.of(module.config)
    manager = ConfigurableDatasetManager(config.datasets)
    manager.prepare()

    events = {
        file["path"]: file["nevts"]
        for process in recorded("nanoaods.json").values()
        for file in process["nominal"]["files"]
    }
    infos = [
        FileInfo(
            dataset=dataset.key,
            path=path,
            tree=dataset.tree_name,
            uuid="",
            nevts=events[path],
            steps=work_steps(events[path], config.datasets.effective_chunk_size),
            sum_weights=0.0,
            runs_sum=None,
        )
        for dataset in expand_datasets(config)
        for path in manager.get_files(dataset.process)
    ]
    mine = [
        (one.dataset, one.filename, one.treename, one.entrystart, one.entrystop)
        for one in build_workitems(infos)
    ]
    names = ("dataset", "filename", "treename", "entrystart", "entrystop")
    theirs = [tuple(one[name] for name in names) for one in recorded("workitems.json.gz")]
    assert len(mine) == 7006
    assert len(infos) == len(events) == 557
    assert Counter(mine) == Counter(theirs)


def test_the_datasets_are_those_of_the_recorded_run(module):
    fileset = recorded("fileset.json")
    found = {one.key: one for one in expand_datasets(Config.of(module.config))}
    assert set(found) == set(fileset)
    for key, one in found.items():
        assert one.process == fileset[key]["metadata"]["process"]
        assert one.variation == fileset[key]["metadata"]["variation"]
        expected = None if one.is_data else pytest.approx(fileset[key]["metadata"]["xsec"])
        assert one.cross_section == expected
        assert one.luminosity == (None if one.is_data else 16_400.0)


def test_the_plan_goes_from_fetching_to_plots(module):
    stages = pipeline.plan(module.config)
    assert all(stage.runs for stage in stages)
    assert stages[0].name == "prepare"
    assert "6 datasets" in stages[1].what


def test_the_published_files_are_the_real_ones(module):
    assert {one.name for one in module.PUBLISHED} == set(CORRECTIONS)
    for one in module.PUBLISHED:
        assert one.url.startswith("https://")
        assert one.url.endswith(f"/{one.name}")
        assert sha256_file(shared(CORRECTIONS[one.name])) == one.sha256


def test_what_is_fetched_is_what_the_configuration_reads(module):
    files = {str(module.FILES / one.name) for one in module.PUBLISHED}
    config = Config.of(module.config)
    read = {one["file"] for one in module.config["corrections"]} | {config.general.lumifile}
    assert read == files


def test_selected_muons_and_pile_up_lie_in_the_domain(module):
    def value(name: str, *inputs: Any) -> np.ndarray:
        one = next(one for one in module.config["corrections"] if one["name"] == name)
        path = shared(CORRECTIONS[Path(one["file"]).name])
        evaluator = open_correction(str(path), one["key"], sha256_file(path))
        return evaluate(evaluator, inputs, one["nominal_idx"], "error")

    below = np.nextafter(np.float32(2.4), np.float32(0))  # the largest that the mask lets pass
    eta, pt = np.array([-below, 0.0, below]), np.array([55.1, 55.1, 5000.0])
    assert np.all(np.abs(value("muon_id", eta, pt) - 1) < 0.1)
    assert np.all(value("pileup", np.arange(99.0)) >= 0)


# -- a run on small files -----------------------------------------------------------------------

EDGES = np.linspace(200.0, 3000.0, 21)


def right_names() -> dict[str, list[str]]:
    """Paths of the files of the recorded run below the server, by dataset key."""
    fileset = recorded("fileset.json")
    return {
        key: sorted(path.partition("//eos/")[2] for path in one["files"])
        for key, one in fileset.items()
    }


def masses(events: Mapping[str, Any], n: int) -> np.ndarray:
    """Masses of the first `n` events, from four-vectors of the objects that count."""

    def particle(name: str, slot: int) -> Any:
        values = {
            field: np.asarray(events[f"{name}_{field}"][:n, slot], np.float64)
            for field in ("pt", "eta", "phi", "mass")
        }
        return vector.array(values)

    met = {
        "pt": np.asarray(events["PuppiMET_pt"][:n], np.float64),
        "phi": np.asarray(events["PuppiMET_phi"][:n], np.float64),
        "eta": np.zeros(n),
        "mass": np.zeros(n),
    }
    total = particle("Muon", 0) + particle("FatJet", 1) + particle("Jet", 2) + vector.array(met)
    return np.asarray(total.mass)


def factors(events: Mapping[str, Any], n: int, muon: str, pileup: str) -> np.ndarray:
    """Scale factor times pile-up weight of the first `n` events, straight from the files."""
    muons, weights = (
        correctionlib.CorrectionSet.from_file(str(shared(CORRECTIONS[name])))
        for name in ("muon_Z.json.gz", "puWeights.json.gz")
    )
    eta, pt = (np.asarray(events[f"Muon_{one}"][:n, 0], np.float64) for one in ("eta", "pt"))
    pile_up = np.asarray(events["Pileup_nTrueInt"][:n], np.float64)
    return np.asarray(
        muons["NUM_TightID_DEN_TrackerMuons"].evaluate(eta, pt, muon)
        * weights["Collisions16_UltraLegacy_goldenJSON"].evaluate(pile_up, pileup)
    )


VARIATIONS = {  # name -> what the two files call it
    "nominal": ("nominal", "nominal"),
    "muon_id_up": ("systup", "nominal"),
    "muon_id_down": ("systdown", "nominal"),
    "pileup_up": ("nominal", "up"),
    "pileup_down": ("nominal", "down"),
}


@pytest.mark.slow
# vector, which calculates what is compared with, does that with the newest numpy
@pytest.mark.filterwarnings("ignore:Setting the dtype on a NumPy array:DeprecationWarning")
def test_the_whole_configuration_runs_on_small_files_to_a_limit(tmp_path):
    paths, content = write_small(tmp_path / "eos", right_names())
    put_corrections(tmp_path / "cache")
    with http_server(tmp_path) as server:
        urls = {
            key: [f"{server}/{one.relative_to(tmp_path)}" for one in files]
            for key, files in paths.items()
        }
        program = install(tmp_path, answers(urls))
        words = ["--config=user.opendata2016:config", f"--general.output_dir={tmp_path / 'out'}"]
        words.append("--statistics.audit.ignore=true")  # pile-up of these files is made up
        done = run_command(
            tmp_path, [sys.executable, str(ROOT / "analysis.py"), *words], PATH=str(program)
        )
    assert done.returncode == 0, done.stderr

    found = read_histograms(tmp_path / "out" / "histograms" / "histograms.zip")
    assert list(found.channels) == ["SR"]
    for process, n in SELECTED.items():
        events = content[f"{process}__nominal"]
        weights = events["genWeight"].astype(np.float64)
        scale = CROSS_SECTIONS[process] * LUMINOSITY / weights.sum()
        mass = masses(events, n)
        for variation, (muon, pileup) in VARIATIONS.items():
            w = scale * weights[:n] * factors(events, n, muon, pileup)
            expected = np.histogram(mass, EDGES, weights=w)[0]
            mine = found.template("SR", "zprime_mass", process, variation)
            np.testing.assert_allclose(mine.sumw[1:-1], expected, rtol=1e-6, atol=1e-9)
    seen = [*range(900), *range(930, 1830)]  # each era's last events are not certified
    expected = np.histogram(masses(content["data"], 1860)[seen], EDGES)[0]
    mine = found.template("SR", "zprime_mass", "data", "nominal")
    np.testing.assert_array_equal(mine.sumw[1:-1], expected)
    assert expected.sum() == pytest.approx(OBSERVED, abs=5)  # but for those above 3 TeV

    limit = json.loads((tmp_path / "out" / "statistics" / "limit.json").read_text())
    assert limit["poi"] == "zprime_norm"
    assert 0 < limit["observed"] < 10
    assert sorted(limit["expected"]) == limit["expected"]


def test_a_second_time_neither_program_nor_network_is_needed(module, tmp_path, monkeypatch):
    known = {
        str(one.recid): [f"root://host{one.path}{i}.root" for i in range(one.files)]
        for of_dataset in module.RECORDS.values()
        for one in of_dataset
    }
    monkeypatch.setenv("PATH", str(install(tmp_path, known)))
    put_corrections(tmp_path / "cache")
    module.prepare()
    (tmp_path / "bin" / PROGRAM).unlink()
    module.prepare()
    manager = ConfigurableDatasetManager(Config.of(module.config).datasets)
    assert len(manager.get_files("data")) == 152
