"""What a run says about its input: expected, processed, left out and lost, and why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepflow.histograms import read_histograms
from tests.builders import toy_columns, write_nano
from tests.pipeline.projects import Here, made, write_project

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it
BROKEN = "background_1.root"  # the columns of seed 2
RESCALE = "--execution.on_missing=rescale"
KEY = "background__nominal"


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    return Here(write_project(tmp_path / "main"), monkeypatch, capsys)


def accounts(folder: Path, output: str = "out") -> dict[str, Any]:
    """Accounts in the report, which are those of the ledger that is stored with the histograms."""
    report = json.loads((folder / output / "report" / "run.json").read_text())
    stored = read_histograms(folder / output / "histograms" / "histograms.zip").ledger
    assert report["input"] == json.loads(json.dumps([one.to_json() for one in stored.accounts()]))
    for one in report["input"]:
        files = one["files_processed"] + one["files_skipped"] + one["files_failed"]
        events = one["events_processed"] + one["events_skipped"] + one["events_failed"]
        assert one["files_expected"] == files
        assert one["events_expected"] == events
    return {one["dataset"]: one for one in report["input"]}


def weights(seed: int) -> Any:
    return toy_columns(800, seed)["genWeight"].astype(np.float64)


def table(out: str) -> str:
    """The table of incomplete input, its cells joined by single spaces."""
    found = out[out.index("Incomplete input") :].split("╯", maxsplit=1)[0]
    return re.sub(r"[\s│]+", " ", found)


def truncate(folder: Path, name: str = BROKEN) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def spoil(folder: Path, *bad: int) -> None:
    """Give events a value that the skim refuses."""
    columns = toy_columns(800, 2)
    columns["MET_pt"][list(bad)] = -1.0
    write_nano(folder / BROKEN, columns)


def test_a_complete_run_says_so_by_silence(here):
    status, _ = here.run("--json=told.json")
    assert status == 0
    assert "Incomplete input" not in here.out
    found = accounts(here.folder)
    assert json.loads((here.folder / "told.json").read_text())["input"] == list(found.values())
    assert {key: one["events_processed"] for key, one in found.items()} == {
        KEY: 1600, "data": 1600, "signal__nominal": 800
    }  # fmt: skip
    for one in found.values():
        assert one["files_processed"] == one["files_expected"]
        assert one["weights_expected"] == one["weights_processed"]
        assert (one["fraction"], one["reasons"], one["lost"]) == (1.0, [], {})
    assert found[KEY]["weights_expected"] == pytest.approx(weights(1).sum() + weights(2).sum())
    assert found["data"]["weights_expected"] == 1600.0


def test_files_that_were_not_asked_for(here):
    assert here.run("--general.max_files=1", "--execution.one_pass=true")[0] == 0
    found = accounts(here.folder)
    one = found[KEY]
    assert (one["files_processed"], one["files_skipped"], one["files_failed"]) == (1, 1, 0)
    assert (one["events_expected"], one["skipped_unopened"]) == (800, 1)
    assert (one["expected_estimate"], one["fraction"]) == (1600.0, 0.5)
    assert one["weights_processed"] == pytest.approx(weights(1).sum())
    assert one["weights_expected"] is None  # nobody looked into the other file
    shown = table(here.out)
    assert f"{KEY} 1 of 2 800 of ~1,600 50 % 1 file" in shown
    assert "signal" not in shown  # it is complete
    assert "the other one is complete" in here.out


def test_events_that_were_lost_are_counted_with_their_weights(here):
    spoil(here.folder, 500, 501, 502)
    assert here.run(RESCALE)[0] == 0  # 3 of 1600 events are below the limit
    one = accounts(here.folder)[KEY]
    (file,) = one["lost"]
    assert file.endswith(BROKEN)
    ((start, stop),) = one["lost"][file]
    assert start <= 500
    assert stop >= 503
    assert stop - start == one["events_failed"] == 3
    assert one["events_processed"] == 1597
    assert (one["files_processed"], one["files_failed"]) == (1, 1)
    assert one["weights_failed"] == pytest.approx(weights(2)[start:stop].sum())
    assert one["weights_expected"] == pytest.approx(weights(1).sum() + weights(2).sum())
    (reason,) = one["reasons"]
    assert (reason["stage"], reason["losses"]) == ("skim", 1)
    assert "negative MET" in reason["text"]
    shown = table(here.out)
    assert f"{KEY} 1 of 2 1,597 of 1,600 99.8 % 3 events" in shown
    assert "negative MET" in here.out.partition("Incomplete input")[2]
    # the same where the stored skim, or the stored histograms, are read back
    for names in (["skimming"], ["skimming", "histogramming"]):
        assert here.run(RESCALE, *(f"--general.run_{name}=false" for name in names))[0] == 0
        assert accounts(here.folder)[KEY] == one
        assert "1,597 of 1,600" in table(here.out)


def test_every_result_carries_what_became_of_the_input(here):
    from PIL import Image

    spoil(here.folder, 500)
    draw = ("--plotting.enabled=true", '--plotting.formats=["png"]', "--plotting.dpi=50")
    status, told = here.run(RESCALE, *draw, "--json=told.json", statistics=True)
    assert status == 0, told
    said = json.loads((here.folder / "told.json").read_text())
    assert said["remarks"] == ["over 99.9 % of simulation"]
    assert {one["dataset"]: one["complete"] for one in said["input"]} == {
        KEY: False, "data": True, "signal__nominal": True
    }  # fmt: skip
    out = here.folder / "out"
    files = [out / "histograms" / "cutflow.json", out / "report" / "run.json"]
    files += [one for one in (out / "statistics").glob("*.json") if one.name != "key.json"]
    assert {path.stem for path in files} == {
        "cutflow", "run", "workspace", "input", "fit", "prediction", "limit", "significance",
        "ranking", "groups", "audit",
    }  # fmt: skip
    for path in files:
        stored = json.loads(path.read_text())
        # their formats admit nothing else; input.json lies beside them
        if path.stem not in {"workspace", "groups", "audit"}:
            assert stored["remarks"] == said["remarks"], path
            assert stored["input"] == said["input"], path
    drawn = sorted((out / "plots").rglob("*.png"))
    assert len(drawn) > 5
    for path in drawn:
        with Image.open(path) as image:
            image.load()
            assert image.text == {"Description": "over 99.9 % of simulation"}
    told = re.sub(r"\s+", " ", here.out)
    assert told.count("over 99.9 % of simulation") == 3  # under two cutflows, and as a note


def test_more_than_the_limit_stops_the_run_and_the_next_one_goes_on(here):
    spoil(here.folder, *range(200))
    words = (RESCALE, "--execution.missing_limit=0.1")
    status, told = here.run(*words)
    assert status == 1
    assert "execution.missing_limit admits (10 % of the events" in told
    assert f"{KEY}: 12.5 % is lost: 200 of 1,600 events" in told
    assert BROKEN in told
    assert "negative MET" in told
    assert not (here.folder / "out" / "histograms" / "histograms.zip").exists()
    status, told = here.run(RESCALE, "--execution.missing_limit=0.125")
    assert status == 0, told
    assert made(told)["skim"][1] == 0  # what finished was kept
    assert accounts(here.folder)[KEY]["events_failed"] == 200
    # stored histograms are judged, too
    off = [f"--general.run_{name}=false" for name in ("metadata_generation", "histogramming")]
    for more in ([], ["--general.run_skimming=false"]):
        status, told = here.run(*words, *off, *more, statistics=True)
        assert status == 1, told
        assert "12.5 % is lost" in told


def test_a_file_that_cannot_be_opened_stops_the_run_before_the_skim(here):
    truncate(here.folder)
    status, told = here.run(RESCALE)
    assert status == 1
    assert f"{KEY}: 50 % is lost: 1 of 2 files cannot be read" in told
    assert "skimming" not in told
    status, told = here.run(RESCALE, "--execution.missing_limit=0.5")
    assert status == 0, told
    one = accounts(here.folder)[KEY]
    assert (one["files_failed"], one["failed_unopened"]) == (1, 1)
    assert (one["events_expected"], one["events_failed"]) == (800, 0)
    assert (one["lost_estimate"], one["expected_estimate"]) == (800.0, 1600.0)
    assert one["weights_failed"] is None
    assert f"{KEY} 1 of 2 800 of ~1,600 50 % 1 file" in table(here.out)


def test_a_dataset_that_is_left_out_needs_no_limit(here):
    spoil(here.folder, *range(200))
    assert here.run("--execution.on_missing=drop_dataset")[0] == 0
    found = accounts(here.folder)
    one = found[KEY]
    assert (one["events_processed"], one["events_failed"], one["events_skipped"]) == (0, 200, 1400)
    assert (one["files_processed"], one["files_skipped"], one["files_failed"]) == (0, 1, 1)
    assert one["weights_expected"] == pytest.approx(weights(1).sum() + weights(2).sum())
    assert f"{KEY} 0 of 2 0 of 1,600 0 % 200 events 1,400 events" in table(here.out)
    assert found["data"]["fraction"] == found["signal__nominal"]["fraction"] == 1.0


def test_a_run_that_ends_after_the_skim_knows_its_input(here):
    spoil(here.folder, 5)
    assert here.run(RESCALE, "--general.analysis=skip")[0] == 0
    report = json.loads((here.folder / "out" / "report" / "run.json").read_text())
    found = {one["dataset"]: one for one in report["input"]}
    assert (found[KEY]["events_processed"], found[KEY]["events_failed"]) == (1599, 1)
    assert found["data"]["events_processed"] == 1600
    assert "1,599 of 1,600" in table(here.out)


def test_repeated_events_of_data_are_counted(here):
    name = '{"name": "data", "files": [str(HERE / "data.txt")], "is_data": True}'
    two = ", ".join(
        f'{{"name": "{name}", "process": "data", "files": [str(HERE / "{name}.root")], '
        '"is_data": True}'
        for name in ("data_0", "again")
    )
    ids = ('["HLT_Mu50"]', '["HLT_Mu50", "run", "luminosityBlock", "event"]')
    write_project(here.folder, (name, two), ids)
    (here.folder / "again.root").write_bytes((here.folder / "data_0.root").read_bytes())
    assert here.run()[0] == 0
    found = accounts(here.folder)
    assert found["data_0"]["repeated"] == 0
    ledger = read_histograms(here.folder / "out" / "histograms" / "histograms.zip").ledger
    manifest = here.folder / "out" / "skimmed" / "again" / "manifest.json"
    selected = sum(one["n_selected"] for one in json.loads(manifest.read_text())["parts"])
    assert found["again"]["repeated"] == ledger.account("again").repeated == selected > 0
    assert found["again"]["fraction"] == 1.0
