from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.plotting import PlottingSpec
from hepflow.plotting.sbi_drawing import SBI_DRAWING
from hepflow.plotting.sbi_numbers import (
    CoverageNumbers,
    ReliabilityNumbers,
    closure_numbers,
    loss_numbers,
    ratio_numbers,
    reweighting_numbers,
    sample_numbers,
)
from hepflow.plotting.sbi_regions import ellipse_numbers, region_numbers
from hepflow.records.inference import LikelihoodScan
from hepflow.records.sbi import (
    Closure,
    Coverage,
    Information,
    Region,
    Reliability,
    Reweighting,
    method_label,
)
from tests.figures.test_fit_figures import inside, texts_of

LABELS = ("$C_{LL}$ [1/TeV$^2$]", "$C_{RR}$ [1/TeV$^2$]")
ONE = 0.6826894921370859


def spec(style="CMS"):
    return PlottingSpec(style=style, experiment=style, status="Simulation", luminosity=10_000.0)


def draw(numbers, style="CMS", remarks=()):
    return SBI_DRAWING[type(numbers)](numbers, spec(style), remarks=remarks)


def scan(centre=(0.05, -0.02), widths=(0.2, 0.1), data="asimov"):
    x, y = np.linspace(-1, 1, 25), np.linspace(-0.8, 0.8, 21)
    delta = ((x[:, None] - centre[0]) / widths[0]) ** 2 + ((y - centre[1]) / widths[1]) ** 2
    return LikelihoodScan(("a", "b"), (tuple(x), tuple(y)), tuple(delta.ravel()), centre, data)


def toy_region(critical=8.0):
    ends = ((-0.5, 0.5), (-0.3, 0.3))
    return Region(
        ("a", "b"), ("", ""), 0.95, 0.05, 2, "neyman", None, ends, 0.2, (critical,) * (25 * 21)
    )


def information(kind="full", scale=1.0):
    matrix = scale * np.array([[100.0, 30.0], [30.0, 400.0]])
    return Information(kind, ("a", "b"), ("", ""), (0.1, 0.0), 1e4, matrix, 0.0 * matrix)


def samples():
    rng = np.random.default_rng(3)
    values = 300 + rng.exponential(150.0, 4000)
    weights = {"SM": np.ones(4000), "C = 0.5": 1 + (values / 1000) ** 2, "C = 1": values / 500}
    return sample_numbers(values, weights, r"$m_{\mu\mu}$ [GeV]")


def coverages():
    return CoverageNumbers(
        tuple(
            Coverage(method, kind, (0.0, 0.0), level, int(300 * level) + away, 300, 1)
            for method, away in (("sally", -5), ("alices", 4))
            for kind in ("asymptotic", "neyman")
            for level in (ONE, 0.95)
        )
    )


def reliability():
    at = tuple(np.linspace(0.1, 0.9, 9))
    return Reliability(
        (0.3, 0.0), at, tuple(0.5 + 0.9 * (t - 0.5) for t in at), (0.01,) * 9, (1 / 9,) * 9
    )


def closures(shift=0.0):
    return tuple(
        Closure("mean ratio", point, 1.0, 1.0 + shift + 0.001 * i, 0.002, 1000)
        for i, point in enumerate(
            [(0.0, 0.3), (0.3, 0.0), (-0.3, 0.2), (0.2, -0.3), (-0.15, -0.15)]
        )
    )


def ratios(against="true", quantity=r"$\ln\,r$"):
    rng = np.random.default_rng(4)
    known = rng.normal(0, 0.6, 5000)
    estimated = known + 0.06 * rng.standard_normal(5000)
    return ratio_numbers("alices", known, estimated, against=against, quantity=quantity)


def losses(members=3):
    epochs = np.arange(1, 21)
    curves = [0.6 + 0.1 * np.exp(-epochs / (3 + i)) for i in range(members)]
    return loss_numbers("alices", curves, [one + 0.01 * (epochs / 20) ** 4 for one in curves])


