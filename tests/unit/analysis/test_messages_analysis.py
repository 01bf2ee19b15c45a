"""Messages of the filling that no run of the other tests comes to."""

from __future__ import annotations

import re
from types import SimpleNamespace

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import batches, filling, shares, steps
from hepflow.corrections import random, values
from hepflow.errors import InputError, MissingBranch, StorageError, UserFunctionError
from hepflow.records import Ledger, RawHistograms
from hepflow.variations import varied_function


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({}, "returned dict, expected the RawHistograms of this part"),
        (RawHistograms({}, {}, {}, Ledger()), "returned those of other parts, expected"),
    ],
)
def test_an_own_chunk_returns_its_histograms(raw, told, monkeypatch):
    monkeypatch.setattr(batches, "item_key_of", lambda _: ("ttbar", "a.root", 0, 1))
    with pytest.raises(UserFunctionError, match=told):
        batches.checked_chunk(raw, {})


def test_parts_that_others_remove_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(filling, "_fill_parts", lambda *_, **__: True)
    monkeypatch.setattr(filling, "_part_file", lambda *_: "part.hfp")
    job = SimpleNamespace(cache=tmp_path, reuse=False, fresh=(), pieces={})
    worker = SimpleNamespace(spec=None, has_own_steps=False)
    with pytest.raises(StorageError, match=re.escape(f"remove what lies in {tmp_path}")):
        filling._fill(job, worker, [object()], None)


def test_the_table_of_luminosity_is_a_file(tmp_path):
    config = SimpleNamespace(general=SimpleNamespace(lumi_table=str(tmp_path / "none.csv")))
    with pytest.raises(InputError, match=r"general\.lumi_table: there is no file .*none\.csv"):
        shares.table_digest(config)


def test_the_first_weight_is_nominal():
    with pytest.raises(UserFunctionError, match="the first weight must be 'nominal'"):
        steps.check_weights({"pu_up": np.ones(2), "nominal": np.ones(2)}, 2, "channel SR")


def test_random_numbers_need_the_identity_of_events():
    events = ak.Array({"run": [1], "Jet": [[{"pt": 1.0}]]})
    with pytest.raises(MissingBranch, match="Add luminosityBlock, event to `event`"):
        random.random_normal(events, "Jet", "smear", "correction 'smear'")


def test_a_transform_gives_as_many_columns_as_args():
    correction = SimpleNamespace(
        name="sf",
        args=[("Jet", "pt"), "tight", ("Jet", "eta")],
        use=[],
        use_correctionlib=True,
        transform_in=lambda *_: 1,
    )
    events = ak.Array({"Jet": [[{"pt": 1.0, "eta": 0.0}]]})
    with pytest.raises(UserFunctionError, match="returned 1 columns, expected 2, one for each"):
        values._arguments(correction, events, "correction 'sf'")


def test_a_side_without_a_function():
    source = SimpleNamespace(name="jes", up_function=None, down_function=len)
    with pytest.raises(UserFunctionError, match=r"source 'jes' has no up_function\."):
        varied_function(source, SimpleNamespace(direction="up"))
    assert varied_function(source, SimpleNamespace(direction="down")) is len
