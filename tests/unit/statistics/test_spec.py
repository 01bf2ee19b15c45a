"""The specification holds what the configuration says, and no functions."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest

from hepflow.errors import ConfigurationError
from hepflow.schema import Config
from hepflow.statistics import StatisticsSpec
from hepflow.statistics.spec import NormalisationSpec, NormFactorSpec, ShapeSpec
from tests.unit.schema.examples import number, valid

SIMULATED = ("signal", "ttbar", "wjets")


def changed(**sections):
    config = valid()
    for path, value in sections.items():
        section, _, field = path.partition("__")
        if field:
            config[section][field] = value
        else:
            config[section] = value
    return config


def test_holds_the_configuration():
    spec = StatisticsSpec.from_config(valid())
    assert spec.poi == "mu"
    assert spec.processes == SIMULATED
    assert spec.data_processes == ("data",)
    assert [(one.name, one.kind, one.observable) for one in spec.channels] == [
        ("SR", "signal", "mass"),
        ("CR", "control", "mass"),
    ]
    assert len(spec.channels[0].edges) == 21
    assert spec.norm_factors == (
        NormFactorSpec("mu", ("signal",), 1.0, (0.0, 20.0)),
        NormFactorSpec("ttbar_norm", ("ttbar",), 1.0, (0.0, 10.0)),
    )
    assert spec.normalisations == (NormalisationSpec("lumi", 0.025, SIMULATED),)
    assert spec.shapes == (
        ShapeSpec("pileup", SIMULATED),
        ShapeSpec("jes_pu", SIMULATED, group="object corrections"),
        ShapeSpec("top_pt", ("ttbar",)),
    )


def test_is_plain_and_the_same_from_a_config():
    spec = StatisticsSpec.from_config(Config(**valid()))
    assert spec == StatisticsSpec.from_config(valid())
    assert pickle.loads(pickle.dumps(spec)) == spec
    hash(spec)


def test_without_systematics_only_normalisations_stay():
    spec = StatisticsSpec.from_config(changed(general__run_systematics=False))
    assert spec.shapes == ()
    assert len(spec.normalisations) == 1


def test_only_the_chosen_processes_and_channels():
    config = changed(general__processes=["signal", "ttbar", "data"], general__channels=["SR"])
    spec = StatisticsSpec.from_config(config)
    assert spec.processes == ("signal", "ttbar")
    assert spec.data_processes == ("data",)
    assert [one.name for one in spec.channels] == ["SR"]
    assert spec.normalisations[0].processes == ("signal", "ttbar")


def test_a_norm_factor_without_its_process_goes():
    spec = StatisticsSpec.from_config(changed(general__processes=["signal", "data"]))
    assert [one.name for one in spec.norm_factors] == ["mu"]
    with pytest.raises(ConfigurationError, match="'mu' is not a norm factor"):
        StatisticsSpec.from_config(changed(general__processes=["ttbar", "data"]))


def test_correction_applies_to_processes():
    config = valid()
    config["corrections"][1]["applies_to"] = ["wjets"]
    assert StatisticsSpec.from_config(config).shapes[1].processes == ("wjets",)


def test_bins_of_the_fit_are_those_of_the_observable():
    config = valid()
    spec = StatisticsSpec.from_config(config)
    assert not spec.channels[0].rebinned
    filled = spec.channels[0].edges
    config["channels"][0]["fit_binning"] = "200,3000,10"  # rounded otherwise
    spec = StatisticsSpec.from_config(config)
    assert spec.channels[0].edges == filled[::2]
    assert [one.rebinned for one in spec.channels] == [True, False]
    config["channels"][0]["fit_binning"] = "200,3000,20"
    assert StatisticsSpec.from_config(config).channels[0] == replace(
        spec.channels[0], edges=filled, rebinned=False
    )


def test_validation_regions_stand_beside_the_fit():
    config = valid()
    config["channels"].append({**config["channels"][1], "name": "VR", "kind": "validation"})
    config["general"]["blind"] = ["SR", "VR"]
    spec = StatisticsSpec.from_config(config)
    assert [one.name for one in spec.channels] == ["SR", "CR"]
    assert [(one.name, one.kind) for one in spec.validation] == [("VR", "validation")]
    assert (spec.blind, spec.blind_validation) == (("SR",), ("VR",))
    config["general"]["channels"] = ["SR"]
    assert StatisticsSpec.from_config(config).validation == ()


def test_what_an_estimate_is_made_from_is_no_validation_region():
    config = valid()
    names = ("A", "B", "C", "VR")
    config["channels"] += [
        {**config["channels"][0], "name": name, "kind": "validation"} for name in names
    ]
    assert [one.name for one in StatisticsSpec.from_config(config).validation] == list(names)
    transfer = {"numerator": "B", "denominator": "C"}
    config["estimates"] = [
        {"process": "fakes", "channel": "SR", "from_channel": "A", "transfer": transfer}
    ]
    assert [one.name for one in StatisticsSpec.from_config(config).validation] == ["VR"]


def test_two_sides_of_a_size_that_differ():
    config = valid()
    config["systematics"][0] |= {"size": 1.0, "size_down": 0.5}
    lumi = StatisticsSpec.from_config(config).normalisations[0]
    assert (lumi.size, lumi.down) == (1.0, 0.5)


def test_sources_know_their_group():
    config = valid()
    config["systematics"][0]["group"] = "luminosity"
    config["corrections"][1]["group"] = "jets"
    config["corrections"][1]["uncertainty_sources"].append(
        {"name": "jes_mc", "up_function": number, "group": "simulation", "smooth": True}
    )
    spec = StatisticsSpec.from_config(config)
    assert spec.normalisations[0].group == "luminosity"
    assert {one.name: (one.group, one.smooth) for one in spec.shapes} == {
        "pileup": ("weight corrections", False),
        "jes_pu": ("jets", False),
        "jes_mc": ("simulation", True),
        "top_pt": ("weight corrections", False),
    }


def test_the_users_own_model_needs_no_norm_factor():
    spec = StatisticsSpec.from_config(changed(statistics={"cabinetry_config": "own.yaml"}))
    assert spec.cabinetry_config == "own.yaml"
    assert spec.poi == ""


def test_the_parameter_of_interest_is_known_as_given_or_chosen():
    assert StatisticsSpec.from_config(valid()).poi_given == "mu"
    config = valid()
    del config["statistics"]["poi"]
    spec = StatisticsSpec.from_config(config)
    assert (spec.poi, spec.poi_given) == ("mu", "")


def test_the_generated_file_follows_the_output_folder():
    config = Config(**valid())
    assert config.statistics.cabinetry_config == "outputs/statistics/cabinetry_config.yaml"
    config.general.output_dir = "elsewhere"
    for one in (config, copy.deepcopy(config), config.revalidated()):
        assert one.statistics.cabinetry_config == "elsewhere/statistics/cabinetry_config.yaml"
        assert one["statistics"]["cabinetry_config"] == one.statistics.cabinetry_config
        assert one.statistics.to_dict()["cabinetry_config"] is None
        assert StatisticsSpec.from_config(one).cabinetry_config is None
    config.general = {**valid()["general"], "output_dir": "third"}
    assert config.statistics.cabinetry_config == "third/statistics/cabinetry_config.yaml"
    config.statistics = valid()["statistics"]
    assert config.statistics.cabinetry_config == "third/statistics/cabinetry_config.yaml"


def test_a_file_of_the_user_stays_where_it_is():
    config = Config(**changed(statistics__cabinetry_config="own.yaml"))
    config.general.output_dir = "elsewhere"
    assert config.statistics.cabinetry_config == "own.yaml"
    assert StatisticsSpec.from_config(config).cabinetry_config == "own.yaml"
    config.statistics.cabinetry_config = "./elsewhere//statistics/cabinetry_config.yaml"
    assert StatisticsSpec.from_config(config).cabinetry_config is None  # that of the generated one
    config.statistics.cabinetry_config = None
    assert config.statistics.cabinetry_config == "elsewhere/statistics/cabinetry_config.yaml"
