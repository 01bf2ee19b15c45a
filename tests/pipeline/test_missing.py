"""Input that cannot be processed: refused, rescaled for, or its dataset left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from hepflow.histograms import read_histograms
from tests.builders import toy_columns, write_nano
from tests.pipeline.projects import (
    MODULE,
    Here,
    assert_same_templates,
    changed,
    made,
    run,
    templates,
    write_project,
)

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
DRAW = "--plotting.enabled=true"
READ_BACK = (
    ["metadata_generation"],
    ["metadata_generation", "skimming"],
    ["histogramming"],
    ["metadata_generation", "skimming", "histogramming"],
)
BROKEN = "background_1.root"  # 2 of the 10 work items; the columns of seed 2
_TOY = toy_columns(800, 2)
SPOILT = tuple(  # two events of the channel CR
    i
    for i, (jets, muons) in enumerate(
        zip(_TOY["Jet_pt"].to_list(), _TOY["Muon_pt"].to_list(), strict=True)
    )
    if i > 450 and len(jets) == 1 and max(muons, default=0.0) > 30.0
)[:2]
LOST = tuple((one, one + 1) for one in SPOILT)
ANY = ("--execution.on_missing=rescale", "--execution.missing_limit=1")
CR = "return ak.num(jets, axis=1) < 2"
HOT = (CR, f'if ak.any(jets.pt > 1e5):\n        raise ValueError("hot jet")\n    {CR}')


def truncate(folder: Path) -> None:
    content = (folder / BROKEN).read_bytes()
    (folder / BROKEN).write_bytes(content[: len(content) // 2])


def spoil(branch: str, value: float) -> Callable[[Path], None]:
    """Give two events a value that one of the user's functions refuses."""

    def do(folder: Path) -> None:
        columns = toy_columns(800, 2)
        values = columns[branch].to_list() if branch == "Jet_pt" else columns[branch]
        for bad in SPOILT:
            if branch == "Jet_pt":  # an event of the channel CR
                columns["MET_pt"][bad], columns["HLT_Mu50"][bad] = 50.0, True
            values[bad] = [value] if branch == "Jet_pt" else value
        if branch == "Jet_pt":
            import awkward as ak

            values = ak.values_astype(ak.Array(values), np.float32)
        write_nano(folder / BROKEN, {**columns, branch: values})

    return do


def without_file(folder: Path) -> None:
    (folder / "background.txt").write_text("background_0.root\n")


def without_events(folder: Path) -> None:
    """The file without the entries that fail."""
    kept = np.delete(np.arange(800), SPOILT)
    write_nano(folder / BROKEN, {name: one[kept] for name, one in toy_columns(800, 2).items()})


@dataclass(frozen=True)
class Loss:
    """Where something is lost, and what remains."""

    do: Callable[[Path], None]
    remains: Callable[[Path], None]  # makes the input what is left of it
    remark: str  # under the policy rescale
    says: str
    events: tuple[tuple[int, int], ...] = ((0, 0),)  # entry ranges that are lost
    changes: tuple[tuple[str, str], ...] = ()


def share(lost: int) -> str:
    return f"{100 * (2400 - lost) / 2400:.3g} % of simulation"


LOSSES = {
    "metadata": Loss(truncate, without_file, share(800), "truncated"),
    "skim": Loss(spoil("MET_pt", -1.0), without_events, share(len(SPOILT)), "negative MET", LOST),
    "histograms": Loss(
        spoil("Jet_pt", 1e6), without_events, share(len(SPOILT)), "hot jet", LOST, (HOT,)
    ),
}


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """A project with pictures that cost nothing."""

    def write(task):
        path = task.folder / f"{task.name}.png"
        path.write_text(json.dumps({"remarks": task.remarks, "lumi": task.spec.luminosity}))
        return [path]

    monkeypatch.setattr("hepflow.analysis.drawing.write_figure", write)
    write_project(tmp_path / "main")
    return Here(tmp_path / "main", monkeypatch, capsys)


def remarks(folder: Path) -> Any:
    cutflow = json.loads((folder / "out" / "histograms" / "cutflow.json").read_text())
    report = json.loads((folder / "out" / "report" / "run.json").read_text())
    assert cutflow["remarks"] == report["remarks"]
    return report["remarks"]


