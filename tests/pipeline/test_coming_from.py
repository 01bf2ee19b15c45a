"""The page for people who come from other frameworks does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hepflow.histograms import read_histograms
from hepflow.statistics import Likelihood, build_from_own, fit, load_model, upper_limit

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # pyhf

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "coming_from.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Names after all code blocks of the page were run, in order, in one folder."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found: dict = {"__name__": "coming_from"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("coming_from"))
        for number, block in enumerate(blocks):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), found)  # noqa: S102 - the page is ours
        yield found


def test_coffea(names):
    found = names["coffea_histograms"]
    scale = 831.76 * 0.438 * 16_400.0 / 50.0
    template = found.template("sr", "mtt", "ttbar", "pu_up")
    np.testing.assert_allclose(template.sumw, scale * np.array([0, 1.1, -1.1, 0, 0, 1.1]))
    np.testing.assert_allclose(found.template("sr", "mtt", "data").sumw, [0, 2, 0, 0, 0, 0])
    written = read_histograms(Path("histograms/histograms.zip"))
    assert written.blocks.keys() == found.blocks.keys()


def test_pocket_coffea(names):
    found = names["pocket_histograms"]
    template = found.template("sr", "mtt", "TTbar", "pileup_up")
    np.testing.assert_allclose(template.sumw, [0, 2.2, 0, 0, 0, 2.2])
    assert found.data_processes == {"data"}


def test_columnflow(names):
    found = names["columnflow_histograms"]
    template = found.template("incl", "mtt", "tt", "mu_down")
    np.testing.assert_allclose(template.sumw, [0, 1.9, 0, 0, 1.9])


def test_cabinetry(names):
    assert set(names["imported"].shapes) == {"xsec", "jes"}
    assert [one.path for one in names["imported"].carried] == ["Systematics[xsec]"]
    assert names["imported"].left_out == ()
    model, observed = load_model(build_from_own("cabinetry.yaml"))  # as cabinetry builds it
    likelihood = Likelihood(model)
    expected = fit(likelihood, observed).value("mu")
    assert names["result"].converged
    assert names["result"].value("mu") == pytest.approx(expected, rel=2e-3)
    limit = upper_limit(likelihood, observed).observed
    assert names["limit"].observed == pytest.approx(limit, rel=2e-3)


def test_what_the_page_prints_is_what_comes_out(names):
    """Comments behind a print are its output."""
    for code, comment in re.findall(
        r"^print\((.*)\)  # ([\[(].*)$", PAGE.read_text(), re.MULTILINE
    ):
        printed = re.sub(r"\s+", " ", str(eval(code, names)))  # noqa: S307 - the page is ours
        numbers = r"-?\d+(?:\.\d*)?"
        if comment.startswith("["):
            assert [float(one) for one in re.findall(numbers, printed)] == pytest.approx(
                [float(one) for one in re.findall(numbers, comment)]
            )
        else:
            assert printed == comment
