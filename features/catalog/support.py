"""Support: how often somebody asks for help, and what is unsettled."""

from collections.abc import Iterator

from core.settings import Settings
from core.source_settings import Label
from features.catalog.feature import DAYS, REQUESTS, Feature, wide_windows


def support_features(settings: Settings) -> Iterator[Feature]:
    """What is open is a feature only where events tell when a request was settled."""
    subject = Label(ja="問い合わせ", en="requests for help")

    def feature(name: str, label: Label, meaning: Label, *, window: int | None = None, count: bool = False) -> Feature:
        return Feature(
            name,
            "support",
            "int" if count else "float",
            "count" if count else "value",
            "support",
            subject,
            "engagement",
            label,
            REQUESTS if count else DAYS,
            window,
            meaning=meaning,
        )

    asked = Label(ja="問い合わせ", en="requests for help")
    for days in dict.fromkeys((wide_windows(settings)[0], settings.features.windows_days[-1])):
        yield feature(
            f"support_tickets_{days}d",
            asked,
            Label(ja="support_ticket の件数", en="Requests (support_ticket)"),
            window=days,
            count=True,
        )
    yield feature(
        "support_days_since",
        Label(ja="最後の問い合わせからの日数", en="days since the last request for help"),
        Label(ja="最後の support_ticket からの日数", en="Days since the last support_ticket"),
    )
    if not settings.features.support.solved:
        return
    yield feature(
        "support_open",
        Label(ja="未解決の問い合わせ", en="unsettled requests"),
        Label(ja="support_solved のない問い合わせ", en="Requests without a support_solved"),
        count=True,
    )
    yield feature(
        "support_open_days",
        Label(ja="未解決の問い合わせの経過日数", en="age of the oldest unsettled request"),
        Label(ja="最も古い未解決の問い合わせからの日数", en="Days since the oldest request without a support_solved"),
    )
    yield feature(
        "support_solving_days",
        Label(ja="解決までの平均日数", en="time until requests were settled"),
        Label(ja="解決した問い合わせの、受付から解決までの平均", en="Mean time from request to settlement"),
    )
