"""Fields of estimates from data, and of what a dataset keeps."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.errors import MaskError
from tests.builders import (
    has_muon,
    jet_scale,
    make_skims,
    manager_of,
    tiny_config,
    toy_inputs,
    write_nano,
)
from tests.fields.project import (
    DATA,
    MC,
    added,
    data_columns,
    filled,
    inputs,
    itself,
    make_config,
    of_x,
    simulation,
    times,
    values,
)

REGIONS = ("SR", "SHAPE", "TOP", "BOTTOM", "OTHER")
# Values of `x` of the data in each region.
IN_DATA = {
    "SHAPE": [0.5] * 20 + [1.5] * 10,
    "TOP": [0.5] * 8 + [2.5] * 2,
    "BOTTOM": [0.5] * 30 + [1.5] * 10,
    "OTHER": [0.5] * 5 + [2.5] * 10,
}
IN_MC = {"SR": [0.5], "SHAPE": [0.5, 1.5], "TOP": [2.5]}


def columns(by_region, **more):
    """Events of all regions, with the region's number as missing momentum."""
    x = [value for one in by_region.values() for value in one]
    region = [REGIONS.index(name) for name, one in by_region.items() for _ in one]
    size = len(x)
    return {
        "run": np.ones(size, np.uint32),
        "luminosityBlock": np.ones(size, np.uint32),
        "event": np.arange(1, size + 1, dtype=np.uint64),
        "x": np.array(x, np.float32),
        "MET_pt": np.array(region, np.float32),
        **more,
    }


def channel(name, **changes):
    number = REGIONS.index(name)
    cut = {"name": "region", "function": lambda met: met == number, "use": [("MET", "pt")]}
    kind = "signal" if name == "SR" else "validation"
    return {"name": name, "kind": kind, "selection": {"cuts": [cut]}, "fit_observable": "x",
            "observables": [of_x(), of_x(name="same")], **changes}  # fmt: skip


def estimate(**changes):
    transfer = {"numerator": "TOP", "denominator": "BOTTOM", **changes.pop("transfer", {})}
    return {"process": "fakes", "channel": "SR", "from_channel": "SHAPE", "transfer": transfer,
            **changes}  # fmt: skip


def config(tmp_path, *estimates, **sections):
    """Two simulated processes, w and z, of the same events, and data."""
    size = len([value for one in IN_MC.values() for value in one])
    if not (tmp_path / "mc.root").exists():
        write_nano(tmp_path / "mc.root", columns(IN_MC, genWeight=np.ones(size, np.float32)))
        write_nano(tmp_path / "data.root", columns(IN_DATA))
    datasets = [
        {"name": name, "files": [str(tmp_path / "mc.root")], "cross_section": size / 4.0}
        for name in ("w", "z")
    ]
    datasets.append({"name": "data", "files": [str(tmp_path / "data.root")], "is_data": True})
    branches = {"event": ["run", "luminosityBlock", "event", "x"], "MET": ["pt"]}
    return make_config(
        tmp_path,
        datasets,
        channels=sections.pop("channels", [channel(name) for name in REGIONS]),
        preprocess={"branches": branches},
        estimates=list(estimates) or [estimate()],
        **sections,
    )


def made(tmp_path, *estimates, channel="SR", process="fakes", name="x", **sections):
    """Histograms, and the template of the estimate."""
    given = config(tmp_path, *estimates, **sections)
    found = Analysis(given, make_skims(given), manager_of(given)).fill_histograms()
    return found, values(found, process=process, channel=channel, name=name)


# Both simulated processes are subtracted: SHAPE has 18 and 8 left, TOP 8, BOTTOM 40.
USUAL = [0.2 * 18, 0.2 * 8, 0.0, 0.0]


def usual(*expected):
    return pytest.approx(list(expected or USUAL))


@pytest.mark.field("estimates[].process", "estimates[].channel")
def test_an_estimate_is_a_process_of_its_channel(tmp_path):
    found, template = made(tmp_path)
    assert template == usual()
    assert found.processes("SR", "x") == ("w", "z", "data", "fakes")
    assert {p for name in REGIONS[1:] for p in found.processes(name, "x")} == {"w", "z", "data"}
    other = estimate(process="qcd", channel="OTHER")
    assert made(tmp_path, other, channel="OTHER", process="qcd")[1] == usual()


@pytest.mark.field("estimates[].from_channel")
def test_the_shape_is_that_of_another_channel(tmp_path):
    assert made(tmp_path, estimate(from_channel="OTHER"))[1] == usual(1.0, 0, 2.0, 0)


@pytest.mark.field("estimates[].transfer.numerator", "estimates[].transfer.denominator")
def test_the_factor_is_that_of_two_sidebands(tmp_path):
    one = estimate(transfer={"numerator": "OTHER"})
    assert made(tmp_path, one)[1] == usual(*times(15 / 8, USUAL))
    one = estimate(transfer={"denominator": "OTHER"})
    assert made(tmp_path, one)[1] == usual(*times(40 / 15, USUAL))


