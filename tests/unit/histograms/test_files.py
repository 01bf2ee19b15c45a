"""Histograms on disk: ROOT for others, and what comes back without any loss."""

from __future__ import annotations

import json
import zipfile

import hist
import numpy as np
import pytest
import uproot

from hepflow.errors import ChecksumError, MissingArtifact, StorageError
from hepflow.histograms import (
    histogram_key,
    read_histograms,
    read_raw,
    write_histograms,
    write_lossless,
    write_raw,
    write_root,
)
from hepflow.records import (
    Axis,
    Block,
    Cutflow,
    HistogramSet,
    Ledger,
    Loss,
    PartCounts,
    RawHistograms,
)

RNG = np.random.default_rng(2)
AXES = {
    ("SR", "mass"): Axis("mass", "m [GeV]", (0.0, 1.0, 2.0, 3.0)),
    ("CR", "pt"): Axis("pt", "pt [GeV]", (0.0, 1.0, 10.0)),
}


def block(axis, *names):
    shape = (len(names), axis.n_bins + 2)
    return Block(names, RNG.normal(0.1, 1, shape), RNG.random(shape))


def ledger():
    part = PartCounts("mc__nominal", "a.root", 0, 10, 10, 7.5, 6.0)
    return Ledger(
        parts={part.item_key: part},
        losses=(Loss("mc__nominal", "b.root", 0, 5, "broken", "skim", 5),),
        file_events={"mc__nominal": {"a.root": 10}},
        runs_sums={"mc__nominal": {"a.root": 7.5}},
        files_expected={"mc__nominal": 2},
    )


@pytest.fixture
def histograms():
    mass, pt = AXES.values()
    return HistogramSet(
        axes=AXES,
        blocks={
            ("SR", "mass", "mc"): block(mass, "nominal", "jes_up", "jes_down"),
            ("SR", "mass", "other"): block(mass, "nominal", "jes_down", "id_up"),
            ("SR", "mass", "data"): block(mass, "nominal"),
            ("CR", "pt", "mc"): block(pt, "nominal"),
        },
        cutflows={
            ("SR", "mc__nominal"): Cutflow(
                ("all", "last"), np.array([5, 3]), np.array([0.1, 1 / 3]), np.array([0.3, 0.7])
            )
        },
        data_processes=frozenset({"data"}),
        luminosity={"2016": 36.3},
        ledger=ledger(),
        process_of={"mc__nominal": "mc", "other__nominal": "other", "data": "data"},
        rescaled={"data": 1 / 3},
    )


def same_blocks(left, right):
    assert list(left) == list(right)
    for key, one in left.items():
        assert one.variations == right[key].variations
        assert np.array_equal(one.sumw, right[key].sumw)
        assert np.array_equal(one.sumw2, right[key].sumw2)


def same_cutflows(left, right):
    assert left.keys() == right.keys()
    for key, one in left.items():
        assert one.names == right[key].names
        for field in ("counts", "sumw", "sumw2"):
            assert np.array_equal(getattr(one, field), getattr(right[key], field))


def test_keys_are_channel_observable_process_and_variation():
    assert histogram_key("SR", "mass", "tt") == "SR__mass__tt"
    assert histogram_key("SR", "mass", "tt", "jes_up") == "SR__mass__tt__jes_up"


def test_the_root_file_has_one_histogram_a_template_flow_included(tmp_path, histograms):
    path, _ = write_histograms(histograms, tmp_path)
    with uproot.open(path) as file:
        assert sorted(file.keys(cycle=False)) == sorted(
            [
                "SR__mass__mc", "SR__mass__mc__jes_up", "SR__mass__mc__jes_down", "SR__mass__other",
                "SR__mass__other__jes_down", "SR__mass__other__id_up", "SR__mass__data",
                "CR__pt__mc",
            ]
        )  # fmt: skip
        for (channel, observable, process), one in histograms.blocks.items():
            for name in one.variations:
                found = file[histogram_key(channel, observable, process, name)]
                template = one.template(name)
                assert np.array_equal(found.values(flow=True), template.sumw)
                assert np.array_equal(found.variances(flow=True), template.sumw2)
                assert tuple(found.axis().edges()) == histograms.axes[channel, observable].edges
        assert file["SR__mass__mc"].title == "m [GeV]"
        assert file["SR__mass__mc"].all_members["fEntries"] == pytest.approx(
            histograms.blocks["SR", "mass", "mc"].sumw[0].sum() ** 2
            / histograms.blocks["SR", "mass", "mc"].sumw2[0].sum()
        )
        theirs = file["CR__pt__mc"].to_hist()
    assert np.array_equal(theirs.values(flow=True), histograms.template("CR", "pt", "mc").sumw)


def as_uproot_writes_it(axis, template):
    """The same histogram, made by uproot by itself."""
    edges = np.asarray(axis.edges)
    centres, inner = (edges[:-1] + edges[1:]) / 2, template.sumw[1:-1]
    identify = uproot.writing.identify
    regular = np.array_equal(edges, np.linspace(edges[0], edges[-1], len(edges)))
    return identify.to_TH1x(
        fName=None,
        fTitle=axis.label or axis.name,
        data=template.sumw,
        fEntries=template.sumw.sum() ** 2 / (template.sumw2.sum() or 1.0),
        fTsumw=inner.sum(),
        fTsumw2=template.sumw2[1:-1].sum(),
        fTsumwx=(inner * centres).sum(),
        fTsumwx2=(inner * centres**2).sum(),
        fSumw2=template.sumw2,
        fXaxis=identify.to_TAxis(
            fName="xaxis",
            fTitle=axis.label or axis.name,
            fNbins=axis.n_bins,
            fXmin=edges[0],
            fXmax=edges[-1],
            fXbins=None if regular else edges,
        ),
    )


