"""Numbers that functions read from modules of the user, for people."""

from __future__ import annotations

import importlib
import sys

import pytest

from hepflow.keys import describe_function
from hepflow.keys.hashing import fingerprint, fingerprint_and_numbers

HELPER = "LIMIT = 7\nEDGES = (1, 2.5)\nTOKEN = 'secret'\n\ndef limit():\n    return LIMIT\n"
CUTS = """
import math
import numbers_helper
from numbers_helper import limit

PT = 30.0
TIGHT = True
TABLE = list(range(1000))
NOT_READ = 5

def cut(pt):
    local = 3
    return pt > PT * math.pi + local + limit() + numbers_helper.EDGES[0] + len(TABLE)

def tight(pt, token=None):
    return TIGHT and pt > 1 and numbers_helper.TOKEN != token
"""


@pytest.fixture
def cuts(tmp_path, monkeypatch):
    (tmp_path / "numbers_helper.py").write_text(HELPER)
    (tmp_path / "numbers_cuts.py").write_text(CUTS)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield importlib.import_module("numbers_cuts")
    for name in ("numbers_cuts", "numbers_helper"):
        sys.modules.pop(name, None)


def test_numbers_are_named_through_the_functions_that_are_called(cuts):
    digest, numbers = fingerprint_and_numbers(cuts.cut)
    assert digest == fingerprint(cuts.cut)
    assert numbers == {
        "numbers_cuts.PT": "30.0",
        "numbers_helper.LIMIT": "7",
        "numbers_helper.EDGES": "(1, 2.5)",
    }


def test_texts_may_be_secrets_and_are_not_shown(cuts):
    assert fingerprint_and_numbers(cuts.tight)[1] == {"numbers_cuts.TIGHT": "True"}


def test_a_function_that_cannot_be_fingerprinted_is_named_all_the_same():
    stream = (one for one in ())

    def cut(pt):
        return pt > len(list(stream))

    found = describe_function(cut)
    assert found["function"].endswith("cut")
    assert found["fingerprint"] is None
    assert found["reads"] == {}
