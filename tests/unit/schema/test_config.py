"""The validated configuration: access, assignment, changes in place, copies."""

from __future__ import annotations

import copy
import dataclasses
import logging

import numpy as np
import pytest

from hepflow.errors import ConfigurationError
from hepflow.schema import Channel, Config, Datasets
from tests.unit.schema.examples import changed, mask, number, problems_in, valid


@pytest.fixture
def config():
    return Config(**valid())


def test_sections_by_attribute_and_by_name(config):
    assert config["general"] is config.general
    assert config["general"]["lumi"] == 16400.0
    assert config.channels[0]["name"] == "SR"
    assert config.get("general") is config.general
    assert config.get("nothing") is None
    assert config.get("nothing", 3) == 3
    assert "general" in config
    assert "nothing" not in config
    assert dict(config)["statistics"] is config.statistics


def test_a_field_that_does_not_exist_names_the_nearest(config):
    with pytest.raises(KeyError, match="Did you mean 'general'"):
        config["genral"]
    with pytest.raises(KeyError, match="channels"):
        config.channels[0]["kinds"]


def test_defaults_of_sections_that_are_not_written():
    config = valid()
    for name in ("plotting", "good_object_masks", "ghost_observables", "baseline_selection"):
        del config[name]
    built = Config(**config)
    assert built.plotting.formats == ["pdf", "png"]
    assert built.good_object_masks.analysis == []
    assert built.baseline_selection is None


def test_columns_in_every_spelling_are_one_form():
    use = [("Muon", "pt"), ["Muon", "eta"], "Muon.pt", "Jet", ("Jet", None)]
    built = Config(**changed(channels__0__observables__0__use=use))
    expected = [("Muon", "pt"), ("Muon", "eta"), ("Muon", "pt"), ("Jet", None), ("Jet", None)]
    assert built.channels[0].observables[0].use == expected


def test_binning_in_both_forms(config):
    edges = config.channels[0].observables[0].binning
    assert len(edges) == 21
    assert (edges[0], edges[1], edges[-1]) == (200.0, 340.0, 3000.0)
    assert config.channels[0].observables[1].binning == [0.0, 50.0, 100.0, 500.0]


def test_assignment_is_allowed_and_validated(config):
    config.general.read_from_cache = False
    assert config.general.read_from_cache is False
    config.channels[0].observables[0].binning = "0,10,2"
    assert config.channels[0].observables[0].binning == [0.0, 5.0, 10.0]
    config.statistics = {"poi": "mu"}
    assert config.statistics.poi == "mu"


WRONG = [
    (lambda c: c.general, "lumi", -1, "general.lumi: expected a number above 0"),
    (lambda c: c.general, "lumii", 1, "general.lumii: unknown key. Did you mean 'lumi'?"),
    (lambda c: c.general, "run_mva_training", True, "general.run_mva_training: refused: training"),
    (lambda c: c.general, "analysis", "diff", "general.analysis: 'diff' is refused"),
    (lambda c: c.channels[1], "kind", "signl", "channels[1].kind: expected 'signal'"),
    (
        lambda c: c.channels[0].observables[1],
        "binning",
        [2, 1],
        "channels[0].observables[1].binning: expected increasing",
    ),
    (
        lambda c: c.preprocess.skimming.output,
        "format",
        "hdf5",
        "preprocess.skimming.output.format: expected 'pickle', 'root' or 'parquet'",
    ),
    (
        lambda c: c.corrections[1].uncertainty_sources[0],
        "name",
        5,
        "corrections[1].uncertainty_sources[0].name: expected a text, but got 5",
    ),
    (lambda c: c, "generall", {}, "generall: unknown key. Did you mean 'general'?"),
    (lambda c: c, "general", {"lumi": 0}, "general.lumi: expected a number above 0"),
]


@pytest.mark.parametrize(("section", "name", "value", "says"), WRONG)
def test_a_wrong_assignment_changes_nothing_and_names_the_path(config, section, name, value, says):
    before = config.to_dict()
    with pytest.raises(ConfigurationError) as caught:
        setattr(section(config), name, value)
    assert says in str(caught.value)
    assert len(caught.value.problems) == 1
    assert config.to_dict() == before


def test_assigned_sections_know_their_path(config):
    config.channels = [config.channels[1], config.channels[0]]
    with pytest.raises(ConfigurationError, match=r"channels\[1\]\.kind"):
        config.channels[1].kind = "x"
    config.baseline_selection = {"function": mask, "use": ["Muon"]}
    with pytest.raises(ConfigurationError, match=r"baseline_selection\.use"):
        config.baseline_selection.use = 5


def test_where_a_section_stands_is_not_part_of_what_it_says(config):
    alone = Channel(**valid()["channels"][0])
    assert alone == config.channels[0]
    assert alone.path == ""
    assert config.channels[0].path == "channels[0]"
    assert alone != config.channels[1]
    assert alone != "SR"


