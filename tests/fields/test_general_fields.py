"""Fields of the section ``general``: switches, folders, and what is processed at all."""

from __future__ import annotations

import json
import shutil

import pytest

from hepflow.errors import (
    AuditError,
    ConfigurationError,
    HepflowError,
    MissingArtifact,
    StorageError,
)
from hepflow.pipeline import run
from hepflow.statistics import load_statistics
from tests.fields.project import (
    DATA,
    MC,
    inputs,
    make_config,
    of_x,
    one_less,
    one_more,
    real,
    simulation,
    values,
)
from tests.pipeline.projects import stamps

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SOURCE = {"name": "s", "type": "event", "up_function": one_more, "down_function": one_less,
          "use": [("event", "x")]}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    here = inputs(tmp_path / "in")
    return make_config(tmp_path, [simulation(here), real(here)], systematics=[SOURCE])


def there(folder):
    """Folders of the results."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.field("general.analysis")
def test_a_run_can_end_after_the_skim(config, tmp_path):
    config["general"]["analysis"] = "skip"
    assert run(config).result is None
    assert "histograms" not in there(tmp_path / "out")
    assert (tmp_path / "out" / "skimmed" / "mc__nominal").is_dir()
    config["general"]["analysis"] = "nondiff"
    assert values(run(config).result.histograms) == MC


@pytest.mark.field("general.run_metadata_generation")
def test_stored_metadata_are_read_back(config, tmp_path):
    config["general"]["run_metadata_generation"] = False
    with pytest.raises(MissingArtifact, match="metadata"):
        run(config)
    config["general"]["run_metadata_generation"] = True
    run(config)
    files = config["datasets"]["datasets"][1]["files"]
    more = shutil.copy(files[0], tmp_path / "in" / "data_2.root")
    files.append(str(more))
    config["datasets"]["datasets"][1]["duplicates"] = "keep"
    config["general"]["run_metadata_generation"] = False
    assert values(run(config).result.histograms, process="data") == DATA
    config["general"]["run_metadata_generation"] = True
    assert values(run(config).result.histograms, process="data") == [2 * one for one in DATA]


@pytest.mark.field("general.run_skimming")
def test_a_stored_skim_is_read_back(config, tmp_path):
    config["general"]["run_skimming"] = False
    with pytest.raises(StorageError, match="run_skimming is off, but 2 of 2 parts"):
        run(config)
    config["general"]["run_skimming"] = True
    run(config)
    before = stamps(tmp_path / "out" / "skimmed")
    config["general"] |= {"run_skimming": False, "read_from_cache": False}
    assert values(run(config).result.histograms) == MC
    assert stamps(tmp_path / "out" / "skimmed") == before


@pytest.mark.field("general.run_histogramming")
def test_stored_histograms_are_read_back(config, tmp_path):
    config["general"]["run_histogramming"] = False
    with pytest.raises(MissingArtifact, match="histograms"):
        run(config)
    config["general"]["run_histogramming"] = True
    run(config)
    before = stamps(tmp_path / "out" / "histograms")
    config["general"] |= {"run_histogramming": False, "read_from_cache": False}
    assert values(run(config).result.histograms) == MC
    assert stamps(tmp_path / "out" / "histograms") == before
    config["channels"][0]["observables"] = [of_x(binning="0,4,2")]
    with pytest.raises(HepflowError, match="made from something else"):
        run(config)


@pytest.mark.field("general.run_statistics")
def test_the_fit_can_be_left_out(config, tmp_path):
    config["statistics"] = {"norm_factors": [{"name": "mu", "processes": ["mc"]}], "limit": False}
    config["systematics"] = []
    assert run(config).fit is None
    config["general"]["run_statistics"] = True
    found = run(config)
    assert found.fit.poi == "mu"
    assert load_statistics(tmp_path / "out" / "statistics").fit.poi == "mu"


@pytest.mark.field("general.run_systematics")
def test_variations_can_be_left_out(config):
    found = run(config).result.histograms
    assert found.variations("SR", "x") == ("nominal", "s_up", "s_down")
    config["general"]["run_systematics"] = False
    found = run(config).result.histograms
    assert found.variations("SR", "x") == ("nominal",)
    assert values(found) == MC


@pytest.mark.field("general.run_plots_only", "plotting.enabled")
def test_plots_can_be_drawn_again_from_what_is_stored(config, tmp_path):
    assert run(config).result.plots == ()
    assert "plots" not in there(tmp_path / "out")
    config["plotting"] = {"enabled": True, "formats": ["png"]}
    config["general"]["run_plots_only"] = True
    before = stamps(tmp_path / "out")
    shutil.rmtree(tmp_path / "in")  # no input is looked at
    found = run(config)
    assert [path.name for path in found.result.plots] == ["x.png"]
    after = stamps(tmp_path / "out")
    kept = {name for name in before if name.split("/")[0] in {"histograms", "skimmed", "metadata"}}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    config["general"]["output_dir"] = str(tmp_path / "nothing")
    with pytest.raises(MissingArtifact, match="histograms"):
        run(config)


@pytest.mark.field("general.read_from_cache")
def test_nothing_is_reused_where_the_cache_is_off(config, tmp_path):
    config["plotting"] = {"enabled": True, "formats": ["png"]}

    def times():
        run(config)
        found = stamps(tmp_path / "out")
        kept = ("skimmed/mc__nominal", "histograms/histograms", "plots/SR")
        return {
            name: time
            for name, time in found.items()
            if name.startswith(kept) and name.endswith((".pkl", ".png"))
        }

    first = times()
    assert len(first) == 2
    assert times() == first
    config["general"]["read_from_cache"] = False
    again = times()
    assert {name for name in first if again[name] > first[name]} == set(first)


@pytest.mark.field(
    "general.output_dir", "general.cache_dir", "general.metadata_dir", "general.skimmed_dir"
)
def test_results_go_into_their_folders(config, tmp_path):
    names = ("output_dir", "cache_dir", "metadata_dir", "skimmed_dir")
    config["general"] |= {name: str(tmp_path / f"my_{name}") for name in names}
    run(config)
    assert there(tmp_path / "my_output_dir") == {"config", "histograms", "report"}
    assert (tmp_path / "my_output_dir" / "histograms" / "histograms.root").exists()
    assert {"fileset.json", "workitems.json"} <= there(tmp_path / "my_metadata_dir")
    assert there(tmp_path / "my_skimmed_dir") == {"mc__nominal", "data"}
    assert list((tmp_path / "my_cache_dir").rglob("*"))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.field("general.processes")
def test_only_some_processes(config, tmp_path):
    config["general"]["processes"] = ["data"]
    found = run(config).result.histograms
    assert found.processes("SR", "x") == ("data",)
    assert there(tmp_path / "out" / "skimmed") == {"data"}
    config["general"]["processes"] = ["mc", "data"]
    assert run(config).result.histograms.processes("SR", "x") == ("mc", "data")
    config["general"]["processes"] = ["top"]
    with pytest.raises(ConfigurationError, match="no process 'top'"):
        run(config)


@pytest.mark.field("general.report")
def test_the_page_about_the_run(config, tmp_path):
    config["general"]["report"] = True
    page = run(config).report
    assert page == tmp_path / "out" / "report" / "index.html"
    assert "</html>" in page.read_text()
    config["general"]["report"] = False
    assert run(config).report is None
    assert not page.exists()
    assert (tmp_path / "out" / "report" / "run.json").exists()


def test_a_fit_that_is_stopped_leaves_a_report_and_nothing_of_an_earlier_one(config, tmp_path):
    factor = {"name": "mu", "processes": ["mc"]}
    config["general"]["run_statistics"] = True
    config["systematics"] = [{**SOURCE, "down_function": one_more}]
    config["statistics"] = {"norm_factors": [factor], "audit": {"ignore": True}}
    run(config)
    tables = tmp_path / "out" / "statistics" / "tables"
    assert (tables / "parameters.tex").exists()
    config["statistics"]["audit"] = {"ignore": False}
    with pytest.raises(AuditError, match="identical-sides"):
        run(config)
    assert not (tables / "parameters.tex").exists()
    assert not (tmp_path / "out" / "statistics" / "fit.json").exists()
    assert "identical-sides" in (tmp_path / "out" / "report" / "index.html").read_text()
    told = json.loads((tmp_path / "out" / "report" / "run.json").read_text())
    assert told["exit_status"] == 1
    assert "identical-sides" in told["problems"][0]
