"""What an analysis refuses rather than give a wrong or stale number."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import (
    ConfigurationError,
    ExecutionError,
    FileListError,
    InputError,
    MaskError,
    StorageError,
    UserFunctionError,
)
from hepflow.execution import make_executor
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.schema import Config
from tests.builders import (
    jet_scale,
    make_metadata,
    make_skims,
    manager_of,
    tiny_config,
    toy_columns,
    toy_inputs,
    write_nano,
)

FIT = {"norm_factors": [{"name": "mu", "processes": ["mc"]}]}


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"), corrections=[jet_scale()])


def build(config, kind=Analysis):
    return kind(config, make_skims(config), manager_of(config))


# -- what a step may see ------------------------------------------------------------------


class ReadsTheConfiguration(Analysis):
    def event_weights(self, events, dataset, variations):
        weights = super().event_weights(events, dataset, variations)
        factor = self.config.statistics.confidence_level
        return {name: factor * one for name, one in weights.items()}


class KeepsWhatItNeeds(Analysis):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.factor = self.config.statistics.confidence_level

    def event_weights(self, events, dataset, variations):
        weights = super().event_weights(events, dataset, variations)
        return {name: self.factor * one for name, one in weights.items()}


@pytest.mark.parametrize("backend", ["inprocess", "loky"])
def test_a_step_that_reads_the_configuration_is_told_what_to_do(config, backend):
    with make_executor(backend) as executor, pytest.raises(ExecutionError) as told:
        build(config, ReadsTheConfiguration).fill_histograms(executor)
    assert "not self.config" in str(told.value)
    assert "__init__" in str(told.value)


def test_a_step_that_reads_the_configuration_is_told_part_by_part_too(config):
    analysis = build(config, ReadsTheConfiguration)
    with pytest.raises(AttributeError, match=r"not self\.config"):
        analysis.process(*analysis.processed_datasets["mc__nominal"][0])
    assert analysis.config.statistics.confidence_level == 0.95


def test_what_a_subclass_keeps_is_seen_and_part_of_the_key(config):
    def total(level):
        config["statistics"] = {"confidence_level": level}
        return build(config, KeepsWhatItNeeds).fill_histograms().blocks["SR", "ht", "mc"].sumw.sum()

    assert total(0.6) / total(0.9) == pytest.approx(0.6 / 0.9)


def test_an_unknown_attribute_is_an_ordinary_error(config):
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = build(config).nonsense


# -- what a step returns ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pt: ak.values_astype(pt > 20, "int64"), "type int64, expected bool"),
        (lambda pt: 1.0 * (pt > 20), "type float64, expected bool"),
        (lambda pt: ak.mask(pt > 20, pt > 30), "missing values"),
        (lambda pt: ak.num(pt) > 0, "one value for each Muon"),
        (lambda _: True, "returned True, expected lists of booleans, one for each object"),
        (lambda pt: ak.zip({"a": pt}), "returned an array of .* lists of records with a"),
    ],
)
def test_an_object_mask_is_boolean_and_complete(config, change, message):
    mask = {"object": "Muon", "function": change, "use": [("Muon", "pt")]}
    config["good_object_masks"] = {"analysis": [mask]}
    analysis = build(config)
    with pytest.raises(MaskError, match=message):
        analysis.process(*analysis.processed_datasets["mc__nominal"][0])


class MaskFromAStep(Analysis):
    def select_channel(self, events, channel):
        return super().select_channel(events, channel).mask


class ShortMask(Analysis):
    def select_baseline(self, events, dataset):
        return super().select_baseline(events, dataset).mask[:-1]


def test_a_step_may_return_a_mask_of_the_right_length(config):
    plain = build(config).fill_histograms()
    found = build(config, MaskFromAStep).fill_histograms()
    for key, block in plain.blocks.items():
        np.testing.assert_array_equal(found.blocks[key].sumw, block.sumw)
    analysis = build(config, ShortMask)
    with pytest.raises(MaskError, match="select_baseline"):
        analysis.process(*analysis.processed_datasets["mc__nominal"][0])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weight: weight[:-1], "expected"),
        (lambda weight: np.where(weight == weight[0], np.nan, weight), "not finite"),
    ],
)
def test_weights_of_a_step_are_finite_and_one_an_event(config, spoil, message):
    class Spoilt(Analysis):
        def event_weights(self, events, dataset, variations):
            weights = super().event_weights(events, dataset, variations)
            return {name: spoil(one) for name, one in weights.items()}

    analysis = build(config, Spoilt)
    with pytest.raises(UserFunctionError, match=f"channel 'SR', dataset 'mc__nominal'.*{message}"):
        analysis.process(*analysis.processed_datasets["mc__nominal"][0])


def test_an_object_correction_that_is_not_a_number_is_an_error(config):
    config["corrections"] = [
        {
            "name": "bad",
            "type": "object",
            "use_correctionlib": False,
            "nominal_function": lambda pt: pt * np.nan,
            "use": [("Jet", "pt")],
            "target": ("Jet", "pt"),
        }
    ]
    analysis = build(config)
    with pytest.raises(UserFunctionError, match=r"corrections\[0\].*not finite"):
        analysis.process(*analysis.processed_datasets["mc__nominal"][0])


# -- what is stored and what is there -------------------------------------------------------


def test_the_last_part_writes_the_histograms_and_the_cabinetry_file(config):
    import cabinetry

    config["statistics"] = FIT
    analysis = build(config)
    path = analysis.config.statistics.cabinetry_config
    pairs = [pair for skim in analysis.processed_datasets.values() for pair in skim]
    for events, metadata in pairs[:-1]:
        analysis.process(events, metadata)
    assert not manager_of(config).get_histograms_dir().joinpath("histograms.root").exists()
    analysis.process(*pairs[-1])
    assert manager_of(config).get_histograms_dir().joinpath("histograms.root").exists()
    regions = cabinetry.configuration.load(path)["Regions"]
    assert [one["Name"] for one in regions] == ["SR", "CR"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda c: c["general"].update(lumi=999.0), "luminosity"),
        (lambda c: c["datasets"]["datasets"][0].update(cross_section=1.0), "datasets"),
        (lambda c: c["channels"][0]["observables"][0].update(binning="0,200,5"), "binning"),
        (lambda c: c.update(corrections=[]), "correction"),
    ],
)
def test_stored_histograms_must_fit_the_configuration(config, change, part):
    build(config).run_analysis_chain()
    config["general"]["run_histogramming"] = False
    assert build(config).run_analysis_chain().histograms.blocks
    change(config)
    with pytest.raises(StorageError, match=f"changed: .*{part}"):
        build(config).run_analysis_chain()


def test_a_dataset_without_a_work_item_is_an_error(config):
    items = [one for one in make_metadata(config).workitems if one.dataset != "data"]
    from hepflow.skimming import process_workitems_with_skimming

    with pytest.raises(InputError, match="no work item of data"):
        process_workitems_with_skimming(items, config, manager_of(config))
    config["general"]["processes"] = ["mc"]
    assert set(process_workitems_with_skimming(items, config, manager_of(config))) == {
        "mc__nominal"
    }


@pytest.mark.parametrize("same_process", [True, False])
def test_a_file_counts_once_in_a_process(tmp_path, same_process):
    path = tmp_path / "a.root"
    write_nano(path, toy_columns(20))
    (tmp_path / "link.root").symlink_to(path)
    entries = [
        {"name": "one", "files": [str(path)], "cross_section": 1.0, "process": "p"},
        {
            "name": "two",
            "files": [str(tmp_path / "link.root")],
            "cross_section": 1.0,
            "process": "p" if same_process else "q",
        },
    ]
    config = Config(**tiny_config(tmp_path, entries))
    generator = NanoAODMetadataGenerator(
        dataset_manager=ConfigurableDatasetManager(config.datasets),
        output_manager=manager_of(config),
    )
    if not same_process:
        assert len(generator.run()) == 2
        return
    with pytest.raises(FileListError, match="'one__nominal' and 'two__nominal'"):
        generator.run()


# -- nothing accepted and ignored -------------------------------------------------------------


def test_the_tree_of_the_skim_is_that_of_datasets_without_their_own(config):
    config["preprocess"]["skimming"]["tree_name"] = "Nonsense"
    with pytest.raises(InputError, match="no tree 'Nonsense'"):
        make_metadata(config)


def test_a_function_of_a_correction_gets_transformed_inputs(config):
    correction = {
        "name": "half",
        "type": "event",
        "use_correctionlib": False,
        "nominal_function": lambda met: met,
        "transform_in": lambda met: 0.0 * met + 0.5,
        "use": [("MET", "pt")],
    }
    plain = build({**config, "corrections": []}).fill_histograms()
    found = build({**config, "corrections": [correction]}).fill_histograms()
    np.testing.assert_allclose(
        found.blocks["SR", "ht", "mc"].sumw, 0.5 * plain.blocks["SR", "ht", "mc"].sumw
    )


def test_what_follows_from_pt_is_refused_for_other_columns(config):
    config["corrections"] = [
        {**jet_scale(), "target": ("Jet", "mass"), "propagate_to_met": "MET"},
    ]
    with pytest.raises(ConfigurationError, match=r"corrections\[0\]\.propagate_to_met"):
        Config(**config)
