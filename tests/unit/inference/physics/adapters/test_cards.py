"""Cards of MadGraph: written, changed, and what cannot be is refused."""

import gzip
import re

import pytest

from hepflow.errors import InputError
from hepflow.inference.lhe_points import parse_card
from hepflow.inference.physics.adapters.cards import (
    launch_card,
    param_card,
    process_card,
    reweight_card,
    run_card,
)
from hepflow.inference.records import Benchmark, Parameter
from tests.unit.inference.toys import shared

PARAMETERS = (
    Parameter("cHW", -1, 1, lha_block="SMEFT", lha_id=7),
    Parameter("cHB", -1, 1, lha_block="smeft", lha_id=8),
)
CARD = """BLOCK SMEFT #
      7 8.000000e-01 # chw
      8 9.000000e-01 # chb
BLOCK SMINPUTS #
      7 1.0 # not this one
DECAY 8 1.0
      8 2.0 # nor this
"""


@pytest.fixture(scope="module")
def head():
    """Cards of a real run, from the head of its events."""
    with gzip.open(shared("lhe/smeftsim_VBFH-1.lhe.gz"), "rt") as file:
        text = file.read(40_000)
    return {
        tag: re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1] for tag in ("MGRunCard", "slha")
    }


def test_process_card_has_model_lines_and_output():
    lines = ["define q = u d", "generate p p > q q", "add process p p > q q j"]
    assert process_card("sm", lines).splitlines() == [
        "import model sm",
        *lines,
        "output process -nojpeg",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["define q = u"], "no line starts with generate"),
        (["generate p p > j j", "!rm -rf /"], "expected one of add, define, generate, set"),
        (["generate p p > j j\n!ls"], "expected one of"),
        (["generate p p > j j", ""], "expected one of"),
        (["generate p p > j j; shell ls"], "expected one of"),
    ],
)
def test_lines_that_are_no_process_are_refused(lines, words):
    with pytest.raises(InputError, match=words):
        process_card("sm", lines)


def test_a_model_is_a_name():
    with pytest.raises(InputError, match="expected the name or the path of a UFO model"):
        process_card("sm; shell ls", ["generate p p > j j"])


def test_launch_card_switches_the_shower():
    assert "shower=OFF" in launch_card(shower=False)
    assert "shower=PYTHIA8" in launch_card(shower=True)
    assert "reweight=ON" in launch_card(shower=False)


def test_settings_of_a_run_card_are_changed_in_their_place():
    card = "#  5 = nevents\n 100 = nevents ! Number\n {} = pt_min_pdg ! a\n  0  = iseed\n"
    found = run_card(card, {"nevents": 7, "ISEED": 3, "ptl": 10.5, "use_syst": False})
    assert found.splitlines() == [
        "#  5 = nevents",
        " 7 = nevents ! Number",
        " {} = pt_min_pdg ! a",
        "  3  = iseed",
        "  10.5 = ptl",
        "  False = use_syst",
    ]


def test_a_setting_that_the_run_card_does_not_show_is_added_and_told(caplog):
    card = " 100 = nevents ! Number\n 6500.0 = ebeam1\n"
    assert run_card(card, {"nevents": 7}).count("\n") == 2
    assert not caplog.text
    assert run_card(card, {"ebeam_1": 6800}).endswith("  6800 = ebeam_1\n")
    assert "no ebeam_1" in caplog.text
    assert "Did you mean 'ebeam1'" in caplog.text


@pytest.mark.parametrize("name", ["sm\n", "sm;"])
def test_a_model_that_would_end_its_line_is_refused(name):
    with pytest.raises(InputError, match="UFO model"):
        process_card(name, ["generate p p > j j"])


@pytest.mark.parametrize("value", ["", "1\n2 = x", "3 # no", "a=b"])
def test_values_that_would_break_a_run_card_are_refused(value):
    with pytest.raises(InputError, match="is no value of a run card"):
        run_card("", {"nevents": value})


def test_only_the_entry_of_the_block_is_changed():
    found = parse_card(param_card(CARD, PARAMETERS, (0.25, -1.5)))
    assert [entry[:3] for entry in found] == [
        ("smeft", 7, 0.25),
        ("smeft", 8, -1.5),
        ("sminputs", 7, 1.0),
    ]
    assert "      8 2.0 # nor this" in param_card(CARD, PARAMETERS, (0.25, -1.5))


def test_a_parameter_that_the_model_lacks_is_named():
    lacking = Parameter("cG", -1, 1, lha_block="SMEFTT", lha_id=7)
    with pytest.raises(InputError, match=r"'cG'.* no entry 7 in block 'SMEFTT'.*'smeft'"):
        param_card(CARD, [lacking], (1.0,))


def test_real_cards(head):
    """The param_card of this file has its block twice: both are set, and the last one counts."""
    found = parse_card(param_card(head["slha"], PARAMETERS, (0.25, -1.5)))
    values = {value for block, number, value, _ in found if (block, number) == ("smeft", 7)}
    assert values == {0.25}
    before = parse_card(head["slha"])
    changed = [new[:2] for old, new in zip(before, found, strict=True) if old != new]
    assert set(changed) == {("smeft", 7), ("smeft", 8)}
    card = run_card(head["MGRunCard"], {"nevents": 7, "ebeam1": 6800.0, "event_norm": "sum"})
    assert len(card.splitlines()) == len(head["MGRunCard"].splitlines())
    assert re.search(r"^\s*7 = nevents", card, re.MULTILINE)
    assert re.search(r"^\s*6800\s*=\s*ebeam1", card, re.MULTILINE)
    assert re.search(r"^\s*sum\s*=\s*event_norm", card, re.MULTILINE)


def test_reweighting_sets_every_parameter_at_every_benchmark():
    card = reweight_card(PARAMETERS, [Benchmark("sm", (0.0, 0.0)), Benchmark("w", (0.1, -2.0))])
    assert re.findall(r"--rwgt_name=(\S+)", card) == ["sm", "w"]
    assert card.count("set param_card SMEFT 7 ") == 2
    assert "  set param_card smeft 8 -2.0000000000e+00" in card


@pytest.mark.parametrize("name", ["a b", "a+b", "17", "w\n", "größe", ""])
def test_names_that_madgraph_loses_from_the_head_of_its_events_are_refused(name):
    with pytest.raises(InputError, match="letters, digits"):
        reweight_card(PARAMETERS, [Benchmark(name, (0.0, 0.0))])