@pytest.mark.parametrize("label", ["m [GeV]", "", "???", "n" * 300, "\u03bc"])
@pytest.mark.parametrize("process", ["mc", "\u03bc\u03bc", "p" * 300])
def test_the_root_file_is_what_uproot_writes_one_by_one(tmp_path, label, process):
    axis = Axis("mass", label, (0.0, 1.0, 4.0, 5.0))
    other = Axis("pt", label, (0.0, 0.5, 1.0))
    blocks = {
        ("SR", "mass", process): block(axis, "nominal", "jes_up", "jes_down"),
        ("SR", "pt", process): block(other, "nominal", "jes_up"),
        ("SR", "pt", "empty"): Block(("nominal",), np.zeros((1, 4)), np.zeros((1, 4))),
    }
    axes = {("SR", "mass"): axis, ("SR", "pt"): other}
    found = HistogramSet(axes, blocks, {}, frozenset(), {}, Ledger(), {})
    ours = write_root(found, tmp_path / "ours.root")
    with uproot.recreate(tmp_path / "theirs.root") as file:
        for (channel, observable, name), one in blocks.items():
            for variation in one.variations:
                key = histogram_key(channel, observable, name, variation)
                histogram = as_uproot_writes_it(axes[channel, observable], one.template(variation))
                file[key] = histogram
    with uproot.open(ours) as one, uproot.open(tmp_path / "theirs.root") as other_file:
        assert one.keys() == other_file.keys()
        assert one.file.streamers.keys() == other_file.file.streamers.keys()
        for key in one.keys():  # noqa: SIM118  # no dict
            left, right = one[key], other_file[key]
            assert left.name == key.removesuffix(";1")
            assert left.all_members.keys() == right.all_members.keys()
            for member in ("fName", "fTitle", "fNcells", "fEntries", "fTsumw", "fTsumw2",
                           "fTsumwx", "fTsumwx2"):  # fmt: skip
                mine, its = left.member(member), right.member(member)
                assert mine == (its if isinstance(its, str) else pytest.approx(its, rel=1e-12))
            assert left.axis().edges().tolist() == right.axis().edges().tolist()
            for part in ("values", "variances"):
                assert np.array_equal(
                    getattr(left, part)(flow=True), getattr(right, part)(flow=True)
                )


def test_the_lossless_file_gives_back_every_bit(tmp_path, histograms):
    _, path = write_histograms(histograms, tmp_path)
    found = read_histograms(path)
    same_blocks(found.blocks, histograms.blocks)
    same_cutflows(found.cutflows, histograms.cutflows)
    assert found.axes == histograms.axes
    assert found.ledger == histograms.ledger
    assert (found.data_processes, found.luminosity) == (histograms.data_processes, {"2016": 36.3})
    assert found.process_of == histograms.process_of
    assert found.rescaled == histograms.rescaled


def test_the_lossless_file_is_read_by_hist_alone(tmp_path, histograms):
    import uhi.io.zip

    path = write_lossless(histograms, tmp_path / "x.zip")
    with zipfile.ZipFile(path) as archive:
        found = hist.Hist(uhi.io.zip.read(archive, "SR__mass"))
        assert json.loads(archive.read("hepflow.json"))["luminosity"] == {"2016": 36.3}
    assert found.axes.name == ("observable", "process", "variation")
    up = found[:, "mc", "jes_up"].view(flow=True)
    assert np.array_equal(up["value"], histograms.template("SR", "mass", "mc", "jes_up").sumw)
    missing = found[:, "other", "jes_up"].view(flow=True)  # a missing variation is nominal
    nominal = histograms.template("SR", "mass", "other")
    assert np.array_equal(missing["value"], nominal.sumw)
    assert np.array_equal(missing["variance"], nominal.sumw2)


def test_equal_histograms_give_equal_bytes(tmp_path, histograms):
    one = write_lossless(histograms, tmp_path / "1.zip").read_bytes()
    assert write_lossless(histograms, tmp_path / "2.zip").read_bytes() == one


def test_missing_and_broken_files_are_errors(tmp_path, histograms):
    with pytest.raises(MissingArtifact, match="run_histogramming"):
        read_histograms(tmp_path / "gone.zip")
    path = write_lossless(histograms, tmp_path / "x.zip")
    content = path.read_bytes()
    for broken in (b"junk", content[: len(content) // 2]):
        path.write_bytes(broken)
        with pytest.raises(StorageError, match=r"x\.zip"):
            read_histograms(path)


def test_no_variation_is_lost_between_raw_histograms_and_their_file(tmp_path, histograms):
    raw = RawHistograms(AXES, histograms.blocks, histograms.cutflows, ledger())
    write_raw(tmp_path / "raw.pkl", raw)
    found = read_raw(tmp_path / "raw.pkl")
    same_blocks(found.blocks, raw.blocks)
    same_cutflows(found.cutflows, raw.cutflows)
    assert (found.axes, found.ledger) == (raw.axes, raw.ledger)
    content = bytearray((tmp_path / "raw.pkl").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "raw.pkl").write_bytes(bytes(content))
    with pytest.raises(ChecksumError):
        read_raw(tmp_path / "raw.pkl")


def test_histograms_without_a_process_survive(tmp_path):
    empty = HistogramSet(AXES, {}, {}, frozenset(), {}, Ledger(), {})
    path, lossless = write_histograms(empty, tmp_path)
    assert read_histograms(lossless).axes == AXES
    with uproot.open(path) as file:
        assert file.keys() == []
