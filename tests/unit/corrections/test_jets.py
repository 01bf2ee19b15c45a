"""What corrections of jets need: the raw pt, sources by key, smearing, missing momentum."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
import pytest
from coffea.jetmet_tools.CorrectedJetsFactory import jer_smear

from hepflow.corrections.random import random_normal, with_file_index
from hepflow.corrections.smearing import smear_factor
from hepflow.errors import CorrectionError, MissingBranch, UserFunctionError
from hepflow.events import with_behaviour
from hepflow.records import NOMINAL, Variation
from hepflow.schema import Correction
from hepflow.variations import correct_objects
from tests.builders import (
    binning,
    category,
    correction_node,
    make_dataset,
    scale_node,
    write_corrections,
)

COUNTS = [2, 0, 1, 3]
N_JETS = 6


def jagged(*values):
    return ak.values_astype(ak.unflatten(np.array(values, dtype=np.float64), COUNTS), np.float32)


def events_of(**changes):
    """Four events; the mass tells a jet from the others."""
    jets = {
        "pt": jagged(100, 40, 60, 80, 50, 20),
        "eta": jagged(0, 1, 0, 0, 0, 0),
        "phi": jagged(0, 0, math.pi / 2, 0, 3.1, 0),
        "mass": jagged(1, 2, 3, 4, 5, 6),
        "rawFactor": jagged(0.1, 0.2, 0.0, 0.25, 0.5, 0.0),
        "muonSubtrFactor": jagged(0, 0, 0, 0, 0.9, 0.5),
        "neEmEF": jagged(0.2, 0.6, 0.3, 0.25, 0.9, 0.0),
        "chEmEF": jagged(0.6, 0.35, 0.6, 0.75, 0.1, 0.0),
        "genJetIdx": ak.unflatten(np.array([1, 0, -1, 0, 1, 7], np.int16), COUNTS),
        "flavour": ak.unflatten(np.array([5, 4, 0, 4, 5, 0], np.int32), COUNTS),
    }
    generated = {
        "pt": ak.unflatten(np.array([30.0, 95.0, 60.0, 45.0]), [2, 0, 0, 2]),
        "eta": ak.unflatten(np.array([1.5, 0.1, 0.0, 0.1]), [2, 0, 0, 2]),
        "phi": ak.unflatten(np.array([0.0, 0.1, 0.0, -3.13]), [2, 0, 0, 2]),
    }
    fields = {
        "run": np.ones(4, np.uint32),
        "luminosityBlock": np.arange(4, dtype=np.uint32),
        "event": np.arange(10, 14, dtype=np.uint64),
        "rho": np.full(4, 20.0, np.float32),
        "MET": ak.zip({"pt": np.full(4, 50, np.float32), "phi": np.zeros(4, np.float32)}),
        "Jet": ak.zip({**jets, **changes}),
        "GenJet": ak.zip(generated),
    }
    return with_behaviour(ak.zip(fields, depth_limit=1))


@pytest.fixture
def file(tmp_path):
    def delta(name, size):
        return correction_node(name, {"pt": "real"}, binning("pt", [30, 500], [size], "error"))

    ratio = {"nom": [1.25], "up": [1.5], "down": [0.9]}
    flavours = {"nominal": {0: 2.0, 4: 3.0, 5: 4.0}, "b_up": {0: 2.5, 5: 5.0}, "b_down": {5: 3.5}}
    tag = category("systematic", {k: category("flavour", v) for k, v in flavours.items()})
    return write_corrections(
        tmp_path / "jets.json",
        correction_node("scale", {"pt": "real"}, binning("pt", [0, 59, 500], [2.0, 1.5], "error")),
        scale_node("ratio", "eta", [-5, 5], ratio, "error"),
        correction_node("sigma", {"pt": "real"}, binning("pt", [30, 500], [0.1], "error")),
        delta("absolute", 0.1),
        delta("flavour", 0.2),
        correction_node("tag", {"systematic": "string", "flavour": "int"}, tag),
    )


def entry(file, **changes):
    fields = {"name": "scale", "type": "object", "file": file, "key": "scale",
              "use": [("Jet", "pt")], "target": ("Jet", "pt")}  # fmt: skip
    return Correction(**{k: v for k, v in {**fields, **changes}.items() if v is not None})


def corrected(*entries, events=None, variation=NOMINAL):
    events = events_of() if events is None else events
    return correct_objects(events, entries, [], variation, make_dataset(), {})


def by_mass(found, factor=1.0):
    """Pt of the jets by the mass that they had, where it was not scaled."""
    pairs = zip(ak.flatten(found.Jet.mass), ak.flatten(found.Jet.pt), strict=True)
    return {round(float(mass)): round(float(pt) * factor, 4) for mass, pt in pairs}


def moved(source, direction):
    return Variation(source, direction, "object")


# -- from the raw pt ---------------------------------------------------------------------


@pytest.mark.field("corrections[].raw_factor")
def test_the_correction_reads_and_replaces_the_raw_pt(file):
    plain = corrected(entry(file, scale_mass=False))
    assert by_mass(plain) == {1: 150.0, 2: 80.0, 3: 90.0, 4: 120.0, 5: 100.0, 6: 40.0}
    found = corrected(entry(file, raw_factor="rawFactor", scale_mass=False))
    # Raw: 90 and 32, 60, 60 and 25 and 20; those of 60 and more are scaled by 1.5, else by 2.
    assert by_mass(found) == {1: 135.0, 2: 64.0, 3: 90.0, 4: 90.0, 5: 50.0, 6: 40.0}


def test_the_mass_follows_the_pt_and_the_raw_factor_gives_the_raw_pt_again(file):
    events = events_of()
    found = corrected(entry(file, raw_factor="rawFactor"), events=events)
    assert ak.all(abs(found.Jet.mass / events.Jet.mass - found.Jet.pt / events.Jet.pt) < 1e-6)
    raw = found.Jet.pt * (1 - found.Jet.rawFactor)
    assert ak.all(abs(raw - events.Jet.pt * (1 - events.Jet.rawFactor)) < 1e-4)
    assert found.Jet.type.content == events.Jet.type.content
    again = corrected(entry(file, raw_factor="rawFactor"), events=found)
    assert ak.all(abs(again.Jet.pt - found.Jet.pt) < 1e-4)


# -- sources with a correction of their own ----------------------------------------------


@pytest.mark.field("corrections[].uncertainty_sources[].key", "corrections[].key")
def test_a_source_has_a_correction_of_its_own_behind_the_nominal_one(file):
    scale = entry(file, raw_factor="rawFactor", scale_mass=False)
    sources = [{"name": f"jes_{one}", "key": one, "is_delta": True}
               for one in ("absolute", "flavour")]  # fmt: skip
    unsure = entry(file, name="unsure", key=None, uncertainty_sources=sources, scale_mass=False)
    nominal = corrected(scale, unsure)
    assert by_mass(nominal) == by_mass(corrected(scale))
    for source, size in (("jes_absolute", 0.1), ("jes_flavour", 0.2)):
        for direction, sign in (("up", 1), ("down", -1)):
            found = corrected(scale, unsure, variation=moved(source, direction))
            expected = {k: v * (1 + sign * size) for k, v in by_mass(nominal).items()}
            assert by_mass(found) == pytest.approx(expected, rel=1e-6)
    again = corrected(scale, unsure, variation=moved("something else", "up"))
    assert by_mass(again) == by_mass(nominal)


def test_a_source_is_read_in_its_own_domain_at_the_corrected_pt(file):
    source = {"name": "jes", "key": "absolute", "is_delta": True}
    unsure = entry(file, name="unsure", key=None, uncertainty_sources=[source], scale_mass=False)
    with pytest.raises(CorrectionError, match=r"'absolute' .*'pt' is 20 in 1 of 6"):
        corrected(unsure, variation=moved("jes", "up"))
    clamped = unsure.model_copy(update={"out_of_range": "clamp"})
    assert by_mass(corrected(clamped, variation=moved("jes", "up")))[6] == 22.0
    neutral = unsure.model_copy(update={"out_of_range": "one"})  # no difference, not one of 100 %
    found = by_mass(corrected(neutral, variation=moved("jes", "down")))
    assert (found[6], found[4]) == (20.0, 72.0)


def test_one_value_of_its_own_is_one_side(file):
    source = {"name": "other", "key": "absolute"}
    one = entry(file, uncertainty_sources=[source], scale_mass=False, out_of_range="one")
    assert by_mass(corrected(one, variation=moved("other", "up")))[4] == 8.0
    assert by_mass(corrected(one, variation=moved("other", "down"))) == by_mass(corrected(one))


# -- flavours ----------------------------------------------------------------------------


def tagged(file, **source):
    source = {"name": "b", "up_and_down_idx": ("b_up", "b_down"), **source}
    return entry(
        file, key="tag", use=[("Jet", "flavour")], nominal_idx="nominal",
        uncertainty_sources=[source], scale_mass=False, target=("Jet", "mass"),
    )  # fmt: skip


@pytest.mark.field("corrections[].uncertainty_sources[].accepts")
def test_a_source_accepts_some_flavours_and_the_others_read_nominal(file):
    def weights(one, direction):
        found = corrected(one, variation=moved("b", direction))
        return (found.Jet.mass / events_of().Jet.mass).tolist()

    advice = r'accepts: \{"flavour": \[0, 5\]\}, and the others read nominal\.'
    for way in ("error", "clamp"):
        wrong = tagged(file).model_copy(update={"out_of_range": way})
        with pytest.raises(CorrectionError, match=rf"'flavour' is 4 in 2 of 6 .*{advice}"):
            weights(wrong, "up")
    own = tagged(file).model_copy(
        update={"uncertainty_sources": [], "name": "b", "up_and_down_idx": ("b_up", "b_down")}
    )
    with pytest.raises(CorrectionError, match=advice):
        weights(own, "up")
    one = tagged(file, accepts={"flavour": [0, 5]})
    assert weights(one, "up") == [[5.0, 3.0], [], [2.5], [3.0, 5.0, 2.5]]
    with pytest.raises(CorrectionError, match="'flavour' is 0 in 2 of 4"):
        weights(one, "down")
    one = tagged(file, accepts={"flavour": [5]})
    assert weights(one, "up") == [[5.0, 3.0], [], [2.0], [3.0, 5.0, 2.0]]
    assert weights(one, "down") == [[3.5, 3.0], [], [2.0], [3.0, 3.5, 2.0]]
    with pytest.raises(CorrectionError, match=r"names 'flavor', .*Did you mean 'flavour'\?"):
        weights(tagged(file, accepts={"flavor": [5]}), "up")


def test_flavours_are_accepted_with_inputs_in_args_too(file):
    one = tagged(file, accepts={"flavour": [5]})
    by_args = one.model_copy(update={"use": [], "args": ["systematic", ("Jet", "flavour")]})
    for direction in ("up", "down"):
        found, other = (corrected(x, variation=moved("b", direction)) for x in (one, by_args))
        assert found.Jet.mass.tolist() == other.Jet.mass.tolist()


# -- resolution --------------------------------------------------------------------------

SMEARING = {"key": "sigma", "use": [("Jet", "pt")]}
MATCHED = {**SMEARING, "generated": "GenJet", "index": "genJetIdx"}


def resolution(file, smearing=MATCHED, **changes):
    fields = {"name": "jer", "key": "ratio", "use": [("Jet", "eta")], "nominal_idx": "nom",
              "up_and_down_idx": ("up", "down"), "smearing": smearing, "scale_mass": False,
              "out_of_range": "clamp"}  # fmt: skip
    return entry(file, **{**fields, **changes})


def numbers(events, name="jer"):
    return ak.flatten(random_normal(with_file_index(events, {"Jet"}), "Jet", name, "x"))


@pytest.mark.field(
    "corrections[].smearing.key", "corrections[].smearing.use",
    "corrections[].smearing.generated", "corrections[].smearing.index",
)  # fmt: skip
def test_matched_jets_are_scaled_and_the_others_get_a_random_number(file):
    n = [float(one) for one in numbers(events_of())]
    pt = [100, 40, 60, 80, 50, 20]
    for source, s in ((None, 1.25), ("up", 1.5), ("down", 0.9)):
        variation = NOMINAL if source is None else moved("jer", source)
        found = by_mass(corrected(resolution(file), variation=variation))
        width = 0.1 * math.sqrt(max(s * s - 1, 0))
        expected = [p * (1 + width * x) for p, x in zip(pt, n, strict=True)]
        expected[0] = 100 + (s - 1) * (100 - 95)
        expected[3] = 80 + (s - 1) * (80 - 60)  # 2.5 resolutions away
        expected[4] = 50 + (s - 1) * (50 - 45)  # across the seam of phi
        # 1 is too far in eta, 2 points to none, 5 beyond the list
        assert list(dict(sorted(found.items())).values()) == pytest.approx(expected, abs=1e-3)
        alone = by_mass(corrected(resolution(file, SMEARING), variation=variation))
        expected = [p * (1 + width * x) for p, x in zip(pt, n, strict=True)]
        assert list(dict(sorted(alone.items())).values()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.field("corrections[].smearing.max_distance")
def test_a_match_is_near_in_direction(file):
    pt = {size: by_mass(corrected(resolution(file, {**MATCHED, "max_distance": size})))
          for size in (0.1, 0.2, 0.6)}  # fmt: skip
    assert pt[0.2][1] == 101.25 != pt[0.1][1]
    assert pt[0.6][2] == 42.5 != pt[0.2][2]  # 40 and 30: 2.5 resolutions


def test_a_match_is_near_in_pt(file):
    events = events_of(pt=jagged(140, 40, 60, 80, 50, 20))  # 95 is 3.2 resolutions away
    n = float(numbers(events)[0])
    found = by_mass(corrected(resolution(file), events=events))
    assert found[1] == pytest.approx(140 * (1 + 0.075 * n), abs=1e-3)


def test_beyond_the_domain_nothing_is_smeared_where_that_is_asked_for(file):
    one = resolution(file, SMEARING, out_of_range="one")
    found = by_mass(corrected(one))
    assert found[6] == 20.0
    assert found[3] != 60.0
    with pytest.raises(CorrectionError, match=r"'sigma' .*'pt' is 20 in 1 of 6"):
        corrected(resolution(file, SMEARING, out_of_range="error"))


def test_no_value_of_a_smearing_is_missing(file):
    one = resolution(file, SMEARING, transform_out=lambda s: ak.mask(s, s < 0))
    with pytest.raises(
        UserFunctionError, match=r"^corrections\[0\] \(jer\): 6 of 6 values are miss"
    ):
        corrected(one)


def test_the_values_of_a_smearing_are_those_of_its_target(file):
    one = resolution(file, {**SMEARING, "use": [("GenJet", "pt")]})
    with pytest.raises(CorrectionError, match="expected a value for each Jet"):
        corrected(one)


def test_the_random_number_goes_with_the_jet_in_any_chunk_and_order(file):
    events, one = events_of(), resolution(file, SMEARING)
    whole = by_mass(corrected(one, events=events))
    parts = [by_mass(corrected(one, events=events[i : i + 1])) for i in range(4)]
    assert {k: v for part in parts for k, v in part.items()} == whole
    # Turned by a correction before it, the jets keep their numbers: the place in the file counts.
    turn = Correction(name="turn", type="object", use_correctionlib=False, use=[("Jet", "pt")],
                      nominal_function=_turned, target=("Jet", "pt"), scale_mass=False)  # fmt: skip
    back = turn.model_copy(update={"name": "back"})
    assert by_mass(corrected(turn, back, one, events=events)) == whole
    other = by_mass(corrected(one.model_copy(update={"name": "other"}), events=events))
    assert all(other[k] != whole[k] for k in whole)


def _turned(pt):
    return (200.0 - pt) / pt


def test_the_formula_is_that_of_coffea():
    rng = np.random.default_rng(5)
    n = 2000
    pt, eta = rng.uniform(1, 300, n), rng.uniform(-5, 5, n)
    generated = np.where(rng.random(n) < 0.7, pt * rng.normal(1, 0.2, n), 0.0)
    ratio, resolution, normal = rng.uniform(0.8, 3, n), rng.uniform(0.05, 1, n), rng.normal(size=n)
    normal[0], generated[0] = -50.0, 0.0  # what is left is positive
    found = smear_factor(pt, eta, generated, ratio, resolution, normal)
    theirs = jer_smear(ak.Array(generated), ak.Array(pt), ak.Array(eta), ak.Array(resolution),
                       ak.Array(normal), ak.Array(ratio[:, np.newaxis]), 0, False)  # fmt: skip
    assert np.array_equal(found, ak.to_numpy(theirs))
    assert (found * pt * np.cosh(eta)).min() == pytest.approx(0.01)
    assert smear_factor(*np.zeros((6, 1))).tolist() == [1.0]  # no pt, nothing to smear


# -- missing momentum --------------------------------------------------------------------


def momentum(found):
    met = found.MET
    pt, phi = (ak.to_numpy(one).astype(float) for one in (met.pt, met.phi))
    return np.stack([pt * np.cos(phi), pt * np.sin(phi)]).T


@pytest.mark.field("corrections[].met_threshold", "corrections[].met_excluded")
def test_jets_above_the_threshold_move_the_missing_momentum_without_their_muons(file):
    def shift(**fields):
        one = entry(file, raw_factor="rawFactor", propagate_to_met="MET", **fields)
        return np.round(momentum(corrected(one)) - [50.0, 0.0], 3).tolist()

    # Changes in pt: 100 -> 135 and 40 -> 64; none; 60 -> 90 at 90 degrees; 80 -> 90, 50, 20 -> 40
    assert shift() == [[-59.0, 0.0], [0.0, 0.0], [0.0, -30.0], [-30.0, 0.0]]
    assert shift(met_threshold=64.5) == [[-35.0, 0.0], [0.0, 0.0], [0.0, -30.0], [-10.0, 0.0]]
    assert shift(met_excluded="muonSubtrFactor")[3] == [-20.0, 0.0]
    assert shift(met_excluded="muonSubtrFactor", met_threshold=20.5)[3] == [-10.0, 0.0]
    assert shift(met_excluded="muonSubtrFactor", met_threshold=19.5)[3] == [-20.0, 0.0]


@pytest.mark.field("corrections[].met_em_columns", "corrections[].met_em_limit")
def test_jets_of_electrons_and_photons_leave_the_missing_momentum(file):
    def shift(*columns, **fields):
        one = entry(file, raw_factor="rawFactor", propagate_to_met="MET", **fields,
                    met_em_columns=columns)  # fmt: skip
        return np.round(momentum(corrected(one)) - [50.0, 0.0], 3).tolist()

    # Changes in pt and their parts: 35 (0.8) and 24 (0.95); none; 30 (0.9); 10 (1), 0 (1), 20 (0)
    assert shift("neEmEF", "chEmEF", met_em_limit=0.92) == [
        [-35.0, 0.0], [0.0, 0.0], [0.0, -30.0], [-20.0, 0.0]]  # fmt: skip
    assert shift("neEmEF", "chEmEF") == [[-35.0, 0.0], [0.0, 0.0], [0.0, 0.0], [-20.0, 0.0]]
    assert shift("neEmEF", met_em_limit=0.55)[0] == [-35.0, 0.0]
    assert shift("chEmEF", met_em_limit=0.55)[0] == [-24.0, 0.0]
    both = shift("neEmEF", "chEmEF", met_threshold=64.5, met_em_limit=0.75)
    assert both == [[0.0, 0.0]] * 4
    with pytest.raises(MissingBranch, match=r"scale\)\.met_em_columns\[1\]: 'muEF' is not"):
        shift("neEmEF", "muEF")


def test_the_missing_momentum_of_a_variation_starts_at_the_corrected_one(file):
    scale = entry(file, raw_factor="rawFactor", propagate_to_met="MET")
    source = {"name": "jes", "key": "absolute", "is_delta": True}
    unsure = entry(file, name="unsure", key=None, uncertainty_sources=[source],
                   propagate_to_met="MET")  # fmt: skip
    nominal = momentum(corrected(scale, unsure))
    up, down = (corrected(scale, unsure, variation=moved("jes", one)) for one in ("up", "down"))
    assert np.allclose((momentum(up) + momentum(down)) / 2, nominal, atol=1e-4)
    assert np.allclose((momentum(up) - nominal)[0], [-19.9, 0.0], atol=1e-4)
    assert up.MET.type == corrected(scale, unsure).MET.type == events_of().MET.type
