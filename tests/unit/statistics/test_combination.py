"""Several workspaces as one."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.cli import main
from hepflow.errors import WorkspaceError
from hepflow.statistics.combination import combine
from hepflow.statistics.combination_parts import Naming
from tests.unit.statistics.models import all_modifiers, counting, normsys

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it


def part(workspace: dict[str, Any], *channels: str) -> dict[str, Any]:
    """The same workspace with some of its channels only."""
    found = copy.deepcopy(workspace)
    for key in ("channels", "observations"):
        found[key] = [one for one in found[key] if one["name"] in channels]
    return found


def renamed(workspace: dict[str, Any], channel: str, **parameters: str) -> dict[str, Any]:
    """A model of one channel under another name."""
    text = json.dumps(workspace).replace('"sr"', f'"{channel}"')
    for old, new in parameters.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    found: dict[str, Any] = json.loads(text)
    return found


def with_settings(workspace: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(workspace)
    found["measurements"][0]["config"]["parameters"] = list(parameters)
    return found


class Nll:
    """-2 ln L of a workspace as pyhf has it, by the names of the parameters."""

    def __init__(self, workspace: dict[str, Any]) -> None:
        import pyhf

        loaded = pyhf.Workspace(workspace)
        self.model = loaded.model()
        self.data = loaded.data(self.model)
        self.labels = self.model.config.par_names

    def point(self, seed: int) -> dict[str, float]:
        """Somewhere near the nominal values, which depends on the names only."""
        start = dict(zip(self.labels, self.model.config.suggested_init(), strict=True))
        fixed = dict(zip(self.labels, self.model.config.suggested_fixed(), strict=True))
        return {
            name: value
            if fixed[name]
            else value + 0.1 * np.random.default_rng([seed, *name.encode()]).uniform(-1, 1)
            for name, value in start.items()
        }

    def at(self, point: dict[str, float]) -> float:
        return float(-2 * self.model.logpdf([point[name] for name in self.labels], self.data)[0])


def two() -> dict[str, dict[str, Any]]:
    """Two analyses with a shared POI and one shared nuisance parameter."""
    one = counting(5.0, 50.0, 53.0, normsys("jes", 1.1, 0.9), normsys("own", 1.2, 0.85))
    return {"a": one, "b": renamed(counting(3.0, 20.0, 27.0, normsys("jes", 1.05, 0.9)), "cr")}


# -- closed form -----------------------------------------------------------------------------


def test_a_split_model_is_the_model():
    whole = all_modifiers()
    # `any` and `staterror_two` connect cr and vr, whose templates belong to one analysis
    found = combine({"a": part(whole, "sr"), "b": part(whole, "cr", "vr")})
    before, after = Nll(whole), Nll(found.workspace)
    assert sorted(before.labels) == sorted(after.labels)
    for seed in range(3):
        point = before.point(seed)
        assert after.at(point) == pytest.approx(before.at(point), rel=1e-12, abs=1e-9)


def test_hepflow_s_likelihood_of_a_split_model_is_the_same():
    from hepflow.statistics.likelihood import Likelihood
    from hepflow.statistics.workspace import load_model

    whole = all_modifiers()
    found = combine({"a": part(whole, "cr", "vr"), "b": part(whole, "sr")})
    one, two = load_model(whole), load_model(found.workspace)
    before, after = Likelihood(one[0]), Likelihood(two[0])
    assert before.labels == after.labels
    start = before.nominal()
    values = [
        likelihood.twice_nll(start, likelihood.checked(data))
        for likelihood, data in ((before, one[1]), (after, two[1]))
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


def test_of_independent_analyses_the_likelihoods_multiply():
    analyses = two()
    found = combine(analyses, naming=Naming(apart=("jes",)))
    after = Nll(found.workspace)
    assert set(after.labels) == {"mu", "jes_a", "own", "jes_b"}
    for seed in range(3):
        point = after.point(seed)
        alone = sum(
            Nll(one).at({**point, "jes": point[f"jes_{label}"]}) for label, one in analyses.items()
        )
        assert after.at(point) == pytest.approx(alone, abs=1e-9)


def test_a_shared_parameter_is_measured_once():
    analyses = two()
    after = Nll(combine(analyses).workspace)
    point = after.point(1)
    alone = sum(Nll(one).at(point) for one in analyses.values())
    constraint = point["jes"] ** 2 + np.log(2 * np.pi)
    assert after.at(point) == pytest.approx(alone - constraint, abs=1e-9)


# -- laws ------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(["sr", "other", "third"]), seed=st.integers(0, 1000))
def test_the_order_of_the_analyses_does_not_matter(order, seed):
    base = counting(5.0, 50.0, 53.0, normsys("jes", 1.1, 0.9))
    analyses = {name: renamed(base, name) for name in order}
    first = Nll(combine(analyses).workspace)
    sorted_ = Nll(combine(dict(sorted(analyses.items()))).workspace)
    point = first.point(seed)
    assert first.at(point) == pytest.approx(sorted_.at(point), abs=1e-9)


def test_combining_in_steps_is_combining_at_once():
    base = counting(5.0, 50.0, 53.0, normsys("jes", 1.1, 0.9))
    one, other, third = (renamed(base, name) for name in ("x", "y", "z"))
    steps = combine({"xy": combine({"x": one, "y": other}).workspace, "z": third})
    at_once = combine({"x": one, "y": other, "z": third})
    assert steps.workspace == at_once.workspace


def test_the_inputs_stay_as_they_are():
    analyses = two()
    before = copy.deepcopy(analyses)
    combine(analyses, naming=Naming({"b": "b"}, ("own",), {"scale": {"a": "jes", "b": "jes"}}))
    assert analyses == before


# -- independent comparison ------------------------------------------------------------------


def test_pyhf_combines_to_the_same_likelihood():
    import pyhf

    analyses = two()
    theirs = pyhf.Workspace.combine(
        *(pyhf.Workspace(one) for one in analyses.values()), join="left outer"
    )
    mine, pyhfs = Nll(combine(analyses).workspace), Nll(theirs)
    point = mine.point(4)
    assert mine.at(point) == pytest.approx(pyhfs.at(point), abs=1e-9)


# -- names -----------------------------------------------------------------------------------


def test_a_prefix_tells_equal_channels_apart():
    base = all_modifiers()
    found = combine(
        {"a": part(base, "sr"), "b": part(base, "sr")},
        naming=Naming(prefixes={"b": "run2"}),
    )
    assert found.channels == {"a": ("sr",), "b": ("run2_sr",)}
    assert [one["name"] for one in found.workspace["observations"]] == ["sr", "run2_sr"]
    names = {one.name: one for one in found.parameters}
    assert names["jes"].shared
    assert names["jes"].channels == {"a": 1, "b": 1}
    assert not names["run2_staterror_sr"].shared
    assert not names["run2_iso"].shared


def test_differently_named_parameters_are_joined():
    one = counting(5.0, 50.0, 53.0, normsys("jes", 1.1, 0.9))
    other = renamed(one, "cr", jes="jet_scale", mu="strength")
    naming = Naming(
        joined={"scale": {"a": "jes", "b": "jet_scale"}, "mu": {"a": "mu", "b": "strength"}}
    )
    found = combine({"a": one, "b": other}, naming=naming)
    assert [(one.name, dict(one.sources)) for one in found.parameters] == [
        ("mu", {"a": "mu", "b": "strength"}),
        ("scale", {"a": "jes", "b": "jet_scale"}),
    ]
    assert Nll(found.workspace).labels == ["mu", "scale"]
    assert found.poi == "mu"


def test_of_one_analysis_a_joined_name_is_another_name():
    found = combine(two(), naming=Naming(joined={"own_a": {"a": "own"}}))
    assert "own_a" in {one.name for one in found.parameters}


def test_a_measurement_can_be_chosen():
    analyses = two()
    second = {"name": "second", "config": {"poi": "jes", "parameters": []}}
    analyses["b"]["measurements"].append(second)
    assert combine(analyses).poi == "mu"
    with pytest.raises(WorkspaceError, match=r"'mu' of a.*--correlate mu=b:jes,a:mu"):
        combine(analyses, measurements={"b": "second"})
    assert combine(analyses, measurements={"b": "second"}, poi="jes", prefer="a").poi == "jes"


def test_a_preferred_analysis_decides_on_ranges():
    analyses = two()
    analyses["b"] = with_settings(analyses["b"], {"name": "mu", "bounds": [[-5.0, 5.0]]})
    with pytest.raises(WorkspaceError, match=r"bounds of parameter 'mu' are .*--prefer a"):
        combine(analyses)
    for label, bounds in (("a", [[0.0, 10.0]]), ("b", [[-5.0, 5.0]])):
        config = combine(analyses, prefer=label).workspace["measurements"][0]["config"]
        assert config["parameters"] == [{"name": "mu", "inits": [1.0], "bounds": bounds}]


def test_a_setting_counts_also_where_the_other_has_the_default():
    analyses = two()
    analyses["b"] = with_settings(analyses["b"], {"name": "jes", "auxdata": [0.3]})
    with pytest.raises(WorkspaceError, match=r"auxdata of parameter 'jes' are \[0.0\] .* \[0.3\]"):
        combine(analyses, prefer="a")


# -- what is refused -------------------------------------------------------------------------


def lumi(sigma: float, channel: str) -> dict[str, Any]:
    base = counting(5.0, 50.0, 53.0, {"name": "lumi", "type": "lumi", "data": None})
    said = {"name": "lumi", "auxdata": [1.0], "sigmas": [sigma], "inits": [1.0]}
    return renamed(with_settings(base, {**said, "bounds": [[0.5, 1.5]]}), channel)


def free(name: str, channel: str, kind: str = "normfactor", n_bins: int = 1) -> dict[str, Any]:
    data = {"staterror": [1.0], "shapesys": [1.0]}.get(kind)
    found = renamed(counting(5.0, 50.0, 53.0, {"name": name, "type": kind, "data": data}), channel)
    for sample in found["channels"][0]["samples"]:
        sample["data"] *= n_bins
    found["observations"][0]["data"] *= n_bins
    return found


def broken(**changes: Any) -> dict[str, Any]:
    return {**two()["b"], **changes}


@pytest.mark.parametrize(
    ("other", "naming", "message"),
    [
        (two()["a"], Naming(), "'a' and 'b' both have a channel 'sr'.*--prefix b=b"),
        (free("jes", "cr"), Naming(), "is normal in the one and free in the other.*--uncorrelate"),
        (two()["b"], Naming(apart=("nothing*",)), "no parameter fits 'nothing\\*'"),
        (two()["b"], Naming(prefixes={"c": "x"}), "no analysis is called 'c'. Valid: a, b"),
        (two()["b"], Naming(joined={"x": {"b": "jez"}}), "'b' has no parameter 'jez'.*'jes'"),
        (two()["b"], Naming(joined={"mu": {"a": "jes"}}), "'mu' and 'jes' would both be called"),
        (renamed(two()["b"], "cr", jes="jes_a"), Naming(apart=("jes",)), "it is kept apart under"),
        (broken(channels=[]), Naming(), "no channels"),
        (broken(measurements=[]), Naming(), "no measurement"),
        (broken(observations=[]), Naming(), "channel 'cr' has no observation"),
        (broken(observations=[{"name": "x", "data": [1.0]}]), Naming(), "of 'x', which is no"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(other, naming, message):
    with pytest.raises(WorkspaceError, match=message):
        combine({"a": two()["a"], "b": other}, naming=naming)


def test_what_is_wrong_in_an_analysis_names_it():
    with pytest.raises(WorkspaceError) as caught:
        combine({"a": two()["a"], "b": broken(observations=[])})
    assert caught.value.__notes__ == ["This is analysis 'b'."]


@pytest.mark.parametrize("kind", ["staterror", "shapesys"])
def test_parameters_of_templates_are_not_shared(kind):
    analyses = {label: free("stat", label, kind) for label in ("a", "b")}
    with pytest.raises(WorkspaceError, match=r"'stat' is in .* belongs to the templates of one"):
        combine(analyses)
    found = combine(analyses, naming=Naming(apart=("stat",)))
    assert {one.name for one in found.parameters} == {"mu", "stat_a", "stat_b"}


def test_shape_factors_of_different_lengths_are_not_one():
    analyses = {"a": free("f", "a", "shapefactor"), "b": free("f", "b", "shapefactor", 2)}
    with pytest.raises(WorkspaceError, match="with 1 bins in the one and 2 in the other"):
        combine(analyses)


def test_luminosities_agree_or_are_refused():
    assert combine({"a": lumi(0.02, "a"), "b": lumi(0.02, "b")}).parameters[0].shared
    with pytest.raises(WorkspaceError, match=r"sigmas of parameter 'lumi' are \[0.02\] in"):
        combine({"a": lumi(0.02, "a"), "b": lumi(0.03, "b")}, prefer="a")
    with pytest.raises(WorkspaceError, match="lumi of a and b cannot be kept apart"):
        combine({"a": lumi(0.02, "a"), "b": lumi(0.03, "b")}, naming=Naming(apart=("*",)))
    found = combine(
        {"a": lumi(0.02, "a"), "b": two()["b"]}, naming=Naming(apart=("*",)), poi="mu_a"
    )
    assert "lumi" in {one.name for one in found.parameters}


def test_the_parameter_of_interest_must_be_known():
    analyses = two()
    with pytest.raises(WorkspaceError, match=r"has no parameter 'muu'\. Did you mean 'mu'"):
        combine(analyses, poi="muu")
    for one in analyses.values():
        one["measurements"][0]["config"]["poi"] = ""
    with pytest.raises(WorkspaceError, match="no analysis names a parameter of interest"):
        combine(analyses)
    with pytest.raises(WorkspaceError, match=r"no measurement 'n'\. Valid: m"):
        combine(analyses, measurements={"a": "n"})


# -- the command -----------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two analyses: one file, one folder of a run with groups and Asimov data."""
    monkeypatch.chdir(tmp_path)
    analyses = two()
    (tmp_path / "lep.json").write_text(json.dumps(analyses["a"]))
    folder = tmp_path / "had" / "statistics"
    folder.mkdir(parents=True)
    (folder / "workspace.json").write_text(json.dumps(analyses["b"]))
    (folder / "groups.json").write_text(json.dumps({"jets": ["jes", "gone", "mu[0]"]}))
    (folder / "prediction.json").write_text(json.dumps({"expected_only": True}))
    return tmp_path


