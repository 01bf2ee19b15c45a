"""Corrections that keep the yield behind the baseline selection: closed forms and laws."""

from __future__ import annotations

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.analysis import Analysis
from hepflow.errors import NormalisationError
from hepflow.histograms import read_raw, write_raw
from hepflow.records import RawHistograms
from hepflow.records.histograms import merge_raw
from hepflow.records.kept_yield import KeptYield
from tests.builders import make_skims, manager_of, observable
from tests.fields.corrections import by_function
from tests.fields.project import MC, fill, itself, make_config, of_x, times, values
from tests.unit.theory.weighted import X, entry, in_bins, lists, project, skimmed, tilted

close = pytest.approx


def shape(x):
    """A weight that moves the shape, and the yield."""
    return 1.0 + 0.5 * x


def harder(x):
    """The same, more."""
    return 1.0 + 1.0 * x


def softer(x):
    """The same, less."""
    return 1.0 + 0.25 * x


def tag(**fields):
    """Correction by a function of `x` with one source."""
    source = {"name": "hf", "up_function": harder, "down_function": softer}
    return by_function(shape, uncertainty_sources=[source], keep_yield=True, name="tag", **fields)


def twice(x):
    """Twice the nominal value."""
    return 0.0 * x + 2.0


def other(**fields):
    """Another correction, whose source depends on `x`."""
    source = {"name": "id", "up_function": lambda x: 2.0 + x, "down_function": twice}
    return by_function(twice, uncertainty_sources=[source], name="other", **fields)


def above_one(x):
    """Events above one: of the baseline, or of a channel."""
    return x > 1.0


def run(folder, *corrections, **sections):
    return fill({**make_config(folder, **sections), "corrections": list(corrections)})


def yields(found, *variations):
    return [close(sum(values(found, one))) for one in ("nominal", *variations)]


def test_the_yield_is_that_without_the_correction_in_each_variation(tmp_path):
    found = run(tmp_path, tag())
    for name, function in (("nominal", shape), ("hf_up", harder), ("hf_down", softer)):
        weights = function(X)
        assert values(found, name) == close(times(8 / weights.sum(), in_bins(weights)))
        squares = found.template("SR", "x", "mc", name).variances
        assert squares.tolist() == close(in_bins((weights * 8 / weights.sum()) ** 2))
    assert yields(found, "hf_up", "hf_down") == [8.0] * 3
    plain = run(tmp_path / "b", {**tag(), "keep_yield": False})
    assert values(plain, "hf_up") == in_bins(harder(X))


def test_only_the_baseline_counts_not_the_channel(tmp_path):
    config = make_config(tmp_path)
    config["channels"][0]["selection"] = {"function": above_one, "use": [("event", "x")]}
    found = fill({**config, "corrections": [tag()]})
    kept = times(8 / shape(X).sum(), in_bins(shape(X)))
    assert values(found) == close([0.0, *kept[1:]])  # the channel loses what it does
    config = make_config(tmp_path / "b")
    config["baseline_selection"] = {"function": above_one, "use": [("event", "x")]}
    found = fill({**config, "corrections": [tag()]})
    weights = np.where(X > 1, shape(X), 0.0)
    assert values(found) == close(times(5 / weights.sum(), in_bins(weights)))


def test_other_factors_stay_and_their_variations_keep_their_own_yield(tmp_path):
    found = run(tmp_path, tag(), other())
    assert yields(found, "hf_up", "id_down") == [16.0] * 3
    assert sum(values(found, "id_up")) == close((2 + X).sum())
    weights = (2 + X) * shape(X)
    expected = times((2 + X).sum() / weights.sum(), in_bins(weights))
    assert values(found, "id_up") == close(expected)


def test_two_of_them_keep_the_yield_together(tmp_path):
    found = run(tmp_path, tag(), other(keep_yield=True))
    assert yields(found, "hf_up", "id_up") == [8.0] * 3


def test_processes_that_it_does_not_apply_to_have_no_sums(tmp_path):
    config = make_config(tmp_path)
    config["corrections"] = [tag(applies_to=["mc"])]
    more = {**config["datasets"]["datasets"][0], "name": "b"}
    config["datasets"]["datasets"].append(more)
    analysis = Analysis(config, make_skims(config), manager_of(config))
    assert values(analysis.fill_histograms(), process="b") == MC
    assert set(analysis.raw.yields) == {"mc__nominal"}
    plain = {**config, "corrections": []}
    plain = Analysis(plain, make_skims(plain), manager_of(plain))
    plain.fill_histograms()
    assert plain.raw.yields == {}


def moved_jets(pt):
    """Half of the jets' pt."""
    return pt * 0 + 0.5


def has_jets(pt):
    """A jet above 45 GeV."""
    return ak.any(pt > 45.0, axis=1)


