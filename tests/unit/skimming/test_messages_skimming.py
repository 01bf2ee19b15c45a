"""Messages about parts of a skim whose bytes are whole and whose content is not."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import awkward as ak
import pytest

from hepflow.errors import ChecksumError, InputError, StorageError
from hepflow.skimming.counting import Counting, counted_ids
from hepflow.skimming.formats import header
from hepflow.skimming.formats.pickled import read_pickle, write_pickle
from hepflow.skimming.parts import Part
from hepflow.storage import write_part


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"header": "{}"}'])
def test_a_header_that_is_cut(text):
    with pytest.raises(ChecksumError, match=r"part\.root has no whole header"):
        header.from_text(text, "part.root")


def test_a_header_that_was_changed():
    sealed = json.loads(header.to_text({"format": header.FORMAT, "events": 5}))
    sealed["header"] = sealed["header"].replace("5", "6")
    with pytest.raises(ChecksumError, match="its header is not as written"):
        header.from_text(json.dumps(sealed), "part.root")


def test_a_header_that_was_sealed_and_is_none():
    seal = hashlib.sha256(b"[1]").hexdigest()
    sealed = json.loads(header.to_text({}))
    (name,) = set(sealed) - {"header"}
    with pytest.raises(StorageError, match=r"part\.root has a header that is none"):
        header.from_text(json.dumps({"header": "[1]", name: seal}), "part.root")


def test_a_part_without_events(tmp_path):
    path = tmp_path / "part.hfp"
    write_part(path, header.with_format({}))
    with pytest.raises(StorageError, match=r"part\.hfp holds no events"):
        read_pickle(path)


def test_a_part_with_other_events_than_the_manifest_says(tmp_path):
    path = tmp_path / "part.pkl"
    write_pickle(path, ak.Array({"run": [1, 2]}), {})
    with pytest.raises(ChecksumError, match="holds 2 events, its manifest says 3"):
        Part(str(path), {}, 3, "identity", None, None).load()


def test_repeated_events_are_told_by_their_identity():
    events, item = ak.Array({"run": [1]}), SimpleNamespace(filename="data.root")
    part = SimpleNamespace(numbered=lambda _: events, item=item)
    with pytest.raises(InputError, match=r"data\.root: has no luminosityBlock, event, by which"):
        counted_ids(part, Counting())
