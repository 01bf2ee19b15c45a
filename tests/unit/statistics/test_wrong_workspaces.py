"""What can be wrong with a workspace is said with its place."""

from __future__ import annotations

import copy

import pytest

from hepflow.errors import WorkspaceError
from hepflow.statistics import Likelihood, fit, load_likelihood, significance, upper_limit
from hepflow.statistics.likelihood import Specification
from tests.unit.statistics.models import all_modifiers, counting, normsys


def at(content, *path):
    """Part of a nested container."""
    for key in path:
        content = content[key]
    return content


SAMPLE = ("channels", 0, "samples", 0)  # signal of "sr"
BACKGROUND = ("channels", 0, "samples", 1)
CONFIG = ("measurements", 0, "config")
PLACE = "channel 'sr', sample 'signal'"


def modifier(name, kind, data=None):
    return {"name": name, "type": kind, "data": data}


def change(path, value):
    def apply(workspace):
        at(workspace, *path[:-1])[path[-1]] = value

    return apply


def remove(path):
    def apply(workspace):
        del at(workspace, *path[:-1])[path[-1]]

    return apply


def add(path, value):
    def apply(workspace):
        at(workspace, *path).append(copy.deepcopy(value))

    return apply


WRONG = {
    "no channels": (remove(("channels",)), "the workspace has no key 'channels'"),
    "empty channels": (change(("channels",), []), "has no channels"),
    "unknown key": (change(("chanels",), []), "has the key 'chanels', which HistFactory"),
    "version": (change(("version",), "2.0.0"), "version '2.0.0'; expected '1.0.0'"),
    "no measurement": (change(("measurements",), []), "has no measurement. Expected"),
    "measurement without config": (
        remove(("measurements", 0, "config")), "a measurement has no key 'config'"),
    "no object": (change(("channels", 0), 3), "channel 0 is int; expected a JSON object"),
    "no samples": (change(("channels", 0, "samples"), []), "channel 'sr' has no sample"),
    "channel twice": (add(("channels",), {"name": "sr", "samples": []}), "'sr' is there twice"),
    "sample twice": (
        add(("channels", 0, "samples"), {"name": "signal", "data": [1.0] * 3, "modifiers": []}),
        f"{PLACE} is there twice"),
    "no modifiers": (remove((*SAMPLE, "modifiers")), "sample of channel 'sr' has no key 'modif"),
    "no list": (change((*SAMPLE, "data"), 3.0), f"`data` of {PLACE} is 3.0; expected a list"),
    "no number": (change((*SAMPLE, "data"), ["a", 1, 2]), "holds something that is not a number"),
    "not finite": (
        change((*SAMPLE, "data"), [1.0, float("nan"), 2.0]),
        f"`data` of {PLACE} is not finite in bin 1"),
    "length": (
        change((*BACKGROUND, "data"), [1.0, 2.0]), "has 2 values; the channel has 3 bins"),
    "unknown modifier": (
        add((*SAMPLE, "modifiers"), modifier("mine", "custom")),
        f"modifier type 'custom' of 'mine' in {PLACE} is not known"),
    "modifier twice": (
        add((*SAMPLE, "modifiers"), modifier("mu", "normfactor")),
        f"normfactor 'mu' is twice in {PLACE}"),
    "negative factor": (
        add((*SAMPLE, "modifiers"), normsys("bad", 1.2, -0.1)),
        f"normsys 'bad' of {PLACE} has factors -0.1 and 1.2. Both must be positive"),
    "histosys length": (
        add((*SAMPLE, "modifiers"),
            modifier("h", "histosys", {"lo_data": [1.0], "hi_data": [1.0]})),
        f"`lo_data` of histosys 'h' of {PLACE} has 1 values"),
    "histosys side": (
        add((*SAMPLE, "modifiers"), modifier("h", "histosys", {"lo_data": [1.0] * 3})),
        "has no key 'hi_data'"),
    "shapesys shared": (
        add((*SAMPLE, "modifiers"), modifier("iso", "shapesys", [1.0] * 3)),
        "shapesys 'iso' is that of channel 'sr'"),
    "shapefactor longer": (
        add((*SAMPLE, "modifiers"), modifier("any", "shapefactor")),
        "shapefactor 'any' has 2 parameters from channel 'cr'"),
    "two kinds": (
        add((*SAMPLE, "modifiers"), modifier("k", "shapefactor")),
        "shapefactor 'k' has the name of a normfactor"),
    "staterror in part": (
        add(("channels", 1, "samples", 0, "modifiers"),
            modifier("staterror_sr", "staterror", [1.0, 1.0])),
        "staterror 'staterror_sr' acts on sample 'signal' in another channel, but not"),
    "poi": (change((*CONFIG, "poi"), "muu"), "'muu' is not in the model. Did you mean 'mu'"),
    "poi unlike any": (change((*CONFIG, "poi"), "zzz"), "'zzz' is not in the model. Known: any"),
    "poi of bins": (change((*CONFIG, "poi"), "iso"), "'iso' has 3 parameters and cannot be"),
    "no observation": (
        remove(("observations", 1)), "no observation of channel 'cr'. Known: sr, vr"),
    "observation length": (
        change(("observations", 0, "data"), [1.0]), "the observation of channel 'sr' has 1 values"),
    "negative count": (
        change(("observations", 0, "data"), [1.0, -2.0, 3.0]), "negative or not finite"),
    "no lumi": (change((*CONFIG, "parameters"), []), "must set inits, bounds, auxdata, sigmas of"),
    "nameless": (add((*CONFIG, "parameters"), {"inits": [1.0]}), "parameters has no name"),
    "set twice": (
        lambda w: [add((*CONFIG, "parameters"), {"name": "mu"})(w) for _ in range(2)],
        "sets parameter 'mu' twice"),
    "unknown setting": (
        add((*CONFIG, "parameters"), {"name": "mu", "init": [1.0]}),
        "sets 'init' of parameter 'mu'"),
    "fixed": (add((*CONFIG, "parameters"), {"name": "mu", "fixed": 1}), "must be true or false"),
    "inits": (
        add((*CONFIG, "parameters"), {"name": "mu", "inits": [1.0, 2.0]}),
        "expected a list of 1 numbers"),
    "inits text": (
        add((*CONFIG, "parameters"), {"name": "mu", "inits": ["a"]}),
        "holds 'a'; expected a number"),
    "bounds": (
        add((*CONFIG, "parameters"), {"name": "mu", "bounds": [1.0]}), "1 pairs .low, high."),
    "number of bounds": (
        add((*CONFIG, "parameters"), {"name": "mu", "bounds": []}), "1 pairs .low, high."),
    "bounds around": (
        add((*CONFIG, "parameters"), {"name": "mu", "bounds": [[2.0, 1.0]]}), "low above high"),
    "sigmas of a free one": (
        add((*CONFIG, "parameters"), {"name": "mu", "sigmas": [1.0]}),
        "sets 'sigmas' of parameter 'mu', which does not have it"),
    "auxdata of a free one": (
        add((*CONFIG, "parameters"), {"name": "mu", "auxdata": [1.0]}), "does not have it"),
    "sigma": (
        add((*CONFIG, "parameters"), {"name": "staterror_sr", "sigmas": [1.0, 0.0, 1.0]}),
        "`sigmas` of parameter 'staterror_sr' must be positive"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_the_message_names_the_place(case):
    apply, message = WRONG[case]
    workspace = copy.deepcopy(all_modifiers())
    apply(workspace)
    with pytest.raises(WorkspaceError, match=message):
        load_likelihood(workspace)


def test_a_model_without_parameters():
    workspace = counting(3.0, 10.0, 12.0)
    workspace["channels"][0]["samples"][0]["modifiers"] = []
    with pytest.raises(WorkspaceError, match="no modifier, thus no parameter"):
        load_likelihood(workspace)


@pytest.mark.parametrize(
    ("name", "message"),
    [("mm", "no measurement 'mm'. Did you mean 'm'"), ("other", "'other'. Known: m")],
)
def test_an_unknown_measurement(name, message):
    with pytest.raises(WorkspaceError, match=message):
        load_likelihood(counting(3.0, 10.0, 12.0), measurement=name)


def test_an_unknown_code():
    with pytest.raises(WorkspaceError, match=r"code 'code7' of normsys .* code1 or code4"):
        load_likelihood(all_modifiers(), modifier_settings={"normsys": {"interpcode": "code7"}})


def test_without_parameter_of_interest_there_is_a_fit_and_nothing_else():
    workspace = counting(3.0, 10.0, 12.0, normsys("a", 1.1, 0.9))
    workspace["measurements"][0]["config"]["poi"] = ""
    likelihood, data = load_likelihood(workspace)
    result = fit(likelihood, data)
    assert result.converged
    assert result.poi == ""
    assert result.value("mu")[0] == pytest.approx(2 / 3, rel=1e-3)
    for inference in (upper_limit, significance):
        with pytest.raises(WorkspaceError, match="no parameter of interest"):
            inference(likelihood, data)


def test_a_specification_is_a_likelihood():
    some = counting(3.0, 10.0, 12.0)
    config = some["measurements"][0]["config"]
    likelihood = Likelihood(Specification(some["channels"], config["parameters"], "mu"))
    assert likelihood.digest() == load_likelihood(some)[0].digest()
