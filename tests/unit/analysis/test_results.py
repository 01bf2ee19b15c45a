"""From histograms to a fit: which data it may use, what is kept, what every table must say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hepflow.analysis.results import (
    AnalysisResult,
    all_remarks,
    fit_histograms,
    fit_is_expected_only,
    save_histograms,
    saving_histograms,
)
from hepflow.cli.summary import summarise
from hepflow.errors import AuditError, WorkspaceError
from hepflow.estimates import estimates_of_config, with_estimates
from hepflow.journal import recorded, tell
from hepflow.keys import make_key
from hepflow.output_manager import OutputDirectoryManager
from hepflow.pipeline import RunResult, problems_of
from hepflow.records import Axis, Block, HistogramSet, Ledger, PartCounts
from hepflow.schema import Config
from hepflow.stamps import is_current
from hepflow.statistics import StatisticsSpec
from tests.unit.estimates.histograms import DATA
from tests.unit.estimates.histograms import histograms as estimated_from
from tests.unit.estimates.test_in_the_fit import configuration
from tests.unit.schema.examples import changed

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
PROCESSES = ("signal", "ttbar", "wjets", "data")
KEY = make_key("histograms", number=1)
FRACTION = 0.5


@pytest.fixture
def folders(tmp_path):
    return OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")


def configured(tmp_path, **changes):
    return Config(
        **changed(
            corrections=[],
            systematics=[{"name": "lumi", "type": "normalisation", "size": 0.025}],
            general__output_dir=str(tmp_path / "out"),
            general__cache_dir=str(tmp_path / "cache"),
            statistics__scan_points=5,
            **changes,
        )
    )


def filled(config, *, ledger=None, scale=1.0):
    """Falling spectra with a resonance, a tenth of them in the overflow; data as expected."""
    axes, blocks = {}, {}
    for channel in StatisticsSpec.from_config(config).channels:
        key = (channel.name, channel.observable)
        axes[key] = Axis(channel.observable, channel.axis_label, channel.edges)
        x = np.linspace(0.0, 1.0, len(channel.edges) + 1)
        rows = {
            "signal": 20 * np.exp(-(((x - 0.6) / 0.1) ** 2)),
            "ttbar": 300 * np.exp(-3 * x),
            "wjets": 100 * np.exp(-4 * x) * (1 if channel.name == "SR" else 20),
        }
        rows["data"] = np.round(scale * sum(rows.values()))
        for process, row in rows.items():
            row[-1] = np.round(0.1 * row.sum())
            blocks[*key, process] = Block(("nominal",), row[np.newaxis], 0.1 * row[np.newaxis])
    names = {one: one for one in PROCESSES}
    return HistogramSet(axes, blocks, {}, frozenset({"data"}), {"": 1.0}, ledger or Ledger(), names)


def without_data(histograms, *channels):
    blocks = {
        key: one
        for key, one in histograms.blocks.items()
        if not (key[2] == "data" and key[0] in channels)
    }
    return replace(histograms, blocks=blocks)


def half_of_the_data():
    part = PartCounts("data", "a.root", 0, 50, 50, 50.0, 50.0)
    return Ledger(parts={part.item_key: part}, file_events={"data": {"a.root": 100}})


def run_result(histograms, statistics, tmp_path):
    result = AnalysisResult(histograms, statistics, ())
    problems = problems_of(result)
    return RunResult(tmp_path, int(bool(problems)), result, problems, 1.0, 1.0)


# -- data that are not there ---------------------------------------------------------------


@pytest.mark.parametrize("missing", [("SR", "CR"), ("CR",)])
def test_a_fit_without_data_is_not_called_observed(tmp_path, folders, caplog, missing):
    config = configured(tmp_path)
    histograms = without_data(filled(config), *missing)
    save_histograms(config, histograms, folders, KEY)
    found = fit_histograms(config, histograms, folders, KEY)
    assert found.expected_only
    assert found.limit.observed is None
    assert found.limit.expected_kind == "a_priori"
    assert found.significance.observed_z is None
    assert found.postfit.channel("SR").data is None
    assert f"no data were processed for {', '.join(missing)}. The fit is to Asimov" in caplog.text
    result = run_result(histograms, found, tmp_path)
    assert result.exit_status == 0  # left out on purpose
    assert summarise(result, 1.0, 1.0)["expected_only"]


def test_incomplete_data_are_expected_only_and_no_success(tmp_path, folders):
    config = configured(tmp_path)
    histograms = filled(config, ledger=half_of_the_data())
    assert fit_is_expected_only(histograms, StatisticsSpec.from_config(config))
    found = fit_histograms(config, histograms, folders, KEY)
    assert found.limit.observed is None
    result = run_result(histograms, found, tmp_path)
    assert result.exit_status == 1
    assert "data 50 %" in result.problems[0]


def test_complete_data_are_used(tmp_path, folders):
    config = configured(tmp_path)
    histograms = filled(config)
    spec = StatisticsSpec.from_config(config)
    assert not fit_is_expected_only(histograms, spec)
    assert fit_histograms(config, histograms, folders, KEY).limit.observed > 0
    own = replace(spec, cabinetry_config="own.yaml")  # its data are elsewhere
    assert not fit_is_expected_only(without_data(histograms, "SR", "CR"), own)


@pytest.mark.parametrize("ledger", [Ledger(), half_of_the_data()])
def test_cutflows_say_what_part_of_the_data_was_processed(tmp_path, folders, ledger):
    config = configured(tmp_path)
    save_histograms(config, filled(config, ledger=ledger), folders, None)
    stored = json.loads((folders.get_histograms_dir() / "cutflow.json").read_text())
    assert stored["remarks"] == (["50 % of data"] if ledger.parts else [])
    assert stored["channels"].keys() == {"SR", "CR"}


# -- the user's own cabinetry file ---------------------------------------------------------


def lumi_removed(path):
    """Make a generated file one's own: without its header and one source."""
    content = yaml.safe_load(path.read_text())
    del content["Systematics"]
    return yaml.safe_dump(content)


