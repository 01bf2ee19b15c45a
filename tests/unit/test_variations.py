"""Object corrections: from uncorrected columns each time, sorted, with mass, MET and indices."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import CorrectionError, MissingBranch, UserFunctionError
from hepflow.events import stacked
from hepflow.object_changes import change_target
from hepflow.object_order import index_columns, remap_indices
from hepflow.records import NOMINAL, Variation
from hepflow.schema import Correction, Systematic
from hepflow.sources import expand
from hepflow.variations import correct_objects
from tests.builders import make_dataset, mask_object, scale_down, scale_one, scale_up

UP, DOWN = Variation("jes_total", "up", "object"), Variation("jes_total", "down", "object")
MC = make_dataset("ttbar__nominal")
DATA = make_dataset("data", is_data=True, weight_branch=None, cross_section=None)


def events():
    """Two events; the jets of the first are in an order that a correction can change."""
    jets = ak.Array(
        [
            [
                {"pt": 100.0, "eta": 0.1, "phi": 0.0, "mass": 10.0, "tag": 0},
                {"pt": 99.0, "eta": 2.0, "phi": np.pi / 2, "mass": 20.0, "tag": 1},
                {"pt": 0.0, "eta": 0.3, "phi": 1.0, "mass": 5.0, "tag": 2},
            ],
            [],
        ]
    )
    pts, pointers = ak.Array([[30.0, 20.0, 9.0], [50.0]]), ak.Array([[0, 1, -1], [-1]])
    muons = ak.zip({"pt": pts, "jetIdx": pointers})
    met = ak.zip({"pt": [50.0, 10.0], "phi": [0.0, 1.0]})
    return ak.zip({"Jet": jets, "Muon": muons, "MET": met}, depth_limit=1)


def correction(**changes):
    fields = {
        "name": "jes", "type": "object", "use_correctionlib": False, "use": [("Jet", "pt")],
        "target": ("Jet", "pt"), "nominal_function": scale_one,
        "uncertainty_sources": [
            {"name": "jes_total", "up_function": scale_up, "down_function": scale_down}
        ],
    }  # fmt: skip
    return Correction(**{**fields, **changes})


def source(**changes):
    fields = {
        "name": "muon_scale", "type": "object", "target": ("Muon", "pt"), "use": [("Muon", "pt")],
        "up_function": scale_up, "down_function": scale_down, "scale_mass": False,
    }  # fmt: skip
    return Systematic(**{**fields, **changes})


def corrected(variation, *corrections, systematics=(), dataset=MC, given=None):
    start = events() if given is None else given
    return correct_objects(start, corrections, systematics, variation, dataset, {})


# -- what varies -------------------------------------------------------------------------


def test_variations_are_nominal_then_each_source_up_and_down():
    weight = Correction(
        name="id", type="event", file="x", key="k", nominal_idx="n", up_and_down_idx=("u", "d"),
        uncertainty_sources=[{"name": "id_stat", "up_and_down_idx": ("su", "sd")}],
    )  # fmt: skip
    systematics = (
        source(),
        Systematic(name="lumi", type="normalisation", size=0.02),
        Systematic(
            name="top_pt", type="event", up_function=scale_up, down_function=scale_down,
            processes=["ttbar"],
        ),
    )  # fmt: skip
    found = expand((weight, correction()), systematics, MC)
    assert found[0] is NOMINAL
    assert [(one.name, one.kind) for one in found[1:]] == [
        ("id_up", "weight"), ("id_down", "weight"), ("id_stat_up", "weight"),
        ("id_stat_down", "weight"), ("jes_total_up", "object"), ("jes_total_down", "object"),
        ("muon_scale_up", "object"), ("muon_scale_down", "object"), ("top_pt_up", "weight"),
        ("top_pt_down", "weight"),
    ]  # fmt: skip
    other = expand((weight, correction()), systematics, make_dataset("wjets__nominal"))
    assert [one.name for one in other] == [one.name for one in found[:-2]]
    assert expand((weight, correction()), systematics, DATA) == (NOMINAL,)
    limited = expand((correction(applies_to=["ttbar"]),), (), make_dataset("wjets__nominal"))
    assert limited == (NOMINAL,)


def test_data_keeps_its_objects():
    found = corrected(UP, correction(nominal_function=scale_up), dataset=DATA)
    assert ak.array_equal(found.Jet.pt, events().Jet.pt)


def test_another_process_keeps_its_objects():
    found = corrected(NOMINAL, correction(nominal_function=scale_up, applies_to=["wjets"]))
    assert ak.array_equal(found.Jet.pt, events().Jet.pt)


# -- each variation starts anew ----------------------------------------------------------


def test_variations_do_not_stack_and_leave_what_they_read_alone():
    given = events()
    before = ak.to_list(given)
    first = corrected(UP, correction(), given=given)
    corrected(DOWN, correction(), given=given)
    again = corrected(UP, correction(), given=given)
    assert ak.to_list(given) == before
    assert ak.to_list(first) == ak.to_list(again)
    assert again.Jet.pt[0].tolist() == pytest.approx([103.0, 1.03 * 99, 0.0])


def test_other_corrections_stay_nominal_in_a_variation():
    half = correction(name="b", nominal_function=lambda pt: pt * 0 + 0.5, uncertainty_sources=[])
    found = corrected(UP, correction(), half)
    assert found.Jet.pt[0].tolist() == pytest.approx([51.5, 0.515 * 99, 0.0])


def test_a_source_without_a_correction_acts_in_its_own_variation_only():
    up = Variation("muon_scale", "up", "object")
    assert corrected(up, systematics=(source(),)).Muon.pt[1].tolist() == pytest.approx([51.5])
    assert corrected(NOMINAL, systematics=(source(),)).Muon.pt[1].tolist() == [50.0]
    assert corrected(UP, correction(), systematics=(source(),)).Muon.pt[1].tolist() == [50.0]


# -- what follows from a new pt ----------------------------------------------------------


def by_tag(values):
    """Correction that makes the second jet the leading one."""
    return lambda tag: ak.where(tag == 1, values, 1.0)


def test_objects_are_sorted_again_with_all_their_columns_and_mass_scales():
    found = corrected(NOMINAL, correction(nominal_function=by_tag(2.0), use=[("Jet", "tag")]))
    assert found.Jet.tag[0].tolist() == [1, 0, 2]
    assert found.Jet.pt[0].tolist() == [198.0, 100.0, 0.0]
    assert found.Jet.mass[0].tolist() == [40.0, 10.0, 5.0]
    assert found.Jet.eta[0].tolist() == [2.0, 0.1, 0.3]
    assert found.Muon.jetIdx.tolist() == [[1, 0, -1], [-1]]


def test_the_mass_stays_where_the_correction_says_so():
    found = corrected(
        NOMINAL, correction(nominal_function=by_tag(2.0), use=[("Jet", "tag")], scale_mass=False)
    )
    assert found.Jet.mass[0].tolist() == [20.0, 10.0, 5.0]


def test_another_target_than_pt_changes_nothing_else():
    found = corrected(
        NOMINAL,
        correction(nominal_function=by_tag(2.0), use=[("Jet", "tag")], target=("Jet", "mass")),
    )
    assert found.Jet.tag[0].tolist() == [0, 1, 2]
    assert found.Jet.mass[0].tolist() == [10.0, 40.0, 5.0]


@pytest.mark.parametrize(
    ("op", "last", "expected"),
    [
        ("mult", 2.0, [200.0, 198.0, 0.0]),
        ("add", 2.0, [102.0, 101.0, 2.0]),
        ("subtract", -2.0, [98.0, 97.0, 2.0]),
    ],
)
def test_the_value_acts_as_the_operation_says(op, last, expected):
    value = ak.Array([[2.0, 2.0, last], []])
    found = corrected(NOMINAL, correction(nominal_function=lambda _: value, op=op))
    assert found.Jet.pt[0].tolist() == expected
    assert found.Jet.mass[0].tolist()[2] == 5.0  # no ratio where there was no pt


def test_the_change_in_pt_is_taken_off_the_missing_momentum_as_a_vector():
    found = corrected(NOMINAL, correction(nominal_function=lambda pt: pt * 0 + 1.1,
                                          propagate_to_met="MET"))  # fmt: skip
    # Jets at phi 0 and pi/2 with 100 and 99 GeV gain 10 and 9.9 GeV.
    px, py = 50.0 - 10.0, -9.9
    assert found.MET.pt.tolist() == pytest.approx([np.hypot(px, py), 10.0])
    assert found.MET.phi.tolist() == pytest.approx([np.arctan2(py, px), 1.0])
    assert corrected(NOMINAL, correction(nominal_function=scale_up)).MET.pt.tolist() == [50.0, 10.0]


def soft(**changes):
    fields = {"name": "soft", "target": ("MET", "pt"), "op": "add_vector", "use": [("MET", "pt")],
              "up_function": lambda pt: (pt, -2.0 * pt), "down_function": None}  # fmt: skip
    return source(**{**fields, "scale_mass": True, **changes})


SOFT = Variation("soft", "up", "object")


def test_a_vector_is_added_to_the_missing_momentum_and_to_nothing_else():
    given = events()
    found = corrected(SOFT, systematics=[soft()], given=given)
    x, y = 50.0 * np.array([1.0, 0.0]) + [50.0, -100.0]
    assert (found.MET.pt[0], found.MET.phi[0]) == pytest.approx((np.hypot(x, y), np.arctan2(y, x)))
    x, y = 10.0 * np.array([np.cos(1.0), np.sin(1.0)]) + [10.0, -20.0]
    assert (found.MET.pt[1], found.MET.phi[1]) == pytest.approx((np.hypot(x, y), np.arctan2(y, x)))
    for name in ("Jet", "Muon"):
        assert found[name].layout is given[name].layout or found[name].tolist() == (
            given[name].tolist())  # fmt: skip
    assert corrected(NOMINAL, systematics=[soft()], given=given) is given


def test_a_vector_may_be_of_numbers_and_commutes_with_what_jets_take_off():
    jets = correction(nominal_function=lambda pt: pt * 0 + 1.1, propagate_to_met="MET")
    found = corrected(SOFT, jets, systematics=[soft(up_function=lambda _: (0.0, 9.9))])
    assert found.MET.pt.tolist() == pytest.approx([40.0, np.hypot(*momentum(10.0, 1.0, 0.0, 9.9))])
    assert found.MET.phi[0] == pytest.approx(0.0, abs=1e-12)


def momentum(pt, phi, x, y):
    return pt * np.cos(phi) + x, pt * np.sin(phi) + y


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"up_function": lambda pt: pt}, r"soft\): returned one value, expected a pair \(x, y\)"),
        ({"up_function": lambda pt: (pt, pt, pt)}, "returned 3 values, expected a pair"),
        ({"up_function": lambda pt: (pt, pt[:1])}, "does not have the structure of its target"),
        ({"up_function": lambda pt: (pt, pt * np.inf)}, "makes 2 of 2 values .* not finite"),
        ({"target": ("Jet", "pt")}, r"soft\).target: 'Jet' is a list of objects"),
    ],
    ids=["one", "three", "length", "infinite", "list"],
)
def test_what_is_no_vector_of_a_missing_momentum_is_told(changes, message):
    with pytest.raises(UserFunctionError, match=message):
        corrected(SOFT, systematics=[soft(**changes)])


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("Jet", ["pt", "mass"], "'phi' is not a column of 'Jet'"),
        ("MET", ["pt"], "'phi' is not a column of 'MET'"),
        ("MET", ["phi"], "'pt' is not a column of 'MET'"),
    ],
    ids=["objects", "angle", "size"],
)
def test_a_momentum_without_its_angle_is_told_with_the_entry(name, columns, message):
    given = events()
    given = ak.with_field(given, given[name][columns], name)
    told = rf"corrections\[0\] \(jes\)\.propagate_to_met: {message}.*Add it to preprocess.branches"
    with pytest.raises(MissingBranch, match=told):
        corrected(NOMINAL, correction(propagate_to_met="MET"), given=given)


def test_momentum_is_conserved_also_when_jets_change_places():
    given = events()
    found = corrected(
        NOMINAL,
        correction(nominal_function=by_tag(2.0), use=[("Jet", "tag")], propagate_to_met="MET"),
        given=given,
    )

    def total(one, phi):
        return ak.sum(one.Jet.pt * phi(one.Jet.phi), axis=1) + one.MET.pt * phi(one.MET.phi)

    for phi in (np.cos, np.sin):
        assert total(found, phi).tolist() == pytest.approx(total(given, phi).tolist())


def test_a_change_of_nothing_leaves_the_missing_momentum_to_the_last_bit():
    rng = np.random.default_rng(5)
    counts = rng.poisson(1.0, 1000)
    columns = {name: rng.uniform(1.0, 3.0, counts.sum()) for name in ("pt", "eta", "phi")}
    jets = ak.zip({name: ak.unflatten(one, counts) for name, one in columns.items()})
    pt = rng.uniform(0.0, 99.0, 1000).astype(np.float32)
    phi = rng.uniform(-4.0, 4.0, 1000).astype(np.float32)
    given = ak.zip({"Jet": jets, "MET": ak.zip({"pt": pt, "phi": phi})}, depth_limit=1)
    one = correction(propagate_to_met="MET", nominal_function=lambda pt: pt * 0 + 1.0)
    same = corrected(NOMINAL, one, given=given)
    assert np.array_equal(same.MET.pt, pt)
    assert np.array_equal(same.MET.phi, phi)
    moved = corrected(NOMINAL, correction(propagate_to_met="MET", nominal_function=scale_up),
                      given=given)  # fmt: skip
    assert np.array_equal(np.asarray(moved.MET.pt == pt), counts == 0)
    assert np.array_equal(np.asarray(moved.MET.phi == phi), counts == 0)


def test_missing_momentum_of_whole_numbers_takes_fractions_off():
    met = ak.zip({"pt": ak.Array([50, 10]), "phi": ak.Array([0, 0])})
    given = ak.with_field(events(), met, "MET")
    one = correction(propagate_to_met="MET", nominal_function=lambda pt: pt * 0 + 1.005)
    found = corrected(NOMINAL, one, given=given).MET
    assert found.pt.tolist() == pytest.approx([np.hypot(49.5, 0.495), 10.0])


def test_one_object_an_event_can_be_a_target():
    found = corrected(
        NOMINAL,
        correction(
            use=[("MET", "pt")], target=("MET", "pt"), nominal_function=lambda pt: pt * 0 + 2
        ),
    )
    assert found.MET.pt.tolist() == [100.0, 20.0]


@pytest.mark.parametrize(
    "value", [ak.Array([[1.0], [1.0]]), ak.Array([1.0]), ak.Array([[1.0, 1.0, 1.0], [], []])]
)
def test_a_value_of_another_structure_is_an_error(value):
    with pytest.raises(UserFunctionError, match=r"corrections\[0\] \(jes\): .*structure"):
        corrected(NOMINAL, correction(nominal_function=lambda _: value))
    with pytest.raises(UserFunctionError, match="structure"):
        corrected(
            NOMINAL,
            correction(target=("MET", "pt"), nominal_function=lambda _: ak.Array([[1.0], [1.0]])),
        )


def test_a_list_of_factors_is_one_for_each_event_as_an_array_is():
    given = events()
    one_each = source(up_function=lambda pt: [2.0] * len(pt))
    found = corrected(Variation("muon_scale", "up", "object"), systematics=(one_each,))
    assert found.Muon.pt.tolist() == (given.Muon.pt * 2.0).tolist()
    # as many events as objects: a factor belongs to an event, not to the object at its place
    jets = ak.Array([[{"pt": 10.0}, {"pt": 5.0}], [{"pt": 20.0}], []])
    uneven = ak.zip({"Jet": jets}, depth_limit=1)
    values = [1.0, 2.0, 3.0]
    found = corrected(NOMINAL, correction(nominal_function=lambda _: values), given=uneven)
    assert found.Jet.pt.tolist() == [[10.0, 5.0], [40.0], []]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "returned None, expected a number"),
        ("a", "returned the text 'a'"),
        ({"pt": 1.0}, "returned a value of type dict"),
        (1j, "returned 1j"),
        (ak.Array([["a"], []]), "returned an array of 2 lists of texts"),
        ([1.0], "structure of its target: it is an array of 1 numbers, for 2 events"),
        ([[1.0], [1.0]], "structure of its target: it is an array of 2 lists of numbers"),
    ],
    ids=range(7),
)
def test_a_value_that_is_no_number_is_told_with_its_function(value, message):
    wrong = source(up_function=lambda _: value)
    where = r"^systematics\[0\] \(muon_scale\): "
    with pytest.raises(UserFunctionError, match=f"{where}.*{message}") as caught:
        corrected(Variation("muon_scale", "up", "object"), systematics=(wrong,))
    (note,) = caught.value.__notes__
    assert "test_variations" in note


def test_a_missing_target_is_named():
    with pytest.raises(MissingBranch, match=r"corrections\[0\] \(jes\)\.target: 'Jets'"):
        corrected(NOMINAL, correction(target=("Jets", "pt")))
    with pytest.raises(UserFunctionError, match="an object and its column"):
        change_target(events(), correction(target="Jet"), 1.0, "x")


def test_missing_values_of_a_target_are_told():
    some = ak.Array([[10.0, None, 5.0], []])
    given = events()
    given = ak.with_field(given, ak.with_field(given.Jet, some, "mass"), "Jet")
    with pytest.raises(UserFunctionError, match=r"'mass' of the target: 1 of 3 values are missing"):
        change_target(given, correction(), 1.0, "corrections[0]")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (ak.Array([[1.0, None, 1.0], []]), "1 of 3 values are missing. Fill them: ak.fill_none"),
        (ak.Array([1.0, None]), "1 of 2 values are missing"),
        (np.ma.masked_array([1.0, 2.0], mask=[True, False]), "1 of 2 values are missing"),
    ],
    ids=["in lists", "events", "masked"],
)
def test_a_value_that_misses_some_says_where(value, message):
    expected = rf"^corrections\[0\] \(jes\): the value for its target: {message}"
    with pytest.raises(UserFunctionError, match=expected):
        corrected(NOMINAL, correction(nominal_function=lambda _: value))


def test_missing_momentum_that_is_a_list_says_where():
    expected = r"^corrections\[0\] \(jes\)\.propagate_to_met: 'pt' of Muon: each value is a list"
    one = correction(propagate_to_met="Muon")
    given = events()
    jets = ak.with_field(given.Muon, given.Muon.pt, "phi")
    with pytest.raises(UserFunctionError, match=expected):
        corrected(NOMINAL, one, given=ak.with_field(given, jets, "Muon"))


# -- columns of integers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "op", "value", "after", "kept"),
    [
        (np.array([3, 7], np.int32), "mult", 1.3, [3 * 1.3, 7 * 1.3], False),
        (np.array([3, 7], np.int32), "mult", 2.0, [6, 14], True),
        (np.array([3, 7], np.uint8), "subtract", 4, [-1, 3], False),
        (np.array([3, 250], np.uint8), "add", ak.Array([1, 10]), [4, 260], False),
        (np.array([True, False]), "mult", 0.5, [0.5, 0.0], False),
        (np.array([1, -1], np.int64), "mult", -1, [-1, 1], True),
    ],
    ids=["fractions", "whole", "below zero", "too large", "truth", "sign"],
)
@pytest.mark.parametrize("jagged", [True, False], ids=["objects", "events"])
def test_whole_numbers_become_what_the_value_makes_of_them(before, op, value, after, kept, jagged):
    column = ak.unflatten(before, [1, 1]) if jagged else before
    given = ak.zip({"Jet": ak.zip({"n": column})}, depth_limit=1)
    changed = change_target(given, source(target=("Jet", "n"), op=op), value, "x")
    found = np.asarray(ak.flatten(changed.Jet.n, axis=None))
    assert found.tolist() == after
    assert (found.dtype == before.dtype) == kept


def test_versions_of_whole_numbers_and_of_fractions_are_stacked_as_they_are():
    given = ak.zip({"Jet": ak.zip({"n": ak.Array([[3], [7, 1]])})}, depth_limit=1)
    varied = change_target(given, source(target=("Jet", "n")), 1.5, "x")
    assert stacked([given, varied]).Jet.n.tolist() == [[3], [7, 1], [4.5], [10.5, 1.5]]


# -- index columns -----------------------------------------------------------------------


def test_a_pt_that_becomes_negative_is_refused():
    lowered = correction(op="subtract", nominal_function=lambda pt: 0 * pt + 99.5)
    message = (
        r"\(jes\): makes the pt of 2 of 3 objects of Jet negative, the first from 99 to -0\.5 GeV\."
    )
    with pytest.raises(CorrectionError, match=message):
        corrected(NOMINAL, lowered)
    of_muons = source(down_function=lambda pt: -pt)
    with pytest.raises(CorrectionError, match=r"\(muon_scale\): makes the pt of 4 of 4 .* Muon "):
        corrected(Variation("muon_scale", "down", "object"), systematics=[of_muons])
    # Other columns may be negative, and a pt that stands for a missing one stays as it is.
    other = correction(target=("Jet", "eta"), nominal_function=lambda pt: 0 * pt - 1.0)
    assert ak.all(corrected(NOMINAL, other).Jet.eta <= 0.0)
    given = ak.with_field(events(), ak.with_field(events().Muon, -9.0, "pt"), "Muon")
    found = corrected(Variation("muon_scale", "up", "object"), systematics=[source()], given=given)
    assert ak.all(found.Muon.pt < -9.0)


def test_masked_objects_are_forgotten_and_the_others_found_again():
    found = mask_object(events(), "Jet", events().Jet.tag != 0)
    assert found.Jet.tag.tolist() == [[1, 2], []]
    assert found.Muon.jetIdx.tolist() == [[-1, 0, -1], [-1]]
    assert found.Muon.pt.tolist() == events().Muon.pt.tolist()


def test_a_masked_collection_keeps_its_own_indices():
    found = mask_object(events(), "Muon", events().Muon.pt > 25)
    assert found.Muon.jetIdx.tolist() == [[0], [-1]]


def test_sorting_and_masking_follow_each_other():
    sorted_ = corrected(NOMINAL, correction(nominal_function=by_tag(2.0), use=[("Jet", "tag")]))
    found = mask_object(sorted_, "Jet", sorted_.Jet.pt > 150)
    assert found.Jet.tag.tolist() == [[1], []]
    assert found.Muon.jetIdx.tolist() == [[-1, 0, -1], [-1]]


def test_indices_into_the_same_collection_follow_too():
    parts = ak.Array([[{"pt": 1.0, "genPartIdxMother": -1}, {"pt": 9.0, "genPartIdxMother": 0}]])
    given = ak.zip({"GenPart": parts}, depth_limit=1)
    found = remap_indices(
        ak.with_field(given, given.GenPart[ak.Array([[1, 0]])], "GenPart"), "GenPart",
        ak.Array([[1, 0]]), lost=False,
    )  # fmt: skip
    assert found.GenPart.genPartIdxMother.tolist() == [[1, -1]]


def test_index_columns_are_those_that_point_to_the_collection():
    assert list(index_columns(events(), "Jet")) == [("Muon", "jetIdx")]
    assert list(index_columns(events(), "Muon")) == []
