"""Les Houches event files: weights, parameter points, and how broken ones are told."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import InputError, NormalisationError, UnreadableFile
from hepflow.inference.lhe import benchmarks_of, event_table, parameters_of, read_lhe
from hepflow.inference.lhe_points import base_point, parse_card, point_of, set_by
from hepflow.inference.morphing import Morphing, points_of
from hepflow.inference.records import Benchmark, Parameter
from tests.unit.inference.toys import shared

pytest.importorskip("pylhe")

CARD = """BLOCK SMEFT #
   1 0.000000e+00 # ca
   2 5.000000e-01 # cb
DECAY 6 1.3
BLOCK QNUMBERS 9000005 # z1
   1 0 # charge
"""
WEIGHTS = {
    "sm": "",
    "a": "set param_card smeft 1 1.0 # orig: 0.0",
    "both": "set param_card smeft 1 1.0 # orig: 0.0\nset smeft 2 -2",
    "named": "set CB 3",
}
PARAMETERS = (
    Parameter("a", -1, 1, lha_block="SMEFT", lha_id=1),
    Parameter("b", -1, 1, lha_block="smeft", lha_id=2),
)
EVENT = """<event>
 3 1 {weight} 9.1e+01 7.5e-03 1.1e-01
 2 -1 0 0 501 0 0. 0. 50. 50. 0. 0. -1.
 -2 -1 0 0 0 501 0. 0. -60. 60. 0. 0. 1.
 23 1 1 2 0 0 1. 2. -10. 110. 91. 0. 0.