ALL = {
    "samples": samples,
    "losses": losses,
    "one member": lambda: losses(1),
    "ratios": ratios,
    "joint": lambda: ratios("joint", "$t_{LL}$ [TeV$^2$]"),
    "regions": lambda: region_numbers(
        {"sally": scan(), "alices": scan((0, 0)), "histogram": scan((0, 0), (0.3, 0.3))},
        LABELS, marks={"SM": (0.0, 0.0)},
    ),
    "one region": lambda: region_numbers(
        {"alices": scan()}, LABELS, regions={"alices": [toy_region()]}
    ),
    "ellipses": lambda: ellipse_numbers(
        {"alices": information(), "histogram": information("histogram", 0.5),
         "hidden variables": information("latent", 3.0)}, LABELS,
    ),
    "reliability": lambda: ReliabilityNumbers(("carl", "exact"), (reliability(), reliability())),
    "closure": lambda: closure_numbers({"sally": closures(), "alices": closures(-0.004)}),
    "coverage": coverages,
}  # fmt: skip


@pytest.mark.parametrize("name", list(ALL))
@pytest.mark.parametrize("style", ["CMS", "ATLAS"])
def test_nothing_is_cut_off(name, style):
    figure = draw(ALL[name](), style, remarks=["Parton level"])
    assert inside(figure)
    legend = figure.axes[0].get_legend().get_window_extent()
    frame = figure.axes[0].get_window_extent()
    assert frame.x0 <= legend.x0
    assert legend.x1 <= frame.x1
    assert "Parton level" in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize(
    "name", ["samples", "losses", "regions", "ellipses", "closure", "coverage"]
)
@pytest.mark.parametrize("style", ["CMS", "LHCb"])
def test_curves_stay_below_the_legend(name, style):
    axes = draw(ALL[name](), style).axes[0]
    bottom = axes.get_legend().get_window_extent().y0
    contents = [
        line.get_path().vertices for line in axes.lines if line.get_marker() in {"", "None", "o"}
    ]
    contents += [p.vertices for c in axes.collections for p in c.get_paths() if c.get_visible()]
    left, right = axes.get_xlim()
    for points in contents:
        seen = points[np.isfinite(points).all(axis=1)]
        seen = (
            seen[(seen[:, 0] >= left) & (seen[:, 0] <= right)] if name != "coverage" else seen[:0]
        )
        if len(seen):
            assert axes.transData.transform(seen)[:, 1].max() <= bottom + 1


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_samples_are_densities_with_ratios_to_the_first():
    numbers = samples()
    for one in numbers.curves:
        assert (one.density * np.diff(numbers.edges)).sum() == pytest.approx(0.99, abs=0.02)
    axes, panel = draw(numbers).axes
    assert legend_of(axes) == ["SM", "C = 0.5", "C = 1"]
    assert axes.get_ylabel() == "Density [1/GeV]"
    assert axes.get_yscale() == "log"
    assert panel.get_xlabel() == r"$m_{\mu\mu}$ [GeV]"
    first, *_, last = (patch.get_data().values for patch in panel.patches[::2])
    np.testing.assert_allclose(first, 1.0)
    ratio = numbers.curves[2].density / numbers.curves[0].density
    np.testing.assert_allclose(last, ratio)


def test_a_reweighting_says_its_agreement():
    values = (0.1, 0.2, 0.3)
    check = Reweighting(
        "v", (0.3, 0), (0, 1, 2, 3), values, (0.01,) * 3, values, (0.01,) * 3, 3.2, 2, 0.2
    )
    axes = draw(reweighting_numbers(check)).axes[0]
    assert legend_of(axes) == [r"$\theta$ = (0.3, 0)", "Reference, reweighted"]
    assert axes.get_legend().get_title().get_text() == r"$\chi^2$ / ndf = 3.2 / 2, p = 0.2"
    assert axes.get_yscale() == "linear"


def test_losses_show_members_and_the_epoch_that_was_kept():
    numbers = losses()
    assert numbers.kept == tuple(int(np.argmin(one)) + 1 for one in numbers.validation)
    axes = draw(numbers).axes[0]
    assert len(axes.lines) == 9
    assert legend_of(axes)[-3:] == ["Member 1", "Member 2", "Member 3"]
    assert axes.lines[-1].get_xdata()[0] == numbers.kept[2]
    alone = draw(loss_numbers("sally", [[0.3, 0.2]])).axes[0]
    assert legend_of(alone) == ["Training"]


def test_what_is_known_is_named():
    true, joint = (draw(ratios(kind)).axes[1].get_xlabel() for kind in ("true", "joint"))
    assert true == r"True $\ln\,r$"
    assert joint == r"Joint $\ln\,r$ (with hidden variables)"
    title = draw(ratios()).axes[0].get_legend().get_title().get_text()
    assert title.startswith("ALICES, mean squared difference / variance: 1 %")