@pytest.mark.field("estimates[].transfer.observable")
def test_an_observable_counts_the_events(tmp_path):
    chosen = of_x(name="half", function=lambda x: ak.unflatten(x[x < 1], (x < 1) * 1))
    channels = [channel(name) for name in REGIONS]
    for one in channels:
        one["observables"] = [*one["observables"], chosen]
    one = estimate(transfer={"observable": "half"})
    factor = 8 / 30  # of the events below 1
    expected = [factor * 18, factor * 8, 0.0, 0.0]
    assert made(tmp_path, one, channels=channels)[1] == usual(*expected)


@pytest.mark.field("estimates[].transfer.binned")
def test_a_factor_for_each_bin(tmp_path):
    found, template = made(tmp_path, estimate(transfer={"binned": True}))
    assert template == usual(18 * 8 / 30, 0, 0, 0)
    assert found.variations("SR", "x") == ("nominal",)


@pytest.mark.field("estimates[].transfer.name")
def test_the_name_of_the_uncertainty(tmp_path):
    assert made(tmp_path)[0].variations("SR", "x")[1:] == (
        "fakes_transfer_up",
        "fakes_transfer_down",
    )
    found = made(tmp_path, estimate(transfer={"name": "tight"}))[0]
    assert found.variations("SR", "x")[1:] == ("tight_up", "tight_down")


@pytest.mark.field("estimates[].subtract")
def test_what_is_subtracted(tmp_path):
    norm = {"norm_factors": [{"name": "mu", "processes": ["z"]}]}
    only_w = [9 / 40 * 19, 9 / 40 * 9, 0, 0]
    assert made(tmp_path, statistics=norm)[1] == usual(*only_w)  # the signal stays
    assert made(tmp_path, estimate(subtract=["w"]))[1] == usual(*only_w)
    assert made(tmp_path, estimate(subtract=["w", "z"]), statistics=norm)[1] == usual()
    assert made(tmp_path, estimate(subtract=[]))[1] == usual(5.0, 2.5, 0, 0)


def test_every_observable_is_estimated(tmp_path):
    assert made(tmp_path, name="same")[1] == usual()


def test_a_size_of_what_is_subtracted_moves_the_estimate(tmp_path):
    source = {"name": "lumi", "type": "normalisation", "size": 0.5}
    found, template = made(tmp_path, systematics=[source])
    assert template == usual()
    up = found.template("SR", "x", "fakes", "lumi_up").values
    assert up == pytest.approx([7 / 40 * 17, 7 / 40 * 7, 0, 0])  # 3 of each are taken, not 2
    assert values(found, "lumi_up", "w") == [1.5, 0, 0, 0]


def test_data_of_a_blind_channel_are_not_needed(tmp_path):
    found, template = made(tmp_path, general={"blind": ["SR"]})
    assert template == usual()
    assert found.processes("SR", "x") == ("w", "z", "fakes")


def test_without_its_channel_an_estimate_is_left_out(tmp_path):
    found, _ = made(tmp_path, general={"channels": ["SHAPE"]}, channel="SHAPE", process="data")
    assert found.channels == ("SHAPE",)


def test_an_estimate_is_part_of_the_key_of_normalised_histograms_only(tmp_path):
    keys = []
    for i, one in enumerate((estimate(), estimate(), estimate(transfer={"binned": True}))):
        given = config(tmp_path, one)
        analysis = Analysis(given, make_skims(given), manager_of(given))
        analysis.fill_histograms()
        keys.append(analysis.histogram_key().parts)
        assert i == 0 or keys[i]["filled"] == keys[0]["filled"]
    assert keys[0] == keys[1]
    assert {name for name in keys[0] if keys[0][name] != keys[2][name]} == {"estimates"}


# -- what a dataset keeps ----------------------------------------------------------------


@pytest.fixture
def here(tmp_path):
    return inputs(tmp_path / "in")


def below(x):
    return x < 1


KEEP = {"function": below, "use": [("event", "x")]}


@pytest.mark.field("datasets.datasets[].keep.function", "datasets.datasets[].keep.use")
def test_a_dataset_keeps_some_events_and_all_are_in_its_sum(tmp_path, here):
    found = filled(tmp_path, [simulation(here, keep=KEEP)])
    assert values(found) == [MC[0], 0, 0, 0]  # not scaled up to the cross-section
    assert found.ledger.totals("mc__nominal").nevts == 8
    low = {"function": lambda met: met < 35, "use": [("MET", "pt")]}
    assert values(filled(tmp_path, [simulation(here, keep=low)])) == [3.0, 0, 0, 0]
    flow = found.cutflows["SR", "mc__nominal"]
    assert dict(zip(flow.names, flow.counts.tolist(), strict=True)) == {
        "skimmed": 8,
        "kept": 3,
        "corrected": 3,
    }


