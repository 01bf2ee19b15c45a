"""Histograms in memory against numbers computed by hand."""

from __future__ import annotations

import logging

import boost_histogram as bh
import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.errors import InputError
from hepflow.histograms import read_histograms, write_histograms
from hepflow.importers import AxisRoles, ImportSpec, Piece, from_hists
from hepflow.importers.spec import variation_name

SPEC = ImportSpec(luminosity=1000.0)


def new(storage=None, **flow) -> hist.Hist:
    """Axes in an order of their own; the observable is not the last one."""
    return hist.Hist(
        hist.axis.Regular(2, 0.0, 20.0, name="mtt", label="m(tt) [GeV]", **flow),
        hist.axis.StrCategory(["nominal", "muUp", "muDown"], name="variation"),
        hist.axis.StrCategory(["sr", "cr"], name="channel"),
        hist.axis.StrCategory(["tt", "wj"], name="process", growth=True),
        storage=storage or hist.storage.Weight(),
    )


def filled(**flow) -> hist.Hist:
    """Values -1, 5, 15, 15, 99 GeV: underflow, both bins, overflow."""
    histogram = new(**flow)
    x, w = [-1.0, 5.0, 15.0, 15.0, 99.0], np.array([1.0, 2.0, 3.0, -1.0, 0.5])
    for variation, factor in (("nominal", 1.0), ("muUp", 1.1), ("muDown", 0.9)):
        histogram.fill(x, variation, "sr", "tt", weight=w * factor)
    histogram.fill([5.0], "nominal", "sr", "wj", weight=[4.0])
    return histogram


def test_contents_by_hand():
    found = from_hists({"mtt": filled()}, SPEC)
    assert found.channels == ("sr", "cr")
    assert found.processes("sr", "mtt") == ("tt", "wj")
    axis = found.axes["sr", "mtt"]
    assert (axis.name, axis.label, axis.edges) == ("mtt", "m(tt) [GeV]", (0.0, 10.0, 20.0))
    nominal = found.template("sr", "mtt", "tt")
    np.testing.assert_allclose(nominal.sumw, [1.0, 2.0, 2.0, 0.5])
    np.testing.assert_allclose(nominal.sumw2, [1.0, 4.0, 10.0, 0.25])
    up = found.template("sr", "mtt", "tt", "mu_up")
    np.testing.assert_allclose(up.sumw, [1.1, 2.2, 2.2, 0.55])
    np.testing.assert_allclose(up.sumw2, np.array([1.0, 4.0, 10.0, 0.25]) * 1.21)
    assert found.blocks["sr", "mtt", "tt"].variations == ("nominal", "mu_up", "mu_down")
    assert found.luminosity == {"": 1000.0}
    assert not found.ledger.parts
    assert found.process_of == {"tt": "tt", "wj": "wj"}


def test_what_was_not_filled_reads_as_nominal(caplog):
    with caplog.at_level(logging.WARNING, "hepflow"):
        found = from_hists({"mtt": filled()}, SPEC)
    assert found.blocks["sr", "mtt", "wj"].variations == ("nominal",)
    assert found.template("sr", "mtt", "wj", "mu_up").sumw[1] == 4.0
    assert "sr/mtt/wj: mu_down, mu_up without any content" in caplog.text


def test_axes_without_flow_have_none():
    histogram = new(underflow=False, overflow=False)
    # values inside only: boost-histogram loses all of a call whose first one is outside
    histogram.fill([5.0, 15.0, 15.0], "nominal", "sr", "tt", weight=[2.0, 3.0, -1.0])
    found = from_hists({"mtt": histogram}, SPEC).template("sr", "mtt", "tt")
    np.testing.assert_allclose(found.sumw, [0.0, 2.0, 2.0, 0.0])


def test_processes_that_become_one_are_added_with_their_own_nominal():
    spec = ImportSpec(1.0, processes={"tt": "top", "wj": "top"})
    block = from_hists({"mtt": filled()}, spec).blocks["sr", "mtt", "top"]
    np.testing.assert_allclose(block.template().sumw, [1.0, 6.0, 2.0, 0.5])
    # wj has no such variation: its nominal is added, not nothing
    np.testing.assert_allclose(block.template("mu_up").sumw, [1.1, 6.2, 2.2, 0.55])
    np.testing.assert_allclose(block.template("mu_up").sumw2[1], 4.0 * 1.21 + 16.0)


