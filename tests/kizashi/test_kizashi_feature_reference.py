import re
from typing import get_args

from core.settings import load_settings
from features.catalog import Measure, feature_catalog
from kizashi.feature_reference import _MEASURES, CONFIGURATION, PAGE, features_page


def test_the_dictionary_is_what_the_catalogue_says() -> None:
    expected = features_page(load_settings(CONFIGURATION))
    assert PAGE.read_text(encoding="utf-8") == expected, "run `python -m kizashi.feature_reference`"


def test_every_feature_stands_in_the_dictionary_once() -> None:
    named = []
    for name in re.findall(r"^\| `([a-z0-9_{},]+)` \| (?:int|float|category) ", PAGE.read_text(encoding="utf-8"), re.M):
        windows = re.search(r"{([\d,]+)}", name)
        named += [name.replace(windows[0], days) for days in windows[1].split(",")] if windows else [name]
    assert sorted(named) == sorted(feature.name for feature in feature_catalog(load_settings(CONFIGURATION)))


def test_every_measure_is_explained() -> None:
    assert set(_MEASURES) == set(get_args(Measure))
