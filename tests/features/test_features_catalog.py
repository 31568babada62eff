"""The list of features and the contract made of it."""

import subprocess
import sys
from collections import Counter

import pytest

from core.errors import ConfigurationError, ContractError
from core.feature_settings import FeatureSettings, SignalSettings, default_signals
from core.source_settings import CustomField, Label
from features import feature_catalog, service_schema
from features.build import QUERIES
from features.catalog import VIEWS, used_views
from features.views.event_measures import EVENT_MEASURES


def with_features(settings, **changes):
    return settings.model_copy(update={"features": settings.features.model_copy(update=changes)})


def with_custom(settings, **custom):
    people = settings.sources[0].people.model_copy(update={"custom": custom})
    source = settings.sources[0].model_copy(update={"people": people})
    return settings.model_copy(update={"sources": (source,)})


def test_names_are_unique_and_every_feature_can_be_said_aloud(feature_settings):
    features = feature_catalog(feature_settings)
    assert Counter(f.name for f in features).most_common(1)[0][1] == 1
    assert {f.view for f in features} == set(VIEWS)
    assert {f.view for f in features} == set(VIEWS) > set(QUERIES)
    assert {f.measure for f in features if f.view not in QUERIES} <= EVENT_MEASURES
    for feature in features:
        for label in (feature.label, feature.subject_label):
            assert label.ja
            assert label.en
        assert feature.kind == ("fit" if feature.view in ("profile", "contract", "value", "custom") else "engagement")


def test_a_group_for_reasons_has_one_label_and_kind(feature_settings):
    groups = {}
    for feature in feature_catalog(feature_settings):
        groups.setdefault(feature.subject, set()).add(
            (feature.subject_label.ja, feature.subject_label.en, feature.kind)
        )
    assert {subject for subject, labels in groups.items() if len(labels) > 1} == set()


def test_windows_signals_and_fields_come_from_the_settings(feature_settings):
    signal = SignalSettings(label=Label(ja="見積", en="quotes"), type=("quote",))
    settings = with_features(
        feature_settings, windows_days=(2, 14), signals={"quote": signal}, profile_fields=("country",)
    )
    names = {feature.name: feature for feature in feature_catalog(settings)}
    assert {"quote_count_2d", "quote_count_14d", "quote_days_since", "country", "momentum_2d_14d"} <= names.keys()
    assert not {"industry", "pricing_page_count_7d", "email_open_rate_14d"} & names.keys()
    assert names["quote_count_14d"].label == signal.label
    assert names["quote_count_14d"].window_days == 14
    assert set(VIEWS) - set(used_views(with_custom(settings))) == {"intent", "custom"}


def test_faulty_names_are_refused_together(feature_settings):
    signal = SignalSettings(label=Label(ja="x", en="x"), type=("x",))
    with pytest.raises(ConfigurationError, match=r"Bad name_count_1d.*") as refused:
        feature_catalog(with_features(feature_settings, signals={"Bad name": signal, "events": signal}))
    assert "events_count_1d: is the name of two features" in refused.value.sentence
    with pytest.raises(ConfigurationError, match="Latin letters"):
        feature_catalog(with_custom(feature_settings, 予算=CustomField(column="b", type="number")))


def test_a_custom_field_has_one_type(feature_settings):
    source = feature_settings.sources[0]
    people = source.people.model_copy(update={"custom": {"plan": CustomField(column="p", type="number")}})
    other = source.model_copy(update={"name": "other", "people": people})
    with pytest.raises(ConfigurationError, match="is category in one source and number in another"):
        feature_catalog(feature_settings.model_copy(update={"sources": (source, other)}))


def test_the_fingerprint_follows_the_meaning(feature_settings):
    base = service_schema(feature_settings, "lead_v1")
    assert base == service_schema(feature_settings.model_copy(), "lead_v1")
    signals = default_signals()
    relabelled = signals["pricing_page"].model_copy(update={"label": Label(ja="価格", en="prices")})
    redefined = signals["pricing_page"].model_copy(update={"url": ("*price*",)})
    same = with_features(feature_settings, signals={**signals, "pricing_page": relabelled})
    assert service_schema(same, "lead_v1").fingerprint == base.fingerprint
    changes = [
        with_features(feature_settings, signals={**signals, "pricing_page": redefined}),
        with_features(feature_settings, windows_days=(1, 7, 31)),
        with_features(feature_settings, profile_fields=("industry",)),
        with_custom(feature_settings, plan=CustomField(column="p", type="number")),
        feature_settings.model_copy(update={"timezone": "UTC"}),
    ]
    found = {service_schema(changed, "lead_v1").fingerprint for changed in changes}
    assert len(found | {base.fingerprint}) == len(changes) + 1


def test_unknown_services_are_refused(feature_settings):
    with pytest.raises(ContractError, match="no feature service 'lead_v0'; expected lead_v1"):
        service_schema(feature_settings, "lead_v0")


def test_the_catalogue_is_light():
    heavy = "feast pandas.core duckdb lightgbm mlflow sklearn"
    script = f"import sys, features.catalog; print([m for m in {heavy.split()!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['duckdb']"


def test_the_default_settings_have_about_200_features(feature_settings):
    settings = feature_settings.model_copy(update={"features": FeatureSettings()})
    assert 170 <= len(feature_catalog(settings)) <= 210
