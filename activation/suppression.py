"""Why sales is not told about a lead although it turned hot."""

from datetime import datetime
from typing import Literal

from activation.crossing import is_cooling_down
from activation.people import Person
from core.activation_settings import AlertSettings

Reason = Literal["forgotten", "no_profiling", "opted_out", "excluded", "in_talks", "cool_down"]


def suppression(
    rules: AlertSettings, person: Person | None, last_alert_at: datetime | None, now: datetime
) -> Reason | None:
    """The first reason that holds, or None: then the alert is raised.

    Args:
        rules: which reasons are in force; refused profiling always is.
        person: None when the unified tables no longer hold the person.
        last_alert_at: when sales was last told about the person.
        now: the present moment.
    """
    if person is None:
        return "forgotten"
    if not person.profiling:
        return "no_profiling"
    if rules.marketing == "not_refused" and person.opted_out:
        return "opted_out"
    if rules.marketing == "granted" and not person.marketing:
        return "opted_out"
    if person.mail_domain and person.mail_domain in rules.excluded_mail_domains:
        return "excluded"
    if (rules.in_talks != "ignore" and person.talks) or (rules.in_talks == "account" and person.account_talks):
        return "in_talks"
    if is_cooling_down(last_alert_at, now, rules.cool_down_days):
        return "cool_down"
    return None
