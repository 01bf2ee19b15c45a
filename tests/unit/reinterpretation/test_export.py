"""Files of exported workflows: commands, quoting, links, containers, what must not be in them."""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path

import pytest
import yaml

from hepflow.cli import main
from hepflow.errors import ChecksumError, InputError
from hepflow.reinterpretation.bundle import verify
from hepflow.reinterpretation.workflows.export import (
    TARGETS,
    Setting,
    SignalInputs,
    export_workflow,
)
from hepflow.reinterpretation.workflows.export.container import check_image
from hepflow.reinterpretation.workflows.export.yadage import split_image
from tests.unit.reinterpretation import bundles, exported

COMMON = {
    *("README.md", "Dockerfile", ".dockerignore", "wheels/README.md"),
    *("requirements.lock", "bundle.zip"),
}
OWN = {
    "yadage": {"steps.yml", "workflow.yml", "inputs.yml"},
    "recast": {"specs/steps.yml", "specs/workflow.yml", "inputs.yml", "recast.yml"},
    "reana": {"steps.yml", "workflow.yml", "reana.yaml"},
    "snakemake": {"Snakefile", "inputs.yml"},
}


def read(path: Path):
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_written(target, tmp_path):
    found = exported.export(tmp_path, target)
    there = {str(one.relative_to(found.folder)) for one in found.folder.rglob("*") if one.is_file()}
    assert there == set(found.files) == COMMON | OWN[target]
    assert verify(found.folder / "bundle.zip").digest == found.digest
    assert (found.folder / "requirements.lock").read_bytes() == next(iter(exported.LOCK.values()))
    assert found.image == f"tiny-study-2026:{found.digest[:12]}"


