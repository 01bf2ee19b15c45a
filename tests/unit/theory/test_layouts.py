"""Which entries of a list of theory weights are taken, by its length and its title."""

from __future__ import annotations

import pytest

from hepflow.corrections.lhapdf import PDF_SETS, formula_of, set_of
from hepflow.corrections.members import layout_of
from hepflow.errors import InputError
from hepflow.schema import Systematic

WHERE = "file.root, branch"
MU = "w_var / w_nominal; " + " ; ".join(
    f"[{i}] is muR={r:.5E} muF={f:.5E}"
    for i, (r, f) in enumerate((r, f) for r in (0.5, 1, 2) for f in (0.5, 1, 2))
)
OLD_SHOWER = "[0] is ISR=0.5 FSR=1; [1] is ISR=1 FSR=0.5; [2] is ISR=2 FSR=1; [3] is ISR=1 FSR=2 "
NEW_SHOWER = "[0] is ISR=2 FSR=1; [1] is ISR=1 FSR=2; [2] is ISR=0.5 FSR=1; [3] is ISR=1 FSR=0.5;"


def found(members, length, title="", **fields):
    """Set, numbers and places of the members; None where there are none."""
    entry = {"name": "s", "type": "theory", "weights": "W", "members": members, **fields}
    layout = layout_of(Systematic(**entry), length, title, WHERE)
    return None if layout is None else (layout.members, layout.numbers, layout.places)


def test_scales_that_move_against_each_other_are_left_out():
    assert found("scale", 9) == ("scale", (0, 1, 2, 3, 4, 5), (0, 1, 3, 5, 7, 8))
    assert found("scale", 8) == ("scale", (0, 1, 2, 3, 4, 5), (0, 1, 3, 4, 6, 7))
    assert found("scale", 9, MU) == found("scale", 9)
    assert found("scale", 0) is None


@pytest.mark.parametrize("style", ["renscfact={}d0 facscfact={}d0", 'MUR="{}" MUF="{}"'])
def test_the_title_tells_the_order_of_the_scales(style):
    pairs = [(r, f) for f in (1.0, 2.0, 0.5) for r in (1.0, 2.0, 0.5)]
    title = "; ".join(f"[{i}] is {style.format(*pair)}" for i, pair in enumerate(pairs))
    assert found("scale", 9, title)[2] == (8, 2, 6, 3, 1, 4)


def test_of_scales_with_several_bases_the_first_is_taken():
    assert found("scale", 18, f"{MU}; {MU}")[2] == (0, 1, 3, 5, 7, 8)


def test_up_is_twice_the_scale_of_the_shower_in_either_order():
    assert found("isr", 4)[2] == (0, 2) == found("isr", 4, NEW_SHOWER)[2]
    assert found("fsr", 4)[2] == (1, 3) == found("fsr", 4, NEW_SHOWER)[2]
    assert found("isr", 4, OLD_SHOWER)[2] == (2, 0)
    assert found("fsr", 4, OLD_SHOWER)[2] == (3, 1)


STATES = [("isr", "2.0", "Lo"), ("fsr", "0.5", "Hi"), ("isr", "0.5", "Hi"), ("fsr", "2.0", "Lo")]


@pytest.mark.parametrize("sign", [".murfac=", ":muRfac=", "Def"], ids=["point", "colon", "name"])
def test_the_title_may_name_one_state_at_a_time(sign):
    names = [state + sign + (side if sign == "Def" else size) for state, size, side in STATES]
    title = "PS weights (w_var / w_nominal) " + "".join(
        f"[{i}] {one}; " for i, one in enumerate(names)
    )
    assert found("isr", 4, title) == ("isr", (0, 1), (0, 2))
    assert found("fsr", 4, title) == ("fsr", (0, 1), (3, 1))


def test_of_all_weights_of_the_shower_those_of_twice_and_half_the_scale_are_taken():
    others = ["isr.murfac=0.707", "fsr.g2gg.murfac=2.0", "isr.murfac=2.0", "isr.g2gg.cns=-2.0"]
    names = [*others, "fsr.murfac=0.5", "isr.murfac=0.5", "fsr.murfac=2.0"]
    title = "; ".join(f"[{i}] {one}" for i, one in enumerate(names))
    assert found("isr", 7, title)[2] == (2, 5)
    assert found("fsr", 7, title)[2] == (6, 4)
    with pytest.raises(InputError, match="of fsr variations 4, or 1 for none"):
        found("fsr", 4, "; ".join(f"[{i}] {one}" for i, one in enumerate(others)))


