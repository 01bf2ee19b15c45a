"""How the command finds what to run, and how it ends."""

from __future__ import annotations

import itertools
import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest

from hepflow.cli import main, main_for
from hepflow.cli.endings import Guard
from hepflow.cli.references import load_analysis, load_config
from hepflow.cli.summary import show_cutflows, show_summary, summarise
from hepflow.cli.tracebacks import one_line, place_in_user_code
from hepflow.errors import ConfigurationError, ExecutionError, InputError
from hepflow.records import FitResult, LimitResult

GENERAL = "{'lumi': 100.0, 'analysis': 'skip', 'output_dir': '%s'}"
DATASETS = "{'datasets': [{'name': 'dy', 'files': ['dy.root'], 'cross_section': 1.0}]}"
CONFIG = (
    f"config = {{'general': {GENERAL}, 'datasets': {DATASETS}, "
    "'preprocess': {'branches': {'Muon': ['pt']}}}\n"
)
_names = (f"hepflow_test_module_{i}" for i in itertools.count())


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder, with sys.path as it was afterwards."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEPFLOW_DEBUG", raising=False)
    return tmp_path


def module(here: Path, text: str) -> str:
    """Write a module of a name never used before; its name."""
    name = next(_names)
    (here / f"{name}.py").write_text(text)
    return name


@pytest.fixture
def config(here):
    return module(here, CONFIG % (here / "out")) + ":config"


def finished(tmp_path, status=0, limit=None, fit=None, problems=()):
    from hepflow.pipeline import RunResult

    asimov = limit is not None and limit.observed is None
    statistics = types.SimpleNamespace(limit=limit, fit=fit, expected_only=asimov)
    return RunResult(
        output_dir=tmp_path / "out",
        exit_status=status,
        result=types.SimpleNamespace(
            statistics=statistics if fit else None,
            histograms=types.SimpleNamespace(channels=(), process_of={}),
        ),
        problems=problems,
        cpu_seconds=12.34,
        wall_seconds=6.0,
    )


def fit_result(converged: bool = True) -> FitResult:
    import numpy as np

    return FitResult(
        poi="mu",
        labels=("mu",),
        bestfit=np.array([0.25]),
        uncertainty=np.array([0.125]),
        correlation=np.eye(1),
        twice_nll=1.0,
        goodness_of_fit=None,
        converged=converged,
    )


def limit_result(observed: float | None) -> LimitResult:
    return LimitResult(
        poi="mu",
        poi_range=(0.0, 10.0),
        confidence_level=0.95,
        observed=observed,
        expected=(0.1, 0.2, 0.3, 0.4, 0.5),
        expected_kind="a_priori",
        cls_at_observed=0.05,
        test_statistic="qtilde",
        calculator="asymptotics",
        model={},
    )


# --- what to run -------------------------------------------------------------------------


def test_overrides_reach_the_configuration_and_leave_the_dict_alone(config):
    loaded = load_config(config, ["--general.lumi=7", "general.max_files=3"])
    assert (loaded.general.lumi, loaded.general.max_files) == (7.0, 3)
    assert load_config(config, []).general.lumi == 100.0


def test_a_wrong_override_is_a_configuration_error(config):
    with pytest.raises(ConfigurationError, match="max_files"):
        load_config(config, ["--general.max_fils=3"])


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("import json\nx = 1 / 0\n", r"\.py, line 2, in <module>: ZeroDivisionError"),
        ("import json\n\nimport no_such_thing_at_all\n", r"\.py, line 3.*ModuleNotFoundError"),
        ("x = (\n", r"\.py, line 1: SyntaxError"),
        ("import json\njson.loads('{')\n", r"\.py, line 2, in <module>: JSONDecodeError"),
    ],
)
def test_an_error_in_the_users_module_is_told_with_its_place(here, text, where):
    with pytest.raises(InputError, match=where):
        load_config(module(here, text) + ":config", [])


def test_an_error_of_hepflow_in_the_users_module_stays_itself(here):
    text = "from hepflow.errors import ExecutionError\nraise ExecutionError('no sample')\n"
    with pytest.raises(ExecutionError, match=r"^no sample$"):
        load_config(module(here, text) + ":config", [])


def test_a_module_below_a_module_does_not_exist(here, config):
    name = config.removesuffix(":config")
    with pytest.raises(InputError, match=f"'{name}' is no package"):
        load_config(f"{name}.config:config", [])


