"""Exported workflows in the engines themselves: their validators, and real runs."""

from __future__ import annotations

import gc
import importlib
import json
import shutil

import pytest
import yaml

from hepflow.cli import main
from hepflow.reinterpretation.bundle import preserve, verify
from hepflow.reinterpretation.workflows.export import Setting, SignalInputs
from tests.unit.reinterpretation import exported, preserved

STEPS = ("skimming", "scaling", "interpretation")
engines_of_others = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def files_closed():
    """The engines leave files open: they are found here, not in a later test."""
    yield
    gc.collect()


def _numbers(value, path=""):
    """All numbers in a JSON content, by path."""
    if isinstance(value, dict):
        return {
            k: v for key, one in value.items() for k, v in _numbers(one, f"{path}.{key}").items()
        }
    if isinstance(value, list):
        return {
            k: v for i, one in enumerate(value) for k, v in _numbers(one, f"{path}[{i}]").items()
        }
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {path: value} if is_number else {}


def assert_same_limit(one, other):
    found, expected = (_numbers(json.loads(path.read_text())) for path in (one, other))
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def _check_stages(folder):
    yadageschemas = pytest.importorskip("yadageschemas", reason="yadage-schemas is not installed")
    schemas = {"schemadir": yadageschemas.schemadir, "schema_name": "yadage/workflow-schema"}
    place = {"toplevel": str(folder), "load_as_ref": False}
    yadageschemas.load("workflow.yml", specopts={**place, **schemas}, validopts=schemas)


@engines_of_others
@pytest.mark.parametrize(
    ("target", "folder", "image"),
    [
        ("yadage", "", None),
        ("yadage", "", "me/study:v1"),
        ("recast", "specs", None),
        ("reana", "", None),
    ],
)
def test_yadage_and_packtivity_take_the_stages_and_steps(
    target, folder, image, tmp_path, files_closed
):
    packtivity = pytest.importorskip("packtivity", reason="packtivity is not installed")
    made = exported.export(tmp_path, target, setting=Setting(image)).folder / folder
    _check_stages(made)
    for name in STEPS:
        packtivity.load_packtivity(f"steps.yml#/{name}", toplevel=str(made), validate=True)
    text = (made / "workflow.yml").read_text()
    (made / "workflow.yml").write_text(text.replace("singlestep-stage", "single-stage"))
    with pytest.raises(Exception, match="is not valid under any of the given schemas"):
        _check_stages(made)


def test_reana_takes_its_specification(tmp_path):
    validation = pytest.importorskip(
        "reana_commons.validation.utils", reason="reana-commons is not installed"
    )
    made = exported.export(tmp_path, "reana").folder
    specification = yaml.safe_load((made / "reana.yaml").read_text())
    assert not validation.validate_reana_yaml(specification)


@engines_of_others
def test_recast_takes_its_entry(tmp_path, monkeypatch, files_closed):
    config = pytest.importorskip("recastatlas.config", reason="recast-atlas is not installed")
    made = exported.export(tmp_path, "recast").folder
    monkeypatch.setenv("RECAST_ATLAS_CATALOGUE", str(made))
    entry = config.config.catalogue["hepflow/tiny-study-2026"]
    assert importlib.import_module("recastatlas.testing").validate_entry(entry)


@pytest.fixture(scope="module")
def whole(study, study_bundle, tmp_path_factory):
    """The bundle of a study, files of a signal, and the limit that one command gives."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("signal.txt", "signal_0.root"):
        shutil.copy(study / name, folder)
    words = ["--signal", str(folder / "signal.txt"), "--cross-section", "1.5 pb"]
    output = ["--output", str(folder / "limit"), "--no-plots"]
    assert main(["reinterpret", str(study_bundle), "--trust", *words, *output]) == 0
    return folder


def _ready(tmp_path, target, whole, study_bundle):
    signal = SignalInputs({"": "signal.txt"}, "1.5 pb")
    folder = exported.export(tmp_path, target, study_bundle, signal=signal).folder
    for name in ("signal.txt", "signal_0.root"):
        shutil.copy(whole / name, folder)
    return folder


@pytest.mark.campaign
def test_a_run_is_preserved_first_and_nothing_holds_a_secret(tmp_path, study):
    with preserved.at_home(study):
        found = exported.export(tmp_path, "recast", study / "out")
        one = preserve(study / "out", tmp_path / "one.zip")
    assert verify(one).digest == found.digest
    for name in found.files:  # the bundle is not compressed
        content = (found.folder / name).read_bytes()
        assert preserved.SECRET.encode() not in content, name
        assert name == "bundle.zip" or str(study).encode() not in content, name


@pytest.mark.campaign
def test_yadage_gives_the_limit_of_the_command(tmp_path, whole, study_bundle):
    pytest.importorskip("yadage", reason="yadage is not installed")
    folder = _ready(tmp_path, "yadage", whole, study_bundle)
    words = ("workdir", "workflow.yml", "inputs.yml", "--no-visualize", "-d", f"initdir={folder}")
    exported.engine(folder, "yadage-run", *words, "-u", "0.5", "-b", "foregroundasync")
    made = folder / "workdir/interpretation"
    assert_same_limit(made / "limit.json", whole / "limit/limit.json")
    assert {one.name for one in (made / "plots").glob("*.png")} == {
        *("limit_scan.png", "spectrum_SR.png", "spectrum_CR.png"),
    }


@pytest.mark.nightly
def test_snakemake_gives_the_limit_of_the_command(tmp_path, whole, study_bundle):
    pytest.importorskip("snakemake", reason="snakemake is not installed")
    folder = _ready(tmp_path, "snakemake", whole, study_bundle)
    exported.engine(folder, "snakemake", "--cores", "1")
    assert_same_limit(folder / "results/interpretation/limit.json", whole / "limit/limit.json")


def test_snakemake_knows_the_order_of_the_rules(tmp_path):
    pytest.importorskip("snakemake", reason="snakemake is not installed")
    made = exported.export(tmp_path, "snakemake", setting=Setting("me/study:v1"))
    (made.folder / "signal.txt").write_text("a.root\n")
    exported.engine(made.folder, "snakemake", "--dry-run", "--cores", "1", "--quiet")