def test_scales_multiply_weights_and_their_squares():
    spec = ImportSpec(1.0, scales={"tt": 3.0}, processes={"tt": "ttbar"})
    found = from_hists({"mtt": filled()}, spec)
    np.testing.assert_allclose(found.template("sr", "mtt", "ttbar").sumw, [3.0, 6.0, 6.0, 1.5])
    np.testing.assert_allclose(found.template("sr", "mtt", "ttbar").sumw2, [9, 36, 90, 2.25])
    np.testing.assert_allclose(found.template("sr", "mtt", "wj").sumw[1], 4.0)


def test_entries_are_left_out_and_renamed():
    spec = ImportSpec(
        luminosity={"2016": 1.0, "2018": 2.0},
        channels={"cr": None, "sr": "signal"},
        variations={"muUp": "muon_sf_up", "muDown": None},
        observables={"mtt": "mass"},
        data=("wj",),
    )
    found = from_hists({"mtt": filled()}, spec)
    assert found.channels == ("signal",)
    assert found.variations("signal", "mass") == ("nominal", "muon_sf_up")
    assert found.data_processes == {"wj"}
    assert found.luminosity == {"2016": 1.0, "2018": 2.0}


def test_pieces_say_what_no_axis_says():
    one = hist.Hist.new.Reg(2, 0, 2, name="x").Weight().fill([0.5], weight=[2.0])
    two = hist.Hist.new.Reg(2, 0, 2, name="x").Weight().fill([1.5], weight=[3.0])
    up = hist.Hist.new.Reg(2, 0, 2, name="x").Weight().fill([0.5], weight=[5.0])
    pieces = [
        Piece(one, "x", channel="sr", process="tt", dataset="tt_a"),
        Piece(up, "x", channel="sr", process="tt", dataset="tt_a", variation="mu_up"),
        Piece(two, "x", channel="sr", process="tt", dataset="tt_b"),
    ]
    found = from_hists(pieces, ImportSpec(1.0, scales={"tt_a": 10.0}))
    np.testing.assert_allclose(found.template("sr", "x", "tt").sumw, [0, 20, 3, 0])
    np.testing.assert_allclose(found.template("sr", "x", "tt", "mu_up").sumw, [0, 50, 3, 0])
    assert found.process_of == {"tt_a": "tt", "tt_b": "tt"}


def test_other_names_of_axes_and_ids():
    histogram = hist.Hist(
        hist.axis.IntCategory([3, 1], name="category", growth=True),
        hist.axis.IntCategory([1000], name="proc"),
        hist.axis.Integer(0, 3, name="njet"),
        storage=hist.storage.Weight(),
    )
    histogram.fill(category=[3, 1, 1], proc=1000, njet=[0, 2, 7], weight=[1.0, 2.0, 3.0])
    roles = AxisRoles(channel="category", process="proc")
    spec = ImportSpec(1.0, channels={3: "sr", 1: "incl"}, processes={1000: "tt"})
    found = from_hists({"njet": histogram}, spec, roles)
    np.testing.assert_allclose(found.template("incl", "njet", "tt").sumw, [0, 0, 0, 2, 3])
    assert found.axes["sr", "njet"].edges == (0.0, 1.0, 2.0, 3.0)
    with pytest.raises(InputError, match=r"the id 3 has no name.*channels=\{3: 'name'\}"):
        from_hists({"njet": histogram}, ImportSpec(1.0, processes={1000: "tt"}), roles)


@pytest.mark.parametrize("storage", ["Int64", "AtomicInt64", "Double", "Unlimited"])
def test_counts_have_the_variance_of_counts(storage):
    histogram = new(getattr(hist.storage, storage)())
    histogram.fill([5.0, 5.0, 15.0, 99.0], "nominal", "sr", "tt")
    found = from_hists({"mtt": histogram}, SPEC).template("sr", "mtt", "tt")
    np.testing.assert_allclose(found.sumw, [0, 2, 1, 1])
    np.testing.assert_allclose(found.sumw2, [0, 2, 1, 1])


def test_unknown_variances_are_made_up_only_if_asked_for():
    histogram = new(hist.storage.Double())
    histogram.fill([5.0, 15.0], "nominal", "sr", "tt", weight=[2.5, -0.5])
    with pytest.raises(InputError, match=r"mtt has the storage Double with weights.*poisson"):
        from_hists({"mtt": histogram}, SPEC)
    spec = ImportSpec(1.0, unknown_variances="poisson")
    found = from_hists({"mtt": histogram}, spec).template("sr", "mtt", "tt")
    np.testing.assert_allclose(found.sumw2, [0, 2.5, 0.5, 0])


def test_profiles_are_refused():
    histogram = new(hist.storage.Mean())
    with pytest.raises(InputError, match="storage Mean; expected sums of weights"):
        from_hists({"mtt": histogram}, SPEC)