<rwgt>
{rwgt}
</rwgt>
</event>
"""


def text(nominal, rows, head=None, card=CARD, sigma=12.0) -> str:
    """A file with these nominal weights and weights by name."""
    listed = head or "".join(
        f"<weight id='{name}'>{what}</weight>\n" for name, what in WEIGHTS.items()
    )
    events = "".join(
        EVENT.format(
            weight=weight, rwgt="\n".join(f"<wgt id='{k}'> {v} </wgt>" for k, v in row.items())
        )
        for weight, row in zip(nominal, rows, strict=True)
    )
    return (
        '<LesHouchesEvents version="3.0">\n<header>\n'
        f"<slha>\n{card}</slha>\n<initrwgt>\n<weightgroup name='mg_reweighting'>\n{listed}"
        "</weightgroup>\n</initrwgt>\n</header>\n<init>\n"
        f"2212 2212 6500. 6500. 0 0 247000 247000 -4 1\n{sigma} 0.1 {sigma} 1\n"
        f"<generator name='Toy' version='1'>x</generator>\n</init>\n{events}</LesHouchesEvents>\n"
    )


def small(tmp_path, **changes):
    rows = [{"sm": w, "a": 2 * w, "both": w, "named": w} for w in (1.0, 2.0, -0.5)]
    path = tmp_path / "events.lhe"
    path.write_text(text([1.0, 2.0, -0.5], rows, **changes))
    return path


# -- the shared file -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smeft():
    return read_lhe(shared("lhe/smeftsim_VBFH-1.lhe.gz"))


def test_points_of_the_shared_file(smeft):
    parameters = parameters_of(smeft)
    assert [(p.name, p.lha_id) for p in parameters] == [
        ("chbox", 4), ("chdd", 5), ("chw", 7), ("chb", 8), ("chwb", 9)
    ]  # fmt: skip
    benchmarks = {b.name: b.values for b in benchmarks_of(smeft, parameters)}
    assert len(benchmarks) == 21
    assert benchmarks["SM"] == (0.0,) * 5  # the card has two blocks; the remarks decide
    assert benchmarks["cHW_0p2"] == (0.0, 0.0, 0.2, 0.0, 0.0)
    assert benchmarks["cHWB_0p1_cHbox_0p1"] == (0.1, 0.0, 0.0, 0.0, 0.1)


def test_morphing_of_the_shared_file(smeft):
    table = event_table(smeft, ("scale",), np.zeros((10_000, 1)))
    morphing = Morphing.of(table.parameters, table.benchmarks)
    assert len(morphing.components) == 21
    # The points span the model although the events' weights are of lower rank.
    assert np.linalg.matrix_rank(table.weights) == 19
    points = points_of(table.parameters, table.benchmarks)
    np.testing.assert_allclose(morphing.weights(table, points), table.weights, rtol=1e-11)
    # The derivative at the SM of a polynomial from its values at 0, h and 2h: exact.
    slope = table.weights @ morphing.gradient(np.zeros(5))
    names = [b.name for b in table.benchmarks]
    for index, name in enumerate(("cHbox", "cHDD", "cHW", "cHB", "cHWB")):
        sm, one, two = (
            table.weights[:, names.index(n)] for n in ("SM", f"{name}_0p1", f"{name}_0p2")
        )
        exact = (4 * one - two - 3 * sm) / 0.2
        np.testing.assert_allclose(
            slope[:, index], exact, rtol=1e-10, atol=1e-10 * np.abs(sm).max()
        )
    assert (table.sampled_from == 0).all()
    assert table.weights[:, 0].sum() == pytest.approx(3.343019)


def test_twenty_of_the_benchmarks_are_refused(smeft):
    parameters = parameters_of(smeft)
    benchmarks = [b for b in benchmarks_of(smeft, parameters) if b.name != "cHB_0p1_cHW_0p1"]
    with pytest.raises(InputError, match=r"of 21 components 1 are missing \(chw chb\)"):
        Morphing.of(parameters, benchmarks)


def test_particles_of_the_shared_file(smeft):
    assert smeft.counts.sum() == len(smeft.pdg) == len(smeft.momenta)
    assert (smeft.pdg == 25).sum() == 10_000
    first = smeft.momenta[: smeft.counts[0]]
    incoming = smeft.status[: smeft.counts[0]] == -1
    np.testing.assert_allclose(first[incoming].sum(0), first[~incoming].sum(0), atol=1e-5)


# -- small files -----------------------------------------------------------------------------


def test_a_small_file(tmp_path):
    events = read_lhe(small(tmp_path))
    assert events.generator == "Toy 1"
    assert events.counts.tolist() == [3, 3, 3]
    assert events.pdg.tolist() == [2, -2, 23] * 3
    np.testing.assert_array_equal(events.momenta[2], [1.0, 2.0, -10.0, 110.0])
    table = event_table(events, ("x",), np.zeros((3, 1)), PARAMETERS)
    assert table.benchmarks == (
        Benchmark("sm", (0.0, 0.5)),
        Benchmark("a", (1.0, 0.5)),
        Benchmark("both", (1.0, -2.0)),
        Benchmark("named", (0.0, 3.0)),
    )
    # the negative weight counts as such: 12 pb are 2.5 in the file
    np.testing.assert_allclose(table.weights[:, 0], np.array([1.0, 2.0, -0.5]) * 12 / 2.5)
    assert table.weights[:, 1].sum() == pytest.approx(24.0)
    assert (table.sampled_from == 0).all()


@pytest.mark.parametrize("factor", [1e-6, 1.0, 33.0])
def test_conventions_of_normalisation_do_not_matter(tmp_path, factor):
    nominal = [1.0 * factor, 2.0 * factor]
    rows = [dict.fromkeys(WEIGHTS, w) for w in nominal]
    path = tmp_path / "events.lhe.gz"
    path.write_bytes(gzip.compress(text(nominal, rows).encode()))
    table = event_table(read_lhe(path), ("x",), np.zeros((2, 1)), PARAMETERS)
    np.testing.assert_allclose(table.weights[:, 0], [4.0, 8.0])


def test_events_of_a_point_that_is_no_benchmark(tmp_path):
    rows = [{"sm": 2.0, "a": 3.0, "both": 1.0, "named": 1.0}]
    path = tmp_path / "events.lhe"
    path.write_text(text([1.5], rows))
    table = event_table(read_lhe(path), ("x",), np.zeros((1, 1)), PARAMETERS)
    assert table.sampled_from.tolist() == [-1]


def test_a_given_base_point(tmp_path):
    events = read_lhe(small(tmp_path))
    found = benchmarks_of(events, PARAMETERS, base=(7.0, 8.0))
    assert [b.values for b in found] == [(7.0, 8.0), (1.0, 8.0), (1.0, -2.0), (7.0, 3.0)]


def test_cards():
    entries = parse_card(CARD)
    assert entries == [
        ("smeft", 1, 0.0, "ca"), ("smeft", 2, 0.5, "cb"), ("qnumbers", 1, 0.0, "charge")
    ]  # fmt: skip
    assert set_by(WEIGHTS["both"], entries) == {("smeft", 1): 1.0, ("smeft", 2): -2.0}
    assert point_of("", entries, PARAMETERS, (1.0, 2.0)) == (1.0, 2.0)


def test_cards_that_contradict_themselves():
    twice = [*parse_card(CARD), ("smeft", 2, 0.0, "cb")]
    with pytest.raises(InputError, match=r"the values \[0\.0, 0\.5\] of parameter 'b'"):
        base_point([], twice, PARAMETERS)
    assert base_point(["set smeft 2 1 # orig: 0.5"], twice, PARAMETERS) == (0.0, 0.5)
    with pytest.raises(InputError, match="no value of parameter 'c'"):
        base_point([], twice, [Parameter("c", -1, 1, lha_block="other", lha_id=3)])


def test_commands_that_make_no_sense():
    card = parse_card(CARD)
    with pytest.raises(InputError, match="sets 'cx', which the param_card in the head"):
        set_by("set cx 1", card)
    with pytest.raises(InputError, match=r"'one' in .* is no number"):
        set_by("set smeft 1 one", card)
    with pytest.raises(InputError, match="entry 2 of block 'smeft', which is not one of the param"):
        point_of("set smeft 2 1", card, PARAMETERS[:1], (0.0,))


def test_files_without_weights(tmp_path):
    path = tmp_path / "events.lhe"
    path.write_text(
        text([1.0], [{}]).replace("<initrwgt>", "<other>").replace("</initrwgt>", "</other>")
    )
    events = read_lhe(path)
    assert events.weights.shape == (1, 0)
    with pytest.raises(InputError, match="no weights at other parameter points"):
        event_table(events, ("x",), np.zeros((1, 1)), PARAMETERS)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UnreadableFile, match="there is no Les Houches event file"):
        read_lhe(tmp_path / "absent.lhe")
    path = small(tmp_path)
    whole = path.read_text()
    for share in (0.05, 0.4, 0.8, 0.99):
        path.write_text(whole[: int(len(whole) * share)])
        with pytest.raises(UnreadableFile, match=r"events\.lhe cannot be read as a Les Houches"):
            read_lhe(path)
    zipped = tmp_path / "events.lhe.gz"
    zipped.write_bytes(gzip.compress(whole.encode())[:-20])
    with pytest.raises(UnreadableFile, match=r"events\.lhe\.gz cannot be read"):
        read_lhe(zipped)


def test_events_without_a_weight_or_without_events(tmp_path):
    path = tmp_path / "events.lhe"
    path.write_text(text([1.0], [{"sm": 1.0, "a": 1.0}]))
    with pytest.raises(InputError, match="an event lacks the weights both, named"):
        read_lhe(path)
    path.write_text(text([], []))
    with pytest.raises(InputError, match="has no events"):
        read_lhe(path)


def test_cross_sections_that_are_none(tmp_path):
    events = read_lhe(small(tmp_path))
    for wrong in (replace(events, cross_section=0.0), replace(events, nominal=-events.nominal)):
        with pytest.raises(NormalisationError, match="both must be positive"):
            event_table(wrong, ("x",), np.zeros((3, 1)), PARAMETERS)


@pytest.mark.parametrize(
    "words",
    ["PDF set = 263400", "lhapdf=306000", "pdfset=  244601", "renscfact=1d0 facscfact=2d0"],
)
def test_scales_and_pdfs_in_other_words_are_no_benchmarks(tmp_path, words):
    head = f"<weight id='sm'></weight>\n<weight id='other'>{words}</weight>\n"
    path = tmp_path / "events.lhe"
    path.write_text(text([1.0, 2.0], [{"sm": 1.0, "other": 1.1}, {"sm": 2.0, "other": 1.9}], head))
    events = read_lhe(path)
    assert [one.name for one in benchmarks_of(events, PARAMETERS)] == ["sm"]
    assert event_table(events, ("x",), np.zeros((2, 1)), PARAMETERS).weights.shape == (2, 1)


def test_different_weights_at_one_point_are_refused(tmp_path):
    head = "<weight id='sm'></weight>\n<weight id='odd'>dynamical scale 3</weight>\n"
    path = tmp_path / "events.lhe"
    path.write_text(text([1.0, 2.0], [{"sm": 1.0, "odd": 1.0}, {"sm": 2.0, "odd": 1.9}], head))
    events = read_lhe(path)
    with pytest.raises(InputError, match=r"weights 'sm' and 'odd' .* both at the parameter point"):
        event_table(events, ("x",), np.zeros((2, 1)), PARAMETERS)
    path.write_text(text([1.0, 0.0], [{"sm": 1.0, "odd": 1.0}, {"sm": 0.0, "odd": 0.0}], head))
    twice = event_table(read_lhe(path), ("x",), np.zeros((2, 1)), PARAMETERS)
    assert len(twice.benchmarks) == 2
    np.testing.assert_allclose(twice.weights[:, 1], [12.0, 0.0])
