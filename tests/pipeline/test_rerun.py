"""What a second run does again: what depends on a change, and nothing else."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot

from tests.builders import toy_columns, write_nano
from tests.pipeline.projects import (
    MODULE,
    ROOT,
    Here,
    assert_same_templates,
    assert_skim_is_whole,
    changed,
    made,
    parts,
    run_command,
    stamps,
    templates,
    write_project,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
DRAW = "--plotting.enabled=true"
STAGES = ("skimmed", "histograms", "statistics", "plots")


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """A project that ran once, with pictures that cost nothing."""

    def write(task):
        path = task.folder / f"{task.name}.png"
        path.write_bytes(repr(task.content).encode())
        return [path]

    monkeypatch.setattr("hepflow.analysis.drawing.write_figure", write)
    write_project(tmp_path)
    here = Here(tmp_path, monkeypatch, capsys)
    status, told = here.run(DRAW, statistics=True)
    assert status == 0, told
    return here


def edit(here: Here, *changes: tuple[str, str]) -> None:
    (here.folder / "mine.py").write_text(changed(MODULE, *changes))


def again(here: Here, *words: str) -> tuple[dict[str, tuple[int, ...]], set[str], str]:
    """Run again; numbers of the log, folders with changed files, and the log itself."""
    before = stamps(here.folder / "out")
    status, told = here.run(DRAW, *words, statistics=True)
    assert status == 0, told
    after = stamps(here.folder / "out")
    new = {name.split("/")[0] for name, time in after.items() if before.get(name) != time}
    new |= {name.split("/")[0] for name in before.keys() - after.keys()}
    return made(told), new & set(STAGES), told


def test_nothing_is_done_twice(here):
    cache = stamps(here.folder / "cache")
    numbers, new, told = again(here)
    assert new == set()
    assert stamps(here.folder / "cache").keys() == cache.keys()  # times tell when it was used
    assert numbers["skim"] == (10, 0)
    assert "histograms: reused" in told
    assert "statistics: reused" in told
    assert numbers["plots"][1] == 0


def test_comments_names_and_layout_do_nothing(here):
    edit(
        here,
        ("# [GeV]\nMUON", "# [GeV] and a comment\n\n\nMUON"),
        ('"""Muons above threshold."""', '"""Muons that are hard enough."""'),
        ("return pt > MUON_PT", "# a comment\n    return pt > MUON_PT"),
    )
    numbers, new, told = again(here)
    assert new == set()
    assert numbers["skim"] == (10, 0)
    assert "histograms: reused" in told


def test_a_constant_of_the_skim_redoes_everything_behind(here):
    edit(here, ("SKIM_MET = 10.0", "SKIM_MET = 60.0"))
    old = templates(here.folder)
    numbers, new, _ = again(here)
    assert numbers["skim"] == (10, 10)
    assert numbers["histograms"] == (10, 10)
    assert new == set(STAGES)
    assert len(parts(here.folder)) == 10  # the earlier ones are gone
    assert not np.array_equal(templates(here.folder)["SR/met"], old["SR/met"])


def test_a_constant_of_a_cut_redoes_histograms_and_what_follows(here):
    edit(here, ("MUON_PT = 30.0", "MUON_PT = 60.0"))
    numbers, new, _ = again(here)
    assert numbers["skim"] == (10, 0)
    assert numbers["histograms"] == (10, 10)
    assert new == set(STAGES) - {"skimmed"}
    edit(here)  # back: the earlier result is still known
    _, _, told = again(here)
    assert "histograms: reused" in told


def test_luminosity_refills_nothing(here):
    old = templates(here.folder)["SR/met"]
    numbers, new, told = again(here, "--general.lumi=200")
    assert numbers["skim"] == (10, 0)
    assert "histograms: reused" in told
    assert new == set(STAGES) - {"skimmed"}
    new_totals, totals = templates(here.folder)["SR/met"].sum(axis=0), old.sum(axis=0)
    filled = totals[:, 0, 0] != 0
    ratio = new_totals[filled, 0, 0] / totals[filled, 0, 0]
    assert sorted(ratio) == pytest.approx([1.0, 2.0, 2.0], rel=1e-12)  # data stay


LOADED = """
import sys
from hepflow.cli import main_for
analysis = "analysis.nondiff:NonDiffAnalysis"
status = main_for(config="mine:config", analysis=analysis, argv=sys.argv[1:])
print("loaded", *(name for name in ("coffea", "numba", "dask") if name in sys.modules))
raise SystemExit(status)
"""


def test_what_fills_histograms_is_not_imported_where_nothing_is_filled(here):
    """The key is the one of this process, in which coffea is there."""
    selection = (
        "    from coffea.analysis_tools import PackedSelection\n\n"
        "    selection = PackedSelection()\n"
        '    selection.add("jets", ak.num(jets, axis=1) >= 2)\n'
        "    return selection"
    )
    edit(here, ("    return ak.num(jets, axis=1) >= 2", selection))
    again(here)
    path = {"PYTHONPATH": str(ROOT)}
    done = run_command(here.folder, [sys.executable, "-c", LOADED, "--general.lumi=200"], **path)
    assert done.returncode == 0, done.stderr
    assert "histograms: reused" in done.stderr
    assert "statistics: ran" in done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"


def test_a_label_redraws_and_does_nothing_else(here):
    edit(here, ('"signal_processes"', '"process_labels": {"signal": "New"}, "signal_processes"'))
    numbers, new, told = again(here)
    assert numbers["skim"] == (10, 0)
    assert numbers["plots"][1] > 0
    assert "histograms: reused" in told
    assert "statistics: reused" in told
    assert new == {"plots", "statistics"}  # the latter: labels in the tables


def test_a_changed_correction_file_refills(here):
    path = here.folder / "pileup.json"
    path.write_text(path.read_text().replace("1.1", "1.3"))
    numbers, new, _ = again(here)
    assert numbers["skim"] == (10, 0)
    assert numbers["histograms"] == (10, 10)
    assert "skimmed" not in new


def test_a_changed_input_file_is_skimmed_again(here):
    content = (here.folder / "signal_0.root").read_bytes()
    (here.folder / "signal_0.root").write_bytes((here.folder / "background_0.root").read_bytes())
    numbers, _, _ = again(here)
    assert numbers["skim"] == (10, 2)
    assert numbers["histograms"] == (10, 10)
    (here.folder / "signal_0.root").write_bytes(content)


def test_a_file_that_is_written_anew_with_its_uuid_is_skimmed_again(here, monkeypatch):
    path = here.folder / "data_1.root"
    with uproot.open(path) as file:
        identity = file.file.uuid
    with monkeypatch.context() as patch:
        recreate = functools.partial(uproot.recreate, uuid_function=lambda: identity)
        patch.setattr(uproot, "recreate", recreate)
        columns = toy_columns(800, 4, data=True)
        columns["MET_pt"] = columns["MET_pt"] * np.float32(1.7)
        write_nano(path, columns)
    before = templates(here.folder)
    numbers, _, _ = again(here)
    assert numbers["skim"] == (10, 2)
    assert numbers["histograms"] == (10, 10)
    found = templates(here.folder)
    monkeypatch.setenv("HEPFLOW_CACHE_DIR", str(here.folder / "other"))
    status, told = here.run("--general.output_dir=fresh")
    assert status == 0, told
    assert_same_templates(found, templates(here.folder, "fresh"))
    assert any((found[name] != before[name]).any() for name in found)


def test_a_file_that_was_only_touched_is_not_skimmed_again(here):
    os.utime(here.folder / "signal_0.root", ns=(1, 1))
    numbers, new, told = again(here)
    assert "1 of 5 files, new or changed" in told
    assert numbers["skim"] == (10, 0)
    assert "histograms: reused" in told
    assert "skimmed" not in new


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def test_a_damaged_part_of_the_skim_is_made_anew(here):
    expected = templates(here.folder)
    part = parts(here.folder)[3]
    content = part.read_bytes()
    flip(part)
    edit(here, ("MUON_PT = 30.0", "MUON_PT = 30.5"))  # so that the parts are read
    numbers, new, _ = again(here)
    assert numbers["skim"] == (10, 1)
    assert part.read_bytes() == content
    assert "skimmed" in new
    assert_skim_is_whole(here.folder)
    edit(here)
    again(here)
    assert_same_templates(templates(here.folder), expected)


def test_damaged_histograms_are_filled_anew(here):
    expected = templates(here.folder)
    merged = list((here.folder / "cache" / "histograms" / "merged").glob("*.pkl"))
    assert len(merged) == 2  # one a channel
    for path in merged:
        flip(path)
    numbers, _, told = again(here)
    assert numbers["histograms"] == (10, 10)
    assert "damaged" in told
    assert_same_templates(templates(here.folder), expected)
