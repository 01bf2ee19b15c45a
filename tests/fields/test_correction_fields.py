"""Fields of the corrections: each one changes a weight or an object as it says."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.errors import CorrectionError
from tests.builders import scale_node, write_corrections
from tests.fields.corrections import (
    CONTENT,
    EDGES,
    NODES,
    NOMINAL,
    UP,
    by_function,
    jets,
    run_of,
    weight,
)
from tests.fields.project import (
    MC,
    inputs,
    simulation,
    values,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Scale factors in two bins of `x`: `sf`, `other`, and `short`, which ends at 3."""
    return write_corrections(tmp_path_factory.mktemp("corrections") / "sf.json", *NODES)


@pytest.fixture
def run(tmp_path):
    """Histograms with these corrections."""
    return run_of(tmp_path)


# -- where the value comes from ----------------------------------------------------------


@pytest.mark.field(
    "corrections[].file", "corrections[].key", "corrections[].nominal_idx",
    "corrections[].use_correctionlib", "corrections[].nominal_function",
)  # fmt: skip
def test_the_value_is_that_of_the_file_or_of_the_function(run, file, tmp_path):
    assert values(run()) == MC
    assert values(run(weight(file))) == NOMINAL
    assert values(run(weight(file, key="other"))) == [9.0, 6.0, 3.0, 6.0]
    assert values(run(weight(file, nominal_idx="up"))) == UP
    values_of = {"nominal": [5.0, 5.0]}
    new = write_corrections(tmp_path / "n.json", scale_node("sf", "x", EDGES, values_of, "error"))
    assert values(run(weight(new))) == [15.0, 10.0, 5.0, 10.0]
    assert values(run(by_function(lambda x: x * 0 + 2.0))) == [6.0, 4.0, 2.0, 4.0]
    assert values(run(by_function(lambda x: 1.0 + (x > 2.0)))) == NOMINAL


@pytest.mark.field("corrections[].use", "corrections[].transform_in", "corrections[].transform_out")
def test_columns_go_in_and_values_come_out_transformed(run, file):
    assert values(run(weight(file, transform=lambda x: 3.9 - x))) == [6.0, 4.0, 1.0, 2.0]
    met = {"use": [("MET", "pt")], "transform_in": lambda met: met / 25.0}
    assert values(run(weight(file, **met))) == [3.0, 3.0, 2.0, 4.0]
    assert values(run(weight(file, transform_out=lambda w: w * w))) == [3.0, 2.0, 4.0, 8.0]
    both = run(weight(file, transform_out=np.sqrt, up_and_down_idx=("up", "down")))
    assert values(both, "sf_up") == pytest.approx(np.sqrt(1.1 * np.array(NOMINAL) * MC))


def test_the_transformation_acts_on_the_varied_value_too(run, file):
    found = run(weight(file, transform_out=lambda w: w + 1.0, up_and_down_idx=("up", "down")))
    assert values(found) == [6.0, 4.0, 3.0, 6.0]
    assert values(found, "sf_up") == [6.3, 4.2, 3.2, 6.4]


@pytest.mark.field("corrections[].args")
def test_inputs_stand_in_the_order_of_the_file(run, tmp_path):
    node = scale_node("sf", "x", EDGES, CONTENT, "error")
    node["inputs"] = [
        {"name": "flavour", "type": "string"}, {"name": "systematic", "type": "string"},
        {"name": "x", "type": "real"}, {"name": "factor", "type": "real"},
    ]  # fmt: skip
    bins = [
        {"nodetype": "formula", "expression": f"{value}*x", "parser": "TFormula",
         "variables": ["factor"]}
        for value in (1, 2)
    ]  # fmt: skip
    content = node["data"]["content"][0]["value"]
    node["data"]["content"] = [
        {"key": key, "value": {**content, "content": rows}}
        for key, rows in (("nominal", bins), ("up", [4.0, 4.0]), ("down", [3.0, 3.0]))
    ]
    file = write_corrections(tmp_path / "ordered.json", node)
    one = weight(file, up_and_down_idx=("up", "down"))
    del one["use"]
    for factor in (1.0, 3.0):
        found = run({**one, "args": ["b", "systematic", ("event", "x"), factor]})
        assert values(found) == [factor * value for value in NOMINAL]
        assert values(found, "sf_up") == [4 * value for value in MC]
        assert values(found, "sf_down") == [3 * value for value in MC]
    turned = {**one, "args": ["b", "systematic", ("event", "x"), 1.0],
              "transform_in": lambda x: 3.9 - x}  # fmt: skip
    assert values(run(turned)) == [6.0, 4.0, 1.0, 2.0]
    with pytest.raises(CorrectionError):
        run({**one, "args": ["systematic", "b", ("event", "x"), 1.0]})