@pytest.mark.field(
    "datasets.datasets[].slices[].keep.function", "datasets.datasets[].slices[].keep.use"
)
def test_a_slice_keeps_some_events(tmp_path, here):
    def dataset(**fields):
        own = {"name": "all", "files": [str(here / "mc.root")], "cross_section": 2.0}
        other = {**own, "name": "more", "files": [str(inputs(tmp_path / "2") / "mc.root")]}
        return {"name": "mc", "slices": [{**own, **fields}, other]}

    kept = filled(tmp_path, [dataset(keep=KEEP)])
    assert values(kept) == added([MC[0], 0, 0, 0], MC)
    flows = {key: flow.names for key, flow in kept.cutflows.items()}
    assert set(flows.values()) == {("skimmed", "kept", "corrected")}  # they are added up
    both = {**dataset(), "keep": KEEP}
    assert values(filled(tmp_path, [both])) == times(2, [MC[0], 0, 0, 0])
    met = {"function": lambda met: met > 75, "use": [("MET", "pt")]}
    own = {**dataset(keep=met), "keep": KEEP}
    assert values(filled(tmp_path, [own])) == [MC[0], 0, 0, 1.0]


def test_data_can_keep_some_events_too(tmp_path, here):
    write_nano(here / "d.root", data_columns(0.5, 1.5, 1.5, 2.5))
    data = {"name": "data", "files": [str(here / "d.root")], "is_data": True}
    assert values(filled(tmp_path, [data]), process="data") == DATA
    found = filled(tmp_path, [{**data, "keep": KEEP}])
    assert values(found, process="data") == [1.0, 0, 0, 0]


def test_what_is_kept_is_decided_before_corrections(tmp_path, here):
    """By the columns of the file, for all variations alike."""
    scale = {
        "name": "jes", "type": "object", "target": ("Jet", "pt"), "use": [("Jet", "pt")],
        "use_correctionlib": False, "nominal_function": lambda pt: pt * 0 + 10,
        "uncertainty_sources": [{"name": "up", "up_function": lambda pt: pt * 0 + 0.01}],
    }  # fmt: skip
    keep = {"function": lambda pt: [len(one) > 0 and one[0] > 75 for one in pt],
            "use": [("Jet", "pt")]}  # fmt: skip
    found = filled(tmp_path, [simulation(here, keep=keep)], corrections=[scale])
    assert values(found) == values(found, "up_up") == [3.0, 0, 0, 0]


def test_a_mask_of_another_kind_is_refused(tmp_path, here):
    wrong = {"function": itself, "use": [("event", "x")]}
    with pytest.raises(MaskError, match=r"datasets\.datasets\[0\]\.keep"):
        filled(tmp_path, [simulation(here, keep=wrong)])


def test_a_keep_is_part_of_the_key_of_the_histograms(tmp_path):
    parts = []
    for keep in (None, KEEP):
        given = make_config(tmp_path, [simulation(inputs(tmp_path / "in"), keep=keep)])
        analysis = Analysis(given, make_skims(given), manager_of(given))
        analysis.fill_histograms()
        parts.append(analysis._merged_key.parts)
    assert set(parts[1]) - set(parts[0]) == {"keep of mc__nominal"}
    assert {name for name in parts[0] if parts[0][name] != parts[1][name]} == set()


def test_each_slice_having_its_own_the_dataset_needs_none(tmp_path, here):
    from tests.unit.schema.examples import problems_in

    part = {"name": "a", "files": ["x.root"], "cross_section": 1.0, "keep": KEEP}
    one = {"name": "mc", "slices": [part], "keep": KEEP}
    found = problems_in(make_config(tmp_path, [one]))
    assert "where each slice has its own" in str(found["datasets.datasets[0].keep"])


def test_columns_of_a_keep_must_be_known(tmp_path, here):
    from tests.unit.schema.examples import problems_in

    one = simulation(here, keep={"function": below, "use": [("LHE", "HT")]})
    found = problems_in(make_config(tmp_path, [one]))
    assert "'LHE' is not an object" in str(found["datasets.datasets[0].keep.use[0]"])


@pytest.mark.parametrize("memory", [None, 0.0005])
def test_a_keep_is_a_cut_of_one_dataset_in_all_variations(tmp_path, memory):
    """As a cut of the baseline on a column that nothing moves; in several blocks as in one."""
    simulated = toy_inputs(tmp_path / "in")[0]
    few = {"name": "met", "function": lambda met: met < 60, "use": [("MET", "pt")]}
    kept = {"function": few["function"], "use": few["use"]}
    muon = {"name": "muon", "function": has_muon, "use": [("Muon", None)]}
    sections = {"corrections": [jet_scale()], "execution": {"backend": "inprocess"}}
    if memory is not None:
        sections["execution"]["memory_limit"] = memory

    def filled_with(name, dataset, *cuts):
        config = tiny_config(
            tmp_path / name, [dataset], baseline_selection={"cuts": list(cuts)}, **sections
        )
        return Analysis(config, make_skims(config), manager_of(config)).fill_histograms()

    one = filled_with("keep", {**simulated, "keep": kept}, muon)
    other = filled_with("cut", simulated, few, muon)
    everything = filled_with("all", simulated, muon)
    assert one.variations("SR", "ht") == ("nominal", "jes_total_up", "jes_total_down")
    for key, block in other.blocks.items():
        assert (one.blocks[key].sumw == block.sumw).all()
        assert (one.blocks[key].sumw2 == block.sumw2).all()
        assert (everything.blocks[key].sumw != block.sumw).any()
