"""The whole stage: files, second run, data that may not be used, failing fits."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hepflow.errors import FitError, MissingArtifact, WorkspaceError
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import Block, FitResult
from hepflow.statistics import (
    load_statistics,
    prepare_workspace,
    regions_without_data,
    require_good,
    run_statistics,
)
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.spec import NormFactorSpec, ShapeSpec
from tests.unit.statistics.models import PROCESSES, histograms, spec
from tests.unit.statistics.test_workspace import write_root

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")

FILES = {
    "cabinetry_config.yaml",
    "workspace.json",
    "fit.json",
    "limit.json",
    "significance.json",
    "prediction.json",
    "audit.json",
    "groups.json",
    "ranking.json",
}


@pytest.fixture
def folders(tmp_path):
    return OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")


def names(folders):
    return {path.name for path in folders.get_statistics_dir().iterdir()}


def test_writes_everything_and_reads_it_back(folders):
    result = run_statistics(spec(scan_points=21), histograms(signal=0.4), folders)
    assert names(folders) == FILES
    require_good(result.fit)
    assert result.fit.value("mu")[0] == pytest.approx(0.4, abs=0.1)
    assert result.fit.value("ttbar_norm")[0] == pytest.approx(1.0, abs=0.02)
    assert 0.3 < result.limit.observed < 1.0
    assert len(result.limit.scan.poi_values) == 21
    assert result.significance.observed_z > 3
    again = load_statistics(folders.get_statistics_dir())
    assert again.limit == result.limit
    assert again.significance == result.significance
    assert again.fit.to_json() == result.fit.to_json()
    assert again.postfit.to_json() == result.postfit.to_json()


def test_every_file_says_what_became_of_the_input(folders):
    said = {"remarks": ["50 % of data"], "input": [{"dataset": "data", "fraction": 0.5}]}
    result = run_statistics(spec(), histograms(signal=0.4), folders, provenance=said)
    assert names(folders) == FILES | {"input.json"}
    for name in ("input", "fit", "prediction", "limit", "significance", "ranking"):
        stored = json.loads((folders.get_statistics_dir() / f"{name}.json").read_text())
        assert {key: stored[key] for key in said} == said
    again = load_statistics(folders.get_statistics_dir())
    assert again.limit == result.limit
    assert again.significance == result.significance
    run_statistics(spec(limit=False, significance=False), histograms(), folders)
    assert "input.json" not in names(folders)  # of an earlier run


def test_json_has_the_keys_of_the_contract(folders):
    run_statistics(spec(), histograms(), folders)
    fit = json.loads((folders.get_statistics_dir() / "fit.json").read_text())
    assert fit.keys() >= {
        "poi", "labels", "bestfit", "uncertainty", "correlation", "twice_nll",
        "goodness_of_fit", "converged", "model",
    }  # fmt: skip
    limit = json.loads((folders.get_statistics_dir() / "limit.json").read_text())
    assert limit.keys() >= {
        "poi", "poi_range", "confidence_level", "observed", "expected", "expected_kind",
        "cls_at_observed", "test_statistic", "calculator", "model",
    }  # fmt: skip
    assert limit["model"].keys() >= {"digest", "background_uncertainty", "backend", "optimizer"}
    assert limit["model"] == fit["model"]


def test_expected_only_uses_no_data(folders):
    found = histograms(signal=3.0)
    result = run_statistics(spec(), found, folders, expected_only=True)
    assert result.limit.observed is None
    assert result.limit.expected_kind == "a_priori"
    assert result.significance.observed_z is None
    np.testing.assert_allclose(result.fit.value("mu")[0], 1.0, atol=1e-3)
    np.testing.assert_allclose(result.fit.value("ttbar_norm")[0], 1.0, atol=1e-3)
    assert result.postfit.channel("sr").data is None
    written = "".join(
        path.read_text()
        for path in folders.get_statistics_dir().iterdir()
        if path.suffix == ".json"
    )
    count = found.template("sr", "mass", "data").values.max()
    assert str(float(count)) not in written
    assert load_statistics(folders.get_statistics_dir()).expected_only


def test_no_observed_event_has_a_limit(folders):
    found = histograms()
    blocks = {
        key: Block(("nominal",), 0 * one.sumw, 0 * one.sumw2) if key[2] == "data" else one
        for key, one in found.blocks.items()
    }
    mu = NormFactorSpec("mu", ("signal",), 1.0, (0.0, 10.0))  # any other would be at a bound
    wanted = spec(norm_factors=(mu,), shapes=(), normalisations=(), mc_stat=False)
    result = run_statistics(wanted, replace(found, blocks=blocks), folders)
    assert require_good(result.fit).value("mu")[0] == 0.0
    assert not result.expected_only
    assert result.limit.observed > 0
    assert result.limit.cls_at_observed == pytest.approx(0.05, abs=1e-4)
    assert result.significance.observed_z == 0.0


def test_switches(folders):
    result = run_statistics(spec(limit=False, significance=False), histograms(), folders)
    assert result.limit is None
    assert result.significance is None
    assert names(folders) == FILES - {"limit.json", "significance.json"}


def test_a_failed_fit_leaves_no_earlier_limit(folders):
    run_statistics(spec(), histograms(), folders)
    both = (
        NormFactorSpec("mu", ("signal",), 1.0, (0.0, 10.0)),
        NormFactorSpec("twin", ("signal",), 1.0, (0.0, 10.0)),
    )
    result = run_statistics(spec(norm_factors=both), histograms(), folders)
    assert not result.fit.converged
    assert result.limit is None
    assert names(folders) == FILES - {"limit.json", "significance.json", "ranking.json"}
    with pytest.raises(FitError, match="mu, twin"):
        require_good(result.fit)
    stored = json.loads((folders.get_statistics_dir() / "fit.json").read_text())
    assert not FitResult.from_json(stored).converged


def test_own_configuration_is_used(folders, tmp_path):
    found = histograms()
    root_file = folders.get_histograms_dir() / "histograms.root"
    write_root(found, root_file)
    config = generate(found, spec(shapes=()), root_file, tmp_path / "folder")
    config["General"]["Measurement"] = "mine"
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(config))
    result = run_statistics(
        spec(cabinetry_config=str(own), norm_factors=(), poi=""), found, folders
    )
    assert not any("jes" in label for label in result.fit.labels)
    stored = json.loads((folders.get_statistics_dir() / "workspace.json").read_text())
    assert stored["measurements"][0]["name"] == "mine"
    with pytest.raises(WorkspaceError, match="strength"):
        run_statistics(
            spec(cabinetry_config=str(own), norm_factors=(), poi_given="strength"), found, folders
        )


def test_own_configuration_and_the_parameter_of_interest_that_was_asked_for(folders, tmp_path):
    found = histograms()
    root_file = folders.get_histograms_dir() / "histograms.root"
    write_root(found, root_file)
    config = generate(found, spec(shapes=(), poi="ttbar_norm"), root_file, tmp_path / "folder")
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(config))

    def poi_of(**changes):
        workspace = prepare_workspace(spec(cabinetry_config=str(own), **changes), found, folders)
        return workspace["measurements"][0]["config"]["poi"]

    assert poi_of() == "ttbar_norm"  # that of the file, not our first norm factor
    assert poi_of(poi_given="mu") == "mu"


def test_asimov_data_in_the_place_of_data_are_told(folders, caplog):
    found = histograms()
    prepare_workspace(spec(), found, folders)
    assert "Asimov" not in caplog.text
    prepare_workspace(spec(), found, folders, expected_only=True)
    assert "they are incomplete. The fit is to Asimov data" in caplog.text
    blocks = {key: one for key, one in found.blocks.items() if key != ("cr", "mass", "data")}
    assert regions_without_data(replace(found, blocks=blocks), spec()) == ("cr",)
    prepare_workspace(spec(), replace(found, blocks=blocks), folders, expected_only=True)
    assert "no data were processed for cr. The fit is to Asimov data" in caplog.text


def test_the_generated_file_names_the_templates_of_the_fit(folders):
    prepare_workspace(spec(), histograms(), folders)
    path = folders.get_statistics_dir() / "cabinetry_config.yaml"
    assert "histograms.root:" in path.read_text()
    prepare_workspace(spec(fold_overflow=True), histograms(), folders)
    assert f"{folders.get_statistics_dir() / 'templates.root'}:" in path.read_text()


def test_nothing_to_read(folders):
    with pytest.raises(MissingArtifact, match="statistics stage"):
        load_statistics(folders.get_statistics_dir())


def test_reading_needs_neither_pyhf_nor_cabinetry(folders):
    run_statistics(spec(shapes=()), histograms(), folders)
    code = (
        "import sys; from hepflow.statistics import load_statistics; load_statistics(sys.argv[1]);"
        "sys.exit(bool({'pyhf', 'cabinetry', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folders.get_statistics_dir())], check=False
    )
    assert done.returncode == 0


def test_asimov_closure_of_a_model_with_twenty_sources(folders):
    sources = ("jes", "btag", *(f"source{i}" for i in range(18)))
    wanted = spec(
        shapes=tuple(ShapeSpec(name, PROCESSES) for name in sources),
        limit=False,
        significance=False,
    )
    result = run_statistics(wanted, histograms(n_shapes=18), folders, expected_only=True)
    truth = [1.0 if "norm" in n or "stat" in n or n == "mu" else 0.0 for n in result.fit.labels]
    assert len(truth) > 60
    np.testing.assert_allclose(result.fit.bestfit, truth, atol=1e-3)