def test_a_missing_module_of_a_package_names_the_nearest(here):
    package = here / next(_names)
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "configuration.py").touch()
    with pytest.raises(InputError, match="Did you mean 'configuration'"):
        load_config(f"{package.name}.configuratoin:config", [])


@pytest.mark.parametrize("reference", ["", "x", "x:", ":x"])
def test_a_reference_needs_module_and_attribute(reference):
    with pytest.raises(InputError, match="expected module:attribute"):
        load_config(reference, [])


def test_an_attribute_may_lie_deeper(here):
    name = module(
        here, "import types\n" + CONFIG % "out" + "here = types.SimpleNamespace(c=config)\n"
    )
    assert load_config(f"{name}:here.c", []).general.lumi == 100.0


def test_an_analysis_is_a_subclass_of_analysis(here):
    from hepflow.analysis import Analysis

    text = "from hepflow.analysis import Analysis\nclass Mine(Analysis): pass\nclass Other: pass\n"
    name = module(here, text)
    assert issubclass(load_analysis(f"{name}:Mine"), Analysis)
    with pytest.raises(InputError, match=r"subclass of hepflow\.analysis\.Analysis.*class Other"):
        load_analysis(f"{name}:Other")
    with pytest.raises(InputError, match=r"has no 'Miine'\. Did you mean 'Mine'"):
        load_analysis(f"{name}:Miine")
    with pytest.raises(InputError, match="expected a subclass"):
        load_analysis(f"{name}:__name__")


# --- a run -------------------------------------------------------------------------------


def test_a_run_gets_configuration_and_class_and_ends_with_its_status(
    here, config, monkeypatch, capsys
):
    seen = {}

    def run(configured, analysis, **_):
        seen.update(lumi=configured.general.lumi, analysis=analysis)
        return finished(here, 1, limit_result(0.35), fit_result(), ("data is incomplete",))

    monkeypatch.setattr("hepflow.pipeline.run", run)
    name = module(here, "from hepflow.analysis import Analysis\nclass Mine(Analysis): pass\n")
    status = main_for(config=config, analysis=f"{name}:Mine", argv=["--general.lumi=5"])
    told = capsys.readouterr()
    assert status == 1
    assert seen["lumi"] == 5.0
    assert seen["analysis"].__name__ == "Mine"
    assert "data is incomplete" in told.err
    assert "observed 0.35" in told.out
    assert "expected 0.3 (68 %: 0.2 to 0.4)" in told.out
    assert "s CPU, workers included" in told.out
    assert str(here / "out" / "plots") in told.out