@pytest.mark.parametrize("title", ["", "PSWeight/F", "[0] a; [1] b; [2] c; [3] d"])
def test_an_order_that_no_title_tells_is_marked(title):
    assert found("isr", 4, title) == ("isr_assumed", (0, 1), (0, 2))
    assert found("fsr", 4, title)[0] == "fsr_assumed"
    assert found("isr", 4, NEW_SHOWER)[0] == found("isr", 4, OLD_SHOWER)[0] == "isr"
    assert found("scale", 9)[0] == "scale"  # sorted in all versions


def test_a_dummy_weight_of_the_shower_is_none_by_position_too():
    for positions in ([2, 0], [0, 0]):
        assert found(positions, 1, combine="pair", weights="PSWeight") is None
    assert found([0], 1, combine="envelope") == ("at", (0,), (0,))  # of another branch


@pytest.mark.parametrize("length", [0, 1])
def test_a_dummy_weight_of_the_shower_is_none(length):
    assert found("isr", length, "dummy PS weight (1.0) ") is None


@pytest.mark.parametrize(
    ("first", "length", "size", "start", "alpha_s"),
    [
        (91400, 33, 30, 0, (0, 31, 32)),
        (91400, 31, 30, 0, None),
        (91401, 30, 30, 1, None),
        (306000, 103, 100, 0, (0, 101, 102)),
        (292201, 102, 100, 1, (-1, 100, 101)),
        (260001, 100, 100, 1, None),
        (325300, 101, 100, 0, None),
    ],
)
def test_members_of_a_pdf_set_by_its_id(first, length, size, start, alpha_s):
    base = first - start
    title = f"LHE pdf weights for LHA IDs {first} - {first + length - 1}"
    places = (-1 if start else 0, *range(1 - start, size + 1 - start))
    expected = (f"pdf{base}", tuple(range(size + 1)), places)
    assert found("pdf", length, title) == expected
    assert found("pdf", length, lhapdf_id=first) == expected
    other = found("alpha_s", length, title)
    assert other == (alpha_s and (f"alpha_s{base}", (0, size + 1, size + 2), alpha_s))
    if alpha_s:
        both = found("pdf_alpha_s", length, title)
        assert both[1] == tuple(range(size + 3))
        assert both[2] == (*places, *alpha_s[1:])
    else:
        with pytest.raises(InputError, match="two of alpha_s, and these are not all there"):
            found("pdf_alpha_s", length, title)


@pytest.mark.parametrize(
    ("length", "numbers"), [(100, 101), (101, 101), (102, 101), (103, 101), (33, 31), (53, 51)]
)
def test_a_set_that_is_not_known_needs_its_formula(length, numbers):
    given = found("pdf", length, combine="hessian")
    assert given[:2] == ("pdf", tuple(range(numbers)))
    assert given[2][:2] == ((0, 1) if length % 2 else (-1, 0))
    title = f"LHA IDs 700000 - {700000 + length - 1}"
    assert found("pdf", length, title, combine="replicas")[1] == tuple(range(numbers))
    with pytest.raises(InputError, match=r"LHAPDF ID 700000.*Give lhapdf_id, or combine"):
        found("pdf", length, title)
    with pytest.raises(InputError, match="whose LHAPDF ID the file does not say"):
        found("pdf", length)


def test_members_by_position():
    given = found([4, 0], 5, combine="pair")
    assert given == ("at", (0, 1), (4, 0))
    with pytest.raises(InputError, match=r"5 weights .* position 5\..* source of their own"):
        found([5], 5, combine="envelope")


@pytest.mark.parametrize(
    ("members", "length", "title", "message"),
    [
        ("scale", 7, "", r"7 weights in each event; of scale variations 9, or 8 without nominal"),
        ("scale", 1, "", "1 weights"),
        ("fsr", 44, "", r"of fsr variations 4, or 1 for none.* list of positions"),
        ("pdf", 44, "", "Give members of the source"),
        ("pdf", 100, "LHA IDs 306000 - 306102", "title says LHAPDF IDs 306000 to 306102"),
        ("pdf", 50, "LHA IDs 306000 - 306049", "NNPDF31_nnlo_hessian_pdfas has 100 members"),
        ("pdf", 99, "LHA IDs 306003 - 306101", "these are not all there"),
    ],
)
def test_a_list_that_is_none_that_is_known_is_an_error(members, length, title, message):
    with pytest.raises(InputError, match=f"{WHERE}.*{message}"):
        found(members, length, title)


def test_sets_do_not_overlap_and_are_found_by_each_member():
    ids = [one.lhapdf_id + i for one in PDF_SETS for i in range(one.numbers)]
    assert len(ids) == len(set(ids))
    assert set_of(306102).name == "NNPDF31_nnlo_hessian_pdfas"
    assert set_of(306103) is None
    assert formula_of("pdf292200") == formula_of("pdf_alpha_s292200") == "replicas"
    assert formula_of("pdf91400") == "hessian"
    assert formula_of("pdf") is None
