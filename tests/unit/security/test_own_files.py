"""An output folder that somebody handed over: what is read from it is checked, never believed."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from hepflow.errors import HepflowError, InputError, StorageError
from hepflow.keys import Key
from hepflow.luminosity.table import load_table
from hepflow.metadata_extractor import generator
from hepflow.metadata_extractor.stored import read_fileset, read_summary, read_workitems
from hepflow.records import FileInfo, PartCounts
from hepflow.skimming.making import PartRecord
from hepflow.skimming.manifest import read_manifest, write_manifest
from hepflow.stamps import read_key, write_stamp
from hepflow.storage import as_record, read_json, write_json
from tests.builders import make_metadata, tiny_config, toy_inputs

from .confined import confined

ODD: list[Any] = [None, True, -1, 2**80, 0.5, "x", "../../etc/passwd", [], [1], {}, {"a": {}}]


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in plain containers, of the first entry of a list only."""
    found = [path] if path else []
    if isinstance(tree, dict):
        for name, value in tree.items():
            found += leaves(value, (*path, name))
    elif isinstance(tree, list) and tree:
        found += leaves(tree[0], (*path, 0))
    return found


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value somewhere."""
    copied = copy.deepcopy(tree)
    place = copied
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return copied


# -- metadata ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of metadata as a run writes it."""
    folder = tmp_path_factory.mktemp("run")
    make_metadata(tiny_config(folder, toy_inputs(folder / "in")))
    return folder / "out" / "metadata"


READERS = {
    "fileset.json": read_fileset,
    "workitems.json": read_workitems,
    "nanoaods.json": read_summary,
}


@pytest.mark.parametrize("name", READERS)
def test_metadata_of_another_type_is_refused_or_harmless(metadata, tmp_path, name):
    content = json.loads((metadata / name).read_text())
    assert READERS[name](metadata / name)
    refused = 0
    for path in [(), *leaves(content)]:
        for value in ODD:
            other = changed(content, path, value) if path else value
            if other == content:
                continue
            (tmp_path / name).write_text(json.dumps(other))
            try:
                with confined():
                    READERS[name](tmp_path / name)
            except StorageError as error:
                refused += 1
                assert name in str(error)  # noqa: PT017 - some changes are right
    assert refused > 10


@pytest.mark.parametrize(
    ("start", "stop"),
    [(-1, 5), (5, 1), (0, 2**70), (-(2**70), 0), (0.0, 1.0), (True, 2), ("0", "1"), (None, 1)],
)
def test_entry_ranges_that_are_none(metadata, tmp_path, start, stop):
    items = json.loads((metadata / "workitems.json").read_text())
    items[0] |= {"entrystart": start, "entrystop": stop}
    (tmp_path / "workitems.json").write_text(json.dumps(items))
    with pytest.raises(StorageError, match=r"workitems\.json, entry 0.*Repeat metadata generation"):
        read_workitems(tmp_path / "workitems.json")


@pytest.mark.parametrize(
    "identity", ["", "x", "!" * 24, base64.b64encode(b"x" * 15).decode(), 5, None]
)
def test_identities_that_are_none(metadata, tmp_path, identity):
    items = json.loads((metadata / "workitems.json").read_text())
    items[0]["fileuuid"] = identity
    (tmp_path / "workitems.json").write_text(json.dumps(items))
    with pytest.raises(StorageError, match="entry 0: it is no work item"):
        read_workitems(tmp_path / "workitems.json")


def test_what_is_remembered_of_files_is_forgotten_where_it_makes_no_sense(tmp_path):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"))
    first = make_metadata(config)
    path = tmp_path / "out" / "metadata" / "files.json"
    content = read_json(path, "a run")
    key = next(iter(content["files"]))
    for field in ("nevts", "steps", "sum_weights", "path", "uuid", "runs_sum"):
        for value in ("x", {}, [["a", "b"]], [[0]]):
            other = changed(content, ("files", key, field), value)
            write_json(path, {**other, "digest": generator._digest(other["files"])})
            if field in {"path", "uuid"} and isinstance(value, str):
                continue
            again = make_metadata(config)
            assert again.workitems == first.workitems
            assert again.nanoaods_summary == first.nanoaods_summary


# -- records -----------------------------------------------------------------------------

COUNTS = {
    "dataset": "mc",
    "file": "a.root",
    "entrystart": 0,
    "entrystop": 5,
    "nevts": 5,
    "sum_weights": 5.0,
    "sum_signs": 5,
}


