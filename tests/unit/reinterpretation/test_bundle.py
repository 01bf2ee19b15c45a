"""From a finished run to a bundle, and back to an analysis on another machine."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hepflow.cli import main
from hepflow.errors import ChecksumError, InputError, UnsafeContent
from hepflow.pipeline import run
from hepflow.reinterpretation.bundle import load, preserve, verify
from hepflow.reinterpretation.bundle.contents import MANIFEST
from hepflow.storage import read_json
from tests.unit.reinterpretation import preserved
from tests.unit.reinterpretation.bundles import resealed

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@pytest.fixture
def copied(study, tmp_path) -> Path:
    """The project with its run, to be changed."""
    return Path(shutil.copytree(study, tmp_path / "study", ignore=_no_caches))


def _no_caches(_folder, names):
    return [one for one in names if one in {"cache", "skimmed", "__pycache__"}]


@pytest.fixture
def bundle(study_bundle, tmp_path) -> Path:
    """The bundle, to be changed."""
    return Path(shutil.copytree(study_bundle, tmp_path / "copy"))


# -- preserve --------------------------------------------------------------------------------


def test_what_a_bundle_holds(study, study_bundle):
    found = verify(study_bundle)
    manifest = found.manifest
    assert (manifest.name, manifest.poi, manifest.signals) == ("Study", "mu", ("signal",))
    assert (manifest.channels, manifest.luminosity) == (("SR", "CR"), 100.0)
    assert (manifest.analysis, manifest.expected_only) == (preserved.CLASS, False)
    modules = {one.removesuffix(".py").removesuffix("/__init__") for one in preserved.FILES}
    assert set(manifest.modules) == {one.replace("/", ".") for one in modules}
    for name, text in preserved.FILES.items():
        assert found.read(f"code/{name}") == text.encode()
    assert found.read("config/resolved.json") == (study / "out/config/resolved.json").read_bytes()
    assert found.read("results/limit.json") == (study / "out/statistics/limit.json").read_bytes()
    correction = manifest.files["corrections[0].file"]
    assert found.read(correction) == (study / "pileup.json").read_bytes()
    assert "numpy==" in found.read("environment/requirements.lock").decode()
    readme = found.read("README.md").decode()
    assert "hepflow verify" in readme
    assert "study.configuration uses __file__" in readme
    assert not [one for one in found.files if "root" in one and "histograms" not in one]


def test_the_same_run_gives_the_same_bytes(study, study_bundle, tmp_path):
    with preserved.at_home(study):
        first = preserve(study / "out", tmp_path / "a.zip", name="Study")
        again = preserve(study / "out", tmp_path / "deeper" / "b.zip", name="Study")
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        inside = {one: archive.read(one) for one in archive.namelist()}
    files = [one for one in study_bundle.rglob("*") if one.is_file()]
    assert inside == {one.relative_to(study_bundle).as_posix(): one.read_bytes() for one in files}


def test_no_secret_is_in_a_bundle(study, study_bundle):
    invocation = read_json(study_bundle / "config/invocation.json", "test")
    assert invocation["withheld"] == ["datasets.datasets[2].files"]
    for place in (study_bundle, study / "out"):
        for one in place.rglob("*"):
            assert not one.is_file() or preserved.SECRET.encode() not in one.read_bytes(), one


def test_the_workspace_comes_back(study, study_bundle):
    found = load(study_bundle, trusted=True)
    assert found.workspace == read_json(study / "out/statistics/workspace.json", "test")
    assert found.patch_set.parent == found.background.parent


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("study/thresholds.py", "10.0", "11.0", "preprocess.skimming.function"),
        ("study/selections.py", "objects, axis=1) >= n", "objects, axis=1) > n", "baseline_sel"),
        ("study/selections.py", "def itself", "def other", "channels[1].observables[0].function"),
        ("study/configuration.py", ">= 2", ">= 3", "channels[0].selection.function"),
        ("study/configuration.py", "AtMost(1)", "AtMost(0)", "channels[1].selection.function"),
        ("study/configuration.py", "HERE =", "1 / 0\nHERE =", "channels[0].selection.function"),
        ("study/steps.py", "Study(", "Other(", "the analysis: study.steps:Study"),
        ("study/steps.py", '"""The', 'def x(self): return 1\n    """The', "changed: analysis"),
        ("pileup.json", "0.9", "0.8", "corrections[0].file"),
        ("out/histograms/histograms.zip", None, None, "histograms/ are not as the run wrote"),
        ("out/statistics/limit.json", "a_pos", "a_pri", "statistics/ are not as the run wrote"),
        ("out/histograms/histograms.root", None, "", "histograms.root is not there"),
        ("out/statistics/workspace.json", None, "", "workspace.json is not there"),
    ],
)
def test_what_is_not_what_it_was_in_the_run(name, old, new, told, copied, tmp_path):
    if new == "":
        (copied / name).unlink()
    elif old is None:
        (copied / name).write_bytes((copied / name).read_bytes() + b"\0")
    else:
        text = (copied / name).read_text()
        assert old in text
        (copied / name).write_text(text.replace(old, new))
    # The record of the run names the folder that it was in.
    _move(copied)
    with preserved.at_home(copied), pytest.raises(InputError) as error:
        preserve(copied / "out", tmp_path / "bundle")
    assert told in str(error.value)
    assert not (tmp_path / "bundle").exists()


def _move(copied: Path) -> None:
    path = copied / "out/config/invocation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cwd": str(copied)}))


def _edit(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_runs_that_are_not_to_be_preserved(copied, tmp_path):
    out, target = copied / "out", tmp_path / "bundle"
    _move(copied)

    def told() -> str:
        with preserved.at_home(copied), pytest.raises(InputError) as error:
            preserve(out, target)
        return str(error.value)

    with pytest.raises(InputError, match="does not exist"):
        preserve(tmp_path / "nothing", target)
    with pytest.raises(InputError, match="cannot be preserved"):
        preserve(copied, target)
    os.utime(out / "config/resolved.json", (2e9, 2e9))
    assert "did not come to its end" in told()
    os.utime(out / "config/resolved.json", (1e9, 1e9))
    run_json = (out / "report/run.json").read_text()
    _edit(out / "report/run.json", stages=[])
    assert "no results of statistics" in told()
    (out / "report/run.json").write_text(run_json)
    fit = (out / "statistics/fit.json").read_text()
    (out / "statistics/key.json").unlink()
    _edit(out / "statistics/fit.json", converged=False, notes=["no minimum"])
    assert "no result that may be shown: no minimum" in told()
    (out / "statistics/fit.json").write_text(fit)
    model = json.loads((out / "statistics/limit.json").read_text())["model"]
    _edit(out / "statistics/limit.json", model={**model, "digest": "other"})
    assert "limit.json: of another model" in told()


def test_statistics_of_other_histograms(copied, tmp_path):
    from hepflow.stamps import read_stamp, write_stamp

    _move(copied)
    folder = copied / "out" / "histograms"
    stamp = read_stamp(folder)
    parts = {**stamp.key.parts, "luminosity": "0" * 64}
    write_stamp(folder, replace(stamp.key, parts=parts), list(stamp.files))
    with preserved.at_home(copied), pytest.raises(InputError, match="not of the stored histograms"):
        preserve(copied / "out", tmp_path / "bundle")


def test_a_model_that_the_configuration_does_not_give(copied, tmp_path):
    _move(copied)
    path = copied / "out/config/resolved.json"
    stat = path.stat()
    settings = json.loads(path.read_text())
    settings["statistics"]["mc_stat"] = False
    path.write_text(json.dumps(settings))
    os.utime(path, (stat.st_atime, stat.st_mtime))
    with preserved.at_home(copied), pytest.raises(InputError, match="mc_stat of the model"):
        preserve(copied / "out", tmp_path / "bundle")


def test_a_run_from_python_does_not_say_its_class(copied, tmp_path):
    (copied / "out/config/invocation.json").unlink()
    text = preserved.FILES["study/configuration.py"]
    assert "lambda jets" in text, "found without the name of the configuration"
    with preserved.at_home(copied):
        with pytest.raises(InputError, match=r"changed: analysis.*--analysis"):
            preserve(copied / "out", tmp_path / "bundle")
        made = preserve(copied / "out", tmp_path / "bundle", analysis=preserved.CLASS)
    assert "started from Python" in verify(made).manifest.remarks[0]


def test_what_cannot_be_checked_is_told(copied, tmp_path):
    """A function without a fingerprint, and results without keys."""
    _move(copied)
    path = copied / "out/config/resolved.json"
    stat = path.stat()
    settings = json.loads(path.read_text())
    settings["preprocess"]["skimming"]["function"]["fingerprint"] = None
    path.write_text(json.dumps(settings))
    os.utime(path, (stat.st_atime, stat.st_mtime))
    for name in ("histograms/.filled.key.json", "histograms/key.json", "statistics/key.json"):
        (copied / "out" / name).unlink()
    _edit(copied / "out/report/run.json", losses=[{}, {}], problems=["data is incomplete"])
    with preserved.at_home(copied):
        found = verify(preserve(copied / "out", tmp_path / "bundle")).manifest
    assert "the run had a problem: data is incomplete" in found.remarks
    assert "2 parts of the input could not be processed (results/run.json)" in found.remarks
    assert "preprocess.skimming.function: that these" in found.remarks[-1]
    assert "stored results do not say what they were made from" in found.remarks[0]


def test_code_that_loads_modules_in_hidden_ways(copied, tmp_path):
    late = 'import importlib\nfar = importlib.import_module("hidden_" + "tools")\n'
    with (copied / "study/late.py").open("a") as file:
        file.write(late)
    (copied / "hidden_tools.py").write_text("")
    (copied / "study/__init__.py").write_text("import study.late\n")
    _move(copied)
    with preserved.at_home(copied), pytest.raises(InputError, match="loads hidden_tools"):
        preserve(copied / "out", tmp_path / "bundle")
    sys.modules.pop("hidden_tools", None)


def test_what_is_said_of_a_run_without_observed_data(copied, tmp_path):
    out = preserved.finish(copied, "general.blind=true", "general.max_files=1")
    with preserved.at_home(copied):
        found = verify(preserve(out, tmp_path / "bundle")).manifest
    assert found.expected_only
    told = "\n".join(found.remarks)
    assert "observed data are not used" in told
    assert "max_files" in told
    assert told.splitlines()[-1] in (tmp_path / "bundle/README.md").read_text()


def test_what_is_there_already(study, bundle, tmp_path):
    with preserved.at_home(study):
        with pytest.raises(InputError, match="there already"):
            preserve(study / "out", bundle)
        (bundle / "README.md").write_text("changed")
        verify(preserve(study / "out", bundle, overwrite=True))
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine.zip").mkdir()
        for name in ("mine", "mine.zip"):
            with pytest.raises(InputError, match="is no bundle"):
                preserve(study / "out", tmp_path / name, overwrite=True)


# -- load ------------------------------------------------------------------------------------


def test_no_code_runs_before_it_is_trusted(bundle, tmp_path):
    mark = tmp_path / "ran"
    added = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nSKIM_MET"
    resealed(bundle, ("code/study/thresholds.py", "SKIM_MET", added))
    verify(bundle)
    with pytest.raises(UnsafeContent, match=r"study\.selections.*trusted=True"):
        load(bundle)
    assert not mark.exists()
    (bundle / "README.md").write_text("changed")
    with pytest.raises(ChecksumError, match=r"README\.md"):
        load(bundle, trusted=True)
    assert not mark.exists()


def test_an_analysis_elsewhere_gives_its_own_limit(study, study_bundle, tmp_path):
    """Beside a project whose modules have the same names, and do something else."""
    changes = ("study/late.py", "2 * values", "9 * values"), ("far_tools.py", "/ 2", "* 0")
    other = preserved.write(tmp_path / "other", *changes)
    with preserved.at_home(other):
        mine = importlib.import_module("study.selections")
        found = load(study_bundle, trusted=True)
        assert found.warnings == ()
        assert sys.modules["study.selections"] is mine
        config = found.config.to_dict()
        assert config["datasets"]["prepare"] is None
        assert config["general"]["cache_dir"] is None
        assert Path(config["corrections"][0]["file"]).is_relative_to(found.folder)
        config["general"] |= {"output_dir": str(tmp_path / "o"), "cache_dir": str(tmp_path / "c")}
        config["execution"]["backend"] = "inprocess"
        with found.imported():
            assert sys.modules["study.selections"] is not mine
            limit = run(config, found.analysis).limit
        assert sys.modules["study.selections"] is mine
    stored = read_json(study / "out/statistics/limit.json", "test")
    assert limit.to_json()["expected"] == pytest.approx(stored["expected"], rel=1e-12)
    assert limit.to_json()["observed"] == pytest.approx(stored["observed"], rel=1e-12)


def test_a_zip_loads_in_another_process(study, tmp_path):
    """In an empty folder, and so that workers can have its functions."""
    with preserved.at_home(study):
        made = preserve(study / "out", tmp_path / "b.zip")
    code = (
        "import sys, pickle; from hepflow.reinterpretation.bundle import load;"
        "from hepflow.execution.sending import make_payload\n"
        "found = load(sys.argv[1], trusted=True)\n"
        "with found.imported():\n"
        "    payload = make_payload(found.config.channels[0].selection.function)\n"
        "assert 'study' not in sys.modules, 'gone again'\n"
        "function = pickle.loads(payload.content)\n"
        "import awkward as ak\n"
        "print(function(ak.Array([[1, 2], [3]])).tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(made)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "[True, False]", done.stderr


def test_functions_that_do_something_else_here(bundle):
    changed = resealed(bundle, ("code/study/thresholds.py", "10.0", "20.0"))
    with pytest.raises(
        InputError, match=r"preprocess\.skimming\.function \(study\.selections:skim"
    ):
        load(changed, trusted=True)


def test_other_versions_are_told(bundle, caplog):
    resealed(
        bundle,
        ("environment/requirements.lock", "numpy==", "numpy==0."),
        ("code/study/thresholds.py", "10.0", "20.0"),
    )
    found = load(bundle, trusted=True)
    assert "instead of 0." in found.warnings[0]
    assert "preprocess.skimming.function" in found.warnings[1]
    assert "other versions" in caplog.text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("code/study/selections.py", "import far_tools", "import far_fetched"), "far_fetched"),
        (("code/study/steps.py", "Study(Analysis)", "Study"), "no subclass"),
        (
            ("code/study/selections.py", "def skim", "def skin"),
            "no attribute 'skim'",
        ),
    ],
)
def test_code_that_cannot_be_imported(change, told, bundle):
    with pytest.raises(InputError, match=told):
        load(resealed(bundle, change), trusted=True)


def test_a_manifest_that_forgets_a_function(bundle):
    found = verify(bundle).manifest
    (bundle / MANIFEST).write_bytes(replace(found, functions={}).to_bytes())
    with pytest.raises(InputError, match="does not say where"):
        load(bundle, trusted=True)


def test_a_copy_that_was_changed_is_made_whole(bundle):
    folder = load(bundle, trusted=True).folder
    (folder / "code/study/thresholds.py").write_text("1 / 0")
    (folder / "code/study/planted.py").write_text("1 / 0")
    assert load(bundle, trusted=True).folder == folder
    assert not (folder / "code/study/planted.py").exists()


# -- commands --------------------------------------------------------------------------------


def test_the_commands(study, tmp_path, capsys):
    made, told = tmp_path / "b.zip", tmp_path / "told.json"
    words = ["preserve", "out", "--output", str(made), "--name", "N", "--json", str(told)]
    with preserved.at_home(study):
        assert main(words) == 0
        assert main(words) == 2
        assert main([*words, "--overwrite"]) == 0
    found = json.loads(told.read_text())
    assert (found["name"], found["signals"]) == ("N", ["signal"])
    capsys.readouterr()
    assert main(["verify", str(made), "--digest", found["digest"]]) == 0
    assert found["digest"] in capsys.readouterr().out
    assert main(["preserve", str(tmp_path / "nothing"), "--output", str(made)]) == 2
    assert main(["preserve", "--output"]) == 2
