import json

import numpy as np
import pytest

from hepflow.records.sbi import (
    INFORMATION_KINDS,
    CalibrationTables,
    Closure,
    Coverage,
    Critical,
    Information,
    Region,
    Reliability,
    Reweighting,
)

REGION = Region(
    ("a", "b"), ("1/TeV$^2$", ""), 0.95, 0.05, 2, "neyman", None,
    ((-0.5, None), (0.1, 0.3)), 0.2, (5.9, 6.1),
)  # fmt: skip
RECORDS = [
    REGION,
    Information("rate", ("a",), ("",), (0.1,), 1e4, np.eye(1), np.zeros((1, 1)), ("b",)),
    Critical(("a",), ((0.1,), (0.2,)), 0.95, (3.8, 3.9), (3.5, 3.6), (4.1, 4.2), 1000, 7, 5e3),
    Closure("mean ratio", (0.1, 0.2), 1.0, 1.002, 0.001, 5000),
    Reweighting("m", (0.1,), (0, 1, 2), (0.4, 0.6), (0.1, 0.1), (0.5, 0.5), (0, 0), 1.0, 1, 0.3),
    Reliability((0.1,), (0.4, 0.6), (0.5, 0.5), (0.1, 0.1), (0.5, 0.5)),
    CalibrationTables("isotonic", np.zeros((1, 2)), (np.arange(3.0),), (np.ones(3),), 10),
    Coverage("sally", "neyman", (0.0, 0.1), 0.95, 285, 300, 3, {"rate": True}),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda one: type(one).__name__)
def test_records_survive_json(record):
    text = json.dumps(record.to_json())
    assert json.dumps(type(record).from_json(json.loads(text)).to_json()) == text


def test_an_open_region_says_so():
    assert not REGION.closed
    assert Region.from_json(json.loads(json.dumps(REGION.to_json()))) == REGION


def test_every_kind_of_information_is_told():
    assert set(INFORMATION_KINDS) == {"full", "shape", "rate", "histogram", "latent"}
    assert RECORDS[1].meaning == "number of events alone"


def test_pulls():
    assert RECORDS[3].pull == pytest.approx(2.0)
    assert RECORDS[-1].pull == pytest.approx(0.0, abs=1e-9)
