"""Theory weights from file to template: closed forms, and what must not change them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.analysis.results import all_remarks
from hepflow.corrections.theory import parton_shower, pdf_variations, scale_variations
from hepflow.errors import HepflowError, InputError, NormalisationError
from hepflow.histograms import LOSSLESS_FILE, read_histograms
from hepflow.schema import Config
from tests.builders import make_skims, manager_of, write_nano
from tests.fields.project import MC, columns, fill, simulation, times, values
from tests.unit.theory.weighted import (
    X,
    entry,
    in_bins,
    keep_above,
    lists,
    project,
    skimmed,
    tilted,
    xsec,
)

SLOPES = [0.25, -0.125]
PAIR = tilted(SLOPES)
close = pytest.approx


def both(found, name="t"):
    """Bins of `x` of both sides."""
    return [values(found, f"{name}_up"), values(found, f"{name}_down")]


def analysis_of(config):
    return Analysis(config, make_skims(config), manager_of(config))


def one_by_one(config):
    """Fill part by part, where what fails is not tried again with fewer events."""
    analysis = analysis_of(config)
    for events, metadata in itertools.chain(*analysis.processed_datasets.values()):
        analysis.process(events, metadata)
    return analysis.histogram_set


# -- formulas ----------------------------------------------------------------------------


def test_a_pair_is_the_sum_of_its_weights(tmp_path):
    found = fill(project(tmp_path, {"Some": lists(PAIR)}, entry()))
    assert found.variations("SR", "x") == ("nominal", "t_up", "t_down")
    assert both(found) == [in_bins(PAIR[:, 0]), in_bins(PAIR[:, 1])]
    sumw2 = found.template("SR", "x", "mc", "t_up").variances
    assert sumw2.tolist() == close(in_bins(PAIR[:, 0] ** 2))


def test_the_scales_have_an_envelope_without_those_that_move_against_each_other(tmp_path):
    slopes = [0.25, -0.125, 8.0, 0.0625, 0.0, -0.0625, -8.0, 0.125, -0.25]
    found = fill(project(tmp_path, {"LHEScaleWeight": lists(tilted(slopes))}, *scale_variations()))
    assert both(found, "scale") == [in_bins(1 + 0.25 * X), in_bins(1 - 0.25 * X)]


def test_pdfs_have_the_uncertainty_of_their_set(tmp_path):
    slopes = [0.0] * 33
    slopes[1], slopes[2], slopes[31], slopes[32] = 0.375, 0.5, -0.25, 0.25
    branches = {"LHEPdfWeight": lists(tilted(slopes))}
    found = fill(project(tmp_path, branches, *pdf_variations(lhapdf_id=91400)))
    assert both(found, "pdf") == [close(in_bins(1 + s * X)) for s in (0.625, -0.625)]
    assert both(found, "pdf_alpha_s") == [in_bins(1 + s * X) for s in (0.25, -0.25)]
    added = pdf_variations(alpha_s="added", lhapdf_id=91400)
    found = fill(project(tmp_path / "b", branches, *added))
    size = math.hypot(0.625, 0.25)
    assert both(found, "pdf") == [close(in_bins(1 + s * X)) for s in (size, -size)]


def test_replicas_have_their_spread(tmp_path):
    slopes = np.zeros(100)
    slopes[:50], slopes[50:] = 0.125, -0.125
    section = pdf_variations(alpha_s="none", lhapdf_id=260001)
    found = fill(project(tmp_path, {"LHEPdfWeight": lists(tilted(slopes))}, *section))
    spread = 0.125 * math.sqrt(100 / 99)
    assert both(found, "pdf") == [close(in_bins(1 + s * X)) for s in (spread, -spread)]


def test_the_shower_has_two_sources(tmp_path):
    slopes = [0.5, 0.25, -0.5, -0.25]
    found = fill(project(tmp_path, {"PSWeight": lists(tilted(slopes))}, *parton_shower()))
    assert both(found, "isr") == [in_bins(1 + 0.5 * X), in_bins(1 - 0.5 * X)]
    assert both(found, "fsr") == [in_bins(1 + 0.25 * X), in_bins(1 - 0.25 * X)]


def test_weights_that_are_not_relative_are_divided(tmp_path):
    nominal = np.array([2, 4, 2, 4, 2, 4, 2, 4], np.float32)
    branches = {"Some": lists(PAIR * nominal[:, None]), "original": nominal}
    found = fill(project(tmp_path, branches, entry(relative_to="original")))
    assert both(found) == [in_bins(PAIR[:, 0]), in_bins(PAIR[:, 1])]


# -- yields ------------------------------------------------------------------------------


def test_members_keep_the_yield_over_all_events_also_those_that_the_skim_dropped(tmp_path):
    branches = {"Some": lists(PAIR)}
    whole = fill(project(tmp_path, branches, entry(keep_yield=True)))
    for side in both(whole):
        assert sum(side) == close(sum(MC), rel=1e-14)
    factors = [8 / PAIR[:, i].sum() for i in (0, 1)]
    expected = [times(f, in_bins(PAIR[:, i])) for i, f in enumerate(factors)]
    assert both(whole) == [close(one) for one in expected]
    config = project(tmp_path / "b", branches, entry(keep_yield=True), preprocess=skimmed())
    assert both(fill(config)) == [close([0.0, *one[1:]]) for one in expected]


def test_only_the_yield_moves(tmp_path):
    only = entry(normalisation_only=True)
    config = project(tmp_path, {"Some": lists(PAIR)}, only, preprocess=skimmed())
    found = fill(config)
    ratios = PAIR.sum(axis=0) / 8
    assert both(found) == [close(times(ratio, [0.0, *MC[1:]])) for ratio in ratios]
    part = make_skims(config)["mc__nominal"].parts[0]
    assert not [name for name in part.load()[0].fields if name.startswith("theory")]


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        (None, False),
        (xsec(), True),
        (xsec(processes=None), False),  # the luminosity
        (xsec(name="mu", processes=["mc"]), True),
    ],
)
def test_the_yield_is_kept_where_a_cross_section_uncertainty_is_declared(tmp_path, size, kept):
    others = [] if size is None else [size]
    found = fill(project(tmp_path, {"Some": lists(PAIR)}, entry(), *others))
    assert (sum(both(found)[0]) == close(8.0)) is kept
    said = entry(keep_yield=not kept)
    found = fill(project(tmp_path / "b", {"Some": lists(PAIR)}, said, *others))
    assert (sum(both(found)[0]) == close(8.0)) is not kept


def test_signs_have_sums_of_their_own(tmp_path):
    weights = np.array([4, -2, 4, 4, 8, 4, -2, 4], np.float32)
    branches = {"Some": lists(PAIR), "genWeight": weights}
    for mode, base in (("generator", weights), ("sign", np.sign(weights))):
        general = {"weight_mode": mode}
        config = project(tmp_path / mode, branches, entry(keep_yield=True), general=general)
        found = fill(config)
        scale = 8 / (base * PAIR[:, 0]).sum()
        assert both(found)[0] == close(times(scale, in_bins(base * PAIR[:, 0])))
        assert sum(both(found)[1]) == close(8.0)


@pytest.mark.parametrize("chosen", [{}, {"combine": "envelope"}, {"keep_yield": True},
                                    {"normalisation_only": True}])  # fmt: skip
def test_weights_of_one_give_nominal_to_the_last_bit(tmp_path, chosen):
    weights = np.array([0.1, 0.7, -0.3, 1.1, 1.3, 0.9, 0.2, 0.6], np.float32)
    branches = {"Some": lists(np.ones((8, 2))), "genWeight": weights}
    found = fill(project(tmp_path, branches, entry(**chosen), preprocess=skimmed(chunk_size=3)))
    nominal = found.template("SR", "x", "mc")
    for side in ("t_up", "t_down"):
        assert found.template("SR", "x", "mc", side).sumw.tolist() == nominal.sumw.tolist()
        assert found.template("SR", "x", "mc", side).sumw2.tolist() == nominal.sumw2.tolist()


# -- ways of processing ------------------------------------------------------------------


def ways():
    yield "at once", {}
    for name in ("root", "parquet"):
        yield name, {"preprocess": skimmed(output={"format": name})}
    yield "chunks", {"preprocess": skimmed(chunk_size=3)}
    execution = {"backend": "inprocess", "one_pass": True}
    yield "one pass", {"execution": execution}
    yield "one pass in chunks", {"execution": execution, "preprocess": skimmed(chunk_size=3)}
    yield "blocks", {"execution": {"backend": "inprocess", "memory_limit": 1e-9}}


def test_how_events_are_read_does_not_matter(tmp_path):
    def more(pt):
        return pt * 0 + 2.0

    moving = {"name": "j", "type": "object", "use": [("Jet", "pt")], "target": ("Jet", "pt"),
              "up_function": more, "symmetrise": True}  # fmt: skip
    for keep in (True, False):
        found = {}
        for name, way in ways():
            branches = {"Some": lists(PAIR)}
            sections = {"preprocess": skimmed(), **way}
            config = project(
                tmp_path / f"{keep}{name}", branches, entry(keep_yield=keep), moving, **sections
            )
            one = fill(config)
            assert set(one.variations("SR", "x")[1:]) == {"j_up", "j_down", "t_up", "t_down"}
            found[name] = [close(side, rel=1e-14) for side in both(one)]
        assert all(one == [side.expected for side in found["at once"]] for one in found.values())


def test_filling_again_from_prepared_events_gives_the_same(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)}, entry())
    first = both(fill(config))
    other = dict(config["channels"][0], name="other")
    again = fill({**config, "channels": [*config["channels"], other]})
    assert both(again) == first
    assert values(again, "t_up", channel="other") == first[0]


def two_files(folder, branches):
    for i, chosen in enumerate(branches):
        write_nano(folder / "in" / f"mc_{i}.root", columns(**chosen))
    return simulation(folder / "in", files=[str(folder / "in" / "mc_*.root")])


def test_what_was_lost_is_in_no_sum(tmp_path):
    """The sums are those of the files that were processed, as those of the weights."""
    config = project(tmp_path, {"Some": lists(PAIR)}, entry(keep_yield=True))
    other = tilted([0.5, 0.5])
    dataset = two_files(tmp_path, [{"Some": lists(PAIR)}, {"Some": lists(other)}])
    execution = {"backend": "inprocess", "on_missing": "rescale", "missing_limit": 0.9}
    config |= {"datasets": {"datasets": [dataset]}, "execution": execution}
    whole = fill(config)
    sums = PAIR.sum(axis=0) + other.sum(axis=0)
    expected = [times(8 / sums[i], in_bins(PAIR[:, i] + other[:, i])) for i in (0, 1)]
    assert both(whole) == [close(one) for one in expected]
    path = tmp_path / "in" / "mc_1.root"
    path.write_bytes(path.read_bytes()[:2000])
    left = fill(config)
    assert left.ledger.losses
    alone = [times(8 / PAIR[:, i].sum(), in_bins(PAIR[:, i])) for i in (0, 1)]
    assert both(left) == [close(one) for one in alone]
    assert values(left) == MC


def test_members_follow_the_events_through_all_selections(tmp_path):
    """Also where object variations are stacked behind nominal, and pass other cuts."""
    moving = {"name": "j", "type": "object", "use": [("MET", "pt")], "target": ("MET", "pt"),
              "up_function": lambda pt: pt * 0 + 2.0}  # fmt: skip
    cut = {
        "function": lambda met, x: (met > 25.0) & (x < 3.0),
        "use": [("MET", "pt"), ("event", "x")],
    }
    config = project(tmp_path, {"Some": lists(PAIR)}, moving, entry())
    config["channels"][0]["selection"] = {"function": keep_above, "use": [("event", "x")]}
    found = one_by_one({**config, "baseline_selection": cut})
    kept = (X > 1) & (X < 3)  # and all of these have more than 25 GeV
    assert both(found) == [in_bins(PAIR[:, i] * kept) for i in (0, 1)]
    config["channels"][0]["selection"] = None
    found = one_by_one({**config, "baseline_selection": cut})
    kept = (X < 3) & (np.arange(8) >= 2)
    assert both(found) == [in_bins(PAIR[:, i] * kept) for i in (0, 1)]
    assert values(found, "j_up") == in_bins((X < 3) & (np.arange(8) >= 1))


@pytest.mark.parametrize("name", ["pickle", "root", "parquet"])
def test_parts_that_an_interrupted_run_left_have_their_sums(tmp_path, name):
    preprocess = skimmed(output={"format": name}, chunk_size=3)
    config = project(tmp_path, {"Some": lists(PAIR)}, entry(keep_yield=True), preprocess=preprocess)
    first = both(fill(config))
    (manifest,) = (tmp_path / "out").rglob("manifest.json")
    manifest.unlink()
    skims = make_skims(config)
    assert all(part.counts.theory for part in skims["mc__nominal"].parts)
    assert both(Analysis(config, skims, manager_of(config)).fill_histograms()) == first


def test_sums_are_read_back_with_the_histograms(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)}, entry(keep_yield=True))
    analysis = analysis_of(config)
    found = analysis.fill_histograms()
    analysis.save()
    ledger = read_histograms(tmp_path / "out" / "histograms" / LOSSLESS_FILE).ledger
    assert ledger == found.ledger
    (part,) = ledger.parts.values()
    name, members, sums, signs = part.theory[0]
    assert (name, members, sums) == ("t", "at__0-1", tuple(PAIR.sum(axis=0)))
    assert sums == signs
    assert "theory" in ledger.to_json()["parts"][0]
    assert "theory" not in replace(ledger, parts=without(ledger)).to_json()["parts"][0]


def without(ledger):
    return {key: replace(part, theory=()) for key, part in ledger.parts.items()}


def test_branches_have_other_names_in_some_files(tmp_path):
    renamed = {"branch_map": {"Some": "Wanted"}}
    config = project(tmp_path, {"Wanted": lists(PAIR)}, entry(), dataset=renamed)
    assert both(fill(config))[0] == in_bins(PAIR[:, 0])


# -- what files do not have --------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, np.ones((8, 0)), np.ones((8, 1))])
def test_events_without_weights_read_as_nominal_and_it_is_said(tmp_path, weights):
    branches = {} if weights is None else {"PSWeight": lists(weights)}
    config = project(tmp_path, branches, *parton_shower())
    found = fill(config)
    assert found.variations("SR", "x") == ("nominal",)
    said = all_remarks(Config.of(config), found)
    assert said == ("no fsr weights in mc", "no isr weights in mc")
    off = Config.of({**config, "general": {**config["general"], "run_systematics": False}})
    assert all_remarks(off, found) == ()


def test_files_without_weights_are_nominal_beside_those_with_them(tmp_path):
    config = project(tmp_path, {}, entry(keep_yield=True), xsec())
    dataset = two_files(tmp_path, [{"Some": lists(PAIR)}, {}])
    found = fill({**config, "datasets": {"datasets": [dataset]}})
    scale = 8 / (PAIR[:, 0].sum() + 8)
    assert both(found)[0] == close(times(scale, in_bins(PAIR[:, 0] + 1)))
    assert all_remarks(Config.of(config), found) == ("no t weights in mc",)


def test_datasets_of_a_process_may_have_different_sets(tmp_path):
    first, second = np.zeros(33), np.zeros(101)
    first[1], second[7] = 0.25, -0.5
    config = project(tmp_path, {})
    datasets, sources = [], []
    for name, slopes, first_id in (("a", first, 91400), ("b", second, 306000)):
        path = tmp_path / "in" / f"{name}.root"
        write_nano(path, columns(LHEPdfWeight=lists(tilted(slopes))))
        dataset = simulation(tmp_path / "in", files=[str(path)], name=name, process="mc")
        datasets.append({**dataset, "year": name})
        sources.append((name, pdf_variations(alpha_s="none", lhapdf_id=first_id)))
    general = {**config["general"], "lumi": {"a": 4.0, "b": 4.0}}
    config |= {"datasets": {"datasets": datasets}, "general": general}
    found = fill({**config, "systematics": dict(sources)})
    # each one's own uncertainty, added: 0.25 and 0.5
    assert both(found, "pdf") == [close(in_bins(2 + s * X)) for s in (0.75, -0.75)]
    apart = {year: [{**one[0], "correlation": "uncorrelated"}] for year, one in sources}
    found = fill({**config, "systematics": apart})
    assert both(found, "pdf_a")[0] == close(in_bins(2 + 0.25 * X))
    assert both(found, "pdf_b")[1] == close(in_bins(2 - 0.5 * X))
    kept = {year: [{**one[0], "correlation": "uncorrelated", "keep_yield": True}]
            for year, one in sources}  # fmt: skip
    member = (1 + 0.25 * X) * 8 / (1 + 0.25 * X).sum()  # each member has the yield of nominal
    size = np.abs(np.array(in_bins(member)) - MC)  # a bin knows no sign
    found = fill({**config, "systematics": kept})
    assert both(found, "pdf_a") == [close(np.array(times(2.0)) + s * size) for s in (1, -1)]


# -- where it acts -----------------------------------------------------------------------


def test_it_acts_on_processes_and_in_channels_that_are_named(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)}, entry(channels=["SR"]))
    other = dict(config["channels"][0], name="other")
    config["channels"] = [*config["channels"], other]
    found = fill(config)
    assert found.variations("SR", "x")[1:] == ("t_up", "t_down")
    assert found.variations("other", "x") == ("nominal",)
    write_nano(tmp_path / "in" / "b.root", columns(Some=lists(PAIR)))
    second = simulation(tmp_path / "in", files=[str(tmp_path / "in" / "b.root")], name="b")
    config["datasets"]["datasets"].append(second)
    config["systematics"] = [entry(processes=["b"])]
    found = fill(config)
    assert both(found) == [MC, MC]
    assert values(found, "t_up", process="b") == in_bins(PAIR[:, 0])


def test_without_systematics_nothing_is_filled(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)}, entry(), general={"run_systematics": False})
    assert fill(config).variations("SR", "x") == ("nominal",)


def test_members_are_in_no_file_and_no_histogram(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)}, entry())
    analysis = analysis_of(config)
    analysis.fill_histograms()
    raw = analysis.raw.blocks["SR", "x", "mc__nominal"]
    assert raw.variations == ("nominal", "t__at__0", "t__at__1")
    axis = analysis.histograms["SR"]["x"].axes["variation"]
    assert list(axis) == ["nominal", "t_up", "t_down"]


def test_parts_one_by_one_give_the_same(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)}, entry(keep_yield=True))
    whole = both(fill(config))
    assert both(one_by_one(config)) == whole


# -- errors ------------------------------------------------------------------------------


def failing(config, message, error=HepflowError):
    with pytest.raises(error, match=message):
        fill(config)


def test_weights_that_are_no_numbers_are_an_error(tmp_path):
    broken = np.array(PAIR)
    broken[3, 1] = math.nan
    message = r"weighted.root, Some: 1 of 8 events have weights of 't' that are not finite"
    failing(project(tmp_path, {"Some": lists(broken)}, entry()), message)
    zeros = {"Some": lists(PAIR), "original": np.zeros(8, np.float32)}
    failing(project(tmp_path / "b", zeros, entry(relative_to="original")), "8 of 8 events")
    failing(project(tmp_path / "c", {"Some": lists(PAIR)}, entry(relative_to="orignal")),
            "branch 'orignal', wanted by relative_to of t")  # fmt: skip


def test_a_weight_of_zero_is_a_weight(tmp_path):
    zero = np.array(PAIR)
    zero[3, 0] = 0.0
    found = fill(project(tmp_path, {"Some": lists(zero)}, entry()))
    assert both(found)[0] == in_bins(zero[:, 0])


def test_lists_of_different_lengths_are_an_error(tmp_path):
    import awkward as ak

    uneven = ak.values_astype(ak.Array([[1.0, 2.0]] * 7 + [[1.0]]), np.float32)
    failing(project(tmp_path, {"Some": uneven}, entry()), "between 1 and 2 weights in an event")
    flat = {"Some": np.ones(8, np.float32)}
    failing(project(tmp_path / "b", flat, entry()), "one number for each event, expected a list")


def test_sums_that_are_zero_or_not_known_are_an_error(tmp_path):
    none = np.zeros((8, 2))
    message = r"'mc__nominal': the theory weights 't__at__0' add up to 0"
    config = project(tmp_path, {"Some": lists(none)}, entry(keep_yield=True))
    failing(config, message, NormalisationError)
    fill(project(tmp_path / "a", {"Some": lists(none)}, entry()))
    config = project(tmp_path / "b", {"Some": lists(PAIR)}, entry(keep_yield=True),
                     dataset={"sumw_source": "runs"})  # fmt: skip
    file = tmp_path / "b" / "in" / "weighted.root"
    write_nano(file, columns(Some=lists(PAIR)), runs=[80.0])
    failing(config, r"its events add up to 8, its Runs trees to 80.*are not known",
            NormalisationError)  # fmt: skip
    write_nano(file, columns(Some=lists(PAIR)), runs=[8.0])
    assert sum(both(fill(config))[0]) == close(8.0)


def test_events_of_another_skim_are_refused(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)})
    skims = make_skims(config)
    analysis = Analysis({**config, "systematics": [entry()]}, skims, manager_of(config))
    with pytest.raises(InputError, match=r"weighted.root come without the theory weights of t"):
        analysis.fill_histograms()


def test_nothing_is_read_where_no_source_asks_for_it(tmp_path):
    config = project(tmp_path, {"Some": lists(PAIR)})
    part = make_skims(config)["mc__nominal"].parts[0]
    events, metadata = part.load()
    assert "part_theory" not in metadata
    assert not [name for name in events.fields if "theory" in name]
    assert keep_above(2.0)
