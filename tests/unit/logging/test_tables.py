"""Tables keep to their width and lose nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hepflow.logging import print_table
from hepflow.logging.tables import fold


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("fits", 4, ["fits"]),
        ("two words", 5, ["two", "words"]),
        ("/eos/cms/store/a.root", 10, ["/eos/cms/", "store/", "a.root"]),
        ("user.cuts:signal_region", 15, ["user.cuts:", "signal_region"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("\N{GREEK SMALL LETTER MU}\N{GREEK SMALL LETTER MU}", 1, ["μμ"]),
    ],
)
def test_fold(text, width, lines):
    assert fold(text, width) == lines


words = st.text(st.sampled_from("ab/._:=- é漢"), max_size=60)


@given(words, st.integers(2, 30))
def test_folding_keeps_every_character_and_the_width(text, width):
    lines = fold(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)


def test_numbers_to_the_right_text_to_the_left(capsys):
    print_table("cutflow", ["cut", "events", "share"], [["all", 1200, "100 %"], ["muon", 7, None]])
    out = capsys.readouterr().out.splitlines()
    assert out[0].strip() == "cutflow"
    assert out[4:6] == ["│ all  │   1200 │ 100 % │", "│ muon │      7 │       │"]


def test_right_aligned_text_and_floats(capsys):
    print_table("t", ["x", "y"], [[0.1 + 0.2, "1.0"], [1e-9, "10.0"]], right=("y",), caption="c")
    out = capsys.readouterr().out
    assert "│   0.3 │  1.0 │" in out
    assert "│ 1e-09 │ 10.0 │" in out
    assert out.splitlines()[-1].strip() == "c"


def test_markup_is_text(capsys):
    print_table("[b]", ["[i]"], [["[red]a[/red]"]])
    assert re.search(r"\[b\][\s\S]*\[i\][\s\S]*\[red\]a\[/red\]", capsys.readouterr().out)


def test_width_holds(capsys):
    print_table("t", ["a", "b"], [["x/y" * 100, "word " * 50]], width=60)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 60


def test_a_table_without_rows_has_its_head(capsys):
    print_table("t", ["cut", "events"], [])
    assert "events" in capsys.readouterr().out


def test_row_of_wrong_length():
    with pytest.raises(ValueError, match="table 't': a row of 1 for 2 columns"):
        print_table("t", ["a", "b"], [["x"]])
