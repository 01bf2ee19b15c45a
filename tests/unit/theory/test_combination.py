"""Members as sides: closed forms of the formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hepflow.corrections.combination import combined, with_sides
from hepflow.errors import NormalisationError
from hepflow.records import Block, Source
from hepflow.records.theory import TheoryRule, member_name

NOMINAL = [0.0, 10.0, 20.0, 0.0]
SQUARES = [0.0, 1.0, 2.0, 0.0]


def source(members="scale", combine=None, name="t"):
    """Source of theory weights that acts on the process `mc`."""
    return Source(name, "theory", ("mc",), theory=TheoryRule(name, members, combine))


def block(members, label="scale", numbers=None, name="t"):
    """Nominal and members, each with squared weights of its own."""
    numbers = range(len(members)) if numbers is None else numbers
    rows = [NOMINAL, *([0.0, *one, 0.0] for one in members)]
    squares = [SQUARES, *([0.0, 10.0 + i, 20.0 + i, 0.0] for i in range(len(members)))]
    names = ("nominal", "other_up", *(member_name(name, label, i) for i in numbers))
    return Block(
        names,
        np.array([rows[0], rows[0], *rows[1:]]),
        np.array([squares[0], squares[0], *squares[1:]]),
    )


def sides(found, name="t"):
    """Bins of both sides."""
    return [found.template(f"{name}_{side}").values.tolist() for side in ("up", "down")]


def test_the_envelope_is_taken_bin_by_bin():
    found = combined(block([[12, 19], [11, 25], [9, 21]]), source())
    assert sides(found) == [[12, 25], [9, 19]]
    assert found.variations == ("nominal", "other_up", "t_up", "t_down")
    assert found.template("t_up").variances.tolist() == [10, 21]  # of the member that it is
    assert found.template("t_down").variances.tolist() == [12, 20]
    assert sides(combined(block([[12, 25], [11, 22]]), source()))[1] == [10, 20]  # nominal itself


def test_hessian_is_the_root_of_the_squared_differences():
    members = [[13, 20], [6, 20], [10, 25]]
    found = combined(block(members, "at"), source("", "hessian"))
    assert sides(found) == [[15, 25], [5, 15]]  # 3-4-5
    assert found.template("t_up").variances.tolist() == SQUARES[1:-1]


def test_hessian_is_around_member_0_of_its_set():
    members = [[9, 18], [12, 18], [5, 18]]  # member 0 first, 10 % below nominal
    found = combined(block(members, "pdf91400"), source("pdf"))
    assert sides(found) == [[15, 20], [5, 20]]


def test_replicas_have_their_standard_deviation():
    members = [[500, 500], [11, 20], [12, 20], [13, 20]]  # member 0 does not count
    found = combined(block(members, "pdf292200"), source("pdf"))
    assert sides(found) == [[11, 20], [9, 20]]  # 1 with n - 1, 0.816 with n
    assert sides(combined(block(members[:2], "pdf292200"), source("pdf")))[0] == [10, 20]


def test_the_configuration_may_say_another_formula():
    members = [[10, 20], [13, 20], [6, 20]]
    assert sides(combined(block(members, "pdf292200"), source("pdf", "hessian")))[0] == [15, 20]


def test_a_pair_is_up_and_down():
    assert sides(combined(block([[13, 21], [9, 22]], "isr"), source("isr"))) == [[13, 21], [9, 22]]
    found = combined(block([[13, 21], [9, 22]], "at"), source("", "pair"))
    assert sides(found) == [[13, 21], [9, 22]]
    assert found.template("t_up").variances.tolist() == [10, 20]


def test_alpha_s_is_around_member_0_with_the_higher_value_up():
    found = combined(block([[9, 20], [8, 19], [12, 22]], "alpha_s306000"), source("alpha_s"))
    assert sides(found) == [[13, 22], [9, 19]]


def test_alpha_s_is_added_in_quadrature():
    members = [[10, 20], [13, 20], [6, 20], [-2, 20], [22, 20]]  # 5, and half of 24
    found = combined(block(members, "pdf_alpha_s306000"), source("pdf_alpha_s"))
    assert sides(found) == [[23, 20], [-3, 20]]


def test_sets_of_other_datasets_of_the_process_add_up():
    """Members of different sets are not the same: what each of them does is added."""
    one = block([[10, 20], [13, 20], [6, 20]], "pdf91400")
    other = block([[10, 20], [10, 22]], "pdf306000")
    found = combined(one + other, source("pdf"))
    assert sides(found) == [[25, 42], [15, 38]]
    assert found.template("t_up").variances.tolist() == [2.0, 4.0]


def test_other_rows_and_sources_stay_as_they_are():
    members = block([[12, 19], [11, 25]])
    assert combined(members, source(name="u")) is members
    assert combined(members, replace(source(), theory=None)) is members
    assert with_sides(members, "other", [source()]) is members
    assert with_sides(members, "mc", [source()]).variations[2:] == ("t_up", "t_down")


def test_a_set_without_a_formula_is_an_error():
    with pytest.raises(NormalisationError, match=r"source 't'.*members of 'pdf'.*Give combine"):
        combined(block([[10, 20], [13, 20]], "pdf"), source("pdf"))


KINDS = [("scale", "scale", 6), ("isr", "isr", 2), ("pdf", "pdf91400", 31), ("pdf", "pdf292200", 9),
         ("alpha_s", "alpha_s306000", 3), ("pdf_alpha_s", "pdf_alpha_s306000", 8)]  # fmt: skip


@pytest.mark.parametrize(("kind", "label", "count"), KINDS)
@given(hnp.arrays(np.float64, 4, elements=st.floats(-1e6, 1e6)))
def test_members_without_an_effect_give_nominal_to_the_last_bit(kind, label, count, content):
    names = ("nominal", *(member_name("t", label, i) for i in range(count)))
    rows = np.tile(content, (count + 1, 1))
    found = combined(Block(names, rows, rows**2), source(kind))
    for side in ("up", "down"):
        assert found.template(f"t_{side}").sumw.tolist() == content.tolist()
        assert found.template(f"t_{side}").sumw2.tolist() == (content**2).tolist()


@pytest.mark.parametrize(("kind", "label", "count"), KINDS)
@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_scaling_everything_scales_the_sides(kind, label, count, factor, seed):
    rng = np.random.default_rng(seed)
    names = ("nominal", *(member_name("t", label, i) for i in range(count)))
    rows = rng.uniform(0.5, 1.5, (count + 1, 4))
    one = combined(Block(names, rows, rows**2), source(kind))
    other = combined(Block(names, rows, rows**2).scaled(factor), source(kind))
    np.testing.assert_allclose(other.sumw, one.scaled(factor).sumw, rtol=1e-9)
    np.testing.assert_allclose(other.sumw2, one.scaled(factor).sumw2, rtol=1e-9)