def losses(folder: Path) -> Any:
    report = json.loads((folder / "out" / "report" / "run.json").read_text())
    stored = read_histograms(folder / "out" / "histograms" / "histograms.zip").ledger.losses
    assert len(stored) == len(report["losses"]) == len(report["ledger"]["losses"])
    return report["losses"]


def of_process(folder: Path, process: str) -> dict[tuple[str, str], np.ndarray]:
    found = read_histograms(folder / "out" / "histograms" / "histograms.zip")
    return {
        key[:2]: np.stack([block.sumw, block.sumw2])
        for key, block in found.blocks.items()
        if key[2] == process
    }


def assert_templates(folder: Path, reference: dict[str, np.ndarray]) -> None:
    """Sums over other parts of the same events may differ in the last bits."""
    found = templates(folder)
    assert found.keys() == reference.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, reference[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("stage", LOSSES)
def test_a_loss_stops_the_run_by_default(here, stage):
    loss = LOSSES[stage]
    write_project(here.folder, *loss.changes)
    loss.do(here.folder)
    status, told = here.run()
    assert status in {1, 2}
    assert loss.says in told


@pytest.mark.parametrize("stage", LOSSES)
def test_rescaled_simulation_is_that_of_what_remains(here, stage):
    loss = LOSSES[stage]
    write_project(here.folder, *loss.changes)
    loss.remains(here.folder)
    assert here.run("--general.output_dir=reference")[0] == 0
    reference = templates(here.folder, "reference")
    write_project(here.folder, *loss.changes)
    loss.do(here.folder)
    status, told = here.run(*ANY)
    assert status == 0, told
    assert loss.says in told
    assert "the run goes on without them" in told
    assert loss.remark in here.out
    assert_templates(here.folder, reference)
    assert remarks(here.folder) == [loss.remark]
    found = losses(here.folder)
    assert tuple((one["entrystart"], one["entrystop"]) for one in found) == loss.events
    for lost in found:
        assert (lost["dataset"], lost["stage"]) == ("background__nominal", stage)
        assert lost["file"].endswith(BROKEN)
        assert loss.says in lost["reason"]
    # again: nothing is done twice, and nothing is forgotten
    status, told = here.run(*ANY)
    assert status == 0
    assert made(told)["skim"][1] == 0
    assert made(told).get("histograms", (0, 0))[1] <= 1  # the one that is tried again
    assert remarks(here.folder) == [loss.remark]
    # what is stored is read back with its losses
    for names in READ_BACK:
        off = [f"--general.run_{name}=false" for name in names]
        status, told = here.run(*ANY, DRAW, *off)
        assert status == 0, told
        assert remarks(here.folder) == [loss.remark]
        # but not where losses are not admitted any more
        status, told = here.run(DRAW, *off)
        assert status != 0, (names, told)
    assert_templates(here.folder, reference)
    # repaired
    write_project(here.folder, *loss.changes)
    status, told = here.run(*ANY)
    assert status == 0, told
    assert remarks(here.folder) == []
    assert losses(here.folder) == []
    here.run("--general.output_dir=complete", "--general.cache_dir=other")
    assert_same_templates(templates(here.folder), templates(here.folder, "complete"))


@pytest.mark.parametrize("stage", LOSSES)
def test_a_dropped_dataset_is_left_out_as_a_whole_and_said(here, stage):
    loss = LOSSES[stage]
    drop = "--execution.on_missing=drop_dataset"
    write_project(here.folder, *loss.changes)
    assert here.run("--general.output_dir=complete")[0] == 0
    loss.do(here.folder)
    for _ in range(2):
        status, told = here.run(drop)
        assert status == 0, told
        assert "their datasets are left out" in told or stage == "metadata"
        assert "without background" in here.out
        assert remarks(here.folder) == ["without background"]
        assert {lost["dataset"] for lost in losses(here.folder)} == {"background__nominal"}
        assert of_process(here.folder, "background") == {}
        complete = read_histograms(here.folder / "complete" / "histograms" / "histograms.zip")
        for process in ("signal", "data"):
            for key, values in of_process(here.folder, process).items():
                block = complete.blocks[*key, process]
                np.testing.assert_array_equal(values, [block.sumw, block.sumw2])
    write_project(here.folder, *loss.changes)
    status, told = here.run(drop)
    assert status == 0, told
    assert remarks(here.folder) == []
    assert_same_templates(templates(here.folder), templates(here.folder, "complete"))


def test_what_one_channel_lost_is_missing_in_all(here):
    loss = LOSSES["histograms"]
    write_project(here.folder, HOT)
    loss.remains(here.folder)
    assert here.run("--general.output_dir=reference")[0] == 0
    write_project(here.folder)
    loss.do(here.folder)
    assert here.run()[0] == 0  # nothing refuses the event yet: both channels are in the cache
    (here.folder / "mine.py").write_text(changed(MODULE, HOT))
    for cache in ((), ("--general.read_from_cache=false",)):
        status, told = here.run(*ANY, *cache)
        assert status == 0, told
        assert_templates(here.folder, templates(here.folder, "reference"))
        assert remarks(here.folder) == [loss.remark]


@pytest.mark.parametrize("stage", LOSSES)
def test_losses_in_one_pass(here, stage):
    loss = LOSSES[stage]
    words = ("--execution.one_pass=true", *ANY)
    write_project(here.folder, *loss.changes)
    loss.remains(here.folder)
    assert here.run("--general.output_dir=reference", *words)[0] == 0
    write_project(here.folder, *loss.changes)
    loss.do(here.folder)
    status, told = here.run(*words)
    assert status == 0, told
    assert_templates(here.folder, templates(here.folder, "reference"))
    assert remarks(here.folder) == [loss.remark]


def test_losses_on_worker_processes(tmp_path):
    folder = write_project(tmp_path, HOT)
    LOSSES["histograms"].do(folder)
    words = ("--general.run_statistics=false", *ANY)
    done = run(folder, *words)
    assert done.returncode == 0, done.stderr
    assert remarks(folder) == [LOSSES["histograms"].remark]
    assert "hot jet" in done.stdout


# -- data ------------------------------------------------------------------------------------

RUN = 273158
LUMI = {block: 0.5 + 0.01 * block for block in range(1, 70)}  # [1/pb]
RESCALE = (*ANY, "--general.lumi_table=table.json")
DATA = ("data_0.root", "data_1.root")  # of the seeds 3 and 4


def write_table(folder: Path) -> None:
    (folder / "table.json").write_text(json.dumps({RUN: LUMI}))


def spoil_data(folder: Path) -> None:
    """Lose the second half of the second file of data in the skim."""
    columns = toy_columns(800, 4, data=True)
    columns["MET_pt"][[400, 799]] = -1.0
    write_nano(folder / "data_1.root", columns)


def truncate_data(folder: Path) -> None:
    content = (folder / "data_1.root").read_bytes()
    (folder / "data_1.root").write_bytes(content[: len(content) // 2])


def fraction_by_hand(first: int, second: int | None) -> float:
    """Luminosity of what was processed: so many events of the two files, over all."""
    done, there = dict.fromkeys(LUMI, 0), dict.fromkeys(LUMI, 0)
    for seed, count in ((3, first), (4, second)):
        if count is not None:
            for i, block in enumerate(toy_columns(800, seed, data=True)["luminosityBlock"]):
                there[int(block)] += 1
                done[int(block)] += i < count
    parts = {block: done[block] / there[block] for block in LUMI if there[block]}
    return sum(LUMI[block] * part for block, part in parts.items()) / sum(LUMI.values())


CASES = {
    "an entry range": (spoil_data, (), fraction_by_hand(800, 400)),
    "a file": (truncate_data, (), fraction_by_hand(800, None)),
    "files left out on purpose": (
        write_table,
        ("--general.max_files=1",),
        fraction_by_hand(800, None),
    ),
    "nothing": (write_table, (), None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_luminosity_is_that_of_the_data_that_were_processed(here, case):
    do, words, fraction = CASES[case]
    write_table(here.folder)
    do(here.folder)
    status, told = here.run(*RESCALE, DRAW, *words)
    assert status == 0, told
    found = read_histograms(here.folder / "out" / "histograms" / "histograms.zip")
    if fraction is None:
        assert found.rescaled == {}
        assert remarks(here.folder) == []
        return
    assert found.rescaled == {"data": pytest.approx(fraction, rel=1e-12)}
    assert found.luminosity == {"": pytest.approx(100.0 * fraction, rel=1e-12)}
    remark = f"{100 * fraction:.3g} % of the luminosity"
    assert remarks(here.folder) == [remark]
    drawings = list((here.folder / "out" / "plots").rglob("*.png"))
    assert drawings
    for path in drawings:
        drawn = json.loads(path.read_text())
        assert drawn == {"remarks": [remark], "lumi": pytest.approx(100.0 * fraction)}
    here.run(
        *ANY,
        f"--general.lumi={100.0 * fraction!r}",
        "--general.output_dir=by_hand",
        *words,
    )
    by_hand = templates(here.folder, "by_hand")
    for name, values in templates(here.folder).items():
        np.testing.assert_allclose(values, by_hand[name], rtol=1e-12, err_msg=name)


def test_incomplete_data_give_an_observed_limit_only_where_the_luminosity_is_known(here):
    write_table(here.folder)
    spoil_data(here.folder)
    limit = here.folder / "out" / "statistics" / "limit.json"
    status, told = here.run(*ANY, statistics=True)
    assert status == 1
    assert "data is incomplete (data 75 %): the observed limit is refused" in told
    assert json.loads(limit.read_text())["observed"] is None
    assert remarks(here.folder) == ["75 % of data"]
    status, told = here.run(*RESCALE, statistics=True)
    assert status == 0, told
    assert json.loads(limit.read_text())["observed"] > 0
    (remark,) = remarks(here.folder)
    assert remark.endswith("of the luminosity")
    # another table is another luminosity; the same one is not read again
    before = json.loads(limit.read_text())["expected"]
    (here.folder / "table.json").write_text(json.dumps({RUN: dict.fromkeys(LUMI, 1.0)}))
    status, told = here.run(*RESCALE, statistics=True)
    assert status == 0, told
    assert "histograms: reused" in told
    assert json.loads(limit.read_text())["expected"] != before
    off = "--general.run_histogramming=false"
    assert here.run(*RESCALE, off, statistics=True)[0] == 0
    write_table(here.folder)
    status, told = here.run(*RESCALE, off, statistics=True)
    assert status == 1
    assert "lumi_table" in told
    assert here.run(*ANY, off, statistics=True)[0] == 1


def test_dropped_data_are_incomplete(here):
    spoil_data(here.folder)
    status, told = here.run("--execution.on_missing=drop_dataset", statistics=True)
    assert status == 1
    assert "data was left out (data): the observed limit is refused" in told
    assert "Repair its input" in told
    assert "lumi_table" not in told  # it cannot help
    assert remarks(here.folder) == ["without data"]


def test_a_dropped_signal_has_no_limit_and_says_so(here):
    content = (here.folder / "signal_0.root").read_bytes()
    (here.folder / "signal_0.root").write_bytes(content[: len(content) // 2])
    status, told = here.run("--execution.on_missing=drop_dataset", statistics=True)
    assert status != 0
    assert "signal" in told
    assert "without signal" in told


def test_a_fit_without_a_dropped_background_says_so(here):
    truncate(here.folder)
    _, told = here.run("--execution.on_missing=drop_dataset", statistics=True)
    assert "process background has no events in any region of the fit and is left out" in told
    assert "without background" in here.out


def test_a_table_without_the_processed_blocks_is_refused(here):
    spoil_data(here.folder)
    (here.folder / "table.json").write_text(json.dumps({RUN: {1: 0.5}}))
    status, told = here.run(*RESCALE)
    assert status == 2
    assert "has no luminosity of" in told
    assert f"{RUN}:2" in told
    status, told = here.run(*RESCALE, "--general.lumi_table=nowhere.json")
    assert status == 2
    assert "general.lumi_table: there is no file nowhere.json" in told
    assert "skimming" not in told


def test_overlapping_datasets_of_data_are_refused(here):
    name = '{"name": "data", "files": [str(HERE / "data.txt")], "is_data": True}'
    two = ", ".join(
        f'{{"name": "data_{i}", "process": "data", "files": [str(HERE / "data_{i}.root")], '
        '"is_data": True}'
        for i in range(2)
    )
    write_project(here.folder, (name, two))
    write_table(here.folder)
    spoil_data(here.folder)
    status, told = here.run(*RESCALE)
    assert status == 2
    assert "the datasets 'data_0' and 'data_1' share 59 luminosity blocks" in told


IDS_OF = ("run", "luminosityBlock", "event")
IDS = ('["HLT_Mu50"]', '["HLT_Mu50", "run", "luminosityBlock", "event"]')


def test_events_of_lost_data_take_no_others_place(here):
    """Repeated events are looked for before filling, and in one pass that reads the files."""
    name = '{"name": "data", "files": [str(HERE / "data.txt")], "is_data": True}'
    two = ", ".join(
        f'{{"name": "data_{i}", "process": "data", "files": [str(HERE / "data_{i}.root")], '
        '"is_data": True}'
        for i in (1, 0)
    )
    write_project(here.folder, (name, two), IDS)
    at_once = "--execution.one_pass=true"
    _, told = here.run(at_once)
    assert re.search(r"data_0: \d+ repeated events are left out", told)
    write_project(here.folder, (name, two[two.index(', {"name": "data_0"') + 2 :]), IDS)
    assert here.run(at_once, "--general.output_dir=alone")[0] == 0
    write_project(here.folder, (name, two), IDS)
    spoil_data(here.folder)
    status, told = here.run(at_once, "--execution.on_missing=drop_dataset")
    assert status == 0, told
    assert remarks(here.folder) == ["without data_1"]
    assert_same_templates(templates(here.folder), templates(here.folder, "alone"))


@pytest.mark.parametrize("one_pass", ["false", "true"])
def test_an_event_whose_first_copy_is_lost_in_filling_counts_once(here, one_pass):
    """Both files of data hold the same events; one is refused in the first file only."""
    hot = next(one for one in SPOILT)
    columns = {**toy_columns(800, 2), **{k: toy_columns(800, 3, data=True)[k] for k in IDS_OF}}
    columns = {name: one for name, one in columns.items() if not name.startswith("gen")}
    columns["MET_pt"][hot], columns["HLT_Mu50"][hot] = 50.0, True
    jets = columns["Jet_pt"].to_list()
    jets[hot] = [1e6]
    spoilt = {**columns, "Jet_pt": ak.values_astype(ak.Array(jets), np.float32)}
    words = (*ANY, f"--execution.one_pass={one_pass}")
    kept = np.delete(np.arange(800), hot)
    without = {name: one[kept] for name, one in columns.items()}
    for output, first in (("reference", without), ("out", spoilt)):
        write_project(here.folder, IDS, HOT)
        write_nano(here.folder / "data_0.root", first)
        write_nano(here.folder / "data_1.root", columns)
        status, told = here.run(f"--general.output_dir={output}", *words)
        assert status == 0, told
        assert re.search(r"data: \d+ repeated events are left out", told)
    assert [one["entrystart"] for one in losses(here.folder)] == [hot]
    assert_templates(here.folder, templates(here.folder, "reference"))
    if one_pass == "false":  # noqa: S105 - a switch; else there is nothing to read back
        assert here.run("--general.run_histogramming=false", *words)[0] == 0


def test_nothing_left_is_an_error_in_any_case(here):
    for name in ("background_0.root", BROKEN):
        (here.folder / name).write_bytes(b"root but short")
    status, told = here.run(*ANY)
    assert status == 2
    assert "nothing of background__nominal could be processed" in told
    assert "drop_dataset" in told
    for name in ("signal_0.root", *DATA):
        (here.folder / name).write_bytes(b"root but short")
    for policy in (ANY, ("--execution.on_missing=drop_dataset",)):
        status, told = here.run(*policy)
        assert status == 2
        assert "reading metadata: 5 of 5 failed" in told


def test_a_listed_file_that_is_not_there_is_a_loss(here):
    (here.folder / BROKEN).unlink()
    status, told = here.run()
    assert status == 2
    assert "1 of 2 files do not exist" in told
    status, told = here.run(*ANY)
    assert status == 0, told
    assert "there is no such file" in told
    assert remarks(here.folder) == ["66.7 % of simulation"]
    (lost,) = losses(here.folder)
    assert (lost["dataset"], lost["stage"]) == ("background__nominal", "metadata")
