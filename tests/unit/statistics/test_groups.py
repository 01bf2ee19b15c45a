"""Groups of nuisance parameters."""

from __future__ import annotations

from dataclasses import replace

from hepflow.statistics import groups_of
from hepflow.statistics.spec import TransferSpec
from tests.unit.statistics.models import spec

LABELS = ("staterror_cr[0]", "mu", "ttbar_norm", "lumi", "wjets_xs", "jes", "btag", "qcd", "own[1]")


def test_every_parameter_but_that_of_interest_is_in_one_group():
    lumi, xs = spec().normalisations
    jes, btag = spec().shapes
    wanted = spec(
        normalisations=(replace(lumi, group="luminosity"), xs),
        shapes=(replace(jes, group="jets"), replace(btag, group="jets")),
        transfers=(TransferSpec("qcd", ("multijet",), ("sr",)),),
    )
    found = groups_of(wanted, LABELS)
    assert found == {
        "free normalisations": ("ttbar_norm",),
        "luminosity": ("lumi",),
        "normalisations": ("wjets_xs",),
        "transfer factors": ("qcd",),
        "jets": ("jes", "btag"),
        "MC statistics": ("staterror_cr[0]",),
        "others": ("own[1]",),
    }
    assert next(iter(found)) == "free normalisations"
    assert sorted(one for group in found.values() for one in group) == sorted({*LABELS} - {"mu"})


def test_the_names_of_groups_are_those_of_the_kinds():
    assert groups_of(spec(), ("lumi", "jes")) == {
        "normalisations": ("lumi",),
        "weight corrections": ("jes",),
    }
    assert groups_of(spec(), ()) == {}
