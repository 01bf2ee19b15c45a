"""What a changed field of a source of theory weights runs again, and no more."""

from __future__ import annotations

import copy
import logging
import re

import numpy as np
import pytest

from hepflow.analysis import Analysis
from tests.builders import make_skims, manager_of
from tests.fields.corrections import by_function
from tests.unit.theory.weighted import entry, lists, project, tilted, xsec

SKIM, FILL, SCALE = "skim", "histograms", "normalisation"
FIRST = entry(members="pdf", combine="hessian", keep_yield=False)


def shape(x):
    """A weight."""
    return 1.0 + 0.5 * x


def stages(config, caplog):
    """Whether a configuration skimmed and filled anew, and the key of its histograms."""
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="hepflow"):
        analysis = Analysis(config, make_skims(config), manager_of(config))
        analysis.fill_histograms()
    told = caplog.text
    made = int(re.search(r"skim: \d+ parts, (\d+) made", told)[1])
    return (bool(made), "to fill" in told), analysis.histogram_key().digest


EDITS = [
    ({"members": "pdf_alpha_s"}, (SKIM, FILL, SCALE)),
    ({"members": [0, 1, 2]}, (SKIM, FILL, SCALE)),
    ({"weights": "Other"}, (SKIM, FILL, SCALE)),
    ({"relative_to": "genWeight"}, (SKIM, FILL, SCALE)),
    ({"lhapdf_id": 91400}, (SKIM, FILL, SCALE)),
    ({"normalisation_only": True, "keep_yield": None}, (SKIM, FILL, SCALE)),
    ({"combine": "replicas"}, (SCALE,)),
    ({"keep_yield": True}, (SCALE,)),
    ({"channels": ["SR"]}, (FILL, SCALE)),
    ({}, ()),
]


@pytest.fixture
def config(tmp_path):
    slopes = np.linspace(-0.125, 0.125, 33)
    branches = {"Some": lists(tilted(slopes)), "Other": lists(tilted(slopes / 2))}
    return project(tmp_path, branches, FIRST, xsec())


@pytest.mark.parametrize(("fields", "again"), EDITS, ids=str)
def test_a_field_runs_again_what_depends_on_it(config, caplog, fields, again):
    ran, before = stages(config, caplog)
    assert ran == (True, True)
    edited = copy.deepcopy(config)
    edited["systematics"][0] |= fields
    ran, after = stages(edited, caplog)
    assert ran == (SKIM in again, FILL in again)
    assert (after != before) == (SCALE in again)


def test_a_declared_cross_section_scales_again(config, caplog):
    config["systematics"][0]["keep_yield"] = None
    ran, before = stages(config, caplog)
    without = {**config, "systematics": config["systematics"][:1]}
    ran, after = stages(without, caplog)
    assert ran == (False, False)
    assert after != before


def test_a_correction_that_keeps_the_yield_is_filled_again(config, caplog):
    corrections = [by_function(shape)]
    stages({**config, "corrections": corrections}, caplog)
    kept = [by_function(shape, keep_yield=True)]
    assert stages({**config, "corrections": kept}, caplog)[0] == (False, True)


def test_a_source_that_is_gone_makes_the_skim_anew_as_it_was(config, caplog):
    """Without a source of theory weights nothing of them is in the key of a skim."""
    plain = {**config, "systematics": []}
    first = make_skims(plain)["mc__nominal"].parts[0].identity
    assert make_skims(config)["mc__nominal"].parts[0].identity != first
    assert make_skims(plain)["mc__nominal"].parts[0].identity == first
