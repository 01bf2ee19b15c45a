"""pyhf's own validation models: CLs as pyhf computes them.

Definitions and values: pyhf 0.7, tests/test_validation.py and validation/data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hepflow.statistics import Cls, load_likelihood, upper_limit

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")

MU = ("mu", "normfactor", None)
LUMI = ("lumi", "lumi", None)
LUMI_SETTINGS = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.1], "inits": [1.0],
                 "bounds": [[0.0, 10.0]]}  # fmt: skip


def workspace(channels: dict[str, Any], observed: dict[str, Any], *settings: Any) -> dict[str, Any]:
    """Channels as name -> sample -> (yields, modifiers)."""
    return {
        "channels": [
            {
                "name": name,
                "samples": [
                    {
                        "name": sample,
                        "data": data,
                        "modifiers": [
                            dict(zip(("name", "type", "data"), one, strict=True))
                            for one in modifiers
                        ],
                    }
                    for sample, (data, *modifiers) in samples.items()
                ],
            }
            for name, samples in channels.items()
        ],
        "observations": [{"name": name, "data": data} for name, data in observed.items()],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": list(settings)}}],
        "version": "1.0.0",
    }


def norm(low: float, high: float) -> Any:
    return ("coupled", "normsys", {"lo": low, "hi": high})


def histo(low: list[float], high: list[float]) -> Any:
    return ("coupled", "histosys", {"lo_data": low, "hi_data": high})


FREE = ("coupled", "shapefactor", None)
MODELS = {
    "one bin, shapesys": workspace(
        {"c": {"signal": ([10.0], MU), "bkg": ([50.0], ("u", "shapesys", [7.0]))}}, {"c": [55.0]}
    ),
    "one bin, luminosity": workspace(
        {"c": {"signal": ([20.0], MU), "b1": ([100.0], LUMI), "b2": ([0.0], LUMI)}},
        {"c": [55.0]},
        LUMI_SETTINGS,
    ),
    "normsys": workspace(
        {"c": {"signal": ([30.0, 95.0], MU), "bkg": ([100.0, 150.0], norm(0.9, 1.1))}},
        {"c": [120.0, 180.0]},
    ),
    "two bins, histosys": workspace(
        {
            "c": {
                "signal": ([30.0, 95.0], MU),
                "bkg": ([100.0, 150.0], histo([98.0, 100.0], [102.0, 190.0])),
            }
        },
        {"c": [120.0, 180.0]},
    ),
    "two channels, shapesys": workspace(
        {
            "signal": {
                "signal": ([10.0, 35.0], MU),
                "bkg": ([100.0, 150.0], ("one", "shapesys", [10.0, 10.0])),
            },
            "control": {"bkg": ([200.0, 350.0], ("two", "shapesys", [5.0, 10.0]))},
        },
        {"signal": [110.0, 155.0], "control": [205.0, 345.0]},
    ),
    "two channels, coupled norm": workspace(
        {
            "signal": {
                "signal": ([10.0, 35.0], MU),
                "bkg1": ([100.0, 100.0], norm(0.9, 1.1)),
                "bkg2": ([50.0, 100.0], norm(0.5, 1.5)),
            },
            "control": {"background": ([100.0, 100.0], norm(0.9, 1.1))},
        },
        {"signal": [105.0, 220.0], "control": [110.0, 105.0]},
    ),
    "two channels, coupled histo": workspace(
        {
            "signal": {
                "signal": ([30.0, 35.0], MU),
                "bkg1": ([100.0, 100.0], histo([90.0, 90.0], [110.0, 110.0])),
                "bkg2": ([50.0, 120.0], histo([45.0, 45.0], [55.0, 55.0])),
            },
            "control": {"background": ([105.0, 100.0], histo([95.0, 90.0], [110.0, 115.0]))},
        },
        {"signal": [170.0, 220.0], "control": [110.0, 105.0]},
    ),
    "two channels, shapefactor": workspace(
        {
            "signal": {"signal": ([20.0, 20.0], MU), "bkg1": ([100.0, 70.0], FREE)},
            "control": {"background": ([100.0, 100.0], FREE)},
        },
        {"signal": [220.0, 230.0], "control": [200.0, 300.0]},
    ),
}
# observed and expected CLs at mu = 1 as pyhf's tests have them, and their relative tolerance; with
# the interpolation codes that those tests use
OLD_CODES = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
PUBLISHED = {
    "one bin, shapesys": (
        0.4541865416107029,
        (0.06371799398864626, 0.15096503398048894, 0.3279606950533305, 0.6046087303039118,
         0.8662627605298466), 1e-6,
    ),
    "two channels, shapesys": (
        0.056332621064982304,
        (0.00043491354821983556, 0.0034223000502860606, 0.02337423265831151, 0.1218654225510158,
         0.40382074249477845), 1e-6,
    ),
    "two channels, coupled norm": (
        0.5906228034705155,
        (0.055223914655538435, 0.13613239925395315, 0.3068720101493323, 0.5839470093910164,
         0.8554725461337025), 2e-4,  # code 1 has a kink at zero, where scipy stops early
    ),
    "two channels, shapefactor": (
        0.5421679124909312,
        (0.013753299929451691, 0.048887400056355966, 0.15555296253957684, 0.4007561343326305,
         0.7357169630955912), 2.5e-6,
    ),
}  # fmt: skip
# Its second background is below nominal both up and down: the likelihood has two minima, and from
# its own start pyhf's free fit ends in the higher one.
TWO_MINIMA = "two channels, coupled histo"


def cls_of_pyhf(content):
    """Observed and expected CLs at mu = 1."""
    import pyhf

    _, before = pyhf.get_backend()
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-13))
    try:
        loaded = pyhf.Workspace(content)
        model = loaded.model()
        observed, expected = pyhf.infer.hypotest(
            1.0, loaded.data(model), model, test_stat="qtilde", return_expected_set=True
        )
    finally:
        pyhf.set_backend("numpy", before)
    return float(observed), [float(one) for one in expected]


@pytest.mark.parametrize("name", MODELS)
def test_cls_is_that_of_pyhf(name):
    point = Cls(*load_likelihood(MODELS[name])).point(1.0)
    observed, expected = cls_of_pyhf(MODELS[name])
    assert point.expected == pytest.approx(expected, abs=1e-6)
    if name != TWO_MINIMA:
        assert point.observed == pytest.approx(observed, abs=1e-6)


def test_the_lower_of_two_minima_counts():
    """Both fits of the test statistic, by looking everywhere."""
    likelihood, data = load_likelihood(MODELS[TWO_MINIMA])
    poi = likelihood.poi
    nuisance = np.linspace(-2, 2, 1001)

    def lowest(strength, values):
        points = np.empty((len(values), 2))
        points[:, poi], points[:, 1 - poi] = strength, values
        return likelihood.values(points, data[np.newaxis]).min()

    fixed = lowest(1.0, nuisance)
    free = min(lowest(strength, nuisance) for strength in np.linspace(0, 2, 401))
    cls = Cls(likelihood, data)
    assert cls.q_observed(1.0) == pytest.approx(fixed - free, abs=1e-3)
    assert cls.point(1.0).observed < cls_of_pyhf(MODELS[TWO_MINIMA])[0] - 0.1


@pytest.mark.parametrize("name", PUBLISHED)
def test_cls_is_that_of_pyhfs_tests(name):
    observed, expected, tolerance = PUBLISHED[name]
    point = Cls(*load_likelihood(MODELS[name], modifier_settings=OLD_CODES)).point(1.0)
    assert point.observed == pytest.approx(observed, rel=tolerance)
    assert point.expected == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_limits_have_the_cls_that_they_stand_for(name):
    result = upper_limit(*load_likelihood(MODELS[name]))
    cls = Cls(*load_likelihood(MODELS[name]))
    assert cls.observed(result.observed) == pytest.approx(0.05, abs=1e-4)
    for band, limit in zip((-2, -1, 0, 1, 2), result.expected, strict=True):
        assert cls.expected(limit, band) == pytest.approx(0.05, abs=1e-4)