@pytest.mark.field("corrections[].out_of_range")
def test_inputs_beyond_the_domain(run, file):
    with pytest.raises(CorrectionError, match=r"'short'.*3\.5"):
        run(weight(file, key="short"))
    assert values(run(weight(file, key="short", out_of_range="clamp"))) == NOMINAL
    assert values(run(weight(file, key="short", out_of_range="one"))) == [3.0, 2.0, 2.0, 2.0]


@pytest.mark.field("corrections[].reduce")
def test_values_of_objects_become_one_of_the_event(run):
    one = by_function(lambda pt: pt * 0 + 2.0, use=[("Jet", "pt")])
    assert values(run(one)) == [10.0, 4.0, 4.0, 3.0]  # 2 to the power of jets
    assert values(run({**one, "reduce": "sum"})) == [10.0, 4.0, 4.0, 2.0]  # 2 times jets


@pytest.mark.field("corrections[].applies_to")
def test_a_correction_acts_on_some_processes(run, file, tmp_path):
    here = inputs(tmp_path / "in")
    datasets = {"datasets": [simulation(here), {**simulation(here), "name": "tt"}]}
    one = weight(file, up_and_down_idx=("up", "down"))
    found = run(one, datasets=datasets)
    assert values(found) == values(found, process="tt") == NOMINAL
    found = run({**one, "applies_to": ["tt"]}, datasets=datasets)
    assert (values(found), values(found, process="tt")) == (MC, NOMINAL)
    assert values(found, "sf_up") == MC  # reads as nominal
    assert values(found, "sf_up", "tt") == UP


# -- what it acts on ---------------------------------------------------------------------


@pytest.mark.field("corrections[].type", "corrections[].target")
def test_a_correction_acts_on_the_weight_or_on_a_column(run):
    found = run(by_function(lambda x: x * 0 + 2.0))
    assert values(found) == [6.0, 4.0, 2.0, 4.0]
    column = by_function(lambda x: x * 0 + 0.5, type="object", target=("MET", "pt"))
    found = run(column)
    assert values(found) == MC
    assert values(found, name="met") == [7.0, 1.0]
    found = run({**column, "use": [("Jet", "pt")], "target": ("Jet", "pt")})
    assert values(found, name="met") == [3.0, 4.0]
    assert values(found, name="pt") == [5.0, 5.0, 0.0, 0.0]


@pytest.mark.field("corrections[].op")
def test_the_value_multiplies_adds_or_subtracts(run):
    def moved(op):
        found = run(jets(lambda pt: pt * 0 + 2.0, op=op, scale_mass=False))
        return values(found, name="pt")

    assert moved("mult") == [0.0, 0.0, 3.0, 2.0]  # 60 60 80 | 100 100, and five beyond
    assert moved("add") == [0.0, 5.0, 3.0, 2.0]  # 32 32 42 52 52 | 62 72 82 | 92 102
    assert moved("subtract") == [2.0, 4.0, 3.0, 1.0]  # 28 28 | 38 48 48 58 | 68 78 88 | 98


@pytest.mark.field("corrections[].scale_mass")
def test_the_mass_follows_the_pt_unless_it_shall_not(run):
    assert values(run(), name="mass") == [0.0, 5.0, 3.0, 2.0]
    assert values(run(jets(lambda pt: pt * 0 + 0.5)), name="mass") == [5.0, 5.0, 0.0, 0.0]
    kept = run(jets(lambda pt: pt * 0 + 0.5, scale_mass=False))
    assert values(kept, name="mass") == [0.0, 5.0, 3.0, 2.0]


@pytest.mark.field("corrections[].propagate_to_met")
def test_the_change_of_the_objects_is_taken_off_the_missing_momentum(run):
    shift = jets(lambda pt: pt * 0 - 10.0, op="add")
    assert values(run(shift), name="met") == [3.0, 4.0]
    found = run({**shift, "propagate_to_met": "MET"})
    assert values(found, name="met") == [2.0, 4.0]  # 30 30 | 50 50 60 70, and 80 90 beyond