def test_a_change_in_place_is_found_when_validated_again(config):
    config.channels[0].observables.clear()
    config.datasets.datasets[0].files = ["a.root"]
    config.general.processes = ["nothing"]
    with pytest.raises(ConfigurationError) as caught:
        config.revalidated()
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["general.processes[0]", "datasets.datasets[0]", "channels[0].observables"]


def test_validated_again_is_equal_and_independent(config):
    again = config.revalidated()
    assert again == config
    assert Config.of(config) == config
    again.channels[0].observables.pop()
    again.datasets.datasets[0].k_factor = 2.0
    assert len(config.channels[0].observables) == 2
    assert config.datasets.datasets[0].k_factor == 1.0


def test_a_change_in_place_to_a_wrong_type_is_reported_without_a_warning(config):
    config.channels.append("not a channel")
    with pytest.raises(ConfigurationError, match=r"channels\[2\]: expected a section"):
        config.revalidated()


def test_the_plain_dict_and_the_configuration_are_safe_to_copy(config):
    plain = valid()
    copied = copy.deepcopy(plain)
    copied["datasets"]["max_files"] = 10
    assert plain["datasets"]["max_files"] is None
    assert Config(**copied).datasets.max_files == 10
    twin = copy.deepcopy(config)
    twin.channels[0].label = "other"
    assert config.channels[0].label == ""
    assert twin.channels[0].path == "channels[0]"
    assert twin.channels[0].observables[0].function is number


def test_validation_does_not_change_the_dict():
    config = valid()
    before = copy.deepcopy(config)
    Config(**config)
    assert config == before


@dataclasses.dataclass
class Threshold:
    """A callable that is data too."""

    value: float

    def __call__(self, *columns):
        return columns


def test_objects_of_the_user_stay_themselves():
    table, cut = np.arange(3), Threshold(30.0)
    config = changed(
        preprocess__skimming__static_kwargs={"table": table, "cuts": [cut]},
        channels__0__observables__0__function=cut,
    )
    again = Config(**config).revalidated()
    assert again.preprocess.skimming.static_kwargs["table"] is table
    assert again.preprocess.skimming.static_kwargs["cuts"][0] is cut
    assert again.channels[0].observables[0].function is cut


def test_aliases_and_own_names_are_the_same(config):
    plain = config.to_dict()
    assert plain["preprocess"]["skimming"]["function"] is mask
    assert Config(**plain) == config


def test_data_by_its_name_is_data_with_a_notice(caplog):
    config = valid()
    del config["datasets"]["datasets"][3]["is_data"]
    with caplog.at_level(logging.INFO, logger="hepflow.config"):
        built = Config(**config)
    assert [entry.is_data for entry in built.datasets.datasets] == [False, False, False, True]
    assert [record.name for record in caplog.records] == ["hepflow.config"]
    assert "'data' is taken as collision data" in caplog.text
    caplog.clear()
    built.revalidated()
    assert caplog.text == ""


def test_data_by_the_name_of_its_process(caplog):
    config = valid()
    entry = config["datasets"]["datasets"][3]
    entry.update(name="SingleMuon", process="data")
    del entry["is_data"]
    assert Config(**config).datasets.datasets[3].is_data is True
    assert "'SingleMuon'" in caplog.text


def test_a_dataset_that_says_it_is_simulation_is_simulation(caplog):
    config = valid()
    config["datasets"]["datasets"][3].update(is_data=False, cross_section=1.0)
    assert Config(**config).datasets.datasets[3].is_data is False
    assert caplog.text == ""


def test_data_has_no_cross_section_whether_named_or_said():
    path = "datasets.datasets[3].cross_section"
    assert path in problems_in(changed(datasets__datasets__3__cross_section=1.0))
    config = changed(datasets__datasets__3__cross_section=1.0)
    del config["datasets"]["datasets"][3]["is_data"]
    assert path in problems_in(config)


def test_datasets_see_what_other_sections_say_about_them(config):
    assert config.datasets.effective_max_files is None
    assert config.datasets.effective_chunk_size == 100_000
    config.datasets.max_files = 5
    assert config.datasets.effective_max_files == 5
    config.general.max_files = 3
    config.general.weight_branch = "w"
    config.execution.workers = 2
    assert config.datasets.effective_max_files == 3
    assert config.datasets.effective_weight_branch == "w"
    assert config.datasets.execution_args["workers"] == 2
    config.general = {"lumi": 1.0, "max_files": 4}
    assert config.datasets.effective_max_files == 4


def test_a_copy_sees_its_own_sections(config):
    twin = copy.deepcopy(config)
    twin.general.max_files = 7
    assert twin.datasets.effective_max_files == 7
    assert config.datasets.effective_max_files is None
    twin.general = {"lumi": 1.0, "max_files": 8}
    assert twin.datasets.effective_max_files == 8


def test_datasets_that_stand_alone():
    alone = Datasets(**valid()["datasets"])
    assert alone.effective_max_files is None
    assert alone.effective_weight_branch == "genWeight"
    assert alone.effective_chunk_size == 100_000
    assert alone.execution_args == {}
