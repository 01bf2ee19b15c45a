"""Fields of the datasets: each one changes what is read or how it is normalised."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import (
    ConfigurationError,
    HepflowError,
    MissingTree,
    NormalisationError,
)
from hepflow.schema import Config
from tests.builders import write_nano
from tests.fields.project import (
    DATA,
    MC,
    added,
    columns,
    fill,
    filled,
    inputs,
    make_config,
    real,
    simulation,
    times,
    values,
)


@pytest.fixture
def here(tmp_path):
    return inputs(tmp_path / "in")


# -- names -------------------------------------------------------------------------------


@pytest.mark.field("datasets.datasets[].name", "datasets.datasets[].process")
def test_the_process_is_the_name_unless_it_is_said(tmp_path, here):
    found = filled(tmp_path, [simulation(here, name="tt")])
    assert found.processes("SR", "x") == ("tt",)
    assert (tmp_path / "out" / "skimmed" / "tt__nominal").is_dir()
    found = filled(tmp_path, [simulation(here, name="tt", process="top")])
    assert found.processes("SR", "x") == ("top",)
    assert list(found.process_of) == ["tt__nominal"]


@pytest.mark.field("datasets.datasets[].is_data")
def test_data_is_counted_whatever_its_name(tmp_path, here):
    one = {"name": "muons", "files": [str(here / "data.root")]}
    found = filled(tmp_path, [simulation(here), {**one, "is_data": True}], general={"lumi": 40.0})
    assert values(found, process="muons") == DATA
    assert found.data_processes == {"muons"}
    with pytest.raises(ConfigurationError, match="cross_section: missing"):
        filled(tmp_path, [simulation(here), {**one, "is_data": False}])


# -- files -------------------------------------------------------------------------------


@pytest.mark.field("datasets.datasets[].files")
def test_files_are_those_that_are_listed(tmp_path, here):
    shutil.copy(here / "data.root", here / "more.root")
    listing = here / "list.txt"
    listing.write_text("data.root\n")
    assert values(filled(tmp_path, [real(here)]), process="data") == DATA
    one = real(here, files=[str(listing)], duplicates="keep")
    assert values(filled(tmp_path, [one]), process="data") == DATA
    both = real(here, files=[str(here / "*d*a.root"), str(here / "more.root")], duplicates="keep")
    assert values(filled(tmp_path, [both]), process="data") == times(2, DATA)


@pytest.mark.field("datasets.datasets[].directory", "datasets.datasets[].file_pattern")
def test_files_of_a_directory_are_those_of_the_pattern(tmp_path):
    own = inputs(tmp_path / "own")
    (own / "data.root").rename(own / "data.nano")
    mc = simulation(own, directory=str(own))
    assert values(filled(tmp_path, [mc])) == MC
    one = {"name": "data", "is_data": True, "directory": str(own), "file_pattern": "*.nano"}
    assert values(filled(tmp_path, [mc, one]), process="data") == DATA


@pytest.mark.field("datasets.datasets[].directory[]")
def test_several_directories_are_one_sample(tmp_path):
    folders = [inputs(tmp_path / name) for name in ("first", "second")]
    for folder in folders:
        (folder / "mc.root").unlink()
    one = {"name": "data", "is_data": True, "duplicates": "keep"}
    single = filled(tmp_path, [{**one, "directory": str(folders[0])}])
    assert values(single, process="data") == DATA
    both = filled(tmp_path, [{**one, "directories": [str(folder) for folder in folders]}])
    assert values(both, process="data") == times(2, DATA)
    assert list(both.process_of) == ["data"]


def three_samples(tmp_path):
    """Three folders with the same simulation in each."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        inputs(folder)
        (folder / "data.root").unlink()
    return [str(folder) for folder in folders]


@pytest.mark.field("datasets.datasets[].cross_section", "datasets.datasets[].cross_section[]")
def test_each_directory_has_its_cross_section(tmp_path, here):
    assert values(filled(tmp_path, [simulation(here, cross_section=6.0)])) == times(3)
    one = {"name": "mc", "directories": three_samples(tmp_path)}
    found = filled(tmp_path, [{**one, "cross_section": 2.0}])
    assert values(found) == MC  # one sample of 24 events
    found = filled(tmp_path, [{**one, "cross_sections": [2.0, 4.0, 6.0]}])
    assert values(found) == times(6)
    assert list(found.process_of) == ["mc_0__nominal", "mc_1__nominal", "mc_2__nominal"]


