"""The company of the soak: today's exports, the same ones as they were a while ago, and the configuration."""

import csv
import shutil
from datetime import datetime
from pathlib import Path

import yaml

_ROOT = Path(__file__).parent.parent
# The logs in which most events lie, and the column that says when.
_LOGS = {
    "consents/consents.csv": "at",
    "marketo/activities.csv": "activityDate",
    "product/usage.csv": "occurred_at",
    "web/visits.csv": "occurred_at",
}


def configuration_of(home: Path) -> Path:
    """Where the configuration of a workspace lies."""
    return home / "soak.yaml"


def write_configuration(home: Path, *, as_of: datetime | None, keeps_champion: bool) -> None:
    """The demonstration's configuration over this workspace, with a channel so that alerts become messages."""
    channel = {"kind": "webhook", "name": "sales", "url": "https://crm.example/hook", "secret_env": "SOAK_SECRET"}
    laid_over: dict[str, object] = {
        "extends": str(_ROOT / "conf" / "demo.yaml"),
        "name": "soak",
        "home": str(home),
        # Low cuts and nobody passed over: in a small company, too, somebody is to cross into hot.
        "hot": {"enter": 0.06, "leave": 0.04},
        "activation": {"channels": [channel], "alerts": {"in_talks": "ignore", "marketing": "ignore"}},
    }
    if as_of is not None:
        laid_over["as_of"] = as_of.isoformat()
    if keeps_champion:
        laid_over["models"] = {"lead": {"promotion": {"min_auc": 0.99}}}
    configuration_of(home).write_text(yaml.safe_dump(laid_over), encoding="utf-8")


def cut_exports(exports: Path, older: Path, until: datetime) -> None:
    """A copy of the exports whose logs end before `until`."""
    shutil.copytree(exports, older)
    for name, column in _LOGS.items():
        with (exports / name).open(encoding="utf-8", newline="") as source:
            header, *rows = csv.reader(source)
        place = header.index(column)
        kept = [row for row in rows if len(row) != len(header) or not _is_after(row[place], until)]
        if not kept or len(kept) == len(rows):
            raise SystemExit(
                f"cutting {name} at {until} leaves {len(kept)} of {len(rows)} rows: there is nothing to compare"
            )
        with (older / name).open("w", encoding="utf-8", newline="") as target:
            csv.writer(target, quoting=csv.QUOTE_ALL).writerows([header, *kept])


def _is_after(text: str, until: datetime) -> bool:
    """Whether a log's time lies at or after `until`; a damaged one stays where it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.tzinfo is not None and moment >= until
