"""`display_config_table`: what an analyst reads, at any width, and what changed."""

import contextlib
import copy
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from hepflow.errors import InputError
from hepflow.logging import display_config_table


def signal_selection(muons, jets):
    return muons, jets


def baseline(muons):
    return muons


def mass(muons, jets):
    return muons, jets


def another_mass():
    def mass(muons, jets):
        return jets, muons

    mass.__qualname__ = "mass"
    return mass


def observables():
    return [
        {"name": "ttbar_mass", "binning": "200,3000,20", "label": r"$m_{t\bar{t}}$ [GeV]",
         "function": mass, "use": [("Muon", None), ("Jet", None)]},
        {"name": "jet_multiplicity", "binning": list(range(11)), "label": "N",
         "function": lambda jets: len(jets) + 0, "use": [("Jet", "pt")]},
    ]  # fmt: skip


def realistic():
    stem = "/eos/opendata/cms/mc/RunIISummer20UL16NanoAODv9"
    processes = {"signal": 1.0, "ttbar_semilep": 364.31, "wjets": 61526.7, "data": None}
    return {
        "general": {
            "lumi": 16400.0,
            "output_dir": Path("outputs/zprime"),
            "lumifile": "corrections/Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt",
            "max_files": None,
            "read_from_cache": True,
        },
        "datasets": {
            "max_files": None,
            "datasets": [
                {"name": name, "process": name, "cross_section": xsec, "tree_name": "Events",
                 "directory": f"{stem}/{name}_TuneCP5_13TeV-powheg-pythia8/NANOAODSIM/v9-v1/"}
                for name, xsec in processes.items()
            ],
        },
        "preprocess": {
            "branches": {"Muon": [f"branch_{i}" for i in range(12)], "event": ["run"]},
            "skimming": {"function": baseline, "use": [("Muon", None)], "chunk_size": 100_000},
        },
        "channels": [
            {"name": name, "kind": kind, "fit_observable": "ttbar_mass",
             "selection": {"function": signal_selection, "use": [("Muon", None), ("Jet", None)]},
             "observables": observables()}
            for name, kind in [("signal_region", "signal"), ("control_region", "control")]
        ],
        "corrections": [
            {"name": "pileup", "type": "event", "file": "corrections/puWeights.json.gz",
             "key": "Collisions16_UltraLegacy_goldenJSON", "use": [("Pileup", "nTrueInt")],
             "uncertainty_sources": [{"name": "pileup", "up_and_down_idx": ["up", "down"]}]},
            {"name": "jes", "type": "object", "target": ("Jet", "pt"), "op": "mult",
             "nominal_function": baseline, "use": [("Jet", "pt")]},
        ],
    }  # fmt: skip


@pytest.fixture
def show(capsys):
    def show(config, **options):
        display_config_table(config, **{"table_width": 200, **options})
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return show


def bare(text):
    """Return a text without what a table adds to it."""
    return re.sub(r"[\s╭╮╰╯─│┬┴├┤┼]", "", text)


def columns_text(out):
    """Return the text of a table column by column, so that wrapped cells are whole again."""
    blocks = [
        [line.strip("│").split("│") for line in block.splitlines() if line[:1] == "│"]
        for block in re.split(r"[╭├╰].*\n?", out)
    ]
    return "\n".join(bare("".join(cells)) for rows in blocks for cells in zip(*rows, strict=True))


def row(out, setting):
    """Return the cells of the first row of a setting."""
    for line in out.splitlines():
        if line[:1] != "│":
            continue
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if cells[0] == setting:
            return cells
    raise AssertionError(f"no row {setting!r} in\n{out}")


LEAVES = [
    "16400.0", "outputs/zprime", "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt",
    "364.31", "61526.7", "ttbar_semilep_TuneCP5_13TeV-powheg-pythia8/NANOAODSIM/v9-v1/",
    "branch_11", "100000", "signal_selection", "[Muon,Jet]", "[Jet.pt]", "200,3000,20",
    r"$m_{t\bar{t}}$[GeV]",
    "<lambda>(line", "[0,1,2,3,4,5,6,7,8,9,10]", "Collisions16_UltraLegacy_goldenJSON", "nTrueInt",
    "[up,down]", "control_region", "fit_observable", "jet_multiplicity", f"{__name__}:mass",
]  # fmt: skip


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("expand", [False, True])
def test_no_line_is_wider_than_the_table(show, width, expand):
    out = show(realistic(), expand=expand, table_width=width)
    assert max(cell_len(line) for line in out.splitlines()) <= width
    out = show(realistic(), compare_with={}, expand=expand, table_width=width)
    assert max(cell_len(line) for line in out.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 200])