@pytest.mark.parametrize("place", ["default", "elsewhere"])
def test_changes_of_an_own_file_are_never_missed(tmp_path, folders, place, caplog):
    caplog.set_level("INFO")
    config = configured(tmp_path)
    histograms = filled(config)
    generated = folders.get_statistics_dir() / "cabinetry_config.yaml"

    def fitted():
        save_histograms(config, histograms, folders, KEY)
        return fit_histograms(config, histograms, folders, KEY).fit.labels

    assert "lumi" in fitted()
    caplog.clear()
    assert "lumi" in fitted()
    assert "reused" in caplog.text
    own = generated
    if place == "elsewhere":
        own = tmp_path / "own.yaml"
        config.statistics.cabinetry_config = str(own)
        own.write_text(generated.read_text())
        assert "lumi" in fitted()
    own.write_text(lumi_removed(own))
    caplog.clear()
    assert "lumi" not in fitted()
    assert "statistics: reused" not in caplog.text
    assert "your own cabinetry file" in caplog.text


def test_another_root_file_of_an_own_file_is_never_missed(tmp_path, folders):
    config = configured(tmp_path)
    histograms = filled(config)
    save_histograms(config, histograms, folders, KEY)
    filled_file = folders.get_histograms_dir() / "histograms.root"
    other, own = tmp_path / "other.root", tmp_path / "own.yaml"
    generated = (folders.get_statistics_dir() / "cabinetry_config.yaml").read_text()
    own.write_text(generated.replace(str(filled_file), str(other)))
    config.statistics.cabinetry_config = str(own)
    other.write_bytes(filled_file.read_bytes())
    first = fit_histograms(config, histograms, folders, KEY)
    save_histograms(config, filled(config, scale=1.2), folders, None)
    other.write_bytes(filled_file.read_bytes())
    again = fit_histograms(config, histograms, folders, KEY)
    assert again.fit.value("ttbar_norm")[0] > first.fit.value("ttbar_norm")[0] + 0.1


def test_a_named_file_that_is_not_there_is_no_reason_to_generate_one(tmp_path, folders):
    typo = tmp_path / "typo.yaml"
    config = configured(tmp_path, statistics__cabinetry_config=str(typo))
    histograms = filled(config)
    for step in (save_histograms, fit_histograms):
        with pytest.raises(WorkspaceError, match=r"names .*typo\.yaml, which does not exist"):
            step(config, histograms, folders, KEY)
    assert not typo.exists()


# -- in which order ------------------------------------------------------------------------


def test_what_a_fit_does_not_read_is_written_after_it(tmp_path, folders):
    config = configured(tmp_path)
    folder = folders.get_histograms_dir()
    with recorded() as stages, saving_histograms(config, filled(config), folders, KEY):
        tell("statistics", "ran", "a test")
        assert (folders.get_statistics_dir() / "cabinetry_config.yaml").exists()
        assert not (folder / "histograms.root").exists()
    assert is_current(folder, KEY)
    assert [stage.name for stage in stages] == ["normalisation", "statistics"]
    with recorded() as stages, saving_histograms(config, filled(config), folders, KEY):
        pass
    assert [stage.outcome for stage in stages] == ["reused"]


def test_without_the_cache_what_is_there_is_written_anew(tmp_path, folders):
    config = configured(tmp_path, plotting__fold_overflow=True)
    files = [
        folders.get_histograms_dir() / "histograms.zip",
        folders.get_statistics_dir() / "templates.root",
    ]

    def saved(scale):
        with recorded() as stages:
            save_histograms(config, filled(config, scale=scale), folders, KEY)
        return [path.read_bytes() for path in files], stages[0]

    first, _ = saved(1.0)
    assert saved(2.0)[0] == first  # the same key
    config.general.read_from_cache = False
    second, stage = saved(2.0)
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert (stage.outcome, stage.why) == ("ran", "general.read_from_cache is off")


def test_stages_stand_in_their_order_however_they_were_told():
    with recorded() as stages:
        for name in ("plots", "skim", "other", "normalisation", "skim", "metadata"):
            tell(name, "ran", "a test")
    names = [one.name for one in stages]
    assert names == ["metadata", "skim", "skim", "normalisation", "plots", "other"]


