"""Profile: who a person was known to be."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DAYS, NO_UNIT, PEOPLE, Feature, FeatureType

_PROFILE_LABELS = {
    "industry": Label(ja="業種", en="industry"),
    "prefecture": Label(ja="都道府県", en="prefecture"),
    "city": Label(ja="市区町村", en="city"),
    "town": Label(ja="町名", en="town"),
    "lead_source": Label(ja="リードの獲得経路", en="lead source"),
    "lead_status": Label(ja="リードの状況", en="lead status"),
    "country": Label(ja="国", en="country"),
    "rank": Label(ja="役職", en="rank"),
    "department": Label(ja="部門", en="department"),
}


def profile_features(settings: Settings) -> Iterator[Feature]:
    """The configured fields, and how much is known of a person."""

    def feature(name: str, kind: FeatureType, label: Label, unit: Label = NO_UNIT, **more: str) -> Feature:
        return Feature(name, "profile", kind, "value", name, label, "fit", label, unit, source=more.get("source"))

    for name in dict.fromkeys((*settings.features.profile_fields, "rank", "department")):
        yield feature(name, "category", _PROFILE_LABELS.get(name, Label(ja=name, en=name)), source=name)
    yield feature(
        "mail_kind", "category", Label(ja="メールアドレスの種類", en="kind of mail address"), source="mail_kind"
    )
    yield feature("marketing_consent", "category", Label(ja="メール配信の許諾", en="marketing consent"))
    yield feature("employees", "float", Label(ja="従業員数", en="employees"), PEOPLE, source="employees")
    yield feature("annual_revenue", "float", Label(ja="売上高", en="annual revenue"), source="annual_revenue")
    yield feature("filled_fields", "int", Label(ja="登録済みの項目数", en="profile fields filled in"))
    yield feature("records", "int", Label(ja="登録されたレコード数", en="records in our systems"))
    yield feature("devices", "int", Label(ja="閲覧に使った端末の数", en="browsers used"))
    yield feature("days_since_first_seen", "float", Label(ja="初めて接点を持ってからの日数", en="days known"), DAYS)