def test_the_command_writes_workspace_and_summary(files, capsys):
    words = ["--output=all.json", "--uncorrelate=jes", "--json=told.json", "--groups=groups.json"]
    assert main(["combine", "lep.json", "had", *words]) == 0
    told = json.loads((files / "told.json").read_text())
    assert told["channels"] == {"lep": ["sr"], "had": ["cr"]}
    assert told["groups"] == {"jets": ["jes_had", "mu[0]"]}
    assert told["asimov"] == ["had"]
    assert json.loads((files / "groups.json").read_text()) == told["groups"]
    assert [one["name"] for one in told["parameters"] if one["shared"]] == ["mu"]
    combined = json.loads((files / "all.json").read_text())
    assert set(Nll(combined).labels) == {"mu", "jes_lep", "own", "jes_had"}
    shown = capsys.readouterr().out
    assert "1 as jes" in shown
    assert "4, of which 1 are shared" in shown
    assert "Asimov data" in shown


def test_the_command_writes_json_to_standard_output(files, capsys):
    words = ["x=lep.json", "y=had/statistics/workspace.json", "--prefix=y=y", "--json=-"]
    assert main(["combine", "lep.json", *words[1:2], "--output=all.json"]) == 0
    assert main(["combine", "lep.json", words[1].removeprefix("y="), "--output=all.json"]) == 0
    assert "1 of had" in capsys.readouterr().out
    more = ["--correlate=jet=x:jes,y:jes", "--measurement=m", "--measurement=x:m", "--prefer=x"]
    assert main(["combine", *words, *more, "--output=all.json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["channels"] == {"x": ["sr"], "y": ["y_cr"]}
    assert {one["name"]: one["shared"] for one in told["parameters"]}["jet"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lep.json"], "needs two analyses"),
        (["lep.json", "lep.json"], "both called 'lep'"),
        (["lep.json", "had", "--prefix=x"], "--prefix 'x' cannot be read"),
        (["lep.json", "had", "--prefix=x=had", "--prefix=y=had"], "two prefixes"),
        (["lep.json", "had", "--correlate=x=y"], "--correlate 'y' cannot be read"),
        (["lep.json", "had", "--correlate=x=had:jes,had:mu"], "names 'had' twice"),
        (["lep.json", "nowhere"], "nowhere does not exist"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong(words, message, files, capsys):
    assert main(["combine", *words, "--output=all.json"]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (files / "all.json").exists()