@pytest.mark.parametrize("target", TARGETS)
def test_no_place_of_this_machine_and_no_name_of_it(target, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_TOKEN", "s3cr3t-t0ken-of-nobody")
    found = exported.export(tmp_path, target)
    never = (str(tmp_path), str(Path.home()), str(Path.cwd()), "s3cr3t", socket.gethostname())
    for name in found.files:
        content = (found.folder / name).read_bytes()
        assert not [one for one in never if one.encode() in content], name


def test_the_three_steps_and_their_links(tmp_path):
    found = exported.export(tmp_path, "yadage")
    steps = read(found.folder / "steps.yml")
    words = {
        name: shlex.split(step["process"]["cmd"].format_map(_Marked()))
        for name, step in steps.items()
    }
    start = ["hepflow", "reinterpret", "<bundle>", "--digest", found.digest, "--trust", "--step"]
    assert words == {
        "skimming": [
            *start,
            *("skimming", "--signal", "<signal>"),
            *("--sum-of-weights-from", "<sum_of_weights_from>", "--output", "<raw>"),
        ],
        "scaling": [
            *start,
            *("scaling", "--input", "<raw>", "--cross-section", "<cross_section>"),
            *("--k-factor", "<k_factor>", "--filter-efficiency", "<filter_efficiency>"),
            *("--output", "<scaled>"),
        ],
        "interpretation": [
            *start,
            *("interpretation", "--input", "<scaled>", "--format", "png,pdf"),
            *("--output", "<results>"),
        ],
    }
    assert {step["environment"]["environment_type"] for step in steps.values()} == {"localproc-env"}
    stages = {one["name"]: one for one in read(found.folder / "workflow.yml")["stages"]}
    assert {name: one["dependencies"]["expressions"] for name, one in stages.items()} == {
        "skimming": ["init"],
        "scaling": ["skimming"],
        "interpretation": ["scaling"],
    }
    last = {p["key"]: p["value"] for p in stages["interpretation"]["scheduler"]["parameters"]}
    assert last["scaled"] == {
        "expression_type": "stage-output-selector",
        "step": "scaling",
        "output": "scaled",
    }
    assert last["spectrum_CR_1"] == "{workdir}/plots/spectrum_CR-1.png"
    assert set(steps["interpretation"]["publisher"]["outputmap"]) == {
        *("limit", "scan", "spectrum_SR", "spectrum_CR_1"),
    }


class _Marked(dict):
    """Values with blanks and signs of the shell, which must stay one word."""

    def __missing__(self, name):
        return f"<{name}>"


def test_a_value_with_signs_of_the_shell_stays_one_word(tmp_path):
    found = exported.export(tmp_path, "yadage")
    text = read(found.folder / "steps.yml")["scaling"]["process"]["cmd"]
    values = dict.fromkeys(("bundle", "raw", "k_factor", "filter_efficiency", "scaled"), "x")
    words = shlex.split(text.format(cross_section="1 pb; touch $(pwd) `id` *", **values))
    assert "1 pb; touch $(pwd) `id` *" in words


def test_years_and_several_preserved_signals(tmp_path):
    source = exported.bundle(
        tmp_path, luminosity={"2016": 1.0, "2017-B": 2.0}, signals=("one", "two")
    )
    files = {"2016": "a.root", "2017-B": "lists/b.txt"}
    found = exported.export(tmp_path, "yadage", source, signal=SignalInputs(files, process="two"))
    command = read(found.folder / "steps.yml")["skimming"]["process"]["cmd"]
    assert "--signal '2016={signal_2016}' '2017-B={signal_2017_B}' " in command
    assert " --process two " in command
    values = read(found.folder / "inputs.yml")
    assert (values["signal_2016"], values["signal_2017_B"]) == ("a.root", "lists/b.txt")
    found = exported.export(
        tmp_path, "snakemake", source, signal=SignalInputs(files, process="two")
    )
    text = (found.folder / "Snakefile").read_text()
    assert "--signal 2016={input.signal_2016:q} 2017-B={input.signal_2017_B:q} " in text
    for wrong in ("", "tow"):
        with pytest.raises(InputError, match=r"two"):
            exported.export(tmp_path, "reana", source, signal=SignalInputs(files, process=wrong))
    with pytest.raises(InputError, match="YEAR=FILE"):
        exported.export(
            tmp_path, "reana", source, signal=SignalInputs({"": "a.root"}, process="one")
        )
    with pytest.raises(InputError, match="without a year"):
        exported.export(tmp_path, "reana", signal=SignalInputs({"2016": "a.root"}))
    assert not (tmp_path / "reana").exists()


def test_containers(tmp_path):
    found = exported.export(tmp_path, "yadage", setting=Setting("host:5000/me/study:v1"))
    environment = read(found.folder / "steps.yml")["skimming"]["environment"]
    assert environment["environment_type"] == "docker-encapsulated"
    assert (environment["image"], environment["imagetag"]) == ("host:5000/me/study", "v1")
    assert read(found.folder / "inputs.yml")["bundle"] == "/analysis/bundle.zip"
    recipe = (found.folder / "Dockerfile").read_text()
    assert "FROM python:3.11.7-slim\n" in recipe
    assert "pip install --no-cache-dir --find-links /analysis/wheels -r" in recipe
    assert f"hepflow verify /analysis/bundle.zip --digest {found.digest}\n" in recipe
    found = exported.export(tmp_path, "snakemake", setting=Setting("me/study"))
    text = (found.folder / "Snakefile").read_text()
    assert 'container: "docker://me/study"' in text
    assert read(found.folder / "inputs.yml")["bundle"] == "bundle.zip"  # below its folder
    assert split_image("me/study") == ("me/study", "latest")
    for image in ("Study", "a b:1", "x; rm", "me/study:", "-x", "a\n"):
        with pytest.raises(InputError):
            check_image(image)


def test_entries_of_recast_and_reana(tmp_path):
    inputs = SignalInputs({"": "deep/sig.root"}, "44.873 fb", 1.2, 0.5, "runs")
    found = exported.export(tmp_path, "recast", signal=inputs, setting=Setting(author="A. Author"))
    entry = read(found.folder / "recast.yml")
    assert entry["name"] == "hepflow/tiny-study-2026"
    assert entry["metadata"]["author"] == "A. Author"
    assert entry["example_inputs"]["default"] == read(found.folder / "inputs.yml")
    assert entry["results"][0]["relpath"] == "interpretation/limit.json"
    found = exported.export(tmp_path, "reana", signal=inputs)
    reana = read(found.folder / "reana.yaml")
    assert reana["inputs"]["files"] == ["workflow.yml", "steps.yml", "deep/sig.root"]
    assert reana["inputs"]["parameters"] == {
        "bundle": "/analysis/bundle.zip",
        "signal": "deep/sig.root",
        "cross_section": "44.873 fb",
        "k_factor": 1.2,
        "filter_efficiency": 0.5,
        "sum_of_weights_from": "runs",
    }
    assert "interpretation/plots/scan.png" not in reana["outputs"]["files"]
    assert "interpretation/plots/limit_scan.png" in reana["outputs"]["files"]
    url = SignalInputs({"": "root://host//store/sig.root"})
    found = export_workflow(exported.bundle(tmp_path), "reana", tmp_path / "far", signal=url)
    assert read(found.folder / "reana.yaml")["inputs"]["files"] == ["workflow.yml", "steps.yml"]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (SignalInputs(cross_section="44.9"), "unit"),
        (SignalInputs(k_factor=0.0), "k factor"),
        (SignalInputs(filter_efficiency=float("nan")), "filter efficiency"),
        (SignalInputs(sum_of_weights_from="file"), "auto, events, runs"),
        (SignalInputs({"": "/home/me/sig.root"}), "this machine.*sig.root"),
        (SignalInputs({"": "../sig.root"}), "this machine"),
        (SignalInputs({"": "~/sig.root"}), "this machine"),
        (SignalInputs({"": "a'b.root"}), "commands of a workflow"),
        (SignalInputs({"": "sig/*.root"}), "listing"),
        (SignalInputs({"": ""}), "no name"),
        (SignalInputs({"": "root://me:s3cr3t-t0ken@host//a.root"}), "credential"),
        (SignalInputs({"": "root://host//a.root?authz=s3cr3t-t0ken"}), "credential"),
        (SignalInputs({"": "ghp_" + 30 * "a"}), "credential"),
    ],
)
def test_inputs_that_cannot_be(inputs, told, tmp_path):
    with pytest.raises(InputError, match=told) as caught:
        exported.export(tmp_path, "yadage", signal=inputs)
    assert "s3cr3t" not in str(caught.value)
    assert not (tmp_path / "yadage").exists()


