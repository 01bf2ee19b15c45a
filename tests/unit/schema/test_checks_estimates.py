"""Checks of estimates from data: all that is wrong is told at once."""

from __future__ import annotations

import copy

import pytest

from tests.unit.schema.examples import number, problems_in, put, valid

REGIONS = ("SHAPE", "TOP", "BOTTOM")
AT = "estimates[0]"


def estimate(**values):
    one = {
        "process": "fakes",
        "channel": "SR",
        "from_channel": "SHAPE",
        "transfer": {"numerator": "TOP", "denominator": "BOTTOM"},
    }
    for path, value in values.items():
        put(one, path, value)
    return one


def config(*estimates, **values):
    """The valid configuration with three more regions and estimates."""
    found = valid()
    signal = found["channels"][0]
    for name in REGIONS:
        more = {**copy.deepcopy(signal), "name": name, "kind": "validation"}
        found["channels"].append(more)
    found["estimates"] = list(estimates) or [estimate()]
    for path, value in values.items():
        put(found, path, value)
    return found


RIGHT = [
    config(),
    config(estimate(subtract=["wjets"])),
    config(estimate(subtract=[])),
    config(estimate(transfer__binned=True)),
    config(estimate(transfer__observable="pt")),
    config(general__blind=True),
    config(general__channels=["CR"]),
    config(general__processes=["wjets", "data", "ttbar"]),
    config(general__processes=["wjets", "data", "ttbar", "fakes"]),
    config(plotting__process_colors={"fakes": "red"}, plotting__process_order=["fakes"]),
    config(
        systematics=[
            {"name": "closure", "type": "normalisation", "size": 0.1, "processes": ["fakes"]}
        ]
    ),
    config(statistics__norm_factors__1__processes=["fakes"]),
]


@pytest.mark.parametrize("given", RIGHT)
def test_what_is_right(given):
    assert problems_in(given) == {}


def twice(**values):
    """Two estimates of a process, of which the second differs."""
    other = {"channel": "CR", "from_channel": "CR_SHAPE"}
    found = config(estimate(), estimate(**other, **values))
    control = copy.deepcopy(found["channels"][1])
    found["channels"].append({**control, "name": "CR_SHAPE", "kind": "validation"})
    return found


def test_two_channels_may_share_a_factor():
    assert problems_in(twice()) == {}
    assert problems_in(twice(transfer__name="another")) == {}


def size_of(**values):
    one = {"name": "s", "type": "normalisation", "size": 0.1, "processes": ["fakes"]}
    return config(systematics=[{**one, **values}])


