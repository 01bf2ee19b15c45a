"""Labels of parameters are those of parameters that the fit has."""

import pytest

from tests.unit.schema.examples import problems_in, put, valid


def problems(labels, **values):
    config = valid()
    put(config, "plotting", {"parameter_labels": labels})
    for path, value in values.items():
        put(config, path, value)
    return [(path, str(one)) for path, one in problems_in(config).items()]


def test_a_label_of_an_unknown_parameter():
    (name,) = (one["name"] for one in valid()["statistics"]["norm_factors"][:1])
    ((path, message),) = problems({name: "$a$", f"{name}x": "$b$"})
    assert path == f"plotting.parameter_labels.{name}x"
    assert "the fit has no parameter or group" in message
    assert f"Did you mean {name!r}?" in message


def test_sources_their_years_and_groups_have_labels():
    source = {"name": "lumi", "type": "normalisation", "size": 0.02, "group": "luminosity"}
    systematics = [source]
    assert problems({"lumi": "L", "luminosity": "all L"}, systematics=systematics) == []
    assert problems({"lumi_2016": "L"}, systematics=systematics) != []


@pytest.mark.parametrize("own", [True, False])
def test_a_model_of_the_users_own_may_have_any(own):
    more = {"statistics": {"cabinetry_config": "own.yaml"}} if own else {}
    found = [path for path, _ in problems({"anything": "$x$"}, **more)]
    assert ("plotting.parameter_labels.anything" in found) is not own
