"""Blinding: data of a blind region leave no trace in anything that is written or told."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pytest

from hepflow.errors import StorageError, UserFunctionError
from hepflow.pipeline import run
from hepflow.plotting import PlottingSpec, stack_numbers
from hepflow.schema import Config
from tests.builders import observable, write_nano
from tests.fields.project import fill, make_config, of_x, simulation, values

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
FIRST = (6, 3, 4, 2)  # data by bin of `x`; the first two bins are the signal region
SECOND = (1, 4, 4, 6)  # other data there; what left it is in no region


def low(x):
    """Signal region."""
    return x < 2.0


def middle(x):
    """Control region."""
    return (x >= 2.0) & (x < 3.0)


def x_of(counts):
    """Values of `x` in the middles of the bins."""
    return np.repeat(np.arange(len(counts)) + 0.5, counts).astype(np.float32)


def channels():
    """A signal and a control region, each with `x` and its double."""
    double = observable("y", "0,8,4", lambda x: 2 * x, [("event", "x")])
    return [
        {"name": name, "kind": kind, "observables": [of_x(), double], "fit_observable": "x",
         "selection": {"cuts": [{"name": "region", "function": cut, "use": [("event", "x")]}]}}
        for name, kind, cut in (("SR", "signal", low), ("CR", "control", middle))
    ]  # fmt: skip


def config_of(folder, counts, blind, **general):
    """Signal in the signal region, background everywhere, and these data."""
    here = folder / "own"
    mc = {"signal": (20, 20, 0, 0), "background": (300, 200, 200, 100)}
    for name, content in {**mc, "data": counts}.items():
        x = x_of(content)
        weight = {} if name == "data" else {"genWeight": np.ones(len(x), np.float32)}
        write_nano(here / f"{name}.root", {"x": x, **weight})
    data = {"name": "data", "is_data": True, "files": [str(here / "data.root")]}
    return make_config(
        folder,
        [*(simulation(here, name=name, files=[str(here / f"{name}.root")]) for name in mc), data],
        general={"blind": blind, **general},
        preprocess={"branches": {"event": ["x"]}},
        channels=channels(),
        statistics={"norm_factors": [{"name": "mu", "processes": ["signal"], "bounds": (0, 50)}]},
        plotting={"formats": ["png"]},
    )


REGION = {"channel": "SR", "observable": "x", "range": (0.2, 0.8)}
ZERO = [0.0] * 4


@pytest.mark.field("general.blind", "general.blind[].channel")
def test_data_of_a_blind_channel_are_not_filled(tmp_path):
    def data(blind):
        found = fill(config_of(tmp_path, FIRST, blind))
        return {
            name: values(found, process="data", channel=name)
            for name in found.channels
            if "data" in found.processes(name, "x")
        }

    signal, control = [6.0, 3.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]
    assert data(False) == {"SR": signal, "CR": control}
    assert data(True) == {"CR": control}  # signal regions
    assert data(["SR"]) == {"CR": control}
    assert data([{"channel": "CR"}]) == {"SR": signal}
    assert data(["SR", "CR"]) == {}


@pytest.mark.field("general.blind[].observable", "general.blind[].range")
def test_a_blind_range_covers_whole_bins_and_their_events_in_other_observables(tmp_path):
    def data(**changes):
        found = fill(config_of(tmp_path, FIRST, [{**REGION, **changes}]))
        assert "data" in found.processes("CR", "y")
        return {
            name: values(found, process="data", name=name)
            for name in ("x", "y")
            if "data" in found.processes("SR", name)
        }

    assert data() == {"x": [0.0, 3.0, 0.0, 0.0]}
    assert data(range=(1.5, 5.0)) == {"x": [6.0, 0.0, 0.0, 0.0]}
    assert data(range=(0.9, 1.1)) == {"x": ZERO}
    assert data(observable="y", range=(2.0, 4.0)) == {"y": [6.0, 0.0, 0.0, 0.0]}
    assert data(observable="y", range=(4.0, 9.0)) == {"y": [6.0, 3.0, 0.0, 0.0]}


def told(folder, caplog):
    """Everything that a run wrote or logged, without times, keys and paths."""
    texts = {"log": caplog.text}
    for file in sorted((folder / "out").rglob("*")):
        inside = file.relative_to(folder / "out").parts[0]
        if file.name == "rates.json":  # measured times
            continue
        if file.is_file() and inside not in {"skimmed", "metadata", "config"}:
            texts[str(file.relative_to(folder / "out"))] = _content(file)
    texts["log"] = re.sub(r"[\d.]+(e\+\d+)? ?(s|/s)\b", "", caplog.text)
    return {name: text.replace(str(folder), "") for name, text in texts.items()}


def _content(file):
    if file.name == "run.json":
        report = json.loads(file.read_text())
        times = ("cpu_seconds", "wall_seconds", "stage_seconds", "stages", "input_digests")
        return json.dumps({name: one for name, one in report.items() if name not in times})
    if file.suffix in {".json", ".yaml", ".csv", ".txt", ".md"} and "key" not in file.name:
        return file.read_text()
    return ""


@pytest.mark.parametrize("blind", [True, ["SR"], [{**REGION, "range": (0.2, 1.8)}]])
def test_other_data_in_a_blind_region_change_nothing_that_is_told(tmp_path, caplog, blind):
    found = {}
    for name, counts in (("first", FIRST), ("second", SECOND)):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            config = config_of(tmp_path / name, counts, blind, run_statistics=True)
            config["statistics"]["min_expectation"] = 1.5  # does not depend on data
            result = run(config)
        assert result.expected_only
        assert result.result.statistics.prefit.channel("SR").edges == (0.0, 1.0, 4.0)
        assert result.limit.observed is None
        found[name] = (told(tmp_path / name, caplog), pictures(result.result.histograms, result))
    assert found["first"][0].keys() == found["second"][0].keys()
    for name, text in found["first"][0].items():
        assert text == found["second"][0][name], name
    assert found["first"][1] == found["second"][1]
    assert any("blind: SR" in text for text in found["first"][0].values())


def pictures(histograms, result):
    """Bytes of the plots, and all templates of data."""
    plots = {path.name: path.read_bytes() for path in result.result.plots}
    assert plots
    blocks = {key: one.sumw.tolist() for key, one in histograms.blocks.items() if "data" in key}
    return plots, blocks


def test_without_blinding_other_data_are_seen(tmp_path):
    limits = [
        run(config_of(tmp_path / f"{counts[0]}", counts, False, run_statistics=True)).limit.observed
        for counts in (FIRST, SECOND)
    ]
    assert None not in limits
    assert limits[0] > limits[1]


def test_blind_bins_of_a_figure_have_no_points(tmp_path):
    config = config_of(tmp_path, FIRST, [REGION])
    spec = PlottingSpec.from_config(Config(**config))
    shown = stack_numbers(fill(config), "SR", "x", spec).data
    assert np.isnan(shown).tolist() == [True, False, False, False]
    assert shown[1] == 3.0


@pytest.mark.parametrize("blind", [True, [REGION]])
@pytest.mark.parametrize("switch", ["run_plots_only", "run_histogramming"])
def test_stored_histograms_with_data_are_not_shown_once_blind(tmp_path, blind, switch):
    run(config_of(tmp_path, FIRST, False))
    config = config_of(tmp_path, FIRST, blind, **{switch: switch == "run_plots_only"})
    with pytest.raises(StorageError, match=r"made from something else \(changed: .*channel SR"):
        run(config)


SAID = "11 events of data"


def talks(x):
    """Control region; says how much data there is."""
    if len(x) < 20:  # simulation has more
        raise ValueError(SAID)
    return x >= 2.0


def failing(folder, caplog, blind):
    """Everything that is told when the selection of the control region fails on data."""
    config = config_of(folder, (5, 3, 2, 1), blind)
    config["channels"][1]["selection"]["cuts"][0]["function"] = talks
    with caplog.at_level(logging.INFO), pytest.raises(UserFunctionError) as found:
        run(config)
    files = [one for one in sorted((folder / "out").rglob("*.json")) if "failed" in str(one)]
    assert files
    return "".join([caplog.text, str(found.value), *(one.read_text() for one in files)])


def test_the_text_of_an_exception_on_data_is_not_told_while_anything_is_blind(tmp_path, caplog):
    text = failing(tmp_path / "blind", caplog, True)
    assert SAID not in text
    assert "talks raised ValueError (line " in text
    assert "hold the text of this exception" in text
    caplog.clear()
    assert SAID in failing(tmp_path / "open", caplog, False)
