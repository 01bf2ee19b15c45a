"""What a run says and does when something is wrong, and that the next run goes on from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.builders import toy_columns, write_nano
from tests.pipeline.projects import (
    PARTS,
    Here,
    assert_same_templates,
    assert_skim_is_whole,
    made,
    parts,
    run,
    templates,
    write_project,
)

BROKEN = "background_1.root"  # 2 of the 10 work items
NOTHING: Callable[[Path], None] = lambda _: None  # noqa: E731 - a default among others like it


@dataclass(frozen=True)
class Fault:
    """Something wrong, and what is expected of the run."""

    says: list[str]  # texts of the message
    do: Callable[[Path], object] = NOTHING  # to the folder
    changes: list[tuple[str, str]] = field(default_factory=list)  # of the user's module
    words: list[str] = field(default_factory=list)  # on the command line
    status: int = 2
    kept: int = 0  # parts of the skim
    goes_on: bool = True  # whether to repair it and run again; no news where nothing has begun


def cut(share: float) -> Callable[[Path], object]:
    """Keep only the first bytes of a file: all but the last one for 1."""

    def do(folder: Path) -> object:
        content = (folder / BROKEN).read_bytes()
        return (folder / BROKEN).write_bytes(
            content[: min(int(len(content) * share), len(content) - 1)]
        )

    return do


def corrupt(branch: str) -> Callable[[Path], object]:
    """Change bytes in the basket of a branch."""

    def do(folder: Path) -> object:
        import uproot

        with uproot.open(folder / BROKEN) as file:
            own = file["Events"][branch]
            start, size = int(own.member("fBasketSeek")[0]), int(own.member("fBasketBytes")[0])
        content = bytearray((folder / BROKEN).read_bytes())
        for i in range(start + size - 40, start + size - 20):
            content[i] ^= 0x5A
        return (folder / BROKEN).write_bytes(bytes(content))

    return do


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    def do(folder: Path) -> object:
        data = content.encode() if isinstance(content, str) else content
        return (folder / name).write_bytes(data)

    return do


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def narrow(folder: Path) -> None:
    """Pile-up weights end at 40."""
    content = json.loads((folder / "pileup.json").read_text())
    for one in content["corrections"][0]["data"]["content"]:
        one["value"]["edges"] = [0.0, 20.0, 40.0]
    (folder / "pileup.json").write_text(json.dumps(content))


def negative(folder: Path) -> None:
    """Events that the skim refuses."""
    columns = toy_columns(800, 2)
    write_nano(folder / BROKEN, {**columns, "MET_pt": -1.0 - columns["MET_pt"]})


SKIM = "return trigger & (met > SKIM_MET)"
SR = "return ak.num(jets, axis=1) >= 2"
TRUNCATED = ["reading metadata: 1 of 5 failed", BROKEN, "truncated", "Fetch it again", "4 of 5"]

FAULTS = {
    # -- files
    "missing file": Fault(
        ["dataset 'background'", "1 of 2 files do not exist", BROKEN, "Check the listing"],
        remove(BROKEN),
    ),
    "missing listing": Fault(
        ["dataset 'background'", "there is no listing", "background.txt", "check `files`"],
        remove("background.txt"),
    ),
    "empty listing": Fault(
        ["dataset 'background'", "background.txt is empty", "one path a line"],
        write("background.txt", "# nothing\n\n"),
    ),
    "listing that is no text": Fault(
        ["dataset 'background'", "background.txt cannot be read", "no text"],
        write("background.txt", b"\xff\xfe\x00\x80"),
    ),
    "repeated file": Fault(
        ["dataset 'background'", "listed more than once", "background_0.root", "count twice"],
        write("background.txt", "background_0.root\n./background_0.root\nbackground_1.root\n"),
    ),
    "nothing in the file": Fault(["reading metadata", BROKEN, "it is empty"], cut(0.0)),
    "cut in the header": Fault(TRUNCATED, cut(0.0003)),
    "cut in the middle": Fault(TRUNCATED, cut(0.5)),
    "cut before the last byte": Fault(TRUNCATED, cut(1.0)),
    "no ROOT file": Fault(
        ["reading metadata", BROKEN, "cannot be read as ROOT", "b'hell'"],
        write(BROKEN, "hello world" * 100),
    ),
    "changed bytes": Fault(
        ["skimming: 2 of 10 failed", BROKEN, "corrupted", "1 more like it", "8 of 10 finished"],
        corrupt("Muon_pt"),
        kept=8,
    ),
    # -- contents of files
    "missing tree": Fault(
        ["reading metadata: 2 of 5", BROKEN, "no tree 'Event'", "Did you mean 'Events'?"],
        words=["--datasets.datasets[1].tree_name=Event"],
    ),
    "missing branch": Fault(
        ["signal_0.root", "'MET_ph', wanted by preprocess.branches", "Did you mean 'MET_phi'?"],
        changes=[('["pt", "phi"]', '["pt", "ph"]')],
    ),
    "missing branch of the selection": Fault(
        ["'HLT_Mu5', wanted by preprocess.skimming.use", "Did you mean 'HLT_Mu50'?"],
        changes=[('("event", "HLT_Mu50")', '("event", "HLT_Mu5")')],
    ),
    "missing weights": Fault(
        ["signal_0.root", "'genWeigt' with generator weights", "Did you mean 'genWeight'?"],
        words=["--general.weight_branch=genWeigt"],
    ),
    # -- corrections
    "missing correction file": Fault(
        ["corrections[0] (pileup).file", "there is no file", "pileup.json"],
        remove("pileup.json"),
    ),
    "broken correction file": Fault(
        ["filling histograms: 6 of 10", "pileup.json: not a correctionlib file", "corrections[0]"],
        write("pileup.json", '{"schema_version": 2, "corr'),
        kept=PARTS,
    ),
    "missing correction": Fault(
        ["pileup.json: there is no correction 'puu'", "Did you mean 'pu'?", "corrections[0]"],
        words=["--corrections[0].key=puu"],
        kept=PARTS,
    ),
    "unknown name in a correction": Fault(
        ["'pu'", "pileup.json", "has no 'nominall'", "Did you mean 'nominal'?", "corrections[0]"],
        words=["--corrections[0].nominal_idx=nominall"],
        kept=PARTS,
    ),
    "beyond a correction's domain": Fault(
        ["'pu'", "pileup.json", "'x' is", "[0, 40)", "out_of_range", "corrections[0] (pileup)"],
        narrow,
        kept=PARTS,
    ),
    # -- the user's functions
    "skim raises": Fault(
        ["preprocess.skimming.function", "mine.skim raised NameError", "SKIM_METT", "mine.py"],
        changes=[(SKIM, "return trigger & (met > SKIM_METT)")],
        status=1,
    ),
    "skim of another length": Fault(
        ["preprocess.skimming.function", "399 entries for 400 events", "one value for each event"],
        changes=[(SKIM, f"{SKIM[:7]}({SKIM[7:]})[:-1]")],
        status=1,
    ),
    "skim that fails for one file": Fault(
        ["2 of 10 failed", "ValueError: negative MET", BROKEN, "1 more like it", "8 of 10"],
        negative,
        status=1,
        kept=8,
    ),
    "selection raises": Fault(
        ["baseline_selection", "mine.has_muon raised AttributeError", "'ptt'", "background_0.root"],
        changes=[("return ak.num(muons, axis=1) >= 1", "return muons.ptt > 3")],
        status=1,
        kept=PARTS,
    ),
    "selection of another length": Fault(
        ["channels[0] (SR).selection", "entries for", "one value for each event", "9 more"],
        changes=[(SR, "return (ak.num(jets, axis=1) >= 2)[1:]")],
        status=1,
        kept=PARTS,
    ),
    "observable raises": Fault(
        ["channels[0] (SR).observables (met)", "mine.itself raised AttributeError", "'nope'"],
        changes=[("return values", "return values.nope")],
        status=1,
        kept=PARTS,
    ),
    # -- folders
    "results where a file is": Fault(
        ["background.txt/logs", "Not a directory", "general.output_dir"],
        words=["--general.output_dir=background.txt"],
        status=1,
        goes_on=False,
    ),
    "cache where a file is": Fault(
        ["background.txt/x", "cannot make the folder"],
        words=["--general.cache_dir=background.txt/x"],
        status=1,
        goes_on=False,
    ),
    # -- configuration
    "many problems": Fault(
        [
            "general.lumi: ",
            "general.max_fils: unknown key. Did you mean 'max_files'?",
            "channels[0].observables[0].binning",
            "datasets.datasets[1].cross_section",
        ],
        changes=[
            ('"lumi": 100.0', '"lumi": -100.0, "max_fils": 3'),
            ('"0,200,4"', '"200,0,4"'),
            ('"cross_section": 8.0', '"cross_section": "eight"'),
        ],
        goes_on=False,
    ),
    "bad overrides": Fault(
        ["2 problems", "channels[7]: there is no such entry", "generall", "Did you mean 'general'"],
        words=["--channels[7].name=x", "--generall.x=3"],
        goes_on=False,
    ),
    "override of a function": Fault(
        ["preprocess.skimming.function", "cannot be set", "preprocess.skimming.chunk_size"],
        words=["--preprocess.skimming.function=x"],
        goes_on=False,
    ),
    "no Python": Fault(
        ["mine.py, line", "SyntaxError"], changes=[("config = {", "config = {{")], goes_on=False
    ),
    # -- earlier steps that have not run
    "no stored skim": Fault(
        ["general.run_skimming is off", "10 of 10 parts", "Set general.run_skimming to True"],
        words=["--general.run_skimming=false"],
        status=1,
        goes_on=False,
    ),
    "no stored metadata": Fault(
        ["fileset.json does not exist", "general.run_metadata_generation"],
        words=["--general.run_metadata_generation=false"],
        status=1,
        goes_on=False,
    ),
    "no stored histograms": Fault(
        ["general.run_histogramming is off", "histograms.zip", "Fill histograms first"],
        words=["--general.run_histogramming=false"],
        status=1,
        goes_on=False,
        kept=PARTS,
    ),
}


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    write_project(tmp_path)
    return Here(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def fault_free(tmp_path_factory):
    """Histograms of a run that nothing happened to."""
    folder = write_project(tmp_path_factory.mktemp("fault_free"))
    done = run(folder, "--general.run_statistics=false")
    assert done.returncode == 0, done.stderr
    return templates(folder)


def assert_one_message(told: str) -> None:
    assert "Traceback" not in told
    assert "bug in hepflow" not in told
    assert len([line for line in told.splitlines() if line.startswith("hepflow: ")]) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_and_once_repaired_the_run_goes_on(name, here, fault_free):
    fault = FAULTS[name]
    write_project(here.folder, *fault.changes)
    fault.do(here.folder)
    status, told = here.run(*fault.words)
    assert_one_message(told)
    assert [text for text in fault.says if text not in told] == [], told
    assert status == fault.status
    assert len(parts(here.folder)) == fault.kept
    assert_skim_is_whole(here.folder)
    if not fault.goes_on:
        return
    write_project(here.folder)
    status, told = here.run()
    assert status == 0, told
    assert made(told)["skim"] == (PARTS, PARTS - fault.kept)
    assert_same_templates(templates(here.folder), fault_free)


def test_several_broken_files_are_told_at_once(here):
    cut(0.5)(here.folder)
    write("data_1.root", "hello")(here.folder)
    status, told = here.run("--datasets.datasets[0].tree_name=Event")
    assert status == 2  # of several kinds, but all of them the input's
    assert_one_message(told)
    for text in ("3 of 5 failed", "data_1.root", BROKEN, "signal_0.root", "2 of 5 finished"):
        assert text in told


def test_faults_on_worker_processes(tmp_path, fault_free):
    folder = write_project(tmp_path, (SR, "return jets.pt[0] > 2"))
    corrupt("Jet_pt")(folder)
    done = run(folder, "--general.run_statistics=false")
    assert done.returncode == 2
    assert_one_message(done.stderr)
    assert "skimming: 2 of 10 failed" in done.stderr
    assert len(parts(folder)) == 8
    assert_skim_is_whole(folder)
    write_project(folder, (SR, "return jets.ptt > 2"))
    done = run(folder, "--general.run_statistics=false")
    assert done.returncode == 1
    assert_one_message(done.stderr)
    assert "mine.many_jets raised AttributeError: no field named 'ptt'" in done.stderr
    assert f"of {folder / 'mine.py'})" in done.stderr
    assert made(done.stderr)["skim"] == (PARTS, 2)
    write_project(folder)
    done = run(folder, "--general.run_statistics=false")
    assert done.returncode == 0
    assert made(done.stderr)["skim"] == (PARTS, 0)
    assert_same_templates(templates(folder), fault_free)
