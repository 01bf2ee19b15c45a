"""What users rely on: the names, the plain dict, and a light import."""

from __future__ import annotations

import copy
import subprocess
import sys
import time

import hepflow.schema
from hepflow.schema import Config, load_config_with_restricted_cli
from tests.unit.schema.examples import valid

HEAVY = (
    "awkward", "uproot", "coffea", "dask", "distributed", "hist", "boost_histogram", "pyhf",
    "cabinetry", "matplotlib", "mplhep", "correctionlib", "scipy", "numba", "vector", "pandas",
)  # fmt: skip


def test_the_public_names():
    assert {"Config", "load_config_with_restricted_cli"} <= set(hepflow.schema.__all__)
    for name in hepflow.schema.__all__:
        assert hasattr(hepflow.schema, name)


def test_overrides_return_a_new_dict_and_leave_the_argument_alone():
    config = valid()
    before = copy.deepcopy(config)
    new = load_config_with_restricted_cli(
        config, ["--general.max_files=10", "datasets.max_files=3"]
    )
    assert type(new) is dict
    assert new is not config
    assert (new["general"]["max_files"], new["datasets"]["max_files"]) == (10, 3)
    assert config == before
    assert load_config_with_restricted_cli(config, []) == config


def test_from_the_dict_to_the_validated_configuration():
    full = load_config_with_restricted_cli(valid(), [])
    cfg = Config(**full)
    cfg.general.read_from_cache = False
    assert cfg["general"].read_from_cache is False
    assert cfg.get("general") is cfg.general
    assert cfg.get("absent", "default") == "default"


def test_the_import_is_light():
    code = "import hepflow.schema, sys; print(' '.join(sys.modules))"
    start = time.process_time()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "hepflow" in loaded
    assert not loaded & set(HEAVY)
    assert not {"hepflow.storage", "hepflow.execution"} & set(result.stdout.split())
    assert time.process_time() - start < 5


def test_the_import_costs_little_cpu():
    code = "import time, hepflow.schema; print(time.process_time())"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        for _ in range(2)
    ]
    assert min(float(run.stdout) for run in runs) < 1.0  # seconds, the interpreter included
