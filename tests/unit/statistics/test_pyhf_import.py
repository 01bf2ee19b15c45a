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


DISTRIBUTIONS = """
import sys
from hepflow.statistics.pyhf_import import import_pyhf
pyhf = import_pyhf()
assert "scipy.stats" not in sys.modules
import numpy as np
model = pyhf.simplemodels.uncorrelated_background([5.0], [50.0], [7.0])
assert np.isfinite(model.logpdf(model.config.suggested_init(), [50.0, 51.0]))
assert "scipy.stats" not in sys.modules
assert pyhf.tensorlib.normal_cdf(0.0) == 0.5
assert model.make_pdf(np.array([1.0, 1.0])).sample((3,)).shape == (3, 2)
import scipy.stats
assert scipy.stats.norm.pdf(0.0) == pyhf.tensorlib.normal(0.0, 0.0, 1.0)
"""


def test_distributions_are_imported_when_pyhf_uses_them():
    subprocess.run([sys.executable, "-W", "ignore", "-c", DISTRIBUTIONS], check=True)