def test_expanded_nothing_is_lost(show, width):
    text = columns_text(show(realistic(), expand=True, table_width=width))
    assert [leaf for leaf in LEAVES if leaf not in text] == []


@pytest.mark.parametrize("width", [80, 200])
def test_words_of_the_summary_are_whole(show, width):
    out = show(realistic(), table_width=width)
    words = ["signal_region", "control_region", "ttbar_semilep", "jet_multiplicity",
             "61526.7", "read_from_cache", "skimming", "cross_section"]  # fmt: skip
    assert [word for word in words if word not in out] == []


def test_every_section_has_a_table_in_the_order_of_the_configuration(show):
    out = show(realistic())
    titles = ["general", "datasets", "preprocess", "channels", "corrections"]
    found = [line.split(":")[0].strip() for line in out.splitlines() if line[:1].isalpha()]
    assert [title for title in found if title in titles] == titles


def test_lists_of_records_are_one_row_an_entry(show):
    out = show(realistic())
    assert "datasets.datasets: 4 entries" in out
    assert row(out, "wjets")[:2] == ["wjets", "61526.7"]
    assert row(out, "datasets")[1] == "4 entries, listed below"
    assert "the same in all: tree_name = Events, process = name" in out
    assert "channels[1] control_region.observables: 2 entries" in out


def test_fields_without_room_are_named(show):
    out = show({"corrections": realistic()["corrections"]}, table_width=60)
    assert re.search(
        r"more with expand=True: uncertainty_sources, file, key,\s+nominal_function", out
    )


def test_long_lists_are_summarised_unless_expanded(show):
    assert row(show(realistic()), "Muon")[1] == (
        "[branch_0, branch_1, branch_2, branch_3, ... 12 in all]"
    )
    assert "branch_11" in row(show(realistic(), expand=True), "Muon")[1]


def test_one_section_and_channels_by_name(show):
    channels = {channel["name"]: channel for channel in realistic()["channels"]}
    out = show(channels)
    assert row(out, "fit_observable")[1] == "ttbar_mass"
    assert "control_region.observables: 2 entries" in out
    assert row(show({"channels": channels}), "control_region")[:2] == ["control_region", "control"]
    assert "general" not in show({"datasets": realistic()["datasets"]})


def test_records_without_names_and_other_shapes(show):
    config = {
        "good_object_masks": {"analysis": [{"object": "Muon", "function": mass},
                                           {"object": "Jet", "function": baseline}], "mva": []},
        "by_year": {"2016": {"lumi": 1.5}, "2017": {"lumi": 2.5}},
        2016: {"nested": [[{"a": 1}], [{"a": 2}]]},
        "seed": 42,
        "empty": {},
    }  # fmt: skip
    out = show(config)
    assert row(out, "seed")[1] == "42"
    assert row(out, "empty")[1] == "{}"
    assert row(out, "Jet")[1] == f"{__name__}:baseline"
    assert row(out, "lumi")[1] == "1.5"
    assert "2016" in out
    assert out.index("settings") < out.index("good_object_masks")


def test_models_are_dumped(show):
    model = SimpleNamespace(model_dump=lambda: {"general": {"lumi": 3.0}})
    assert row(show(model), "lumi")[1] == "3.0"
    out = show(model, compare_with={"general": {"lumi": 2.0}})
    assert row(out, "lumi") == ["lumi", "changed", "3.0", "2.0"]


def test_markup_and_control_characters_are_text(show):
    out = show({"a": {"[red]x[/red]": "[bold]y", "c": "\x1b[31mred\nnext"}})
    assert row(out, "[red]x[/red]")[1] == "'[bold]y'"
    assert row(out, "c")[1] == r"\x1b[31mred\nnext"
    assert "\x1b" not in out


