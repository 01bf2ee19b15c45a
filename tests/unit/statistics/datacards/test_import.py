"""Datacards as workspaces."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import uproot

from hepflow.cli import main
from hepflow.errors import HepflowError, InputError, UnreadableFile, UnsafeContent, WorkspaceError
from hepflow.statistics.datacards import import_card, parse_card
from tests.unit.statistics.datacards.evaluator import CardLikelihood
from tests.unit.statistics.datacards.model import Model

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it

COUNTS = """\
# two channels, three processes
imax 2
jmax 2 processes less one
kmax *
---------------
bin          low   high
observation  12    3
---------------
bin          low   low   low   high  high
process      sig   top   fake  sig   top
process      0     1     2     0     1
rate         2.5   6.0   3.2   4.0   1.5
---------------
lumi     lnN   1.02  1.02  -     1.02  1.02  on what comes from simulation
scale    lnN   -     0.8/1.3  -  -     0.9/1.15
side     gmN 8 -     -     0.4   -     -
wide     lnU   -     1.5   -     -     1.5
free     rateParam * top 1.1 [0.2,3]
size     rateParam high sig 0.9
size     param 0.9 0.05
theory   group = scale wide
theory   group += lumi
"""


@pytest.fixture
def counts(tmp_path):
    path = tmp_path / "card.txt"
    path.write_text(COUNTS)
    return path


def histogram(values, errors=None):
    values = np.asarray(values, float)
    errors = np.zeros_like(values) if errors is None else np.asarray(errors, float)

    def flow(numbers):
        return np.concatenate([[7.0], numbers, [9.0]])  # nobody looks at under- and overflow

    return uproot.writing.identify.to_TH1x(
        None, "", flow(values), 1.0, 1.0, 1.0, 1.0, 1.0, flow(errors**2),
        uproot.writing.identify.to_TAxis("x", "", len(values), 0.0, 1.0),
    )  # fmt: skip


HISTOGRAMS = {
    "data_obs": [24.0, 17.0, 9.0],
    "sig": [1.0, 3.0, 5.0],
    "bkg": [20.0, 12.0, 4.0],
    "sig_jesUp": [0.9, 3.2, 5.5],
    "sig_jesDown": [1.2, 2.9, 4.4],
    "bkg_jesUp": [22.0, 12.5, 3.5],
    "bkg_jesDown": [19.0, 11.0, 4.2],
    "bkg_tiltUp": [18.0, 12.0, 6.0],
    "bkg_tiltDown": [22.0, 12.0, 2.0],
}

SHAPES = """\
imax 1
jmax 1
kmax *
shapes * * shapes.root $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC
----
bin          sr
observation  -1
----
bin          sr    sr
process      0     1
process      sig   bkg
rate         -1    36
----
norm   lnN    1.1   1.2
jes    shape  1     1
tilt   shape  -     1
"""


def shapes(folder: Path, text: str = SHAPES, **histograms) -> Path:
    with uproot.recreate(folder / "shapes.root") as file:
        for name, content in {**HISTOGRAMS, **histograms}.items():
            if content is not None:
                pair = content if isinstance(content, tuple) else (content, None)
                file[f"sr/{name}"] = histogram(*pair)
    (folder / "card.txt").write_text(text)
    return folder / "card.txt"


def close(one, other, tolerance=1e-9):
    assert one.keys() == other.keys()
    for key, values in one.items():
        assert values == pytest.approx(other[key], rel=tolerance), key


# -- counting cards --------------------------------------------------------------------------


def test_a_counting_card_has_the_yields_of_its_text(counts):
    found = import_card(counts)
    ours, theirs = Model(found.workspace), CardLikelihood(counts)
    start = {"r": 1.0, "size": 0.0}
    for point, values in (
        ({}, {}),
        ({"lumi": 1.0}, {"lumi": 1.0}),
        ({"lumi": -1.0, "scale": 1.0}, {"lumi": -1.0, "scale": 1.0}),
        ({"scale": -1.0}, {"scale": -1.0}),
        ({"scale": 2.5}, {"scale": 2.5}),
        ({"side": 6.0}, {"side": 0.75}),
        ({"wide": 1.0}, {"wide": 1.5}),
        ({"free": 2.0}, {"free": 2.0}),
        ({"size": 0.95}, {"size": 1.0}),  # one width up
    ):
        mine = ours.expected(**{**start, **values})
        sideband = mine.pop(("side_sideband", "events"))
        assert sideband == pytest.approx(8.0 * values.get("side", 1.0))
        close(mine, theirs.expected(point))


def test_a_counting_card_has_the_likelihood_of_its_text(counts):
    ours, theirs = Model(import_card(counts).workspace), CardLikelihood(counts)
    points = (
        ({}, {}),
        ({"lumi": 1.0, "side": 5.0}, {"lumi": 1.0, "side": 5 / 8}),
        ({"scale": -1.0, "free": 1.4}, {"scale": -1.0, "free": 1.4}),
        ({"size": 0.85, "wide": -0.5, "scale": 1.0},
         {"size": -1.0, "wide": 1.5**-0.5, "scale": 1.0}),
    )  # fmt: skip
    differences = [
        ours.twice_nll(r=r, **values) - theirs.twice_nll(point, r)
        for point, values in points
        for r in (0.3, 2.0)
    ]
    assert differences == pytest.approx([0.0] * len(differences), abs=1e-8)


def test_what_a_workspace_says_otherwise_is_told(counts):
    found = import_card(counts)
    told = {one.names: one for one in found.approximations}
    assert set(told) == {("scale",)}
    size = told["scale",].largest
    ours, theirs = Model(found.workspace), CardLikelihood(counts)
    seen = max(
        abs(
            ours.expected(scale=theta, size=0.0)["low", "top"][0]
            / theirs.expected({"scale": theta})["low", "top"][0]
            - 1
        )
        for theta in np.linspace(-1, 1, 41)
    )
    assert seen == pytest.approx(size, rel=0.05)
    assert 1e-3 < size < 0.01
    assert found.groups == {"theory": ("scale", "wide", "lumi")}


def test_a_sideband_without_events_is_exact():
    text = COUNTS.replace("gmN 8 -     -     0.4 ", "gmN 0 -     -     0.4 ")
    card = parse_card(text.replace("6.0   3.2", "6.0   0"))
    assert card.nuisances[2].events == 0


def test_a_sideband_without_events_expects_what_each_would(tmp_path):
    text = COUNTS.replace("gmN 8", "gmN 0").replace("6.0   3.2", "6.0   0")
    (tmp_path / "card.txt").write_text(text)
    ours = Model(import_card(tmp_path / "card.txt").workspace)
    assert ours.expected(side=2.0)["low", "fake"] == pytest.approx(0.8)
    # Poisson(0 | n) = exp(-n)
    rise = ours.twice_nll(side=0.5, r=0.0, free=1.0) - ours.twice_nll(side=0.2, r=0.0, free=1.0)
    low = {side: 6.0 + 0.4 * side for side in (0.5, 0.2)}
    main_rise = 2 * (low[0.5] - 12 * math.log(low[0.5])) - 2 * (low[0.2] - 12 * math.log(low[0.2]))
    assert rise - main_rise == pytest.approx(2 * 0.3)


def test_signals_are_named_by_their_number(tmp_path):
    text = COUNTS.replace("process      0     1     2     0     1", "process  -1 0 2 -1 0")
    (tmp_path / "card.txt").write_text(text)
    found = import_card(tmp_path / "card.txt", poi="mu", bounds=(-1.0, 5.0))
    config = found.workspace["measurements"][0]["config"]
    assert config["poi"] == "mu"
    assert config["parameters"][0] == {"name": "mu", "inits": [1.0], "bounds": [[-1.0, 5.0]]}
    scaled = {
        sample["name"]
        for channel in found.workspace["channels"]
        for sample in channel["samples"]
        for one in sample["modifiers"]
        if one["name"] == "mu"
    }
    assert scaled == {"sig", "top"}


def test_names_that_begin_with_a_digit_get_combines_prefix():
    text = "imax 1\njmax 1\nkmax 1\nbin 1\nobservation 5\nbin 1 1\nprocess 0 1\nprocess s b\n"
    card = parse_card(text + "rate 1 4\n2x lnN 1.1 -\n")
    assert list(card.observed) == ["bin1"]
    assert card.nuisances[0].name == "theta2x"


def test_a_card_without_names_of_channels_above(tmp_path):
    text = "imax 1\nobservation 5\nbin a a\nprocess s b\nprocess 0 1\nrate 1 4\n"
    assert parse_card(text).observed == {"a": 5.0}


# -- cards with histograms -------------------------------------------------------------------


def test_shapes_agree_at_the_points_of_the_histograms(tmp_path):
    path = shapes(tmp_path)
    ours, theirs = Model(import_card(path).workspace), CardLikelihood(path)
    for point in ({}, {"jes": 1.0}, {"jes": -1.0}, {"tilt": 1.0, "norm": -1.0}, {"jes": 2.0}):
        close(ours.expected(**point), theirs.expected(point))
    assert ours.expected(jes=1.0)["sr", "sig"] == pytest.approx(HISTOGRAMS["sig_jesUp"])
    assert ours.expected(tilt=-1.0)["sr", "bkg"] == pytest.approx(HISTOGRAMS["bkg_tiltDown"])


def test_a_shape_without_an_effect_on_the_yield_agrees_everywhere(tmp_path):
    path = shapes(tmp_path)
    ours, theirs = Model(import_card(path).workspace), CardLikelihood(path)
    for theta in np.linspace(-3, 3, 13):
        close(ours.expected(tilt=theta), theirs.expected({"tilt": theta}))
        assert ours.twice_nll(tilt=theta, r=1.3) == pytest.approx(
            theirs.twice_nll({"tilt": theta}, 1.3), abs=1e-8
        )


def test_likelihoods_of_shapes_differ_by_no_more_than_is_told(tmp_path):
    path = shapes(tmp_path)
    found = import_card(path)
    (told,) = found.approximations
    assert told.names == ("jes",)
    ours, theirs = Model(found.workspace), CardLikelihood(path)
    worst = 0.0
    for theta in np.linspace(-1, 1, 21):
        mine, others = ours.expected(jes=theta), theirs.expected({"jes": theta})
        worst = max(worst, *(np.abs(mine[key] / others[key] - 1).max() for key in mine))
    assert 0 < worst <= told.largest * 1.01


def test_the_rate_is_the_integral_whatever_the_histogram_counts(tmp_path):
    path = shapes(tmp_path, SHAPES.replace("36", "36.2"))
    nominal = Model(import_card(path).workspace).expected()["sr", "bkg"]
    assert nominal == pytest.approx(np.array(HISTOGRAMS["bkg"]) * 36.2 / 36)


def test_a_shape_may_be_smaller_than_a_width(tmp_path):
    path = shapes(tmp_path, SHAPES.replace("tilt   shape  -     1", "tilt   shape  -     0.5"))
    found = import_card(path)
    assert "tilt" in {name for one in found.approximations for name in one.names}
    # fractions at half a width, by the formula of Combine's documentation
    nominal, up, down = (
        np.array(HISTOGRAMS[f"bkg{one}"]) / 36 for one in ("", "_tiltUp", "_tiltDown")
    )
    plus, minus, t = up - nominal, down - nominal, 0.5
    f = nominal + 0.5 * (
        (plus - minus) * t + (plus + minus) * (3 * t**6 - 10 * t**4 + 15 * t**2) / 8
    )
    assert Model(found.workspace).expected(tilt=1.0)["sr", "bkg"] == pytest.approx(36 * f)


@pytest.mark.parametrize("kind", ["shapeN", "shapeN2", "shapeN?"])
def test_shapes_by_logarithms_are_taken_with_a_remark(kind, tmp_path):
    found = import_card(shapes(tmp_path, SHAPES.replace("shape  -", f"{kind}  -")))
    assert any("logarithms" in one.what and one.names == ("tilt",) for one in found.approximations)
    assert Model(found.workspace).expected(tilt=1.0)["sr", "bkg"] == pytest.approx(
        HISTOGRAMS["bkg_tiltUp"]
    )


def test_a_shape_that_may_be_missing_is_a_factor_there(tmp_path):
    text = SHAPES.replace("tilt   shape  -     1", "tilt   shape?  0.9/1.3     1")
    expected = Model(import_card(shapes(tmp_path, text)).workspace).expected(tilt=-1.0)
    assert expected["sr", "sig"] == pytest.approx(0.9 * np.array(HISTOGRAMS["sig"]))
    assert expected["sr", "bkg"] == pytest.approx(HISTOGRAMS["bkg_tiltDown"])


def test_keywords_stand_for_names(tmp_path):
    with uproot.recreate(tmp_path / "in_125.root") as file:
        for name in ("data_obs", "bkg", "sig125"):
            file[f"x/{name}"] = histogram(HISTOGRAMS[name.removesuffix("125")])
    rules = (
        "shapes * * in_$MASS.root x/$PROCESS\nshapes sig * in_125.root x/$PROCESS$MASS\n"
        "shapes sig other in_125.root nowhere\n"
    )
    text = SHAPES.replace(
        "shapes * * shapes.root $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC\n", rules
    )
    text = text.partition("jes ")[0]
    (tmp_path / "card.txt").write_text(text)
    found = Model(import_card(tmp_path / "card.txt", mass=125.0).workspace).expected()
    assert found["sr", "sig"] == pytest.approx(HISTOGRAMS["sig"])
    with pytest.raises(WorkspaceError, match=r"no histogram x/sig125\.5"):
        import_card(tmp_path / "card.txt", mass=125.5)


def test_channels_of_counts_stand_beside_histograms(tmp_path):
    text = SHAPES.replace("shapes *", "shapes * cr FAKE\nshapes *", 1).replace("imax 1", "imax 2")
    text = text.replace("bin          sr\n", "bin sr cr\n").replace(
        "observation  -1", "observation -1 40"
    )
    text = text.replace("bin          sr    sr", "bin sr sr cr").replace("-1    36", "-1 36 38")
    text = text.replace("process      0     1", "process 0 1 1").replace("sig   bkg", "sig bkg bkg")
    text = (
        text.replace("1.1   1.2", "1.1 1.2 1.2")
        .replace("1     1\n", "1 1 -\n")
        .replace("-     1\n", "- 1 -\n")
    )
    found = import_card(shapes(tmp_path, text))
    assert Model(found.workspace).expected(norm=1.0)["cr", "bkg"] == pytest.approx([38 * 1.2])


# -- statistics of templates -----------------------------------------------------------------


def stat_card(folder: Path, line: str, sig=(0.1, 0.2, 0.3), bkg=(2.0, 3.0, 4.0), **more) -> Path:
    errors = {"sig": sig, "bkg": bkg}
    extra = {name: (more.pop(name, HISTOGRAMS[name]), one) for name, one in errors.items()} | more
    return shapes(folder, SHAPES + line, **extra)


def test_above_the_threshold_one_factor_scales_a_bin(tmp_path):
    # effective background events 100, 16, 1: all above 0
    found = import_card(stat_card(tmp_path, "* autoMCStats 0\n"))
    ours = Model(found.workspace)
    labels = [one for one in ours.labels if one.startswith("prop")]
    assert labels == [f"prop_binsr[{i}]" for i in range(3)]
    widths = ours.model.config.param_set("prop_binsr").sigmas
    total = np.add(HISTOGRAMS["sig"], HISTOGRAMS["bkg"])
    assert widths == pytest.approx(np.hypot([0.1, 0.2, 0.3], [2.0, 3.0, 4.0]) / total)
    up = ours.expected(**{"prop_binsr[1]": 1 + widths[1]})
    both = up["sr", "sig"][1] + up["sr", "bkg"][1]
    assert both == pytest.approx(15 + np.hypot(0.2, 3.0))


def test_up_to_the_threshold_each_process_has_its_own(tmp_path):
    # threshold 16: bins 1 and 2 of the background have 16 and 1 effective events
    found = import_card(stat_card(tmp_path, "sr autoMCStats 16\n", sig=(0.1, 1.0, 0.0)))
    ours = Model(found.workspace)
    config = ours.model.config
    assert config.param_set("prop_binsr").suggested_fixed == [False, True, True]
    # 12 +- 3: 16 effective events; 4 +- 4: one
    poisson = config.param_set("prop_binsr_bkg")
    assert poisson.pdf_type == "poisson"
    assert poisson.factors[1:] == pytest.approx([16.0, 1.0])
    assert poisson.suggested_fixed == [True, False, False]
    # 3 +- 1: nine effective events, of Poisson; without error in the last bin
    assert config.param_set("prop_binsr_sig").factors[1] == pytest.approx(9.0)
    assert config.param_set("prop_binsr_sig").suggested_fixed == [True, False, True]


def test_a_process_with_many_events_is_normal_below_the_threshold(tmp_path):
    found = import_card(stat_card(tmp_path, "sr autoMCStats 16\n", sig=(0.1, 0.2, 0.0)))
    group = Model(found.workspace).model.config.param_set("prop_binsr_sig_normal")
    assert group.pdf_type == "normal"  # 3 +- 0.2: 225 effective events
    assert group.sigmas[1] == pytest.approx(0.2 / 3)


def test_signals_count_for_the_threshold_on_request(tmp_path):
    # last bin, background without error: skipped, unless the signal counts
    names = {}
    for flag in (0, 1):
        line = f"sr autoMCStats 0 {flag}\n"
        found = import_card(stat_card(tmp_path, line, bkg=(2.0, 3.0, 0.0)))
        names[flag] = Model(found.workspace).model.config.param_set("prop_binsr").suggested_fixed
    assert names == {0: [False, False, True], 1: [False, False, False]}


def test_shapes_change_the_yield_linearly_in_mode_2(tmp_path):
    found = import_card(stat_card(tmp_path, "sr autoMCStats -1 0 2\n"))
    ours = Model(found.workspace)
    assert not any(one.startswith("prop") for one in ours.labels)
    assert not any("jes" in one.names for one in found.approximations)
    assert ours.expected(jes=2.0)["sr", "bkg"] == pytest.approx(
        2 * np.array(HISTOGRAMS["bkg_jesUp"]) - HISTOGRAMS["bkg"]
    )


def test_the_error_is_right_where_processes_are_scaled(tmp_path):
    found = import_card(stat_card(tmp_path, "k rateParam sr bkg 2 [0,5]\nsr autoMCStats 0\n"))
    width = Model(found.workspace).model.config.param_set("prop_binsr").sigmas[0]
    assert width == pytest.approx(np.hypot(0.1, 4.0) / (1.0 + 40.0))


def test_bins_without_yield_have_no_statistics(tmp_path):
    path = shapes(
        tmp_path,
        sig=([8.0, 1.0, 0.0], (0.1, 2.0, 0.0)),
        bkg=([36.0, 0.0, 0.0], (2.0, 3.0, 0.0)),
        data_obs=[40.0, 1.0, 0.0],
    )
    path.write_text(path.read_text().partition("jes ")[0] + "sr autoMCStats 10\n")
    told = {one.what: one.names for one in import_card(path).approximations}
    assert ("prop_binsr_bkg",) in told.values()  # 0 +- 3
    assert ("prop_binsr_sig",) in told.values()  # 1 +- 2, above 100 %


# -- what is refused -------------------------------------------------------------------------

HEAD = COUNTS.partition("lumi ")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imax 1\n", "has no line `rate`"),
        (COUNTS.replace("imax 2", "imax 3"), "imax says 3, but there are 2"),
        (COUNTS.replace("kmax *", "kmax 7"), "kmax says 7, but there are 5"),
        (COUNTS.replace("jmax", "jmaxx"), "line 3: 'jmaxx' is not known .* 'jmax'"),
        (COUNTS.replace("12    3", "12"), "1 observations of low, high"),
        (COUNTS.replace("12    3", "12    x"), "line 7: 'x' is no number"),
        (COUNTS.replace("4.0   1.5", "4.0"), "one entry for each column"),
        (COUNTS.replace("4.0   1.5", "4.0   -2"), "the rate -2 is negative"),
        (COUNTS.replace("process      0 ", "process      a "), "must have integers only"),
        (COUNTS.replace("process      0     1     2     0     1\n", ""), "there are 1 and 1"),
        (COUNTS.replace("0     1\n", "3     1\n"), "'sig' is a signal in one channel and none"),
        (COUNTS.replace("top   fake", "top   top"), "a process is there twice"),
        (HEAD + "x trG 1 1 1 1 1\n", "line 14: HistFactory has nothing for 'trG' of 'x'"),
        (HEAD + "nuisance edit drop * * x\n", "nothing for 'edit'"),
        (HEAD + "x\n", "too short. Expected: name kind effects"),
        (HEAD + "x lnN 1.1 -\n", "one effect for each column"),
        (HEAD + "x[nofloat] lnN 1.1 - - - -\n", "nofloat"),
        (HEAD + "x lnN 1.1 - - - -\nx lnN 1.1 - - - -\n", "line 15: 'x' is there twice"),
        (HEAD + "x lnN -1.1 - - - -\n", "no positive effect"),
        (HEAD + "x lnN 1.1/ - - - -\n", "no positive effect"),
        (HEAD + "x lnN a - - - -\n", "'a' is no number"),
        (HEAD + "x lnN nan - - - -\n", "'nan' is no number"),
        (COUNTS.replace("imax 2", "imax inf"), "'inf' is no number"),
        (HEAD + f"x gmN {'9' * 5000} 1 - - - -\n", "gmN has a number of events"),
        (HEAD + "x lnU 0.9/1.1 - - - -\n", "two sides, which lnU cannot have"),
        (HEAD + "x gmN 1.5 1.1 - - - -\n", "gmN has a number of events, not '1.5'"),
        (HEAD + "x rateParam * top (@0*2) y\n", "is a formula or comes from a file"),
        (HEAD + "x rateParam * top in.root:w\n", "is a formula or comes from a file"),
        (HEAD + "x rateParam * none 1\n", "on none in \\*, which is no column"),
        (HEAD + "x rateParam * top 1 2\n", "'2' is no range"),
        (HEAD + "x rateParam low top 1\nx rateParam high top 2\n", "different values or ranges"),
        (HEAD + "x rateParam low top 1\nx lnN 1.1 - - - -\n", "is a rateParam and a nuisance"),
        (HEAD + "x param 1 0.1\n", "nothing in the card uses the parameter 'x'"),
        (HEAD + "x flatParam\n", "nothing in the card uses the parameter 'x'"),
        (HEAD + "x rateParam low top 1\nx param 1 0\n", "param 'x' has no width"),
        (HEAD + "x group y z\n", "begins with `=` once"),
        (HEAD + "x group += y\n", "begins with `=` once"),
        (HEAD + "lowe autoMCStats 0\n", "there is no channel 'lowe'. Did you mean 'low'"),
        ("shapes * * a.root\n" + COUNTS, "line 1: no histogram is named behind a.root"),
        ("shapes * * FAKE\nshapes * * FAKE\n" + COUNTS, "`shapes \\* \\*` already"),
    ],
)  # fmt: skip
def test_lines_that_are_not_understood(text, message):
    with pytest.raises(WorkspaceError, match=message):
        parse_card(text, "card.txt")


def test_numbers_of_rate_parameters_may_be_free_in_words(tmp_path):
    text = HEAD + "x rateParam low top 1e0\nx flatParam\n"
    (tmp_path / "card.txt").write_text(text)
    (told,) = import_card(tmp_path / "card.txt").approximations
    assert told.names == ("x",)
    assert "without a range" in told.what


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "a lnU 1.1 1.2 - - -\n", "lnU 'a' has different sizes \\(1.1, 1.2\\)"),
        (HEAD + "a gmN 5 - 1.2 - - -\nb gmN 5 - 1.2 - - -\n", "two sidebands, a and b"),
        (HEAD + "a gmN 5 - 9.2 - - -\n", "rate 6, but a says 5 events times 9.2"),
        (HEAD + "a shape - 1 - - -\n", "shape 'a' of process 'top' .* has no histograms"),
        (HEAD + "low autoMCStats 0\n", "autoMCStats needs histograms, and channel 'low'"),
        (HEAD + "a rateParam * top 1\na param 0 0.1\n", "param 'a' has the mean 0"),
        (HEAD.replace("2.5   6.0", "-1   6.0"), "has the rate -1, but there is no histogram"),
        (HEAD.replace("4.0   1.5", "0   0"), "channel 'high' of the card expects no events"),
        (HEAD.replace("12    3", "-1    3"), "the observation of 'low' is -1, without"),
    ],
)  # fmt: skip
def test_counts_that_contradict_each_other(text, message, tmp_path):
    (tmp_path / "card.txt").write_text(text)
    with pytest.raises(WorkspaceError, match=message):
        import_card(tmp_path / "card.txt")


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (SHAPES.replace("36", "40"), {}, "rate 40, but the integral of its histogram is 36"),
        (SHAPES.replace("observation  -1", "observation  44"), {}, "observes 44 events, but .* 50"),
        (SHAPES, {"bkg": None}, "shapes.root has no histogram sr/bkg"),
        (SHAPES, {"bkg_jesUp": None}, "shapes.root has no histogram sr/bkg_jesUp"),
        (SHAPES, {"bkg_jesUp": None, "bkg_jesDown": None}, "shape 'jes' .* has no histograms"),
        (SHAPES, {"bkg_jesUp": [1.0]}, "'jes' of process 'bkg' .* have 1 bins, and nominal has 3"),
        (SHAPES, {"bkg_jesUp": [0.0] * 3}, "has no yield"),
        (SHAPES, {"bkg": [0.0] * 3}, "integral of its histogram is 0"),
        (SHAPES, {"bkg": [np.nan, 1.0, 1.0]}, "'bkg' in channel 'sr' is not finite"),
        (SHAPES, {"sig": [4.0, 5.0]}, "2 bins of 'sig' and 3 of 'bkg'"),
        (SHAPES, {"data_obs": [4.0, 5.0]}, "3 bins, but its observation has 2"),
        (SHAPES.replace("$CHANNEL/$PROCESS ", "w:$PROCESS "), {}, "an object of a RooWorkspace"),
        (SHAPES.replace("shapes *", "shapes bkg"), {}, "no line `shapes` .* for process 'sig'"),
        (SHAPES.replace("jes    shape  1", "jes    shape?  0.9/1.1"), {}, "histograms and two"),
    ],
)  # fmt: skip
def test_histograms_that_do_not_fit(text, more, message, tmp_path):
    path = shapes(tmp_path, text, **more)
    with pytest.raises(WorkspaceError, match=message):
        import_card(path)


def test_negative_contents_and_products_are_told(tmp_path):
    path = shapes(
        tmp_path,
        SHAPES + "s rateParam sr bkg 1\ns param 1 0.1/0.2\n",
        bkg=[37.0, -1.0, 0.0],
        bkg_tiltUp=[38.0, -2.0, 0.0],
    )
    told = {name for one in import_card(path).approximations for name in one.names}
    assert {"sr/bkg", "s"} <= told


@pytest.mark.parametrize("file", ["../shapes.root", "/etc/passwd", "link.root", "a\0.root"])
def test_no_file_outside_of_the_folder_is_opened(file, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    shapes(tmp_path)
    (inside / "link.root").symlink_to(tmp_path / "shapes.root")
    (inside / "card.txt").write_text(SHAPES.replace("shapes.root", file))
    with pytest.raises(UnsafeContent, match="not below its folder"):
        import_card(inside / "card.txt")


def test_an_absolute_path_below_the_folder_is_one_of_the_folder(tmp_path):
    path = shapes(tmp_path)
    path.write_text(SHAPES.replace("shapes.root", str(tmp_path / "shapes.root")))
    assert import_card(path).workspace["channels"]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UnreadableFile, match="cannot be read as the text"):
        import_card(tmp_path / "card.txt")
    path = shapes(tmp_path)
    (tmp_path / "shapes.root").write_bytes(b"no ROOT file")
    with pytest.raises(UnreadableFile, match="cannot be read"):
        import_card(path)
    with uproot.recreate(tmp_path / "shapes.root") as file:
        file["sr/sig"] = "text"
    with pytest.raises(WorkspaceError, match=r"sr/sig of shapes\.root is a TObjString"):
        import_card(path)


@pytest.mark.parametrize("text", ["__import__('os')", "@0", "%s", "{}", "\x00", "1,2"])
def test_text_is_never_run(text):
    with pytest.raises(HepflowError):
        parse_card(HEAD + f"x lnN {text} - - - -\n")


# -- the command -----------------------------------------------------------------------------


def test_the_command_writes_the_workspace(counts, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--output=w.json", "--poi=mu", "--bounds=0,5", "--json=told.json", "--groups=g.json"]
    assert main(["datacard", "import", "card.txt", *words]) == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert [one["names"] for one in told["approximations"]] == [["scale"]]
    assert json.loads((tmp_path / "g.json").read_text()) == {"theory": ["scale", "wide", "lumi"]}
    workspace = json.loads((tmp_path / "w.json").read_text())
    assert workspace["measurements"][0]["config"]["poi"] == "mu"
    shown = capsys.readouterr().out
    assert "side_sideband (of gmN)" in shown
    assert "scale: a factor on the yield" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bounds=1"], "--bounds '1' cannot be read"),
        (["--bounds=2,1"], "first number must be the lower"),
        (["--measurement=m"], "--measurement belongs to `datacard export`"),
    ],
)
def test_the_command_says_what_is_wrong(words, message, counts, capsys):
    assert main(["datacard", "import", str(counts), "--output=w.json", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_all_errors_are_those_of_input():
    assert issubclass(WorkspaceError, InputError)


def test_limits_are_those_that_combine_prints(tmp_path):
    """Of the H->WW search with 35/pb that Combine comes with.

    Reference: documentation of Combine, "AsymptoticLimits": observed 1.6281, median 2.3281, 68 %
    from 1.4329 to 3.9800. Yields and uncertainties are those of
    ``data/tutorials/counting/realistic-counting-experiment.txt``.
    """
    from hepflow.statistics.likelihood import Likelihood
    from hepflow.statistics.limits import upper_limit
    from hepflow.statistics.workspace import load_model

    rows = [
        ("bin", *["ww"] * 4),
        ("process", "higgs", "quarks", "gluons", "rest"),
        ("process", 0, 1, 2, 3),
        ("rate", 1.47, 0.64, 0.06, 0.22),
        ("luminosity lnN", 1.11, "-", 1.11, "-"),
        ("signal_xs lnN", 1.16, "-", "-", "-"),
        ("sideband gmN 4", "-", 0.16, "-", "-"),
        ("gluons_xs lnN", "-", "-", 1.5, "-"),
        ("rest_xs lnN", "-", "-", "-", 1.3),
    ]
    text = "\n".join(" ".join(map(str, row)) for row in rows)
    (tmp_path / "card.txt").write_text(f"imax 1\nobservation 0\n{text}\n")
    found = import_card(tmp_path / "card.txt")
    assert found.approximations == ()
    model, data = load_model(found.workspace)
    limit = upper_limit(Likelihood(model), data, scan_points=0)
    assert limit.observed == pytest.approx(1.6281, rel=0.003)
    assert limit.expected[1:4] == pytest.approx([1.4329, 2.3281, 3.9800], rel=0.004)
