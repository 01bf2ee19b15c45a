"""New signals: their points, their place in a workspace, their limits, and what is excluded."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from hepflow.cli import main
from hepflow.errors import InputError, LimitError, UnreadableFile, WorkspaceError
from hepflow.plotting import FigureTask, PlottingSpec, exclusion_numbers, make_figure
from hepflow.records import Axis, Block, LimitResult, RawHistograms
from hepflow.records.kept_yield import KeptYield
from hepflow.reinterpretation import grid_limits
from hepflow.reinterpretation.grid_limits import next_limit
from hepflow.reinterpretation.points_file import read_points
from hepflow.reinterpretation.reinterpreting import reinterpret_workspace
from hepflow.reinterpretation.settings import LimitSettings
from hepflow.reinterpretation.signal_files import read_filled, read_scaled, write_filled
from hepflow.reinterpretation.signal_filling import Filled
from hepflow.reinterpretation.signal_models import (
    SignalModel,
    check_background,
    difference,
    patch_set,
)
from hepflow.reinterpretation.signal_results import Look
from hepflow.reinterpretation.signals import Signal, check_distinct, chosen_process, named_values
from hepflow.samples import processes, write_resonance
from hepflow.samples.kinematics import invariant_mass
from hepflow.statistics import Cls, limits, load_likelihood, upper_limit
from hepflow.statistics.patches import patched
from tests.unit.statistics.models import all_modifiers, counting, shared

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SBOTTOM = "likelihoods/sbottom_regionA"
PUBLISHED = (1.2426, 1.7624, 2.6579, 4.1367, 6.2969)  # expected, of shared/data/README.md


def signal(name="m1000", **changes):
    return Signal(**{"name": name, "files": {"": ("a.root",)}, "cross_section": 0.1, **changes})


# -- points ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "m 1000"}, "letters, digits and underscores"),
        ({"cross_section": -1.0}, "cross-section -1 is not positive"),
        ({"k_factor": math.nan}, "k-factor nan"),
        ({"filter_efficiency": 1.5}, "no fraction of at most 1"),
        ({"values": {"m": math.inf}}, "value of m is not finite"),
    ],
)
def test_signals_that_cannot_be(changes, told):
    with pytest.raises(InputError, match=told):
        signal(**changes)


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        ([], "there is no signal"),
        ([signal(), signal()], "several signals have the name"),
        ([signal(values={"m": 1.0}), signal("b", values={})], "Give the same parameters"),
        ([signal(values={"m": 1.0}), signal("b", values={"m": 1.0})], "same point"),
    ],
)
def test_points_are_told_apart(signals, told):
    with pytest.raises(InputError, match=told):
        check_distinct(signals)


def test_the_signal_whose_place_is_taken():
    assert chosen_process("", ["zp"]) == "zp"
    with pytest.raises(InputError, match="several signals"):
        chosen_process("", ["ggf", "vbf"])
    with pytest.raises(InputError, match="no signal 'vbg'"):
        chosen_process("vbg", ["ggf", "vbf"])


@pytest.mark.parametrize("words", [["m"], ["m=x"], ["=2"], ["m=1", "m=2"], ["m=inf"]])
def test_values_that_are_none(words):
    with pytest.raises(InputError, match="expected NAME=NUMBER"):
        named_values(words, "--point")


POINT = {"name": "a", "files": "a.root", "cross-section": "44.9 fb", "values": {"m": 1000}}


def points(tmp_path, *rows):
    path = tmp_path / "points.json"
    path.write_text(json.dumps({"points": list(rows)}))
    return path


def test_points_of_a_file(tmp_path):
    other = {"name": "b", "files": {"2016": ["x.root", "root://host//y.root"]}, "theory": "2 fb"}
    more = {"cross_section": "1 pb", "values": {"m": 2000}, "k-factor": 1.5, "tree": "T"}
    first, second = read_points(points(tmp_path, POINT, {**other, **more}))
    assert first.files == {"": (str(tmp_path / "a.root"),)}
    assert (first.cross_section, first.values) == (0.0449, {"m": 1000.0})
    assert second.files == {"2016": (str(tmp_path / "x.root"), "root://host//y.root")}
    assert (second.produced, second.theory, second.tree) == (1.5, 0.002, "T")
    text = "- {name: a, files: a.root, cross-section: 44.9 fb, values: {m: 1000}}\n"
    (tmp_path / "points.yml").write_text(text)
    assert read_points(tmp_path / "points.yml") == (first,)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**POINT, "crosssection": "1 fb"}, "unknown key 'crosssection'"),
        ({**POINT, "cross-section": None}, "no 'cross-section'"),
        ({**POINT, "cross-section": 44.9}, "no cross-section with a unit"),
        ({**POINT, "sum-of-weights-from": "files"}, "expected auto, events or runs"),
        ({**POINT, "k-factor": "big"}, "not as expected"),
        ({**POINT, "files": []}, "`files` is empty"),
        ("a.root", "expected name, files, cross-section"),
    ],
)
def test_points_that_are_none(tmp_path, row, told):
    with pytest.raises(InputError, match=told):
        read_points(points(tmp_path, row))


def test_files_without_points(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_points(tmp_path / "points.yml")
    with pytest.raises(InputError, match="no list of points"):
        read_points(points(tmp_path))


# -- histograms in files ---------------------------------------------------------------------


@pytest.fixture
def filled():
    rng = np.random.default_rng(3)
    names = ("nominal", "jes_up", "pdf__pdf306000__7")
    axes = {("SR", "m"): Axis("m", "m [GeV]", (0.0, 0.1, 0.30000000000000004, 1.0))}
    blocks = {
        ("SR", "m", key): Block(names, rng.normal(size=(3, 5)), rng.random((3, 5)))
        for key in ("signal_2016__nominal", "signal_2017__nominal")
    }
    kept = KeptYield(("nominal", "jes_up"), rng.random(2), rng.random(2))
    return Filled(signal(), RawHistograms(axes, blocks, yields={"signal_2016__nominal": kept}))


def test_raw_histograms_come_back_to_the_last_bit(tmp_path, filled):
    path = write_filled(tmp_path / "raw.root", filled, "digest")
    again = read_filled(path, "digest")
    assert again.signal == filled.signal
    assert again.raw.axes == filled.raw.axes
    for key, block in filled.raw.blocks.items():
        assert again.raw.blocks[key].variations == block.variations
        np.testing.assert_array_equal(again.raw.blocks[key].sumw, block.sumw)
        np.testing.assert_array_equal(again.raw.blocks[key].sumw2, block.sumw2)
    one, other = (some.raw.yields["signal_2016__nominal"] for some in (filled, again))
    np.testing.assert_array_equal(one.weighted, other.weighted)


def test_files_that_are_others(tmp_path, filled):
    path = write_filled(tmp_path / "raw.root", filled, "digest")
    with pytest.raises(InputError, match="made with another bundle"):
        read_filled(path, "other")
    with pytest.raises(InputError, match="made by --step skimming; expected what --step scaling"):
        read_scaled(path, "digest")
    with pytest.raises(InputError, match="does not exist"):
        read_scaled(tmp_path / "no.root", "digest")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 8])
    with pytest.raises(UnreadableFile, match="Is it whole"):
        read_filled(path, "digest")


def test_a_file_of_something_else(tmp_path):
    import uproot

    with uproot.recreate(tmp_path / "raw.root") as file:
        file["h"] = np.histogram([1.0])
    with pytest.raises(InputError, match="no histograms of a signal"):
        read_filled(tmp_path / "raw.root", "digest")


# -- workspaces ------------------------------------------------------------------------------


def without_signal(workspace):
    channels = [
        {**one, "samples": [some for some in one["samples"] if some["name"] != "signal"]}
        for one in workspace["channels"]
    ]
    return {**workspace, "channels": channels}


def test_the_patch_gives_the_workspace(tmp_path):
    import pyhf

    workspace = all_modifiers()
    background = without_signal(workspace)
    operations = tuple(difference(background, workspace))
    assert [(one["op"], one["path"]) for one in operations] == [("add", "/channels/0/samples/0")]
    models = [SignalModel(signal(values={"m": 1000.0}), workspace, operations)]
    content = patch_set(models, background, ("m",), "study")
    accepted = pyhf.PatchSet(content)
    accepted.verify(background)
    assert dict(accepted.apply(background, "m1000")) == workspace
    assert accepted[(1000.0,)].name == "m1000"
    (tmp_path / "set.json").write_text(json.dumps(content))
    assert patched(background, f"{tmp_path}/set.json:m1000") == workspace


def test_what_else_differs_is_replaced():
    workspace = counting(5.0, 50.0, 52.0)
    other = counting(5.0, 51.0, 53.0)
    paths = [one["path"] for one in difference(without_signal(workspace), other)]
    assert paths == ["/channels/0/samples/0", "/channels/0/samples/1", "/observations"]
    rounded = counting(5.0, 50.0 * (1 + 1e-12), 52.0)
    assert len(list(difference(without_signal(workspace), rounded))) == 1


def test_workspaces_of_another_analysis():
    workspace = counting(5.0, 50.0, 52.0)
    with pytest.raises(WorkspaceError, match="are not those of the background"):
        list(difference(all_modifiers(), workspace))
    with pytest.raises(WorkspaceError, match="lacks the background 'signal'"):
        list(difference(workspace, without_signal(workspace)))


@pytest.mark.parametrize("expected", [0.0, -1.0])
def test_data_without_background(expected):
    workspace = without_signal(counting(5.0, expected, 3.0))
    with pytest.raises(WorkspaceError, match="in bin 0, where 3 are observed"):
        check_background(workspace)
    check_background(without_signal(counting(5.0, 0.0, 0.0)))


# -- limits ----------------------------------------------------------------------------------


def grid():
    """Models whose limits are spread over a factor of three."""
    for scale in (1.0, 1.3, 0.4):
        workspace = all_modifiers()
        sample = workspace["channels"][0]["samples"][0]
        sample["data"] = [scale * one for one in sample["data"]]
        for modifier in sample["modifiers"]:
            if modifier["type"] == "histosys":
                modifier["data"] = {
                    side: [scale * one for one in bins] for side, bins in modifier["data"].items()
                }
        yield load_likelihood(workspace)


@pytest.mark.parametrize("only", [False, True])
def test_limits_of_neighbours_are_those_by_themselves(only):
    before = None
    for likelihood, data in grid():
        found, before = next_limit(likelihood, data, LimitSettings(expected_only=only), before)
        alone = upper_limit(likelihood, data, expected_only=only)
        np.testing.assert_allclose(found.expected, alone.expected, rtol=2e-5)
        assert (found.observed is None) is only
        if not only:
            assert found.observed == pytest.approx(alone.observed, rel=2e-5)
            assert found.cls_at_observed == pytest.approx(0.05, abs=1e-4)
        assert found.model == alone.model


def test_limits_that_do_not_settle_are_found_one_by_one(monkeypatch):
    monkeypatch.setattr(grid_limits, "_ROUNDS", 1)
    likelihood, data = next(grid())
    found, before = next_limit(likelihood, data, LimitSettings())
    assert before is None
    alone = upper_limit(likelihood, data)
    assert (found.observed, found.expected) == (alone.observed, alone.expected)


def test_limits_that_do_not_verify_are_none(monkeypatch):
    monkeypatch.setattr(limits, "CLS_TOLERANCE", 0.0)
    with pytest.raises(LimitError, match="does not verify"):
        next_limit(*load_likelihood(counting(5.0, 50.0, 52.0)), LimitSettings())


def test_a_published_workspace_with_its_patch(tmp_path, capsys):
    workspace = shared(f"{SBOTTOM}/BkgOnly.json")
    patch = shared(f"{SBOTTOM}/patch.sbottom_1300_205_60.json")
    out = tmp_path / "out"
    words = ["reinterpret", str(workspace), "--patch", str(patch), "--output", str(out)]
    assert main([*words, "--no-plots", "--scan-points=0", "--json=-"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    assert point["observed"] == pytest.approx(2.0102, abs=2e-4)
    np.testing.assert_allclose(point["expected"], PUBLISHED, rtol=1e-4)
    background = json.loads((out / "model" / "background.json").read_text())
    assert background == json.loads(workspace.read_text())
    likelihood, data = load_likelihood(patched(background, out / "model/signal.patchset.json"))
    at_one = Cls(likelihood, data).point(1.0)
    assert at_one.observed == pytest.approx(0.24443627759, rel=1e-5)
    assert at_one.expected[2] == pytest.approx(0.3843234, rel=1e-5)


def published(tmp_path, *signals):
    """A workspace and a patch set of signals of these sizes at masses of 100, 200, ..."""
    background = without_signal(counting(5.0, 50.0, 52.0))
    models = []
    for i, size in enumerate(signals):
        workspace = counting(size, 50.0, 52.0)
        one = signal(f"m{i}", values={"m": 100.0 * (i + 1)}, files={})
        models.append(SignalModel(one, workspace, tuple(difference(background, workspace))))
    (tmp_path / "background.json").write_text(json.dumps(background))
    content = patch_set(models, background, ("m",), "published")
    (tmp_path / "set.json").write_text(json.dumps(content))
    return tmp_path / "background.json", tmp_path / "set.json"


def test_all_entries_of_a_patch_set(tmp_path):
    workspace, patches = published(tmp_path, 40.0, 20.0, 10.0)
    found = reinterpret_workspace(workspace, [patches], tmp_path / "out")
    assert [one.name for one in found.points] == ["m0", "m1", "m2"]
    assert found.point("m1").limit.observed == pytest.approx(
        2 * found.point("m0").limit.observed, rel=1e-4
    )
    with pytest.raises(InputError, match="no signal 'm7'"):
        found.point("m7")
    summary = json.loads((tmp_path / "out" / "points.json").read_text())
    assert summary["exclusion"]["x"] == [100.0, 200.0, 300.0]
    # the limit on m2 is 4 times that on m0: log-linear in between
    ((low, high),) = summary["exclusion"]["excluded"]
    strengths = [one["observed"] for one in summary["points"]]
    part = math.log(strengths[1]) / math.log(strengths[1] / strengths[2])
    assert (low, high) == (100.0, pytest.approx(200.0 + 100.0 * part, rel=1e-6))
    assert {one.name for one in found.files} >= {"exclusion.pdf", "exclusion.png"}


def test_signals_in_a_plane(tmp_path):
    workspace, patches = published(tmp_path, 40.0, 20.0, 10.0)
    content = json.loads(patches.read_text())
    content["metadata"]["labels"] = ["m", "width"]
    for entry, place in zip(content["patches"], ([0, 0], [1, 0], [0, 1]), strict=True):
        entry["metadata"]["values"] = place
    patches.write_text(json.dumps(content))
    look = Look(formats=("png",), labels={"m": "m [GeV]"})
    found = reinterpret_workspace(workspace, [patches], tmp_path / "out", look=look)
    exclusion = json.loads((tmp_path / "out" / "points.json").read_text())["exclusion"]
    assert exclusion["labels"] == ["m [GeV]", "width"]
    strengths = [one.limit.observed for one in found.points]
    part = math.log(strengths[1]) / math.log(strengths[1] / strengths[2])  # between the last two
    (line,) = exclusion["contours"]["observed"]
    assert max(line) == pytest.approx([1 - part, part])
    assert "from 3 points only" in exclusion["remarks"][0]
    assert "exclusion.png" in {one.name for one in found.files}


def test_a_signal_without_events_is_named(tmp_path):
    workspace, patches = published(tmp_path, 40.0, 0.0)
    with pytest.raises(LimitError, match="does not depend on mu") as caught:
        reinterpret_workspace(workspace, [patches], tmp_path / "out")
    assert "'m1'" in caught.value.__notes__[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("reference", "told"),
    [("set.json:m9", "no entry 'm9'"), ("none.json", "none.json"), ("background.json", "no patch")],
)
def test_patches_that_do_not_fit(tmp_path, capsys, reference, told):
    workspace, _ = published(tmp_path, 40.0)
    words = ["reinterpret", str(workspace), "--output", str(tmp_path / "out")]
    assert main([*words, "--patch", str(tmp_path / reference)]) != 0
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_patch_set_of_another_workspace(tmp_path, capsys):
    workspace, patches = published(tmp_path, 40.0)
    workspace.write_text(json.dumps(without_signal(counting(5.0, 51.0, 52.0))))
    words = ["reinterpret", str(workspace), "--output", str(tmp_path / "out")]
    assert main([*words, "--patch", str(patches)]) == 2
    assert "is for a workspace of sha256" in capsys.readouterr().err


@pytest.mark.parametrize("entry", [{"patch": []}, 3])
def test_a_patch_set_that_is_broken(tmp_path, capsys, entry):
    workspace, patches = published(tmp_path, 40.0)
    content = json.loads(patches.read_text())
    patches.write_text(json.dumps({**content, "patches": [entry]}))
    words = ["reinterpret", str(workspace), "--output", str(tmp_path / "out")]
    assert main([*words, "--patch", str(patches)]) == 2
    assert "metadata.name" in capsys.readouterr().err


# -- exclusion -------------------------------------------------------------------------------


def limit(strength, *, observed=True):
    band = tuple(strength * factor for factor in (0.5, 0.7, 1.0, 1.4, 2.0))
    return LimitResult(
        poi="mu",
        poi_range=(0.0, 10.0),
        confidence_level=0.95,
        observed=strength if observed else None,
        expected=band,
        expected_kind="a_posteriori",
        cls_at_observed=0.05,
        test_statistic="qtilde",
        calculator="asymptotic",
        model={},
    )


PLACES = [(float(x), float(y)) for x in range(4) for y in range(4)]
LABELS = ("m [GeV]", "width [GeV]")


def test_a_contour_that_is_known():
    # log(limit) = x + 2 y - 4.1 is linear: the contour is that line, whatever the triangles
    limits = [limit(math.exp(x + 2 * y - 4.1)) for x, y in PLACES]
    found = exclusion_numbers(PLACES, limits, labels=LABELS)
    (line,) = found.contours["observed"]
    np.testing.assert_allclose(line[:, 0] + 2 * line[:, 1], 4.1, rtol=1e-12)
    assert line[:, 1].min() == pytest.approx(0.55)
    assert line[:, 1].max() == pytest.approx(2.05)
    (shifted,) = found.contours["expected_plus_1"]
    np.testing.assert_allclose(shifted[:, 0] + 2 * shifted[:, 1], 4.1 - math.log(1.4), rtol=1e-12)
    assert found.remarks == ()
    assert found.to_json()["contours"]["observed"] == [line.tolist()]
    halved = exclusion_numbers(PLACES, limits, labels=LABELS, predictions=[0.5] * len(PLACES))
    (line,) = halved.contours["observed"]
    np.testing.assert_allclose(line[:, 0] + 2 * line[:, 1], 4.1 - math.log(2), rtol=1e-12)


def test_an_island_is_a_closed_line():
    limits = [limit(0.5 if (x, y) == (1.0, 1.0) else 2.0) for x, y in PLACES]
    (line,) = exclusion_numbers(PLACES, limits, labels=LABELS).contours["observed"]
    np.testing.assert_array_equal(line[0], line[-1])
    assert len(line) > 4


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([(0.0, 0.0), (1.0, 1.0)], "no contour"),
        ([(float(i), 2.0 * i) for i in range(5)], "no contour"),
        ([(float(i), 1.0) for i in range(5)], "no contour"),
        ([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], "from 3 points only"),
    ],
)
def test_too_few_points(places, told):
    limits = [limit(math.exp(x - 0.5)) for x, _ in places]
    found = exclusion_numbers(places, limits, labels=LABELS)
    assert told in found.remarks[0]
    assert bool(found.contours["observed"]) is ("only" in told)


def test_limits_that_make_no_contour():
    with pytest.raises(InputError, match="2 points, 1 limits"):
        exclusion_numbers(PLACES[:2], [limit(1.0)], labels=LABELS)
    other = replace(limit(1.0), poi="nu")
    with pytest.raises(InputError, match="limits on different things"):
        exclusion_numbers(PLACES[:2], [limit(1.0), other], labels=LABELS)


@pytest.mark.parametrize("observed", [True, False])
def test_the_contour_as_drawn(observed):
    limits = [limit(math.exp(x + y - 2.2), observed=observed) for x, y in PLACES]
    numbers = exclusion_numbers(PLACES, limits, labels=LABELS)
    figure = make_figure(FigureTask(numbers, PlottingSpec(), None, "exclusion", ("a remark",)))
    (axes,) = figure.axes
    texts = [one.get_text() for one in axes.get_legend().get_texts()]
    assert ("Observed" in texts) is observed
    assert ("Excluded" in texts) is observed
    assert (axes.get_xlabel(), axes.get_ylabel()) == LABELS
    shown = {line.get_label(): line for line in axes.lines}
    out = shown["Excluded" if observed else "Expected to be excluded"]
    assert len(out.get_xdata()) == sum(x + y < 2.2 for x, y in PLACES)
    assert "a remark" in [one.get_text() for one in figure.texts]


# -- another mass ----------------------------------------------------------------------------


def test_a_resonance_of_another_mass(tmp_path):
    import uproot

    rng = np.random.default_rng(1)
    hard = processes.signal(400, rng, pole=1500.0)
    parts = (hard.jets[:, :8], hard.muons, hard.electrons, hard.neutrinos[:, np.newaxis])
    mass = invariant_mass(np.sum([one.sum(axis=1) for one in parts], axis=0))
    assert np.median(mass) == pytest.approx(1500.0, rel=0.03)
    file = write_resonance(tmp_path / "m1500.root", 1500.0, 50)
    with uproot.open(file) as opened:
        assert opened["Events"].num_entries == 50
        assert {"Runs", "LuminosityBlocks"} <= set(opened.keys(cycle=False))
    again = write_resonance(tmp_path / "other" / "m1500.root", 1500.0, 50)
    one, two = (uproot.open(path)["Events/PuppiMET_pt"].array() for path in (file, again))
    assert one.tolist() == two.tolist()
    with pytest.raises(InputError, match="decays to two top quarks"):
        write_resonance(tmp_path / "m300.root", 300.0, 50)


# -- the command -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--trust"], "--signal or --points is needed"),
        (["--trust", "--signal", "a.root"], "--cross-section is needed, with its unit"),
        (["--signal", "a.root", "--cross-section", "44.9"], "no cross-section with a unit"),
        (["--points", "p.yml", "--cross-section", "1 fb"], "--cross-section has no effect"),
        (["--patch", "p.json", "--signal", "a.root"], "--signal has no effect with --patch"),
        (["--step", "skimming"], "--signal is needed"),
        (["--step", "skimming", "--signal", "a", "--k-factor", "2"], "--k-factor has no effect"),
        (["--step", "scaling", "--input", "a"], "--cross-section is needed"),
        (["--step", "scaling", "--input", "a", "b", "--cross-section", "1 fb"], "one --input"),
        (["--step", "interpretation"], "--input is needed"),
        (["--patch", "p.json", "--format", "gif"], "expected one or more of pdf"),
        (["--patch", "p.json", "--label", "m"], "expected NAME=TEXT"),
    ],
)
def test_options_that_do_not_go_together(capsys, words, told):
    assert main(["reinterpret", "bundle", "--output", "out", *words]) == 2
    assert told in capsys.readouterr().err
