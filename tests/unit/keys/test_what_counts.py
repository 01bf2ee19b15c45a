"""What a function reads counts with its order, its attributes and what stands behind a class."""

from __future__ import annotations

import collections
import copy
import importlib
import logging
import os
import sys

import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.analysis.filling_keys import filling_keys
from hepflow.keys import AsRead, changed_parts, fingerprint, make_key, stable_hash, unseen
from hepflow.skimming import SkimSpec
from tests.builders import manager_of, tiny_config


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Write a module of a user and import it anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(unseen, "_told", set())

    def load_module(text):
        sys.modules.pop("my_reach", None)
        (tmp_path / "my_reach.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module("my_reach")

    yield load_module
    sys.modules.pop("my_reach", None)


def digests(function):
    """In a key the function stands in containers whose own order does not count."""
    return fingerprint(function), make_key("skim", selection={"f": [function]}).digest


FIRST = "next(iter(D.values()))"
EDITS = {
    "global dict": f"D = {{'tight': 60, 'loose': 20}}\ndef f(x): return x > {FIRST}\n",
    "closure": f"def g(D): return lambda x: x > {FIRST}\nf = g({{'tight': 60, 'loose': 20}})\n",
    "keywords of a partial": (
        "import functools\ndef g(x, **D): return x > next(iter(D.values()))\n"
        "f = functools.partial(g, **{'tight': 60, 'loose': 20})\n"
    ),
    "attribute of a class": (
        "class C:\n    D = {'tight': 60, 'loose': 20}\n"
        "def f(x): return x > next(iter(C.D.values()))\n"
    ),
    "attribute of an instance": (
        "class C:\n    def __init__(self, D): self.D = D\n"
        "    def __call__(self, x): return x > next(iter(self.D.values()))\n"
        "f = C({'tight': 60, 'loose': 20})\n"
    ),
    "dict in a tuple": "E = ({'tight': 60, 'loose': 20},)\ndef f(): return E[0]\n",
}
SWAP = ("{'tight': 60, 'loose': 20}", "{'loose': 20, 'tight': 60}")


@pytest.mark.parametrize("text", EDITS.values(), ids=EDITS)
def test_the_order_of_what_a_function_reads_counts(load, text):
    before = digests(load(text).f)
    assert digests(load("# moved\n" + text).f) == before
    assert SWAP[0] in text
    after = digests(load(text.replace(*SWAP)).f)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_the_order_of_a_specification_does_not_count():
    def cut(x):
        return x > 1

    # Also after something of whose parts the order counts.
    first = {"f": cut, "more": {"a": {"c": 1, "d": 2}, "b": cut}}
    second = {"more": {"b": cut, "a": {"d": 2, "c": 1}}, "f": cut}
    assert stable_hash([cut, first]) == stable_hash([cut, second])


SWAPPED = [
    ({"tight": 60, "loose": 20}, {"loose": 20, "tight": 60}),
    ({"cuts": {"tight": 60, "loose": 20}}, {"cuts": {"loose": 20, "tight": 60}}),
    ({"a": [{"tight": 60, "loose": 20}]}, {"a": [{"loose": 20, "tight": 60}]}),
]


@pytest.mark.parametrize(("one", "other"), SWAPPED)
def test_the_order_of_what_functions_are_handed_counts(one, other):
    assert stable_hash(one) == stable_hash(other)
    assert stable_hash(AsRead(one)) != stable_hash(AsRead(other))
    assert stable_hash(AsRead(one)) == stable_hash(AsRead(copy.deepcopy(one)))
    # In a key as elsewhere, and only there: what stands beside it keeps no order.
    keys = [make_key("skim", kwargs={"f": AsRead(value)}, spec=value) for value in (one, other)]
    assert changed_parts(*keys) == ["kwargs"]


@pytest.mark.parametrize(("one", "other"), SWAPPED)
def test_the_order_of_the_arguments_of_a_skim_counts(tmp_path, one, other):
    def digest(kwargs):
        config = tiny_config(tmp_path, [{"name": "mc", "files": ["a"], "cross_section": 1.0}])
        config["preprocess"]["skimming"]["static_kwargs"] = kwargs
        branches = config["preprocess"]["branches"]
        config["preprocess"]["branches"] = dict(reversed(branches.items()))
        spec = SkimSpec.from_config(config)
        key = spec.key(spec.datasets["mc__nominal"])
        config["preprocess"]["branches"] = branches
        again = SkimSpec.from_config(config)
        assert again.key(again.datasets["mc__nominal"]) == key  # a section keeps no order
        return key

    assert changed_parts(digest(one), digest(other)) == ["static_kwargs"]


@pytest.mark.parametrize(("one", "other"), SWAPPED)
def test_the_order_inside_an_attribute_of_an_analysis_counts(tmp_path, one, other):
    config = tiny_config(tmp_path, [{"name": "mc", "files": ["a"], "cross_section": 1.0}])

    def keys(first, second):
        found = Analysis(config, {}, manager_of(config))
        for name in (first, second):
            setattr(found, name, {"cuts": one, "other": 1}[name])
        same = filling_keys(found, [])["SR"]
        found.cuts = other
        return same, filling_keys(found, [])["SR"]

    before, after = keys("cuts", "other")
    assert changed_parts(before, after) == ["attributes"]
    assert keys("other", "cuts")[0] == before  # which attribute was set first is nothing to see


ATTRIBUTES = {
    "default_factory": (
        ("import collections\nD = collections.defaultdict(lambda: 2)\ndef f(x): return D[x]\n"),
        ("lambda: 2", "lambda: 3"),
    ),
    "kind of default_factory": (
        "import collections\nD = collections.defaultdict(int)\ndef f(x): return D[x]\n",
        ("(int)", "(float)"),
    ),
    "list": (
        "class L(list): pass\nD = L([1])\nD.cut = 1\ndef f(x): return x > D.cut\n",
        ("cut = 1", "cut = 2"),
    ),
    "dict": (
        ("class L(dict): pass\nD = L(a=1)\nD.cut = {'a': 1, 'b': 2}\ndef f(x): return D.cut\n"),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ),
    "dict with slots": (
        ("class L(dict):\n    __slots__ = ('cut',)\nD = L(a=1)\nD.cut = 1\ndef f(): return D\n"),
        ("cut = 1", "cut = 2"),
    ),
    "OrderedDict": (
        (
            "import collections\nD = collections.OrderedDict(a=1)\nD.cut = 1\n"
            "def f(): return D.cut\n"
        ),
        ("cut = 1", "cut = 2"),
    ),
    "a mapping by hand": (
        (
            "import collections.abc\nclass M(collections.abc.Mapping):\n    cut = 0\n"
            "    def __len__(self): return 0\n    def __iter__(self): return iter(())\n"
            "    def __getitem__(self, key): return self.cut\nD = M()\nD.cut = 1\n"
            "def f(): return D['a']\n"
        ),
        ("D.cut = 1", "D.cut = 2"),
    ),
    "array": (
        (
            "import numpy as np\nclass A(np.ndarray): pass\nD = np.arange(3.0).view(A)\n"
            "D.cut = 1\ndef f(x): return x > D.cut\n"
        ),
        ("cut = 1", "cut = 2"),
    ),
    "scalar": (
        (
            "import numpy as np\nclass A(np.float64): pass\nD = A(1.0)\nD.cut = 1\n"
            "def f(x): return x > D.cut\n"
        ),
        ("cut = 1", "cut = 2"),
    ),
    "masked array of a class": (
        (
            "import numpy as np\nclass A(np.ma.MaskedArray): pass\nD = A([1, 2])\nD.cut = 1\n"
            "def f(x): return x > D.cut\n"
        ),
        ("cut = 1", "cut = 2"),
    ),
    "metaclass": (
        (
            "class M(type):\n    @property\n    def CUT(cls): return 1\n"
            "class C(metaclass=M): pass\ndef f(x): return x > C.CUT\n"
        ),
        ("return 1", "return 2"),
    ),
    "metaclass of a base": (
        (
            "class M(type):\n    def __len__(cls): return 1\nclass B(metaclass=M): pass\n"
            "class C(B): pass\ndef f(): return len(C)\n"
        ),
        ("return 1", "return 2"),
    ),
}


@pytest.mark.parametrize(("text", "edit"), ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_what_a_value_has_beside_its_entries_counts(load, text, edit):
    before = digests(load(text).f)
    assert digests(load("# moved\n" + text).f) == before
    assert edit[0] in text
    after = digests(load(text.replace(*edit)).f)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_masks_fill_values_and_classes_of_arrays_count():
    values = [
        np.array([10, 50]),
        np.ma.array([10, 50]),
        np.ma.array([10, 50], mask=[0, 0]),
        np.ma.array([10, 50], mask=[1, 0]),
        np.ma.array([10, 50], mask=[0, 1]),
        np.ma.array([10, 51], mask=[0, 1]),
        np.ma.array([10, 50], mask=[0, 1], fill_value=7),
        np.ma.array([10, 50], mask=[0, 1], hard_mask=True),
        np.array([10, 50]).view(np.recarray),
        np.ma.masked,
    ]
    assert len({stable_hash(value) for value in values}) == len(values)


def test_use_of_a_masked_array_does_not_change_its_hash():
    array = np.ma.array([10, 50], mask=[0, 1])
    twin = np.ma.array([10, 50], mask=[0, 1])
    before = stable_hash(array)
    assert array.filled()[0] == 10
    assert array[1:].sum() is np.ma.masked
    assert stable_hash(array) == before == stable_hash(twin)


def test_a_file_in_memory_counts_with_its_content(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    first = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert isinstance(first, np.memmap)
    assert stable_hash(first) == stable_hash(np.arange(3))


def test_a_dict_that_is_its_own_attributes_and_one_that_holds_itself():
    class Open(dict):
        def __init__(self, **entries):
            super().__init__(**entries)
            self.__dict__ = self

    assert stable_hash(Open(a=1)) == stable_hash(Open(a=1)) != stable_hash(Open(a=2))
    loop, twin = collections.OrderedDict(a=1), collections.OrderedDict(a=1)
    loop.me, twin.me = loop, twin
    assert stable_hash(loop) == stable_hash(twin)


UNSEEN = {
    "def f(x): return x + globals()['P']": "globals",
    "def f(x): return eval('x + P')": "eval",
    "def f(x):\n    exec('y = P')": "exec",
    "def f(x): return __import__('my_reach').P": "__import__",
    "def f(x): return open('P').read()": "open",
    "import io\ndef f(x): return io.open('P').read()": "open",
    "import sys\ndef f(x): return sys.modules[__name__].P": "sys.modules",
    "import os\ndef f(x): return os.environ['P']": "os.environ",
    "import os\nclass C:\n    def f(self): return (lambda: os.getenv('P'))()\nf = C.f": "os.getenv",
    "from os import getenv as read\ndef f(x): return read('P')": "os.getenv",
    "def f(x):\n    import os\n    return os.environ['P']": "os.environ",
    "def f(x):\n    from os import environ\n    return environ['P']": "os.environ",
    "import importlib\ndef f(x): return importlib.import_module('m').P": "importlib.import_module",
}


@pytest.mark.parametrize(("text", "name"), UNSEEN.items())
def test_what_cannot_be_followed_is_told_once(load, caplog, text, name):
    function = load(text + "\n").f
    with caplog.at_level(logging.WARNING, logger="hepflow.keys"):
        digests(function)
        digests(function)
    (message,) = (record.getMessage() for record in caplog.records)
    place = f"my_reach.{function.__qualname__}"
    assert message == (
        f"{place} uses {name}: what {place} reads that way is not part of its key; "
        "set general.read_from_cache to False after a change of it"
    )


def test_names_that_only_look_like_it_are_not_told(load, caplog):
    text = (
        "import os\nfrom os import path\ndef open(x): return x\nclass A:\n    environ = {}\n"
        "def f(x, eval=1):\n    import os.path\n"
        "    return open(x), os.path.join('a'), path.join('b'), A.environ, eval\n"
    )
    with caplog.at_level(logging.WARNING, logger="hepflow.keys"):
        digests(load(text).f)
    # The class is read by name, but the function imports os and something is an `environ`.
    assert [r.getMessage().split(":")[0] for r in caplog.records] == ["my_reach.f uses os.environ"]
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="hepflow.keys"):
        digests(load(text.replace("    import os.path\n", "")).f)
    assert not caplog.records


def test_an_environment_that_a_function_holds_counts(load, monkeypatch):
    text = "from os import environ\ndef f(): return environ['MY_REACH']\n"
    monkeypatch.setitem(os.environ, "MY_REACH", "1")
    before = digests(load(text).f)
    monkeypatch.setitem(os.environ, "MY_REACH", "2")
    after = digests(load(text).f)
    assert before[0] != after[0]
    assert before[1] != after[1]