def test_object_variations_have_sums_of_their_own_with_linked_sources(tmp_path):
    def with_jets(pt):
        return 1.0 + ak.to_numpy(ak.sum(pt, axis=1)) / 100.0

    def linked_up(pt):
        return 3.0 + ak.to_numpy(ak.sum(pt, axis=1)) / 50.0

    jes = {"name": "jes", "type": "object", "use": [("Jet", "pt")], "target": ("Jet", "pt"),
           "up_function": moved_jets}  # fmt: skip
    linked = {"name": "tag_jes", "up_function": linked_up, "varies_with": "jes"}
    config = make_config(tmp_path, systematics=[jes])
    config["baseline_selection"] = {"function": has_jets, "use": [("Jet", "pt")]}
    more = observable("pt", "0,120,4", itself, [("Jet", "pt")])
    config["channels"][0]["observables"] = [of_x(), more]
    plain = fill(config)
    for i, links in enumerate(([], [linked])):
        correction = by_function(with_jets, use=[("Jet", "pt")], keep_yield=True,
                                 uncertainty_sources=links)  # fmt: skip
        found = fill({**config, "corrections": [correction]})
        for name in ("nominal", "jes_up"):
            assert sum(values(found, name)) == close(sum(values(plain, name)))
        function = (with_jets, linked_up)[i]
        pts = ak.Array([[100, 50], [90], [80, 40], [70], [60], [50, 30], [], [30]])
        moved = pts / 2
        passed = ak.to_numpy(has_jets(moved))
        weights = np.where(passed, function(moved), 0.0)
        expected = times(passed.sum() / weights.sum(), in_bins(weights))
        assert values(found, "jes_up") == close(expected)


@pytest.mark.parametrize(
    "sections",
    [
        {"preprocess": {"skimming": {"chunk_size": 3}}},
        {"execution": {"backend": "inprocess", "memory_limit": 1e-9}},
        {"execution": {"backend": "inprocess", "one_pass": True}},
    ],
)
def test_chunks_and_blocks_do_not_matter(tmp_path, sections):
    def filled(folder, **sections):
        moved = {"name": "j", "type": "object", "use": [("Jet", "pt")], "target": ("Jet", "pt"),
                 "up_function": moved_jets}  # fmt: skip
        return run(folder, tag(), other(), systematics=[moved], **sections)

    first, second = filled(tmp_path / "a"), filled(tmp_path / "b", **sections)
    for key, block in first.blocks.items():
        assert second.blocks[key].variations == block.variations
        np.testing.assert_allclose(second.blocks[key].sumw, block.sumw, rtol=1e-14)
        np.testing.assert_allclose(second.blocks[key].sumw2, block.sumw2, rtol=1e-14)


def test_members_of_theory_weights_keep_the_yield_too(tmp_path):
    pair = tilted([0.25, -0.125])
    config = project(tmp_path, {"Some": lists(pair)}, entry(), preprocess=skimmed())
    found = fill({**config, "corrections": [tag()]})
    for name, member in (("t_up", pair[:, 0]), ("t_down", pair[:, 1])):
        kept = np.where(X > 1, member, 0.0)
        weights = kept * shape(X)
        assert values(found, name) == close(times(kept.sum() / weights.sum(), in_bins(weights)))


def test_the_last_step_of_the_cutflow_is_the_yield(tmp_path):
    found = run(tmp_path, tag())
    flow = found.cutflows["SR", "mc__nominal"]
    assert flow.sumw.tolist() == close([8.0] * len(flow.names))
    assert flow.sumw2[-1] == close(((shape(X) * 8 / shape(X).sum()) ** 2).sum())


def test_a_correction_of_one_changes_nothing(tmp_path):
    found = run(tmp_path, by_function(lambda x: 0 * x + 1.0, keep_yield=True))
    assert values(found) == MC


def test_weights_that_cancel_are_an_error(tmp_path):
    cancel = by_function(lambda x: np.where(x == 2.5, -7.0, 1.0), keep_yield=True)
    message = r"'mc__nominal', nominal: with the corrections that keep the yield.*add up to zero"
    with pytest.raises(NormalisationError, match=message):
        run(tmp_path, cancel)


def test_no_event_behind_the_baseline_is_no_error(tmp_path):
    config = make_config(tmp_path)
    config["baseline_selection"] = {"function": lambda x: x > 9, "use": [("event", "x")]}
    assert values(fill({**config, "corrections": [tag()]})) == [0.0] * 4


# -- the record --------------------------------------------------------------------------


NAMES = st.lists(st.sampled_from("abcd"), unique=True, max_size=4)


@st.composite
def sums(draw):
    """Sums of nominal and some variations, as integers so that addition is exact."""
    names = ("nominal", *draw(NAMES))
    numbers = st.lists(st.integers(-99, 99), min_size=len(names), max_size=len(names))
    return KeptYield(names, *(np.array(draw(numbers), dtype=np.float64) for _ in range(2)))


def as_dict(one, names="abcd"):
    rows = one._rows(("nominal", *names))
    return one.without[rows].tolist(), one.weighted[rows].tolist()


@given(sums(), sums(), sums())
def test_sums_add_up_in_any_order(one, two, three):
    assert as_dict((one + two) + three) == as_dict(one + (two + three))
    assert as_dict(one + two) == as_dict(two + one)


def test_an_absent_variation_reads_as_nominal():
    left = KeptYield(("nominal", "a"), np.array([1.0, 2.0]), np.array([2.0, 8.0]))
    right = KeptYield(("nominal",), np.array([1.0]), np.array([2.0]))
    assert (left + right).factors(("nominal", "a", "b")).tolist() == [0.5, 0.3, 0.5]


def test_raw_histograms_keep_them(tmp_path):
    kept = KeptYield(("nominal",), np.array([1.0]), np.array([2.0]))
    raw = RawHistograms(yields={"mc": kept})
    write_raw(tmp_path / "raw.pkl", raw)
    found = read_raw(tmp_path / "raw.pkl").yields["mc"]
    assert as_dict(found) == as_dict(kept)
    twice = as_dict(kept + kept)
    assert as_dict((raw + raw).yields["mc"]) == as_dict(merge_raw([raw, raw], {}).yields["mc"])
    assert as_dict((raw + raw).yields["mc"]) == twice
    assert raw.of_channel("SR").yields == raw.yields
    assert replace(raw, yields={}) != raw