WRONG = [
    (config(estimate(process="wjets")), f"{AT}.process", "is the process of a dataset"),
    (config(estimate(), estimate()), "estimates[1].channel", "already by estimates[0]"),
    (config(estimate(channel="nowhere")), f"{AT}.channel", "there is no channel 'nowhere'"),
    (config(estimate(from_channel="SHAP")), f"{AT}.from_channel", "there is no channel 'SHAP'"),
    (
        config(estimate(transfer__numerator="SHAPE")),
        f"{AT}.transfer.numerator",
        "'SHAPE' is from_channel already",
    ),
    (
        config(channels__2__kind="control"),
        f"{AT}.from_channel",
        "would enter the fit a second time",
    ),
    (
        config(channels__2__observables__0__binning="200,3000,10"),
        f"{AT}.from_channel",
        "'mass' of SR has other bins there",
    ),
    (
        config(estimate(transfer__binned=True), channels__3__observables__1__name="pt2"),
        f"{AT}.transfer.numerator",
        "'pt' of SR is not there",
    ),
    (
        config(estimate(transfer__binned=True, transfer__observable="mass")),
        f"{AT}.transfer.observable",
        "has no effect where the factor is binned",
    ),
    (
        config(estimate(transfer__binned=True, transfer__name="t")),
        f"{AT}.transfer.name",
        "has no effect where the factor is binned",
    ),
    (
        config(estimate(transfer__observable="met")),
        f"{AT}.transfer.numerator",
        "'TOP' has no observable 'met', which counts its events",
    ),
    (config(estimate(subtract=["data"])), f"{AT}.subtract[0]", "'data' is collision data"),
    (config(estimate(subtract=["wjet"])), f"{AT}.subtract[0]", "no simulated process 'wjet'"),
    (
        config(general__blind=["TOP"]),
        f"{AT}.transfer.numerator",
        "'TOP' is blind (general.blind)",
    ),
    (
        config(general__blind=[{"channel": "SHAPE", "observable": "mass", "range": [200, 400]}]),
        f"{AT}.from_channel",
        "'SHAPE' is blind",
    ),
    (
        config(general__channels=["SR", "SHAPE", "TOP"]),
        "general.channels",
        "estimates[0] needs 'BOTTOM', too",
    ),
    (
        config(general__processes=["fakes", "data", "wjets"]),
        "general.processes",
        "estimates[0] needs 'ttbar', too",
    ),
    (
        config(estimate(subtract=[]), general__processes=["fakes", "wjets"]),
        "general.processes",
        "estimates[0] needs 'data', too",
    ),
    (
        config(statistics__norm_factors__1__name="fakes_transfer"),
        f"{AT}.transfer.name",
        "the source 'fakes_transfer' is declared already",
    ),
    (
        twice(transfer__numerator="BOTTOM", transfer__denominator="TOP"),
        "estimates[1].transfer.name",
        "the factor 'fakes_transfer' of estimates[0] is another one",
    ),
    (twice(subtract=[]), "estimates[1].transfer.name", "is another one"),
    (
        twice(process="other", transfer__name="fakes_transfer"),
        "estimates[1].transfer.name",
        "is another one",
    ),
    (
        size_of(type="event", size=None, use=["Jet.pt"], up_function=number),
        "systematics[0].processes[0]",
        "'fakes' is estimated from data: only a size can act on it",
    ),
    (
        size_of(processes=["fakes", "wjets"]),
        "systematics[0].processes[0]",
        "the others are simulated",
    ),
    (size_of(correlation="uncorrelated"), "systematics[0].correlation", "all years together"),
    (
        config(corrections__0__applies_to=["fakes"]),
        "corrections[0].applies_to[0]",
        "there is no process 'fakes'",
    ),
]


@pytest.mark.parametrize(("given", "path", "text"), WRONG)
def test_what_is_wrong(given, path, text):
    found = problems_in(given)
    assert path in found, found
    assert text in str(found[path])


def test_a_binned_factor_is_of_one_channel():
    for first, second in ((True, True), (True, False), (False, True)):
        found = twice(transfer__binned=second)
        found["estimates"][0]["transfer"]["binned"] = first
        assert "independent" in str(problems_in(found)["estimates[1].transfer.binned"])


def test_an_estimate_needs_data():
    found = config()
    del found["datasets"]["datasets"][3]
    assert "no dataset of data" in str(problems_in(found)["estimates"])


def test_sizes_of_an_estimate_are_the_same_in_all_years():
    found = config(general__lumi={"2016": 1.0, "2017": 2.0})
    for one, year in zip(found["datasets"]["datasets"], ("2016", "2017") * 2, strict=True):
        one["year"] = year
    size = {"name": "s", "type": "normalisation", "size": 0.1, "processes": ["fakes"]}
    found["systematics"] = {"2016": [size], "2017": [size]}
    assert problems_in(found) == {}
    found["systematics"]["2017"] = [{**size, "size": 0.2}]
    assert "systematics.2017[0].size" in problems_in(found)
    found["systematics"]["2017"] = [{**size, "size_down": 0.05}]
    assert "systematics.2017[0].size_down" in problems_in(found)


def test_malformed_estimates_are_told_too():
    bad = config(estimate(from_channel=3, transfer__numerator=None), {"process": "x"}, 5)
    found = problems_in(bad)
    assert {"estimates[0].from_channel", "estimates[1].channel", "estimates[2]"} <= set(found)
    assert "estimates" in problems_in({**valid(), "estimates": 7})