def test_bundles_that_are_not_taken(tmp_path):
    source = exported.bundle(tmp_path)
    with pytest.raises(ChecksumError):
        exported.export(tmp_path, "yadage", source, digest=64 * "0")
    source.write_bytes(source.read_bytes().replace(b"return x > 1", b"return x > 2"))
    with pytest.raises(ChecksumError, match=r"cuts\.py"):
        exported.export(tmp_path, "yadage", source)
    for changes in ({"channels": ('x"]; import os',)}, {"luminosity": {"a b": 1.0}}):
        with pytest.raises(InputError, match="of the bundle is no name"):
            exported.export(tmp_path, "snakemake", exported.bundle(tmp_path, **changes))
    with pytest.raises(InputError, match="no version"):
        exported.export(tmp_path, "snakemake", exported.bundle(tmp_path, python="3\nRUN evil"))
    assert {one.name for one in tmp_path.iterdir()} == {"tiny.zip"}


def test_names_of_channels_that_become_one(tmp_path):
    source = exported.bundle(tmp_path, channels=("SR.1", "SR-1"))
    found = exported.export(tmp_path, "yadage", source)
    published = read(found.folder / "steps.yml")["interpretation"]["publisher"]["outputmap"]
    assert set(published) == {"limit", "scan", "spectrum_1", "spectrum_2"}


def test_a_folder_is_packed_to_the_same_bytes(tmp_path):
    files = {**bundles.FILES, **exported.LOCK}
    one = bundles.write_zip(tmp_path / "a.zip", files)
    other = bundles.write_folder(tmp_path / "folder", files)
    found = exported.export(tmp_path, "yadage", other)
    assert (found.folder / "bundle.zip").read_bytes() == one.read_bytes()
    with pytest.raises(InputError, match="not empty"):
        exported.export(tmp_path, "yadage", other)
    with pytest.raises(InputError, match="snakemake"):
        exported.export(tmp_path, "snakemke", other)


def test_the_command(tmp_path, capsys):
    source, output = exported.bundle(tmp_path), tmp_path / "made"
    words = ["workflow", "export", str(source), "--to", "reana", "--output", str(output)]
    size = ["--cross-section", "44.873 fb", "--signal", "a.root"]
    assert main([*words, *size, "--json", str(tmp_path / "told.json")]) == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["parameters"]["cross_section"] == "44.873 fb"
    assert str(output / "reana.yaml") in capsys.readouterr().out
    assert main([*words[:-1], str(tmp_path / "other"), *size, "b.root"]) == 2
    assert "listing" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