def test_secrets_are_not_shown(show):
    config = {"execution": {"auth_token": "hunter2", "s3": {"secret": {"key": "hunter2"}}}}
    other = {"execution": {"auth_token": "hunter3", "s3": "plain", "password": "hunter2"}}
    assert row(show(config), "auth_token")[1] == "***"
    for options in ({}, {"expand": True}, {"compare_with": {}}, {"compare_with": other}):
        assert "hunter" not in show(config, **options)
    out = show(config, compare_with=other)
    assert row(out, "auth_token") == ["auth_token", "changed", "*** (not the same)", "***"]
    assert row(out, "password") == ["password", "removed", "", "***"]


def test_status_words(show):
    old = {"general": {"lumi": 1.0, "blind": False, "poi": "mu"}, "gone": {"a": 1}}
    new = {"general": {"lumi": 2.0, "blind": False, "year": 2016}, "fresh": {"b": [1, 2]}}
    out = show(new, compare_with=old)
    assert row(out, "lumi") == ["lumi", "changed", "2.0", "1.0"]
    assert row(out, "blind") == ["blind", "", "False", ""]
    assert row(out, "year") == ["year", "new", "2016", ""]
    assert row(out, "poi") == ["poi", "removed", "", "mu"]
    assert row(out, "b") == ["b", "new", "[1, 2]"]
    assert row(out, "fresh") == ["fresh", "new", ""]
    assert row(out, "a") == ["a", "removed", "", "1"]


def test_only_changes(show):
    new = realistic()
    new["general"]["lumi"] = 36300.0
    new["datasets"]["datasets"][2]["cross_section"] = 60000.0
    out = show(new, compare_with=realistic(), show_only_changes=True)
    assert row(out, "lumi") == ["lumi", "changed", "36300.0", "16400.0"]
    assert row(out, "cross_section") == ["cross_section", "changed", "60000.0", "61526.7"]
    assert "[2] wjets" in out
    assert "channels" not in out
    assert "ttbar_semilep" not in out
    assert "read_from_cache" not in out


def test_entries_are_matched_by_name(show):
    new = realistic()
    new["datasets"]["datasets"].insert(0, {"name": "zjets", "cross_section": 6077.2})
    del new["corrections"][0]
    out = show(new, compare_with=realistic(), show_only_changes=True)
    assert row(out, "[0] zjets")[1] == "new"
    assert row(out, "[0] pileup")[1] == "removed"
    assert "changed" not in out


def test_a_new_order_is_a_change(show):
    new = realistic()
    new["corrections"].reverse()
    out = show(new, compare_with=realistic(), show_only_changes=True)
    assert row(out, "(order)") == ["(order)", "changed", "[jes, pileup]", "[pileup, jes]"]


def test_unchanged_entries_are_one_row_unless_expanded(show):
    new = realistic()
    new["channels"][0]["kind"] = "validation"
    out = show({"channels": new["channels"]}, compare_with={"channels": realistic()["channels"]})
    assert row(out, "[1] control_region")[2] == "unchanged"
    out = show(
        {"channels": new["channels"]},
        compare_with={"channels": realistic()["channels"]},
        expand=True,
    )
    assert out.count("ttbar_mass") >= 4


def test_another_function_of_the_same_name_is_a_change(show):
    new, other = realistic(), another_mass()
    new["channels"][0]["observables"][0]["function"] = other
    out = show(new, compare_with=realistic(), show_only_changes=True)
    label = f"{__name__}:mass"
    assert row(out, "function") == [
        "function",
        "changed",
        f"{label} (now at line {other.__code__.co_firstlineno})",
        f"{label} (at line {mass.__code__.co_firstlineno})",
    ]


def test_another_closure_of_the_same_function_is_a_change(show):
    def above(threshold):
        return lambda pt: pt > threshold

    out = show({"c": {"f": above(30)}}, compare_with={"c": {"f": above(40)}}, table_width=400)
    assert row(out, "f")[1] == "changed"
    assert row(out, "f")[2] == f"{row(out, 'f')[3]} (not the same)"


def test_a_value_that_becomes_a_section(show):
    out = show({"a": {"x": {"y": 1, "token": "t0"}}}, compare_with={"a": {"x": None}})
    assert row(out, "x") == ["x", "changed", "{y: 1, token: ***}", "None"]
    out = show({"a": {"x": []}}, compare_with={"a": {"x": [{"name": "b", "v": 7}]}})
    assert row(out, "[0] b")[1] == "removed"
    assert row(out, "v") == ["v", "removed", "", "7"]