@pytest.mark.field(
    "datasets.datasets[].year", "datasets.datasets[].year[]", "general.lumi", "general.lumi{}"
)
def test_each_year_has_its_luminosity(tmp_path, here):
    assert values(filled(tmp_path, general={"lumi": 8.0})) == times(2)
    general = {"lumi": {"2016": 4.0, "2017": 12.0}}
    first, second, third = three_samples(tmp_path)
    more = {"name": "more", "cross_section": 2.0, "directory": third, "year": "2017"}
    found = filled(tmp_path, [simulation(here, year=2016), more], general=general)
    assert values(found) == MC
    assert values(found, process="more") == times(3)
    one = {"name": "mc", "cross_section": 2.0, "directories": [first, second]}
    found = filled(tmp_path, [{**one, "years": [2016, "2017"]}], general=general)
    assert values(found) == times(1 + 3)
    assert list(found.process_of) == ["mc_2016__nominal", "mc_2017__nominal"]
    with pytest.raises(ConfigurationError, match=r"general\.lumi has no year '2018'"):
        filled(tmp_path, [{**one, "years": [2017, 2018]}], general=general)


@pytest.mark.field(
    "datasets.datasets[].slices[].name",
    "datasets.datasets[].slices[].directory",
    "datasets.datasets[].slices[].files",
    "datasets.datasets[].slices[].cross_section",
    "datasets.datasets[].slices[].k_factor",
    "datasets.datasets[].slices[].filter_efficiency",
)
def test_slices_add_up_each_with_its_own_normalisation(tmp_path):
    folder, other, _ = three_samples(tmp_path)
    few = columns(x=np.full(8, 0.5, np.float32))
    file = write_nano(tmp_path / "few.root", few)
    parts = [
        {"name": "low", "directory": folder, "cross_section": 2.0, "k_factor": 1.5},
        {"name": "mid", "directory": other, "cross_section": 4.0, "filter_efficiency": 0.5},
        {"name": "high", "files": [str(file)], "cross_section": 1.0},
    ]
    found = filled(tmp_path, [{"name": "mc", "slices": parts}])
    assert values(found) == added(times(1.5), times(2 * 0.5), [4.0, 0.0, 0.0, 0.0])
    keys = ["mc_low__nominal", "mc_mid__nominal", "mc_high__nominal"]
    assert list(found.process_of) == keys
    fewer = filled(tmp_path, [{"name": "mc", "slices": parts[:1]}])
    assert values(fewer) == times(1.5)


@pytest.mark.field("datasets.datasets[].slices[].year")
def test_a_slice_has_the_luminosity_of_its_year(tmp_path):
    folders = three_samples(tmp_path)
    parts = [
        {"name": "s", "directory": folder, "cross_section": 2.0, "year": year}
        for folder, year in zip(folders, (2016, 2017, 2017), strict=True)
    ]
    parts[2]["name"] = "other"
    general = {"lumi": {"2016": 4.0, "2017": 8.0}}
    found = filled(tmp_path, [{"name": "mc", "slices": parts}], general=general)
    assert values(found) == times(1 + 2 + 2)
    assert "mc_s_2017__nominal" in found.process_of


@pytest.mark.field("datasets.datasets[].redirectors")
def test_a_redirector_stands_in_front_of_names_without_a_host(tmp_path):
    (tmp_path / "list.txt").write_text("/store/a.root\nroot://here//store/b.root\n")
    one = simulation(tmp_path, files=[str(tmp_path / "list.txt")])

    def files(**fields):
        config = Config(**make_config(tmp_path, [{**one, **fields}]))
        return ConfigurableDatasetManager(config.datasets).get_files("mc")

    assert sorted(files(redirector="root://first.org/")) == [
        "root://first.org//store/a.root",
        "root://here//store/b.root",
    ]
    two = files(redirectors=["root://second.org/", "root://first.org/"])
    assert "root://second.org//store/a.root" in two
    assert "root://first.org//store/a.root" not in two


