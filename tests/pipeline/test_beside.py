"""What lies beside a run: another run at the same time, and what an earlier one left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hepflow.analysis import Analysis
from hepflow.errors import ConfigurationError, InputError, UserFunctionError
from hepflow.pipeline import run
from tests.builders import tiny_config, toy_columns, toy_inputs, write_nano
from tests.pipeline.projects import Here, assert_same_templates, start, templates, write_project

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
DRAW = "--plotting.enabled=true"


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """A project with pictures that cost nothing."""

    def write(task):
        path = task.folder / f"{task.name}.png"
        path.write_bytes(repr(task.content).encode())
        return [path]

    monkeypatch.setattr("hepflow.analysis.drawing.write_figure", write)
    write_project(tmp_path)
    return Here(tmp_path, monkeypatch, capsys)


def test_two_runs_at_once_share_a_cache(here):
    """Both fill the same parts: the first to end merges and removes them under the other."""
    words = ("--general.run_statistics=false",)
    both = [
        start(here.folder, *words, f"--general.output_dir={name}", SLOW_FILL="0.05")
        for name in ("out_a", "out_b")
    ]
    ends = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    first, second = (templates(here.folder, output=f"out_{name}") for name in "ab")
    assert_same_templates(first, second)


def figures(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def test_results_of_an_earlier_run_do_not_stand_beside_blind_ones(here):
    status, told = here.run(DRAW, statistics=True)
    assert status == 0, told
    statistics, plots = here.folder / "out" / "statistics", here.folder / "out" / "plots"
    assert json.loads((statistics / "limit.json").read_text())["observed"] is not None
    assert {"SR/met.png", "CR/met.png"} < figures(plots)
    status, told = here.run("--general.blind=SR")
    assert status == 0, told
    for name in ("limit", "fit", "prediction", "workspace", "significance"):
        assert not (statistics / f"{name}.json").exists(), name
    assert figures(plots) == set()  # that of CR does not say that SR is blind


def test_figures_of_channels_that_are_left_out_go(here):
    here.run(DRAW, statistics=True)
    status, told = here.run(DRAW, "--general.channels=CR", statistics=False)
    assert status == 0, told
    assert figures(here.folder / "out" / "plots") == {"CR/met.png"}


def test_a_new_label_redraws_the_fit_and_fits_nothing(here):
    here.run(DRAW, statistics=True)
    drawn = figures(here.folder / "out" / "plots")
    label = "--channels[0].observables[0].label=Missing"
    status, told = here.run(DRAW, "--general.run_plots_only=true", label, statistics=True)
    assert status == 0, told
    assert "statistics: read back" in told
    assert figures(here.folder / "out" / "plots") == drawn
    shown = (here.folder / "out" / "plots" / "statistics" / "prefit_SR.png").read_text()
    assert "Missing" in shown


def test_a_cutflow_does_not_tell_a_blind_region_by_difference(here):
    status, told = here.run("--general.blind=SR")
    assert status == 0, told
    content = json.loads((here.folder / "out" / "histograms" / "cutflow.json").read_text())
    (row,) = content["channels"]["CR"]["data"]
    assert row["cut"] == "corrected"
    assert len(content["channels"]["CR"]["background"]) > 1
    assert "data" not in content["channels"]["SR"]


def test_why_the_fit_is_to_asimov_data(here):
    _, told = here.run("--general.blind=SR", statistics=True)
    assert "SR is blind (general.blind). The fit is to Asimov data" in told


# -- mistakes that are told before anything runs, or with their place ------------------------


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"))


def test_an_unknown_colour_is_told_before_anything_runs(config, tmp_path):
    config["plotting"]["process_colors"] = {"mc": "redd"}
    with pytest.raises(ConfigurationError, match=r"plotting\.process_colors\.mc.*'redd'"):
        run(config)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [int, "Analysis"])
def test_the_analysis_is_a_class_of_ours(config, kind):
    with pytest.raises(InputError, match=r"expected a subclass of hepflow\.analysis\.Analysis"):
        run(config, kind)


class Nothing(Analysis):
    """Returns something else than histograms."""

    def process_chunk(self, events, metadata):
        return 5


class Twice(Analysis):
    """Returns the histograms of another part."""

    def process_chunk(self, events, metadata):
        return super().process_chunk(events, {**metadata, "entrystart": -1})


@pytest.mark.parametrize("kind", [Nothing, Twice])
def test_what_an_own_process_chunk_returns_is_checked(config, kind):
    with pytest.raises(UserFunctionError, match="process_chunk: returned"):
        run(config, kind)


def test_simulation_without_an_event_is_told(tmp_path, caplog):
    inputs = toy_inputs(tmp_path / "in")
    empty = tmp_path / "in" / "empty.root"
    write_nano(empty, {name: column[:0] for name, column in toy_columns(10).items()})
    inputs.append({"name": "rare", "files": [str(empty)], "cross_section": 5.0})
    run(tiny_config(tmp_path, inputs))
    assert "rare has no events, so that 5 pb of rare are missing" in caplog.text


def test_an_alternative_sample_without_an_event_is_missing_in_its_templates_only(tmp_path, caplog):
    inputs = toy_inputs(tmp_path / "in")
    empty = tmp_path / "in" / "empty.root"
    write_nano(empty, {name: column[:0] for name, column in toy_columns(10).items()})
    other = {"process": "mc", "variation": "shower_up", "cross_section": 10.0}
    inputs.append({"name": "other", "files": [str(empty)], **other})
    shower = {"name": "shower", "type": "sample"}
    run(tiny_config(tmp_path, inputs, systematics=[shower]))
    told = "other has no events, so that its share of mc is missing in the templates of shower_up"
    assert told in caplog.text
    assert "missing in every result" not in caplog.text