def test_a_change_does_not_hide_in_a_long_list(show):
    new, old = ({"c": {"l": [*range(20), last]}} for last in (98, 99))
    assert "98" in row(show(new, compare_with=old), "l")[2]
    assert "99" in row(show(new, compare_with=old), "l")[3]


@pytest.mark.parametrize("expand", [False, True])
def test_no_change_says_so(show, expand):
    out = show(realistic(), compare_with=realistic(), show_only_changes=True, expand=expand)
    # the lambdas of two calls are one piece of code
    assert out == "No changes: both configurations are the same.\n"


def test_no_change_among_equal_kinds(show):
    left = {
        "a": {"edges": np.array([1.0, 2.0]), "pair": (1, 2), "nan": float("nan"), "p": Path("x")}
    }
    right = {"a": {"edges": [1, 2], "pair": [1, 2], "nan": np.nan, "p": "x"}}
    assert "No changes" in show(left, compare_with=right, show_only_changes=True)


def test_changes_without_a_configuration_to_compare_with(show):
    assert "compare_with" in show(realistic(), show_only_changes=True)


def test_empty_configuration(show):
    assert show({}) == "The configuration is empty.\n"
    assert row(show({}, compare_with={"a": {"b": 1}}), "b") == ["b", "removed", "", "1"]


@pytest.mark.parametrize("options", [{}, {"compare_with": {"a": 1}}])
def test_what_is_no_configuration_is_refused(options):
    with pytest.raises(InputError, match="config is a list; expected a Config"):
        display_config_table([1, 2], **options)
    with pytest.raises(InputError, match="compare_with is a int; expected"):
        display_config_table({"a": 1}, compare_with=3)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats()
    | st.text("ab-_ /[]é漢\n", max_size=9)
)
names = st.text("abcxyz", min_size=1, max_size=5)
trees = st.recursive(
    scalars | st.lists(scalars, max_size=8),
    lambda inner: (
        st.dictionaries(names, inner, min_size=1, max_size=4)
        | st.lists(st.dictionaries(names, inner, min_size=1, max_size=3), min_size=1, max_size=3)
    ),
    max_leaves=12,
)
configs = st.dictionaries(names, st.dictionaries(names, trees, min_size=1, max_size=3), min_size=1)


def leaves(tree, path=()):
    """Return the paths of all leaves that are entries of a dict."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        branch = (isinstance(value, dict) and value) or (
            isinstance(value, list) and any(isinstance(item, dict) for item in value)
        )
        if branch:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


LAW = settings(max_examples=40, deadline=None)


def printed(config, **options):
    """Print into a text; the fixture of pytest is not reset between examples."""
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        display_config_table(config, **options)
    return stream.getvalue()


@LAW
@given(configs, st.sampled_from([40, 80, 200]), st.booleans())
def test_a_copy_shows_no_change_and_every_width_holds(config, width, expand):
    twin = copy.deepcopy(config)
    assert "No changes" in printed(config, compare_with=twin, show_only_changes=True)
    out = printed(config, compare_with=twin, table_width=width, expand=expand)
    assert not re.search(r"│ (new|changed|removed) +│", out)
    assert max(cell_len(line) for line in out.splitlines()) <= width
    out = printed(config, table_width=width, expand=expand)
    assert max(cell_len(line) for line in out.splitlines()) <= width


@LAW
@given(configs, st.sampled_from(["new", "changed", "removed"]), st.data())
def test_any_change_of_a_leaf_is_shown(config, status, data):
    path = data.draw(st.sampled_from(list(leaves(config))))
    other = copy.deepcopy(config)
    parent = other
    for step in path[:-1]:
        parent = parent[step]
    if status == "new":
        parent = parent if isinstance(parent, dict) else other
        parent["fresh"] = "marker"
    elif status == "changed" or not isinstance(parent, dict):
        parent[path[-1]] = "marker"
    else:
        del parent[path[-1]]
    out = printed(other, compare_with=config, show_only_changes=True, table_width=200)
    assert "No changes" not in out
    assert re.search(r"│ (new|changed|removed) +│", out)
    if status != "removed":
        assert "marker" in out


@LAW
@given(st.dictionaries(names, st.text("abcdefgh/_.", max_size=150) | st.integers(), min_size=1))
def test_every_value_is_shown_whole(section):
    for width in (80, 200):
        text = columns_text(printed({"s": section}, expand=True, table_width=width))
        assert all(str(value) in text for value in section.values())
