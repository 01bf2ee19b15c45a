import pickle

import pytest

from hepflow.errors import ConfigurationError
from hepflow.plotting import PlottingSpec
from hepflow.schema import Config


def column(values):
    return values


def sections():
    return {
        "general": {"lumi": {"2017": 1000.0, "2018": 500.0}},
        "datasets": {
            "datasets": [
                {"name": "signal", "directory": "x", "cross_section": 1.0, "year": "2017"},
                {
                    "name": "tt_a",
                    "process": "tt",
                    "directory": "x",
                    "cross_section": 1.0,
                    "year": "2017",
                },
                {
                    "name": "tt_b",
                    "process": "tt",
                    "directory": "x",
                    "cross_section": 1.0,
                    "year": "2018",
                },
                {"name": "data", "directory": "x", "is_data": True, "year": "2018"},
            ]
        },
        "preprocess": {"branches": {"Muon": ["pt"]}},
        "channels": [
            {
                "name": "SR",
                "label": r"$\mu$+jets",
                "fit_observable": "pt",
                "observables": [
                    {"name": "pt", "binning": "0,1,2", "function": column, "use": ["Muon.pt"]}
                ],
            }
        ],
        "systematics": [
            {"name": "lumi", "type": "normalisation", "size": 0.025},
            {"name": "tt_xsec", "type": "normalisation", "size": 0.05, "processes": ["tt"]},
        ],
        "statistics": {
            "poi": "mu",
            "norm_factors": [
                {"name": "tt_norm", "processes": ["tt"]},
                {"name": "mu", "processes": ["signal"]},
            ],
        },
        "plotting": {"process_labels": {"tt": "top"}, "formats": ["png"], "experiment": "CMS"},
    }


def test_everything_comes_from_the_configuration():
    spec = PlottingSpec.from_config(Config(**sections()))
    assert spec.processes == ("signal", "tt")
    assert spec.signals == ("signal",)
    assert spec.luminosity == 1500.0
    assert [(n.name, n.size, n.processes) for n in spec.normalisations] == [
        ("lumi", 0.025, ("signal", "tt")),
        ("tt_xsec", 0.05, ("tt",)),
    ]
    assert spec.norm_factors == ("tt_norm", "mu")
    assert spec.channel_labels == {"SR": r"$\mu$+jets"}
    assert (spec.labels, spec.formats, spec.experiment) == ({"tt": "top"}, ("png",), "CMS")


def test_signals_of_the_first_factor_and_as_configured():
    first = sections()
    del first["statistics"]["poi"]
    assert PlottingSpec.from_config(Config(**first)).signals == ("tt",)
    named = sections()
    named["plotting"]["signal_processes"] = ["signal", "tt"]
    assert PlottingSpec.from_config(Config(**named)).signals == ("signal", "tt")
    none = sections()
    none["statistics"] = {}
    none["general"]["run_statistics"] = False
    assert PlottingSpec.from_config(Config(**none)).signals == ()


def test_a_change_in_place_is_validated_again():
    config = Config(**sections())
    config.plotting.formats.append("gif")
    with pytest.raises(ConfigurationError, match="formats"):
        PlottingSpec.from_config(config)


def test_a_specification_travels_to_workers():
    spec = PlottingSpec.from_config(Config(**sections()))
    assert pickle.loads(pickle.dumps(spec)) == spec