def test_a_histogram_of_boost_histogram_without_names():
    given = bh.Histogram(bh.axis.Regular(2, 0, 2), storage=bh.storage.Weight())
    given.fill([0.5, 3.0], weight=[2.0, 4.0])
    found = from_hists([Piece(given, "x", channel="sr", process="tt")], SPEC)
    np.testing.assert_allclose(found.template("sr", "x", "tt").sumw, [0, 2, 0, 4])


def test_content_in_no_category_is_said(caplog):
    histogram = filled()
    histogram.fill([5.0], "nominal", "elsewhere", "tt", weight=[7.0])
    with caplog.at_level(logging.WARNING, "hepflow"):
        found = from_hists({"mtt": histogram}, SPEC)
    assert "7 of the content is in no category" in caplog.text
    np.testing.assert_allclose(found.template("sr", "mtt", "tt").sumw[1], 2.0)


@pytest.mark.parametrize(
    ("change", "roles", "message"),
    [
        (lambda h: h[{"channel": sum}], None, r"no axis 'channel' for the channels \(axes: mtt"),
        (lambda h: h[{"mtt": sum}], None, "expected one binned axis .* found none"),
        (lambda h: h, AxisRoles(process="sample"), "no axis 'sample'"),
        (lambda h: h, AxisRoles(process="mtt"), "'mtt' of the processs? has no categories"),
        (lambda h: h[{"variation": slice(1, 3)}], None, "has no variation 'nominal'"),
    ],
)
def test_axes_that_do_not_fit(change, roles, message):
    with pytest.raises(InputError, match=message):
        from_hists({"mtt": change(filled())}, SPEC, roles)


def test_a_second_observable_axis_is_refused():
    histogram = hist.Hist.new.Reg(2, 0, 1, name="x").Reg(2, 0, 1, name="y").Weight()
    with pytest.raises(InputError, match="found 'x', 'y'"):
        from_hists([Piece(histogram, "xy", channel="sr", process="tt")], SPEC)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ImportSpec(1.0, data=("ttt",)), r"`data` names 'ttt'.*Did you mean 'tt'"),
        (ImportSpec(1.0, scales={"wjj": 2.0}), r"`scales` names 'wjj'.*Did you mean 'wj'"),
        (ImportSpec(1.0, channels={"sr": "s__r"}), "'s__r' cannot be a name"),
        (ImportSpec(1.0, variations={"muUp": "mu"}), "'mu' says neither up nor down"),
        (ImportSpec(1.0, variations={"muUp": "mu_down"}), "several variations .* mu_down"),
        (ImportSpec(1.0, observables={"mtt": None}), "no histogram to import"),
    ],
)
def test_what_is_said_of_them_has_to_fit(spec, message):
    with pytest.raises(InputError, match=message):
        from_hists({"mtt": filled()}, spec)


def test_different_bins_of_one_observable_are_refused():
    pieces = [
        Piece(hist.Hist.new.Reg(2, 0, n, name="x").Weight(), "x", channel="sr", process=f"p{n}")
        for n in (1, 2)
    ]
    with pytest.raises(InputError, match=r"'x' in channel 'sr' has different bin edges for 'p2'"):
        from_hists(pieces, SPEC)


@given(
    source=st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True),
    direction=st.sampled_from(["up", "down"]),
    form=st.sampled_from(["{}_{}", "{}_{c}", "{}{c}", "{}_{u}", "{}{u}"]),
)
def test_every_way_to_write_a_direction(source, direction, form):
    name = form.format(source, direction, c=direction.capitalize(), u=direction.upper())
    assert variation_name(name, {}) == f"{source}_{direction}"


def test_a_source_that_ends_like_a_direction():
    assert variation_name("pileup_up", {}) == "pileup_up"
    assert variation_name("pileupDown", {}) == "pileup_down"
    with pytest.raises(InputError, match="neither up nor down"):
        variation_name("pileup", {})


def test_they_survive_writing_and_reading(tmp_path):
    given_ = from_hists({"mtt": filled()}, ImportSpec({"2018": 59.7}, data=("wj",)))
    _, lossless = write_histograms(given_, tmp_path)
    found = read_histograms(lossless)
    assert found.blocks.keys() == given_.blocks.keys()
    for key, block in given_.blocks.items():
        assert found.blocks[key].variations == block.variations
        np.testing.assert_array_equal(found.blocks[key].sumw, block.sumw)
        np.testing.assert_array_equal(found.blocks[key].sumw2, block.sumw2)
    assert found.axes == given_.axes
    assert found.data_processes == given_.data_processes
    assert found.luminosity == given_.luminosity
    assert found.process_of == given_.process_of