@pytest.mark.parametrize("error", [WorkspaceError, ZeroDivisionError, KeyboardInterrupt])
def test_histograms_are_there_also_where_the_fit_fails(tmp_path, folders, error):
    config = configured(tmp_path)
    with pytest.raises(error), saving_histograms(config, filled(config), folders, KEY):
        raise error("no fit")
    assert is_current(folders.get_histograms_dir(), KEY)


@pytest.mark.parametrize("named", [True, False])
def test_an_own_cabinetry_file_finds_the_histograms_of_this_run(tmp_path, folders, named):
    own = tmp_path / "own.yaml" if named else folders.get_statistics_dir() / "cabinetry_config.yaml"
    own.write_text("General: {}\n")
    changes = {"statistics__cabinetry_config": str(own)} if named else {}
    config = configured(tmp_path, **changes)
    folder = folders.get_histograms_dir()
    with saving_histograms(config, filled(config), folders, KEY):
        assert is_current(folder, KEY)
        written = (folder / "histograms.root").stat().st_mtime_ns
    assert (folder / "histograms.root").stat().st_mtime_ns == written


# -- the templates of the fit --------------------------------------------------------------


@pytest.mark.parametrize("fold", [True, False])
def test_cabinetry_fits_the_same_from_the_generated_file(tmp_path, folders, fold):
    from cabinetry import configuration

    from hepflow.statistics import build_from_own, prepare_workspace

    config = configured(tmp_path, plotting__fold_overflow=fold)
    histograms = filled(config)
    save_histograms(config, histograms, folders, KEY)
    theirs = build_from_own(configuration.load(config.statistics.cabinetry_config))
    ours = prepare_workspace(StatisticsSpec.from_config(config), histograms, folders)
    counts = [one["data"] for one in ours["observations"]]
    np.testing.assert_array_equal([one["data"] for one in theirs["observations"]], counts)
    for left, right in zip(ours["channels"], theirs["channels"], strict=True):
        for one, other in zip(left["samples"], right["samples"], strict=True):
            np.testing.assert_allclose(one["data"], other["data"], rtol=1e-12)


def test_templates_of_the_fit_are_kept_and_made_anew(tmp_path, folders):
    config = configured(tmp_path, plotting__fold_overflow=True)
    file = folders.get_statistics_dir() / "templates.root"

    def saved(key, **options):
        save_histograms(config, filled(config, **options), folders, key)
        return (file.stat().st_ino, file.stat().st_mtime_ns)

    first = saved(KEY)
    assert saved(KEY) == first
    second = saved(make_key("histograms", number=2), scale=1.1)
    assert second != first
    config.plotting.fold_overflow = False
    save_histograms(config, filled(config), folders, KEY)
    assert not file.exists()


def test_a_model_that_cannot_be_built_stops_only_a_fit(tmp_path, folders, caplog):
    config = configured(tmp_path)
    histograms = replace(filled(config), blocks={})
    with pytest.raises(WorkspaceError, match="acts on no events"):
        save_histograms(config, histograms, folders, None)
    config.general.run_statistics = False
    save_histograms(config, histograms, folders, None)
    assert "no cabinetry configuration, so no fit" in caplog.text
    assert problems_of(AnalysisResult(histograms, None, ())) == ()
    assert problems_of(None) == ()


# -- estimates from data -------------------------------------------------------------------


def test_an_estimate_without_a_factor_is_told_before_the_fit_and_stops_it(
    tmp_path, folders, caplog
):
    config = configuration(
        general={"lumi": 1.0, "output_dir": str(tmp_path / "out"), "run_statistics": True},
        systematics=[],
    )
    data = DATA | {"BOTTOM": [0, 0, 0, 0]}
    histograms = with_estimates(estimated_from(data), estimates_of_config(config))
    save_histograms(config, histograms, folders, None)
    told = "without fakes in SR: no transfer factor, as the denominator BOTTOM/x sums to -10"
    assert f"estimates: {told}" in caplog.text
    (remark,) = all_remarks(config, histograms)
    assert remark.startswith(told)
    with pytest.raises(AuditError, match="the denominator BOTTOM/x sums to -10"):
        fit_histograms(config, histograms, folders, None)
    first = json.loads((tmp_path / "out" / "statistics" / "audit.json").read_text())[0]
    assert first["code"] == "estimate-without-factor"


def test_an_estimate_of_zero_is_told_and_fitted(tmp_path, folders, caplog):
    config = configuration(
        general={"lumi": 1.0, "output_dir": str(tmp_path / "out"), "run_statistics": True},
        systematics=[],
    )
    data = DATA | {"TOP": [0, 4, 4, 0]}
    histograms = with_estimates(estimated_from(data), estimates_of_config(config))
    save_histograms(config, histograms, folders, None)
    assert "estimates: fakes in SR: nothing is left of it, as the numerator TOP/x" in caplog.text
    found = fit_histograms(config, histograms, folders, None)
    assert [one.code for one in found.findings if one.sample == "fakes"] == [
        "estimate-not-positive"
    ]
    assert "fakes" in found.prefit.channel("SR").samples
