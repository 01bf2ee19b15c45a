"""Scales and PDFs of Les Houches event files as nuisance parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.lhe import LheEvents, WeightInfo, is_systematic, read_lhe
from hepflow.inference.lhe_systematics import (
    add_group,
    add_pdfs,
    add_scales,
    add_variations,
    has_replicas,
    pdf_groups,
    principal_parts,
    scale_weights,
)
from hepflow.inference.nuisances import response_of
from hepflow.inference.records import Benchmark, EventTable, Nuisance, NuisanceGroup, Parameter
from hepflow.inference.soundness import check_events
from tests.unit.inference.toys import shared

pytest.importorskip("pylhe")
SET = "NNPDF23_lo_as_0130_qed"


@pytest.fixture(scope="module")
def jets():
    return read_lhe(shared("lhe/pylhe-testfile-madgraph5-3.5.8-pp_to_jj.lhe.gz"))


def table_of(events: LheEvents) -> EventTable:
    nominal = events.nominal * events.factor
    return EventTable(
        (Parameter("c", -1, 1),),
        (Benchmark("sm", (0.0,)), Benchmark("far", (1.0,))),
        ("x",),
        np.zeros((len(nominal), 1)),
        np.stack([nominal, 3 * nominal], axis=1),
        np.zeros(len(nominal), dtype=np.int64),
        provenance={"reference": "far"},
    )


def made_up(combine: str, **weights: list[float]) -> LheEvents:
    infos = [
        WeightInfo(name, "", {"PDF": str(100 + index)}, "set", combine)
        for index, name in enumerate(weights)
    ]
    columns = np.array(list(weights.values())).T
    empty = np.zeros(0, dtype=np.int64)
    return LheEvents(
        tuple(infos), (), 1.0, "", np.ones(len(columns)), columns, empty, empty, empty,
        np.zeros((0, 4)),
    )  # fmt: skip


def test_weights_of_the_shared_file(jets):
    assert len(jets.weight_infos) == 145
    assert all(is_systematic(info) for info in jets.weight_infos)
    scales = scale_weights(jets)
    # the same without a choice of a dynamical scale
    assert {k: scales[k] for k in [(0.5, 0.5), (2.0, 1.0), (1.0, 0.5)]} == {
        (0.5, 0.5): "1", (2.0, 1.0): "35", (1.0, 0.5): "16"
    }  # fmt: skip
    groups = pdf_groups(jets)
    assert list(groups) == [SET]
    assert groups[SET][0] == "45"
    assert len(groups[SET]) == 101


def test_scales_are_exact_at_the_variations(jets):
    table = add_scales(table_of(jets), jets, ["mur", "muf"])
    assert [n.name for n in table.nuisances] == ["mur", "muf"]
    response = response_of(table)
    for value, weight in ((1.0, "35"), (-1.0, "6")):
        found = response.factors(np.array([value, 0.0]))
        np.testing.assert_allclose(found, jets.column(weight) / jets.nominal, rtol=1e-10)
    together = add_scales(table_of(jets), jets, ["mu"])
    found = response_of(together).factors(np.array([-1.0]))
    np.testing.assert_allclose(found, jets.column("1") / jets.nominal, rtol=1e-10)


def test_replicas_keep_their_variance(jets):
    table = add_pdfs(table_of(jets), jets, SET, explained=0.999)
    response = response_of(table)
    others = np.stack([jets.column(name) for name in pdf_groups(jets)[SET][1:]], axis=1)
    central = jets.column("45")
    spread = (others / central[:, None]).std(axis=1, ddof=1)
    found = np.sqrt((response.linear**2).sum(axis=1))
    inner = spread < np.quantile(spread, 0.9)  # elsewhere few replicas make the spread
    np.testing.assert_allclose(found[inner], spread[inner], rtol=0.1)
    assert len(table.nuisances) < 40
    fewer = add_pdfs(table_of(jets), jets, SET, explained=0.9)
    assert 0 < len(fewer.nuisances) < len(table.nuisances)


def test_groups_of_weights_under_names_of_their_own(jets):
    table = table_of(jets)
    found = add_group(table, jets, NuisanceGroup("ren", "scale", "mur"))
    found = add_group(found, jets, NuisanceGroup("nnpdf", "pdf", SET))
    plain = add_pdfs(add_scales(table, jets, ["mur"]), jets, SET)
    names = [one.name for one in found.nuisances]
    assert names == ["ren", *(f"nnpdf_{i}" for i in range(len(plain.nuisances) - 1))]
    ours, theirs = response_of(found), response_of(plain)
    np.testing.assert_array_equal(ours.linear, theirs.linear)
    np.testing.assert_array_equal(ours.quadratic, theirs.quadratic)
    with pytest.raises(InputError, match="two nuisance parameters are named 'ren'"):
        add_group(found, jets, NuisanceGroup("ren", "scale", "muf"))
    assert has_replicas(jets, SET)
    assert not has_replicas(made_up("hessian", a=[1.0], b=[1.1], c=[0.9]), "set")


def test_principal_parts_of_known_covariance():
    rng = np.random.default_rng(1)
    patterns = rng.normal(size=(50, 2)) * [0.3, 0.1]
    replicas = patterns @ rng.normal(size=(2, 400))
    parts = principal_parts(replicas, np.ones(50), 1.0)
    wanted = np.cov(replicas)
    np.testing.assert_allclose(parts @ parts.T, wanted, atol=1e-9)
    assert principal_parts(replicas, np.ones(50), 0.999999).shape == (50, 2)
    assert principal_parts(np.zeros((5, 3)), np.ones(5), 0.9).shape == (5, 0)


@pytest.mark.parametrize("factor", [1.0, 1.645])
def test_hessian_sets(factor):
    pairs = made_up(
        "hessian", c=[1.0, 2.0], u1=[1.1, 2.4], d1=[0.9, 1.8], u2=[1.0, 2.2], d2=[1.0, 1.9]
    )
    table = add_pdfs(table_of(pairs), pairs, "set", confidence_factor=factor)
    assert [n.name for n in table.nuisances] == ["pdf_0", "pdf_1"]
    response = response_of(table)
    np.testing.assert_allclose(response.factors(np.array([factor, 0.0]))[0], _at(1.1, 0.9, factor))
    np.testing.assert_allclose(response.linear[1, 1], np.log(2.2 / 1.9) / 2 / factor)
    single = made_up("symmhessian", c=[1.0, 2.0], m1=[1.1, 2.4], m2=[1.0, 2.2])
    response = response_of(add_pdfs(table_of(single), single, "set", confidence_factor=factor))
    np.testing.assert_allclose(response.linear[:, 0], np.log([1.1, 1.2]) / factor)
    np.testing.assert_allclose(response.quadratic, 0.0, atol=1e-12)


def _at(up: float, down: float, factor: float) -> float:
    a, b = np.log(up / down) / 2 / factor, np.log(up * down) / 2 / factor
    return float(np.exp(a * factor + b * factor**2))


def test_what_is_refused(jets):
    table = table_of(jets)
    with pytest.raises(InputError, match="there is no scale 'muq'"):
        add_scales(table, jets, ["muq"])
    alone = made_up("hessian", c=[1.0, 2.0], u1=[1.1, 2.4])
    with pytest.raises(InputError, match="no weight at 2 times the renormalisation and 1 times"):
        add_scales(table_of(alone), alone, ["mur"])
    with pytest.raises(InputError, match=r"in a group 'CT18' \(groups: NNPDF23"):
        add_pdfs(table, jets, "CT18")
    with pytest.raises(InputError, match="add the variations before events are cut"):
        add_scales(table.select(np.arange(5)), jets, ["mur"])


def test_scales_in_the_words_of_older_versions():
    events = made_up("", c=[1.0, 2.0], u=[1.1, 2.4], odd=[1.0, 2.0])
    texts = ("muR=0.10000E+01 muF=0.10000E+01", "muR=0.20000E+01 muF=0.10000E+01", "")
    attributes: tuple[dict[str, str], ...] = ({}, {}, {"MUR": "dynamic"})
    infos = tuple(
        WeightInfo(info.id, text, given)
        for info, text, given in zip(events.weight_infos, texts, attributes, strict=True)
    )
    found = scale_weights(replace(events, weight_infos=infos))
    assert found == {(1.0, 1.0): "c", (2.0, 1.0): "u"}
    assert all(is_systematic(info) for info in infos)


def test_variations_by_name_at_another_benchmark_than_that_of_the_events():
    # Events of `far` with weights of a scale relative to their own nominal ones: the response is
    # that of the scale, whatever the ratio of the two benchmarks.
    events = made_up("", up=[1.1, 1.2], down=[0.9, 0.7])
    events = replace(events, nominal=np.array([1.0, 1.0]))
    table = table_of(events)
    odd = replace(
        table,
        weights=table.weights * np.array([[1.0, 5.0], [1.0, 0.2]]),
        provenance={"reference": "sm"},
    )
    for one in (table, odd, replace(odd, provenance={"reference": "far"})):
        response = response_of(add_variations(one, events, [Nuisance("mu", "up", "down")]))
        np.testing.assert_allclose(response.linear[:, 0], np.log([1.1 / 0.9, 1.2 / 0.7]) / 2)
        np.testing.assert_allclose(response.quadratic[:, 0], np.log([1.1 * 0.9, 1.2 * 0.7]) / 2)
    with pytest.raises(InputError, match=r"no weight 'upp'\. Did you mean 'up'"):
        add_variations(table, events, [Nuisance("mu", "upp")])


def test_alpha_s_beside_the_members():
    events = made_up("symmhessian+as", c=[1.0, 2.0], m1=[1.1, 2.4], low=[0.8, 1.9], high=[1.3, 2.1])
    table = add_pdfs(table_of(events), events, "set", confidence_factor=2.0)
    assert [n.name for n in table.nuisances] == ["pdf_0", "pdf_as"]
    response = response_of(table)
    np.testing.assert_allclose(response.linear[:, 0], np.log([1.1, 1.2]) / 2)
    np.testing.assert_allclose(response.linear[:, 1], np.log([0.8 / 1.3, 1.9 / 2.1]) / 2)
    members = {f"r{i}": [1.0 + 0.01 * i, 2.0 - 0.02 * i] for i in range(-2, 3)}
    events = made_up("replicas+as", c=[1.0, 2.0], **members, low=[0.8, 1.9], high=[1.3, 2.1])
    table = add_pdfs(table_of(events), events, "set", confidence_factor=2.0, explained=1.0)
    assert [n.name for n in table.nuisances] == ["pdf_0", "pdf_as"]
    # a standard deviation is what it is, at whatever level Hessian sets are given
    spread = np.array([0.01, 0.01]) * np.sqrt(10 / 4)
    np.testing.assert_allclose(np.abs(response_of(table).linear[:, 0]), spread, rtol=1e-9)


def test_members_that_vanish_have_no_response(caplog):
    events = made_up("symmhessian", c=[1.0, 2.0], m1=[0.0, 2.4], m2=[1.0, 2.2])
    table = check_events(add_pdfs(table_of(events), events, "set"))
    assert response_of(table).linear[0, 0] == 0.0
    assert "1 of 2 events" in caplog.text


@pytest.mark.parametrize("combine", ["", "unknown", "hessian"])
def test_sets_that_cannot_be_combined(combine):
    events = made_up(combine, c=[1.0, 2.0], m1=[1.1, 2.4], m2=[1.0, 2.2], m3=[1.0, 2.2])
    with pytest.raises(InputError, match="the 4 PDF members of group 'set' are to be combined"):
        add_pdfs(table_of(events), events, "set")
    with pytest.raises(InputError, match="cannot be at 0 standard deviations"):
        add_pdfs(table_of(events), events, "set", confidence_factor=0)