@pytest.mark.field("datasets.max_files", "general.max_files")
def test_the_number_of_files_counts_per_dataset(tmp_path, here):
    for i in range(3):
        shutil.copy(here / "data.root", here / f"data_{i}.root")
    one = real(here, files=[str(here / "data_*.root")], duplicates="keep")
    config = make_config(tmp_path, [one])
    assert values(fill(config), process="data") == times(3, DATA)
    config["datasets"]["max_files"] = 2
    found = fill(config)
    assert values(found, process="data") == times(2, DATA)
    assert found.ledger.fraction("data") == pytest.approx(2 / 3)
    config["general"]["max_files"] = 1
    assert values(fill(config), process="data") == DATA


@pytest.mark.field("datasets.prepare")
def test_the_files_can_be_made_first(tmp_path):
    folder = tmp_path / "made"
    one = simulation(folder, files=[str(folder / "mc.root")])
    config = make_config(tmp_path, [one])
    with pytest.raises(HepflowError, match=r"mc\.root"):
        fill(config)
    config["datasets"]["prepare"] = lambda: inputs(folder)
    assert values(fill(config)) == MC


# -- normalisation -----------------------------------------------------------------------


@pytest.mark.field("datasets.datasets[].k_factor", "datasets.datasets[].filter_efficiency")
def test_factors_on_the_cross_section(tmp_path, here):
    assert values(filled(tmp_path, [simulation(here, k_factor=1.5)])) == times(1.5)
    both = simulation(here, k_factor=1.5, filter_efficiency=0.5)
    assert values(filled(tmp_path, [both])) == times(0.75)


WEIGHTED = {"w": np.array([4, 1, 1, 1, 1, -1, 1, 0], np.float32)}  # sum 8, sum of signs 5


@pytest.mark.field(
    "datasets.datasets[].weight_branch", "general.weight_branch", "general.weight_mode"
)
def test_the_weight_of_an_event_and_its_sign(tmp_path, here):
    write_nano(here / "weighted.root", columns(**WEIGHTED))
    one = simulation(here, files=[str(here / "weighted.root")])
    assert values(filled(tmp_path, [one])) == MC
    own = {**one, "weight_branch": "w"}
    assert values(filled(tmp_path, [own])) == [6.0, 2.0, -1.0, 1.0]
    general = {"weight_branch": "w"}
    assert values(filled(tmp_path, [one], general=general)) == [6.0, 2.0, -1.0, 1.0]
    other = {**one, "weight_branch": "genWeight"}
    assert values(filled(tmp_path, [other], general=general)) == MC
    general["weight_mode"] = "sign"
    found = values(filled(tmp_path, [one], general=general))
    assert found == pytest.approx(times(8 / 5, [3.0, 2.0, -1.0, 1.0]))


@pytest.mark.field("datasets.datasets[].sumw_source")
def test_the_sum_of_weights_comes_from_where_it_is_said(tmp_path, here):
    write_nano(here / "skimmed.root", columns(), runs=[10.0, 6.0])
    one = simulation(here, files=[str(here / "skimmed.root")])
    with pytest.raises(NormalisationError, match=r"add up to 8.* say 16"):
        filled(tmp_path, [one])
    assert values(filled(tmp_path, [{**one, "sumw_source": "events"}])) == MC
    assert values(filled(tmp_path, [{**one, "sumw_source": "runs"}])) == times(0.5)


@pytest.mark.field("datasets.datasets[].tree_name", "datasets.tree_name")
@pytest.mark.field("preprocess.skimming.tree_name")
def test_the_tree_is_the_nearest_that_is_named(tmp_path, here):
    for name in ("own", "shared", "skim"):
        write_nano(here / f"{name}.root", columns(), tree=name)
    config = make_config(tmp_path, [simulation(here, files=[str(here / "shared.root")])])
    with pytest.raises(MissingTree, match="no tree 'Events'"):
        fill(config)
    config["datasets"]["tree_name"] = "shared"
    assert values(fill(config)) == MC
    config["preprocess"]["skimming"] = {"tree_name": "skim"}
    with pytest.raises(MissingTree, match="no tree 'skim'"):
        fill(config)
    config["datasets"]["datasets"] = [simulation(here, files=[str(here / "skim.root")])]
    assert values(fill(config)) == MC
    own = simulation(here, files=[str(here / "own.root")], tree_name="own")
    config["datasets"]["datasets"] = [own]
    assert values(fill(config)) == MC