def test_regions_have_levels_best_fits_and_units():
    (axes,) = draw(ALL["regions"]()).axes
    assert legend_of(axes) == ["SALLY", "ALICES", "Histogram", "68 % CL", "95 % CL", "SM"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == LABELS
    assert axes.get_legend().get_title().get_text() == "Expected (Asimov)"
    inner = axes.collections[0].get_paths()[0].vertices
    radius = ((inner[:, 0] - 0.05) / 0.2) ** 2 + ((inner[:, 1] + 0.02) / 0.1) ** 2
    np.testing.assert_allclose(radius, 2.2957, rtol=0.02)
    points = [line.get_xydata().tolist() for line in axes.lines]
    assert points[:2] == [[[0.05, -0.02]], [[0.0, 0.0]]]
    styles = [line.get_marker() for line in axes.lines]
    assert len(set(styles)) == 4  # no method is told by colour alone


def test_a_region_of_toys_is_its_own_line():
    (axes,) = draw(ALL["one region"]()).axes
    assert legend_of(axes) == ["Best fit", "68 % CL", "95 % CL", "95 % CL, toys"]
    outer = axes.collections[-1].get_paths()[0].vertices
    radius = ((outer[:, 0] - 0.05) / 0.2) ** 2 + ((outer[:, 1] + 0.02) / 0.1) ** 2
    np.testing.assert_allclose(radius, 8.0, rtol=0.02)
    title = axes.get_legend().get_title().get_text()
    assert title == "ALICES, expected (Asimov)"


def test_regions_that_cannot_be_drawn():
    with pytest.raises(InputError, match="no scan of the likelihood"):
        region_numbers({}, LABELS)
    one = LikelihoodScan(("a",), ((0.0, 1.0),), (0.0, 1.0), (0.0,))
    with pytest.raises(InputError, match="scan of sally is in a; regions are drawn in two"):
        region_numbers({"sally": one}, LABELS)
    with pytest.raises(InputError, match="same two parameters"):
        ellipse_numbers(
            {"a": replace(information(), parameters=("a", "c")), "b": information()}, LABELS
        )


def test_ellipses_have_the_size_of_the_inverse():
    numbers = ellipse_numbers({"alices": information(), "rate": information(scale=0.0)}, LABELS)
    assert numbers.left_out == ("rate",)
    (one,) = numbers.ellipses
    away = np.stack([one.x - 0.1, one.y])
    np.testing.assert_allclose(
        np.einsum("in,ij,jn->n", away, information().matrix, away), 2.2957, rtol=1e-3
    )
    figure = draw(numbers)
    said = [text.get_text() for text in figure.texts]
    assert said[0].startswith("from the curvature at the expansion point")
    assert said[1:] == ["no region from rate: blind to one direction"]
    warned = [text.get_text() for text in draw(ALL["ellipses"]()).texts]
    assert "can be reached by no analysis" in warned[1]


def test_closure_has_its_band():
    (axes,) = draw(ALL["closure"]()).axes
    assert legend_of(axes) == [r"1 $\pm$ 0.01", "SALLY", "ALICES"]
    assert [text.get_text() for text in axes.get_xticklabels()][2] == "(\N{MINUS SIGN}0.3,\n0.2)"
    with pytest.raises(InputError, match="same points for every method"):
        closure_numbers({"sally": closures(), "alices": closures()[:2]})
    score = [Closure(f"mean score of {n}", (0.0, 0.0), 0.0, 0.01, 0.01, 9) for n in "ab"]
    assert closure_numbers({"sally": score}).points == ("mean score of\na", "mean score of\nb")


def test_coverage_has_levels_with_their_spread():
    (axes,) = draw(coverages()).axes
    assert {"68 %", "95 %"} <= set(texts_of(axes))
    assert legend_of(axes)[:2] == ["Asymptotic", "Neyman construction"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["SALLY", "ALICES"]
    assert max(axes.get_yticks()) <= 1.0


def test_numbers_that_cannot_be_had():
    with pytest.raises(InputError, match="no events to draw of m"):
        sample_numbers(np.array([]), {"SM": np.array([])}, "m")
    with pytest.raises(InputError, match="weights of 'SM' add up to 0"):
        sample_numbers(np.ones(3), {"SM": np.zeros(3)}, "m")
    with pytest.raises(InputError, match="training of sally has no epoch"):
        loss_numbers("sally", [[]])
    with pytest.raises(InputError, match=r"estimates have shape \(2,\), what is known has \(3,\)"):
        ratio_numbers("sally", np.ones(3), np.ones(2))
    with pytest.raises(InputError, match="'true' or 'joint' values, not 'latent'"):
        ratio_numbers("sally", np.ones(3), np.ones(3), against="latent")


def test_names_of_methods():
    assert (method_label("alices"), method_label("my_method")) == ("ALICES", "my method")


def test_one_wide_ellipse_does_not_hide_the_others():
    found = {"alices": information(), "sally": information(scale=0.5)}
    figure = draw(ellipse_numbers({**found, "histogram": information("histogram", 0.001)}, LABELS))
    alone = draw(ellipse_numbers(found, LABELS))
    assert figure.axes[0].get_xlim() == pytest.approx(alone.axes[0].get_xlim())


def test_bins_with_a_long_tail_are_on_a_logarithmic_axis():
    values = 300.0 * np.random.default_rng(5).pareto(2.0, 20_000) + 300.0
    edges = np.geomspace(300.0, 9000.0, 15)
    weights = {"SM": np.ones(20_000), "C = 1": values}
    numbers = sample_numbers(values, weights, "m [GeV]", edges)
    axes, panel = draw(numbers).axes
    assert {one.get_xscale() for one in (axes, panel)} == {"log"}
    assert panel.get_yscale() == "log"  # ratios above ten
    assert panel.get_ylim()[1] > numbers.curves[1].density[-1] / numbers.curves[0].density[-1]
    assert draw(samples()).axes[0].get_xscale() == "linear"


def test_a_mean_score_has_no_band():
    checks = [Closure(f"mean score of {n}", (0.0, 0.0), 0.0, 0.004, 0.003, 9) for n in "ab"]
    numbers = closure_numbers({"sally": checks})
    assert numbers.tolerance == 0.0
    axes = draw(numbers).axes[0]
    assert legend_of(axes) == ["SALLY"]
    assert axes.get_xlabel() == ""
    assert axes.get_ylabel() == "Mean"


def test_the_title_of_losses_is_clear_of_the_numbers():
    figure = draw(loss_numbers("alice", [[0.6049, 0.5851, 0.5849]], [[0.589, 0.5852, 0.5853]]))
    figure.draw_without_rendering()
    axis = figure.axes[0].yaxis
    title = axis.label.get_window_extent()
    low, high = figure.axes[0].get_ylim()
    labels = [t for t in axis.get_ticklabels() if low <= t.get_position()[1] <= high]
    assert labels
    assert all(title.x1 <= one.get_window_extent().x0 for one in labels)
    assert title.x0 >= 0


def test_a_region_that_ends_in_its_scan_has_a_margin_and_another_has_none():
    numbers = region_numbers({"alice": scan(widths=(0.4, 0.1))}, LABELS)
    (left, right), (low, high) = numbers.limits
    assert left < -1.0  # the scan ends there, the region at -0.93
    assert right == 1.0  # where the region goes on
    assert -0.8 < low < high < 0.8


def test_ticks_of_a_panel_keep_off_its_ends():
    from hepflow.plotting.sbi_canvas import canvas_of_two, few_ticks

    for low, high in ((0.895, 1.105), (-0.2, 0.2), (0.0, 7.0)):
        panel = canvas_of_two(PlottingSpec(), ())[2]
        panel.set_ylim(low, high)
        few_ticks(panel)
        ticks = panel.get_yticks()
        assert 2 <= len(ticks) <= 9
        assert low + 0.05 * (high - low) < ticks[0] < ticks[-1] < high - 0.05 * (high - low)


def test_a_calibrated_ratio_is_drawn_beside_what_it_was():
    one = Reweighting("x", (0.1, 0.2), (0.0, 1.0, 2.0), (1.0, 2.0), (0.1, 0.1), (1.1, 2.0),
                      (0.1, 0.1), 1.0, 1, 0.3)  # fmt: skip
    numbers = reweighting_numbers(one, uncalibrated=replace(one, reweighted=(3.0, 4.0)))
    assert [curve.name for curve in numbers.curves[1:]] == [
        "Reference, reweighted, calibrated", "Reference, reweighted",
    ]  # fmt: skip
    assert numbers.curves[2].density.tolist() == [3.0, 4.0]
