"""What failed in a run is done again by the command of its message, alone, until it works."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import InputError, UserFunctionError
from hepflow.failed import read_failed
from hepflow.histograms import read_histograms
from hepflow.remote import identity
from hepflow.replay import _file_of, narrowed, replay
from tests.pipeline.projects import environment, run, stamps, write_project
from tests.pipeline.replaying import (
    BAD_ENTRY,
    BREAKS,
    WHAT,
    Again,
    command_in,
    configured,
    edit,
    item_of,
    kept,
    message_of,
    records,
    spoil,
)
from tests.servers import http_server

TOO_MUCH = (
    'def itself(values):\n    """A column as it is."""\n',
    'def itself(values):\n    """A column as it is."""\n    check(values)\n',
)
CHECK = (
    "MET = {",
    """
def check(values):
    limit = 4000.0
    if ak.any(values > limit):
        raise RuntimeError("too much MET")


MET = {""",
)
SEARCH = (
    "config = {",
    """
from hepflow.analysis import Analysis


class Search(Analysis):
    def process_chunk(self, events, metadata):
        known = {name: metadata[name] for name in sorted(metadata)}
        if metadata["file"].endswith("background_1.root") and metadata["entrystart"] >= 400:
            raise ValueError(f"known: {known}")
        return super().process_chunk(events, metadata)


config = {""",
)


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    return Again(write_project(tmp_path), monkeypatch, capsys)


# -- as a user does it -----------------------------------------------------------------------


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment(folder, PATH=path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_fails_alike_and_passes_once_the_function_is_repaired(tmp_path):
    folder = write_project(tmp_path)
    spoil(folder, "MET_pt", -1.0)
    ran = run(folder, "--general.run_statistics=false", "--channels[0].observables[0].label=x y")
    assert ran.returncode == 1
    for named in ("background_1.root", f"{BAD_ENTRY} to {BAD_ENTRY + 1}", "mine.skim"):
        assert named in ran.stderr
    command = command_in(ran.stderr)
    failed = shell(folder, command)
    assert failed.returncode == 1
    # It is the error of the run: function, line, what it raised, where it is configured.
    error = message_of(failed.stderr).removeprefix("hepflow: error: ")
    assert error in ran.stderr
    assert error.startswith(WHAT)
    edit(folder, (BREAKS, "met = abs(met)"))
    passed = shell(folder, command)
    assert passed.returncode == 0, passed.stderr
    assert "works now" in passed.stdout


def test_the_debugger_opens_in_the_users_function(here, monkeypatch):
    spoil(here.folder, "MET_pt", 5000.0, slice(500, 540))
    edit(here.folder, CHECK, TOO_MUCH)
    _, told = here.run()
    words = shlex.split(command_in(told))
    words = words[words.index("replay") :]
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hepflow.cli", *words, "--pdb"],
        cwd=here.folder,
        env=environment(here.folder, PYTHONPATH=os.pathsep.join(sys.path), TERM="dumb"),
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    os.write(parent, b"p limit\nup\np values\nq\n")
    written = _all_of(parent)
    assert process.wait(timeout=60) == 1
    assert "mine.py(" in written  # the place, as the debugger shows it
    assert ")check()" in written
    assert re.search(r"^(\(Pdb\) )?4000\.0$", written, re.MULTILINE)
    assert ")itself()" in written
    assert "Array [" in written
    assert "RuntimeError: too much MET" in written


def test_the_debugger_opens_where_fault_was_found_with_what_was_returned(here, monkeypatch):
    edit(here.folder, ("return trigger & (met > SKIM_MET)", "return trigger[1:]"))
    seen = []
    monkeypatch.setattr("pdb.post_mortem", seen.append)
    file = str(here.folder / "signal_0.root")
    (path,) = kept(item_of(file, 0, 400, "skim"))
    status, told = here.again(str(path), "--pdb")
    assert (status, "a mask of 399 entries for 400 events" in told) == (1, True)
    (trace,) = seen
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert len(trace.tb_frame.f_locals["result"]) == 399


def _all_of(terminal: int) -> str:
    """What a process writes to its terminal, without the echo of what is typed."""
    found = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            os.close(terminal)
            return found.decode().replace("\r\n", "\n")
        found += piece


# -- stage by stage --------------------------------------------------------------------------


def test_an_observable_that_raises(here):
    spoil(here.folder, "MET_pt", 5000.0, slice(500, 540))
    edit(here.folder, CHECK, TOO_MUCH)
    status, told = here.run("--general.lumi=50")
    assert status == 1
    (path,) = records(here.folder)
    failed = read_failed(path)
    assert (failed.stage, failed.dataset) == ("histograms", "background__nominal")
    assert 500 <= failed.entrystart < failed.entrystop <= 540
    assert failed.configuration_path == "channels[0] (SR).observables (met)"
    assert failed.function == "mine.itself"
    assert failed.error.code == "HF300"
    before = stamps(here.folder)
    status, again = here.as_told(told)
    assert status == 1
    assert message_of(again).removeprefix("hepflow: error: ") in told
    assert "in itself\n    check(values)" in again
    assert 'raise RuntimeError("too much MET")' in again
    assert "functors.py" not in again  # frames of the user only
    assert f"{failed.entrystart} to {failed.entrystop}" in here.out
    assert stamps(here.folder) == before  # nothing is written
    edit(here.folder, ("limit = 4000.0", "limit = 9000.0"))
    status, again = here.as_told(told, "--json=told.json")
    assert (status, "works now" in here.out) == (0, True), again
    found = json.loads((here.folder / "told.json").read_text())
    assert found["works"] is True
    assert found["n_read"] == failed.entrystop - failed.entrystart
    cuts = [row["cut"] for row in found["cutflows"]["SR"]]
    assert (cuts[0], cuts[-1]) == ("skimmed", "corrected")
    assert "Cutflow of SR" in here.out


def test_a_file_that_is_cut(here):
    file = here.folder / "signal_0.root"
    content = file.read_bytes()
    file.write_bytes(content[:-100])
    status, told = here.run()
    assert status == 2
    assert read_failed(records(here.folder)[0]).stage == "metadata"
    status, again = here.as_told(told)
    assert status == 2
    assert "signal_0.root" in message_of(again)
    file.write_bytes(content)
    assert here.as_told(told)[0] == 0
    assert re.search(r"Events read +800\b", here.out)
    status, again = here.as_told(told, "--entries=0:10")
    assert (status, "looks at the whole file" in again) == (2, True)


def test_an_own_process_chunk_gets_the_metadata_of_the_run(here):
    edit(here.folder, SEARCH)
    status, told = here.run("--analysis=mine:Search")
    assert status == 1
    status, again = here.as_told(told)
    assert status == 1
    known = re.compile(r"known: (\{'.*\})")
    first = known.search(read_failed(records(here.folder)[0]).error.message)
    second = known.search(again)
    assert first is not None
    assert second is not None
    assert eval(first[1]) == eval(second[1])  # noqa: S307 - plain values that the test wrote
    assert eval(first[1])["nevts"] == 1600  # noqa: S307 - of the dataset


def test_a_url_with_credentials_is_opened_with_them_and_never_told(here):
    spoil(here.folder, "MET_pt", -1.0)
    with http_server(here.folder) as url:
        signed = url.replace("://", "://me:topsecret@") + "/background_1.root?sign=topsecret"
        edit(here.folder, ('[str(HERE / "background.txt")]', f'["{signed}"]'))
        status, told = here.run()
        assert (status, "negative MET" in told) == (1, True), told
        (path,) = records(here.folder)
        status, again = here.as_told(told)
        assert (status, "negative MET" in again) == (1, True), again
        assert "topsecret" not in told + again + here.out + path.read_text()
        edit(here.folder, (BREAKS, "met = abs(met)"))
        status, again = here.as_told(told)
    assert (status, "works now" in here.out) == (0, True), again


@pytest.mark.parametrize("policy", ["rescale", "drop_dataset"])
def test_a_run_that_goes_on_tells_the_command_too_and_the_next_one_forgets(here, policy):
    spoil(here.folder, "MET_pt", -1.0)
    status, told = here.run(f"--execution.on_missing={policy}")
    assert status == 0
    (path,) = records(here.folder)
    assert here.as_told(told)[0] == 1
    edit(here.folder, (BREAKS, "met = abs(met)"))
    assert here.as_told(told)[0] == 0
    assert path.exists()
    assert here.run()[0] == 0
    assert records(here.folder) == []


def test_a_function_that_ends_the_process_does_not_end_the_command(here):
    spoil(here.folder, "MET_pt", -1.0)
    edit(here.folder, (BREAKS, "raise SystemExit(7)"))
    status, told = here.run()
    assert status == 1
    status, again = here.as_told(told)
    assert (status, "SystemExit: 7" in again) == (1, True)


def test_results_of_a_record_are_those_of_the_run(here):
    """What all work items of a dataset give one by one adds up to what the run gave."""
    assert here.run()[0] == 0
    config = configured(here)
    stored = json.loads((here.folder / "out/skimmed/signal__nominal/manifest.json").read_text())
    found = {}
    for one in stored["parts"]:
        counts = one["counts"]
        item = item_of(counts["file"], counts["entrystart"], counts["entrystop"], "skim")
        result = replay(item, config)
        assert (result.n_read, result.n_selected) == (counts["nevts"], one["n_selected"])
        assert result.sum_weights == counts["sum_weights"]
        flow = replay(replace(item, stage="histograms"), config).cutflows["SR"]
        found[counts["entrystart"]] = np.array(flow.counts)
    assert sorted(found) == [0, 400]
    whole = read_histograms(here.folder / "out" / "histograms" / "histograms.zip")
    np.testing.assert_array_equal(
        sum(found.values()), whole.cutflows["SR", "signal__nominal"].counts
    )


def test_repeated_events_and_luminosity_blocks_are_looked_for_again(here):
    config = configured(here)
    file = str(here.folder / "data_0.root")
    item = item_of(file, 0, 400, "duplicates", dataset="data")
    result = replay(item, config)
    assert (result.n_read, result.n_selected) == (
        400,
        replay(replace(item, stage="skim"), config).n_selected,
    )
    assert replay(replace(item, stage="luminosity"), config).n_read == 800


# -- what is refused -------------------------------------------------------------------------


def test_a_record_of_another_analysis_or_file_is_refused(here):
    config = configured(here)
    item = item_of(str(here.folder / "signal_0.root"), 0, 400, "skim")
    with pytest.raises(InputError, match=r"no dataset 'signals__nominal'.* Did you mean 'signal__"):
        replay(replace(item, dataset="signals__nominal"), config)
    with pytest.raises(InputError, match="has 800 entries, but 0 to 900000000 failed"):
        replay(replace(item, entrystop=900_000_000), config)
    with pytest.raises(InputError, match="it changed since its metadata was read"):
        replay(replace(item, fileuuid="other"), config)


def test_a_part_of_the_range_is_within_it():
    item = item_of("x.root", 100, 200, "skim")
    assert narrowed(item, 120, 121).entries == "120 to 121"
    for start, stop in ((99, 150), (150, 201), (150, 150), (160, 150)):
        with pytest.raises(InputError, match="within 100:200"):
            narrowed(item, start, stop)


def test_the_cause_of_what_is_raised_is_the_users_own_error(here):
    spoil(here.folder, "MET_pt", -1.0)
    item = item_of(str(here.folder / "background_1.root"), 400, 800, "skim")
    with pytest.raises(UserFunctionError) as caught:
        replay(replace(item, dataset="background__nominal"), configured(here))
    assert repr(caught.value.__cause__) == "ValueError('negative MET')"


def test_the_credentials_of_a_url_come_from_the_configuration(here):
    url = "https://me:hunter2@host.org/x.root?X-Amz-Signature=deadbeef"
    config = configured(here)
    config.datasets.datasets[0].files = [url]
    assert ConfigurableDatasetManager(config.datasets).get_files("signal") == [url]
    known = "https://host.org/x.root?"
    with pytest.raises(InputError, match="is not among the files") as caught:
        _file_of(item_of(f"{known}0123456789abcdef", 0, 1, "skim"), config)
    assert "hunter2" not in str(caught.value)
    assert _file_of(item_of(identity(url), 0, 1, "skim"), config) == url
    assert _file_of(item_of("https://other.org/y.root", 0, 1, "skim"), config).endswith("y.root")
