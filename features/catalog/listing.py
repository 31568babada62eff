"""All features of a configuration, view by view."""

import re
from collections import Counter
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import get_args

from core.errors import ConfigurationError, Fault, raise_faults
from core.settings import Settings
from features.catalog.account import account_features
from features.catalog.contract import contract_features
from features.catalog.custom import custom_features
from features.catalog.deal import deal_features
from features.catalog.engagement import engagement_features
from features.catalog.feature import Feature, ViewName
from features.catalog.profile import profile_features
from features.catalog.purchase import purchase_features
from features.catalog.signals import signal_features
from features.catalog.support import support_features
from features.catalog.usage import usage_features
from features.catalog.value import value_features
from features.catalog.warmth import warmth_features

VIEWS: tuple[ViewName, ...] = get_args(ViewName)
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*")


def row_marker(view: str) -> str:
    """The column of a view that holds the row's own as-of (microseconds since 1970 UTC): proof of which row was served.

    It is never null, so that a row of blanks is still a row, and no model reads it.
    """
    return f"{view}_row_as_of"


def feature_catalog(settings: Settings) -> tuple[Feature, ...]:
    """All features of a configuration, view by view, in a fixed order.

    Raises:
        ConfigurationError: two features would get the same name, or a custom field has two types.
    """
    features = (
        *profile_features(settings),
        *engagement_features(settings),
        *signal_features(settings, "intent"),
        *deal_features(),
        *contract_features(),
        *usage_features(settings),
        *purchase_features(settings),
        *support_features(settings),
        *warmth_features(settings),
        *value_features(settings),
        *account_features(settings),
        *custom_features(settings),
    )
    names = Counter(feature.name for feature in features)
    faults = [Fault(name, "is the name of two features") for name, count in names.items() if count > 1]
    faults += [Fault(name, "is no plain snake_case name") for name in names if not _PLAIN_NAME.fullmatch(name)]
    raise_faults(ConfigurationError, "the configuration", faults, "rename the signal, profile field or custom field")
    hidden = settings.reasons.hidden
    return tuple(replace(feature, spoken=not _is_named(feature, hidden)) for feature in features)


def _is_named(feature: Feature, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern names the feature, its subject, its signal or its field."""
    names = [name for name in (feature.name, feature.subject, feature.signal, feature.source) if name]
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def view_features(settings: Settings, view: str) -> tuple[Feature, ...]:
    """The features of one view."""
    return tuple(feature for feature in feature_catalog(settings) if feature.view == view)