def test_records_have_their_fields_and_no_others():
    assert as_record(PartCounts, COUNTS, "x").nevts == 5
    for field in COUNTS:
        for value in ODD:
            if isinstance(value, str) and field in {"dataset", "file"}:
                continue
            if type(value) in {int, float} and "sum" in field:
                continue
            if type(value) is int and field in {"entrystart", "entrystop", "nevts"}:
                continue
            with pytest.raises(StorageError, match=rf"x: {field} is .* expected"):
                as_record(PartCounts, {**COUNTS, field: value}, "x")
        with pytest.raises(StorageError, match=f"missing: \\['{field}'\\]"):
            as_record(PartCounts, {k: v for k, v in COUNTS.items() if k != field}, "x")
    with pytest.raises(StorageError, match=r"unknown: \['__class__'\]"):
        as_record(PartCounts, {**COUNTS, "__class__": 1}, "x")
    for value in (None, [], "x", 5):
        with pytest.raises(StorageError, match="instead of a record"):
            as_record(PartCounts, value, "x")


def test_records_in_records_and_ranges():
    info = {
        "dataset": "mc", "path": "a.root", "tree": "Events", "uuid": "u", "nevts": 5,
        "steps": [[0, 5]], "sum_weights": 1.0, "runs_sum": None,
    }  # fmt: skip
    assert as_record(FileInfo, info, "x").steps == ((0, 5),)
    for steps in ([[0]], [[0, 1, 2]], [["a", "b"]], [0, 1], "01", {"a": 1}):
        with pytest.raises(StorageError, match="steps is"):
            as_record(FileInfo, {**info, "steps": steps}, "x")
    part = {"name": "a", "uuid": "u", "n_selected": 1, "size": 1, "sha256": "", "mtime_ns": 1}
    with pytest.raises(StorageError, match="x, counts: nevts is 'five'"):
        as_record(PartRecord, {**part, "counts": {**COUNTS, "nevts": "five"}}, "x")


# -- manifests and stamps ----------------------------------------------------------------


def test_names_in_a_manifest_lead_nowhere(tmp_path):
    from hepflow.skimming.manifest import known_parts, remove_outdated

    folder, victim = tmp_path / "skimmed", tmp_path / "victim_0-5_0123456789abcdef.pkl"
    folder.mkdir()
    victim.write_text("precious")
    key = Key("skim", {})
    record = PartRecord(f"../{victim.name}", "", PartCounts(**COUNTS), 5, 8, "", 0)
    write_manifest(folder, key, [record])
    assert victim not in [Path(one) for one in known_parts({"mc": key}, {"mc": folder})]
    assert read_manifest(folder, key) in ([], [record])
    remove_outdated(folder, [])
    assert victim.read_text() == "precious"


def test_a_stamp_vouches_for_nothing_outside_of_its_folder(tmp_path):
    folder, other = tmp_path / "plots", tmp_path / "other"
    folder.mkdir()
    other.write_text("x")
    (folder / "a").write_text("x")
    key = Key("plots", {})
    write_stamp(folder, key, [folder / "a"])
    assert read_key(folder) == key
    stored = read_json(folder / "key.json", "a run")
    for value in ODD:
        for path in leaves(stored):
            (folder / "key.json").write_text(json.dumps(changed(stored, path, value)))
            read_key(folder)  # a key or none, and no error
    assert other.read_text() == "x"


# -- tables of luminosity ----------------------------------------------------------------

HEADER = "run,luminosityBlock,luminosity [1/pb]\n"


@pytest.mark.parametrize(
    "text",
    [
        '{"1": {"1": NaN}}',
        '{"1": {"1": -1}}',
        '{"1": {"1": 1e999}}',
        '{"1": {"1": 1}, "1": {"2": 1}}',
        '{"1": [1]}',
        '{"1": {"1": "1"}}',
        '{"99999999999999999999": {"1": 1}}',
        '{"1": {"-1": 1}}',
        '{"a":' * 100_000,
        HEADER + "1,1,nan",
        HEADER + "1,1,inf",
        HEADER + "1,1,-1",
        HEADER + "1,1",
        HEADER + "1,1,1,1",
        HEADER + "99999999999999999999,1,1",
        HEADER + "1,1," + "9" * 200_000,
        HEADER + '1,1,"' + "9" * 200_000,
        HEADER + "1,1,1\n1,1,2",
        HEADER,
        "",
        "\x00\x00",
        "#run:fill,ls,recorded(/xb)\n1:1,1:1,1",
    ],
)
def test_tables_of_luminosity_that_are_none(tmp_path, text):
    path = tmp_path / "lumi.csv"
    path.write_text(text)
    with confined(), pytest.raises(InputError, match=r"lumi\.csv"):
        load_table(str(path), text[:60] + str(len(text)))


def test_every_refusal_is_one_of_ours():
    assert issubclass(StorageError, HepflowError)
