"""Alternative samples of what was left out have nothing to be compared with."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.analysis.results import remarks_on
from hepflow.records import Loss
from hepflow.schema import Config
from hepflow.skimming import Skim
from hepflow.statistics.spec import source_remarks
from tests.builders import make_skims, manager_of, tiny_config, toy_inputs

ONE, TWO, ALT = "one__nominal", "two__nominal", "alt__shower_up"


@pytest.fixture
def config(tmp_path):
    data = toy_inputs(tmp_path / "in")[1]
    files = [str(tmp_path / "in" / f"mc_{i}.root") for i in range(2)]
    common = {"process": "mc", "cross_section": 10.0}
    return tiny_config(
        tmp_path,
        [
            {"name": "one", "files": files[:1], **common},
            {"name": "two", "files": files[1:], **common},
            {
                "name": "alt",
                "files": files[1:],
                "variation": "shower_up",
                "replaces": ["one"],
                **common,
            },
            data,
        ],
        systematics=[{"name": "shower", "type": "sample"}],
        execution={"backend": "inprocess", "on_missing": "drop_dataset"},
    )


def filled(config, *dropped):
    skims = make_skims(config)
    for name in dropped:
        skims[name] = Skim(name, (), [Loss(name, "a.root", 0, 9, "broken", "skim", 9)])
    return Analysis(config, skims, manager_of(config)).fill_histograms()


def rows(histograms):
    block = histograms.blocks["SR", "ht", "mc"]
    return dict(zip(block.variations, block.sumw, strict=True))


def test_the_alternative_takes_the_place_of_one_of_two(config):
    found = rows(filled(config))
    two = rows(filled(config, ONE, ALT))["nominal"]
    np.testing.assert_allclose(found["shower_up"], 2 * two, rtol=1e-12)


@pytest.mark.parametrize(
    ("dropped", "remark"), [((ONE,), "without one"), ((ONE, ALT), "without alt__shower_up, one")]
)
def test_an_alternative_to_what_is_left_out_is_left_out(config, dropped, remark):
    histograms = filled(config, *dropped)
    assert list(rows(histograms)) == ["nominal"]
    assert remarks_on(histograms) == (remark,)
    template = histograms.template("SR", "ht", "mc", "shower_up")
    np.testing.assert_array_equal(template.sumw, rows(histograms)["nominal"])


def test_a_dropped_alternative_reads_as_nominal(config):
    histograms = filled(config, ALT)
    assert list(rows(histograms)) == ["nominal"]
    complete = rows(filled(config))["nominal"]
    np.testing.assert_array_equal(rows(histograms)["nominal"], complete)


@pytest.mark.parametrize("dropped", [(), (TWO,), (ONE,), (ALT,)])
def test_a_source_without_alternative_samples_is_said(config, dropped):
    found = source_remarks(Config.of(config), filled(config, *dropped))
    assert found == (("without source shower",) if {ONE, ALT} & {*dropped} else ())