def test_the_command_run_takes_json(here, config, monkeypatch, capsys):
    monkeypatch.setattr("hepflow.pipeline.run", lambda *_, **__: finished(here))
    assert main(["run", "--config", config, "--json", "-"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["limit"] is None
    assert "Plots" in told.err
    assert main(["run", "--config", config, "--json", str(here / "run.json")]) == 0
    assert json.loads((here / "run.json").read_text())["exit_status"] == 0


def test_a_fit_that_did_not_converge_is_not_shown_as_a_result(here):
    summary = summarise(finished(here, 1, None, fit_result(converged=False)), 1.0, 1.0)
    assert summary["fit"] is None


def test_a_limit_without_observed_data_says_so(here, capsys):
    show_summary(summarise(finished(here, 0, limit_result(None), fit_result()), 12.34, 1.0), None)
    told = capsys.readouterr().out
    assert "observed not given" in told
    assert "Fit to Asimov data: mu" in told
    assert "12.3 s CPU, workers included; 1.0 s wall clock" in told


def test_what_was_lost_is_told_with_its_reason(here, capsys):
    from hepflow.records import Loss

    losses = [Loss("mc", "a.root", 0, 0, "truncated", "metadata")]
    losses += [Loss("mc", "c.root", 0, 0, "c.root: gone", "metadata")]
    losses += [Loss("mc", "c.root", 0, 9, "c.root, entries 0 to 9: bad", "histograms")]
    losses += [Loss("mc", "b.root", i, i + 1, "negative", "skim") for i in range(4)]
    result = replace(finished(here), remarks=("99.2 % of simulation",), losses=tuple(losses))
    summary = summarise(result, 1.0, 1.0)
    assert summary["remarks"] == ["99.2 % of simulation"]
    assert [one["file"] for one in summary["losses"]] == [
        *("a.root", "c.root", "c.root"),
        *4 * ["b.root"],
    ]
    show_summary(summary, None)
    told = capsys.readouterr().out
    assert "99.2 % of simulation" in told
    assert "mc: a.root (metadata: truncated)" in told
    assert "mc: b.root, 0 to 1 (skim: negative)" in told
    assert "and 2 more, see the report" in told
    assert "mc: c.root (metadata: gone)" in told
    assert "mc: c.root, 0 to 9 (histograms: bad)" in told
    show_summary(summarise(finished(here), 1.0, 1.0), None)
    assert "Lost" not in capsys.readouterr().out


@pytest.mark.parametrize("remarks", [(), ("50 % of data",)])
def test_cutflows_of_incomplete_data_say_so(here, capsys, monkeypatch, remarks):
    from hepflow.histograms import CutflowTable

    table = CutflowTable("SR", ("data",), (("skimmed", "12"),))
    monkeypatch.setattr("hepflow.histograms.cutflow_table", lambda *_: table)
    result = replace(finished(here), remarks=remarks)
    result.result.histograms.channels = ("SR",)
    show_cutflows(result)
    told = capsys.readouterr().out
    assert "Cutflow of SR" in told
    assert ("50 % of data" in told) == bool(remarks)


def test_plan_shows_the_stages(config, capsys):
    assert main(["plan", "--config", config]) == 0
    assert "left out" in capsys.readouterr().out


# --- words -------------------------------------------------------------------------------


def test_no_command_shows_the_help_and_is_no_success(capsys):
    assert main([]) == 2
    assert "plan" in capsys.readouterr().out


def test_debug_counts_before_and_behind_the_command(capsys):
    for words in (["--debug", "rum"], ["rum", "--debug"]):
        assert main(words) == 2
        assert "Traceback" in capsys.readouterr().err


def test_an_unknown_option_before_the_command(capsys):
    assert main(["--verion", "run"]) == 2
    assert "--verion" in capsys.readouterr().err


def test_a_whole_section_is_an_override_and_no_option(config, capsys):
    assert main(["plan", "--config", config, "--channels=x"]) == 2
    assert "channels" in capsys.readouterr().err


# --- endings -----------------------------------------------------------------------------


def raises(error):
    def action():
        raise error

    return action


def test_notes_of_an_error_are_shown(capsys):
    error = InputError("wrong")
    error.add_note("in the third file")
    assert Guard().run(raises(error)) == 2
    assert capsys.readouterr().err == (
        "hepflow: error: wrong\nin the third file\n[HF200, see docs/reference/errors.md#hf200]\n"
    )


def test_interrupted_is_130(capsys):
    assert Guard().run(raises(KeyboardInterrupt())) == 130
    assert "kept" in capsys.readouterr().err


def test_an_unforeseen_error_leaves_its_traceback_in_the_logs(here, capsys):
    def bug():
        from hepflow.errors import did_you_mean

        did_you_mean(3, ["x"])

    status = Guard(logs=here / "logs").run(bug)
    told = capsys.readouterr().err
    (kept,) = (here / "logs").iterdir()
    assert status == 1
    assert "this is a bug in hepflow: TypeError" in told
    assert str(kept) in told
    assert "did_you_mean" in kept.read_text()
    assert "Traceback (most" not in told


def test_without_a_folder_of_logs_the_traceback_is_kept_elsewhere(here, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(here))
    (here / "taken").touch()
    assert Guard(logs=here / "taken" / "logs").run(raises(ValueError("x"))) == 1
    (kept,) = here.glob("hepflow-*traceback*")
    assert "ValueError: x" in kept.read_text()
    assert str(kept) in capsys.readouterr().err


def test_an_error_in_the_users_code_is_not_called_a_bug_of_ours(here, capsys):
    name = module(here, "def step(events):\n    return events / 0\n")
    step = __import__(name).step
    assert Guard(logs=here).run(lambda: step(1)) == 1
    told = capsys.readouterr().err
    assert f"error in {name}.py, line 2, in step: ZeroDivisionError" in told
    assert "bug in hepflow" not in told


def test_one_line_of_an_error_without_text():
    assert one_line(ValueError()) == "ValueError"
    assert place_in_user_code(ValueError()) is None
