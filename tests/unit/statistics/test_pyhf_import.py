"""pyhf is imported without what it does not need, and nothing is lost by that."""

import subprocess
import sys

import pytest

CHECK = """
import sys
from hepflow.statistics.pyhf_import import import_pyhf
assert import_pyhf().__name__ == "pyhf"
assert "rfc3987_syntax" not in sys.modules
import jsonschema
checker = jsonschema.FormatChecker(["iri"])
assert checker.conforms("https://example.org/\\u00e4", "iri")
assert not checker.conforms("no address", "iri")
"""


def test_addresses_are_checked_as_before():
    pytest.importorskip("rfc3987_syntax")
    subprocess.run([sys.executable, "-W", "ignore", "-c", CHECK], check=True)
