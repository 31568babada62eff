"""Which views each service reads, and the contract that a model has with its service."""

from dataclasses import dataclass

from core.errors import ContractError
from core.model_settings import ModelName
from core.settings import Settings
from core.source_settings import Label
from core.storage import fingerprint
from features.catalog.feature import Feature, ViewName
from features.catalog.listing import VIEWS, feature_catalog

# Which views each service reads; a view without features in a configuration is left out.
SERVICES: dict[str, tuple[ViewName, ...]] = {
    "lead_v1": ("profile", "engagement", "intent", "deal", "purchase", "support", "warmth", "account", "custom"),
    "churn_v1": (
        *("profile", "engagement", "intent", "contract", "usage", "purchase", "support", "warmth", "value"),
        *("account", "custom"),
    ),
    "revival_v1": ("profile", "engagement", "intent", "deal", "purchase", "support", "warmth", "account", "custom"),
    "lookalike_v1": ("engagement", "intent"),
}
SERVICE_NOTES = {
    "lead_v1": Label(ja="受注するのはだれか", en="Who will be won"),
    "churn_v1": Label(ja="離れそうなのはだれか", en="Who is about to leave"),
    "revival_v1": Label(ja="失注した商談が戻ってくるのはだれか", en="Whose lost deal is coming back"),
    "lookalike_v1": Label(ja="お客様に似ているのはだれか", en="Who behaves as customers did before they were won"),
}
# Anonymous visitors and known people are compared by what both can have done: signals made of these event types alone.
SHARED_TYPES = ("web_visit",)
SHARED_SERVICES = ("lookalike_v1",)
# Done to a person rather than by them: counted as a signal of its own, never as activity.
PASSIVE_TYPES = (
    "email_sent",
    "email_delivered",
    "email_bounced",
    "email_soft_bounced",
    "campaign_sent",
    "task",
    "support_solved",
    "unsubscribe",
)
HEAT_HALF_LIFE_DAYS = 7


@dataclass(frozen=True)
class ServiceSchema:
    """What a model reads: the features of a service in their order, and a fingerprint of their meaning."""

    service: str
    features: tuple[Feature, ...]
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in schema order."""
        return tuple(feature.name for feature in self.features)


def service_of(model: ModelName) -> str:
    """The feature service that a model reads.

    >>> service_of("lead")
    'lead_v1'
    """
    return f"{model}_v1"


def used_services(settings: Settings) -> tuple[str, ...]:
    """The services of the configured models."""
    return tuple(service_of(model) for model in settings.models.names)


def used_views(settings: Settings) -> tuple[ViewName, ...]:
    """The views that any configured model reads under this configuration."""
    read = {feature.view for service in used_services(settings) for feature in _read_by(settings, service)}
    return tuple(view for view in VIEWS if view in read)


def service_schema(settings: Settings, service: str) -> ServiceSchema:
    """The contract of a service.

    The fingerprint changes whenever a name, a type, a view, a window or the definition of a signal does; a model that
    was trained under another fingerprint must not be used.

    Raises:
        ContractError: there is no such service.
    """
    if service not in SERVICES:
        raise ContractError(f"there is no feature service {service!r}", ", ".join(SERVICES), "train the model again")
    features = _read_by(settings, service)
    parts = [service, settings.timezone, HEAT_HALF_LIFE_DAYS, *PASSIVE_TYPES]
    for feature in features:
        parts += [feature.name, feature.type, feature.view, feature.measure, feature.window_days, feature.against_days]
        parts += [feature.signal, feature.definition, feature.source, feature.custom_type]
    return ServiceSchema(service, features, fingerprint(*parts))


def _read_by(settings: Settings, service: str) -> tuple[Feature, ...]:
    features = tuple(feature for feature in feature_catalog(settings) if feature.view in SERVICES[service])
    if service not in SHARED_SERVICES:
        return features
    signals = settings.features.signals.items()
    shared = {name for name, signal in signals if signal.type and set(signal.type) <= set(SHARED_TYPES)}
    return tuple(feature for feature in features if feature.signal in shared)
