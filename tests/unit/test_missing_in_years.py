"""A correction that some years have and others have not is told, by a run and by its plan."""

from __future__ import annotations

import pytest

from hepflow.datasets import expand_datasets
from hepflow.pipeline import run
from hepflow.planning import forecast
from hepflow.schema import Config
from hepflow.sources import missing_in_years
from tests.fields.corrections import by_function, jets
from tests.fields.project import make_config, one_more, two_years

TOLD = (
    "corrections.2017: nothing named 'sf', which corrections has for 2016. Events of 2017 go "
    "without it."
)


def named(*names, **fields):
    return [by_function(one_more, name=name, **fields) for name in names]


def config_of(folder, first, second):
    """Configuration of two years with their corrections."""
    datasets, lumi = two_years(folder)
    corrections = {"2016": first, "2017": second}
    return make_config(folder, datasets["datasets"], general=lumi, corrections=corrections)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (named("sf", "pu"), named("pu"), (TOLD,)),
        (named("sf_2016", "pu"), named("2017_sf", "pu"), ()),  # the year does not count
        (named("sf"), [], ()),  # it says so itself
        (named("sf", applies_to=["mc_2016"]) + named("pu"), named("pu"), ()),  # not in 2017
        (named("sf", applies_to=["mc"]) + named("pu"), named("pu"), (TOLD,)),
        (named("sf"), [jets(one_more)], (TOLD, "corrections.2016: nothing named 'jes', which")),
    ],
    ids=["missing", "year in the name", "none", "one year's own", "process", "each"],
)
def test_what_a_year_lacks(tmp_path, first, second, told):
    config = Config.of(config_of(tmp_path, first, second))
    found = sorted(missing_in_years(config, expand_datasets(config)), reverse=True)
    assert len(found) == len(told)
    for one, start in zip(found, told, strict=True):
        assert one.startswith(start)


def test_one_list_for_all_years_lacks_nothing(tmp_path):
    config = Config.of({**config_of(tmp_path, [], []), "corrections": named("sf")})
    assert missing_in_years(config, expand_datasets(config)) == ()


def test_plan_and_run_tell_it(tmp_path, caplog):
    config = config_of(tmp_path, named("sf", "pu"), named("pu"))
    assert forecast(config).notes[-1] == TOLD
    run(config)
    assert caplog.text.count(TOLD) == 1
