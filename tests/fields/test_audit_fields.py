"""Fields of the audit of templates."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from hepflow.errors import AuditError, ConfigurationError
from hepflow.records import Block
from hepflow.schema import Config
from hepflow.statistics import StatisticsSpec
from hepflow.statistics.audit import AuditSpec, audit_run, require_clean
from tests.fields.project import fill, itself, make_config, one_less, one_more, real, simulation

SOURCE = {"name": "s", "type": "event", "up_function": one_more, "down_function": one_less,
          "use": [("event", "x")]}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Eight events of weight 1, and a source that doubles or halves them; its histograms."""
    folder = tmp_path_factory.mktemp("audit")
    here = folder / "in"
    config = make_config(
        folder,
        [simulation(here), real(here)],
        general={"run_statistics": True},
        systematics=[SOURCE],
        statistics={"norm_factors": [{"name": "mu", "processes": ["mc"]}]},
    )
    return config, fill(config)


@pytest.fixture
def findings(base):
    """Findings with changes of the section, and of templates."""
    config, histograms = base

    def look(change=itself, factor=100.0, **fields):
        new = copy.deepcopy(config)
        new["statistics"]["audit"] = fields
        valid = Config(**new)
        key = ("SR", "x", "mc")
        block = histograms.blocks[key]
        many = Block(block.variations, change(block.sumw * factor), block.sumw2 * factor)
        changed = {**histograms.blocks, key: many}
        from dataclasses import replace

        spec = StatisticsSpec.from_config(valid)
        return audit_run(replace(histograms, blocks=changed), spec, valid)

    return look


def of(found, code):
    """Severities of the findings of a code."""
    return [one.severity for one in found if one.code == code]


@pytest.mark.field("statistics.audit.norm_effect")
def test_the_threshold_of_a_change_of_yield(findings):
    assert of(findings(), "norm-effect") == ["error"]
    assert of(findings(norm_effect=0.9), "norm-effect") == ["error"]
    assert of(findings(norm_effect=1.1), "norm-effect") == []


@pytest.mark.field("statistics.audit.mc_statistics")
def test_the_threshold_of_the_statistics(findings):
    assert of(findings(factor=1.0), "mc-statistics") == ["warning"] * 2  # bins, and the yield
    assert of(findings(factor=1.0, mc_statistics=1.5), "mc-statistics") == []
    assert of(findings(), "mc-statistics") == []


def rising(sumw):
    """The third bin has more than the others when up."""
    new = sumw.copy()
    new[1:, 1:-1] = sumw[0, 1:-1] * np.array([[1.1, 1.1, 1.4, 1.1], [0.9, 0.9, 0.9, 0.9]])
    return new


@pytest.mark.field("statistics.audit.spike", "statistics.audit.significance")
def test_the_thresholds_of_a_spike(findings):
    assert of(findings(rising, 1000.0), "spike") == ["warning"]
    assert of(findings(rising, 1000.0, spike=0.4), "spike") == []
    assert of(findings(rising, 1000.0, significance=50.0), "spike") == []


@pytest.mark.field("statistics.audit.ignore")
def test_errors_stop_unless_they_are_ignored(base, findings):
    with pytest.raises(AuditError):
        require_clean(findings(), ignore=ignore(base))
    require_clean(findings(), ignore=ignore(base, ignore=True))


def ignore(base, **fields):
    config = copy.deepcopy(base[0])
    config["statistics"]["audit"] = fields
    return AuditSpec.from_config(config).ignore


@pytest.mark.field(
    "statistics.audit.accepted[].code",
    "statistics.audit.accepted[].region",
    "statistics.audit.accepted[].sample",
    "statistics.audit.accepted[].systematic",
    "statistics.audit.accepted[].reason",
)
def test_findings_that_are_accepted(findings):
    entry = {"code": "norm-effect", "reason": "Twice is what it is."}
    found = findings(accepted=[entry])
    assert of(found, "norm-effect") == ["accepted"]
    assert [one for one in found if "Twice is what it is." in one.message]
    fits = {"region": "SR", "sample": "mc", "systematic": "s"}
    assert of(findings(accepted=[{**entry, **fits}]), "norm-effect") == ["accepted"]
    assert of(findings(accepted=[{**entry, "systematic": "other"}]), "norm-effect") == ["error"]
    assert of(findings(accepted=[{**entry, "code": "spike"}]), "norm-effect") == ["error"]
    for name, value in (("region", "SR"), ("sample", "mc")):
        config_entry = {**entry, name: value}
        assert of(findings(accepted=[config_entry]), "norm-effect") == ["accepted"]


def test_what_is_accepted_must_exist(findings):
    with pytest.raises(
        ConfigurationError, match=r"accepted\[0\]\.region: there is no channel 'SE'"
    ):
        findings(accepted=[{"code": "spike", "region": "SE", "reason": "x"}])
    with pytest.raises(ConfigurationError, match=r"accepted\[0\]\.sample: there is no process 'm'"):
        findings(accepted=[{"code": "spike", "sample": "m", "reason": "x"}])
    with pytest.raises(ConfigurationError, match=r"accepted\[0\]\.code"):
        findings(accepted=[{"code": "spikes", "reason": "x"}])


def test_the_codes_of_the_configuration_are_those_of_the_audit():
    from typing import get_args

    from hepflow.schema.audit import AuditCode
    from hepflow.statistics.audit import CODES

    assert {*get_args(AuditCode), "stale-acceptance"} == set(CODES)
