"""How a file or a SQL table of another system is mapped to the unified tables: `sources` in a configuration."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

KeyKind = Literal["email", "login", "cookie"]
KnownAt = Literal["created", "export", "history"]
CustomType = Literal["number", "category", "boolean", "date"]
OutcomeName = Literal["open", "won", "lost"]
Scalar = str | int | float | bool
EPOCH_UNITS = {"epoch_seconds": 1, "epoch_milliseconds": 1000}
"""Time formats that count from 1970-01-01T00:00:00Z: how many of their units are a second."""


def require_offset(moment: datetime | None) -> datetime | None:
    """Refuse a naive time: whose clock would it be?"""
    if moment is not None and moment.tzinfo is None:
        raise ValueError("give the offset too, for example 2026-10-01T00:00:00+09:00")
    return moment


def require_zone(zone: str) -> str:
    """Refuse what is no time zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("this is no time zone; write for example Asia/Tokyo") from error
    return zone


class Frozen(BaseModel):
    """A part of the configuration: never changed after reading, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(Frozen):
    """What people call a thing, in Japanese and in English."""

    ja: str
    en: str


class Column(Frozen):
    """Where a value comes from: a column of the source, or a constant, with optional translation.

    Written as a plain string it names a column: `email: Email`. Written in full:
    `type: {column: activityTypeId, map: {"1": web_visit}, otherwise: other}`.
    """

    column: str | None = None
    constant: Scalar | None = None
    json_key: str | tuple[str, ...] | None = Field(
        None, description="The column holds a JSON object as text; take this key of it, or the first of these it has."
    )
    map: dict[str, str] = Field(default_factory=dict, description="Source value to unified value.")
    otherwise: str | None = Field(None, description="For values that `map` lacks; absent: the value is kept as it is.")
    separator: str | None = Field(
        None, description="The column holds several values with this between them (keys, and people of deals)."
    )
    optional: bool = Field(False, description="A file without this column is read as if the column were blank.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("name either a column or a constant")
        return self


def _as_column(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


ColumnRef = Annotated[Column, BeforeValidator(_as_column)]


Where = dict[str, tuple[str, ...]]


class PersonRef(Frozen):
    """Whom a row is about: a record of a system, or whoever owns a key such as an e-mail address or a cookie.

    `{column: leadId}` is a record of the source's own system, `{column: LeadId, system: salesforce}` of another one,
    `{column: cookie, key: cookie}` the holder of a key.
    """

    column: ColumnRef
    system: str | None = None
    key: KeyKind | None = None
    where: Where = Field(
        default_factory=dict, description="Use it only in such rows; written like a section's `where`."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.system and self.key:
            raise ValueError("name either a system or a key")
        return self


def _as_person(value: object) -> object:
    if isinstance(value, str):
        return ({"column": value},)
    return (value,) if isinstance(value, dict) else value


PersonRefs = Annotated[
    tuple[PersonRef, ...],
    BeforeValidator(_as_person),
    Field(min_length=1, description="Alternatives; the first that is not blank in a row is used."),
]


class Section(Frozen):
    """What all sections share."""

    where: Where = Field(
        default_factory=dict,
        description="Use only rows whose column holds one of these values, or with `['*']` any value; `column[key]` "
        "looks into a JSON object.",
    )


class FieldColumn(Column):
    """A field of a person and since when its value was known."""

    known_at: KnownAt | None = Field(None, description="Overrides the section's declaration for this field.")


class CustomField(FieldColumn):
    """A field of the company's own that becomes a feature."""

    type: CustomType
    label: Label | None = None


FieldRef = Annotated[FieldColumn, BeforeValidator(_as_column)]


class KeyColumn(Column):
    """A column that identifies the person: rows with equal keys are one person."""

    kind: KeyKind
    known_at: KnownAt | None = None


class PeopleSection(Section):
    """Each row is a record of a person.

    `known_at` declares since when the row's values were known: `export` (the safe default: the time of the export),
    `created` (they were typed in when the record was made and stay as they are), `history` (a `history` section lists
    every later change, so values are rolled back to what they were).
    """

    id: ColumnRef | None = Field(None, description="Unique within the system; absent: derived from the row's content.")
    created_at: ColumnRef | None = None
    recorded_at: ColumnRef | None = None
    known_at: KnownAt = "export"
    fields: dict[str, FieldRef] = Field(default_factory=dict)
    custom: dict[str, CustomField] = Field(default_factory=dict)
    keys: tuple[KeyColumn, ...] = ()

    def relies_on_history(self) -> bool:
        """Whether any value is said to be rolled back by a change log."""
        declared = [column.known_at for column in (*self.fields.values(), *self.custom.values())]
        declared += [key.known_at for key in self.keys]
        return any((known_at or self.known_at) == "history" for known_at in declared)


class HistorySection(Section):
    """Each row is a change of one field of a person (old value, new value, when)."""

    person: PersonRefs
    field: ColumnRef = Field(description="Holds the name of the field; `map` turns it into the unified name.")
    old: ColumnRef
    new: ColumnRef
    changed_at: ColumnRef
    recorded_at: ColumnRef | None = None


class LinksSection(Section):
    """Each row says that two records are one person, and since when that is known."""

    left: PersonRefs
    right: PersonRefs
    linked_at: ColumnRef | None = Field(None, description="Absent: known since the time of the export.")
    rule: str = "source_link"


class EventsSection(Section):
    """Each row is something that a person did, or that was done to them."""

    id: ColumnRef | None = Field(None, description="Unique within the source; absent: derived from the row's content.")
    person: PersonRefs | None = Field(None, description="Absent: the record that the row's `people` section describes.")
    type: ColumnRef
    channel: ColumnRef | None = None
    occurred_at: ColumnRef
    recorded_at: ColumnRef | None = None
    amount: ColumnRef | None = None
    is_bot: ColumnRef | None = Field(None, description="Whether the system itself takes it for a machine's.")
    user_agent: ColumnRef | None = Field(
        None, description="The program that made it; `events.bots.user_agents` says which are no person's."
    )
    properties: dict[str, ColumnRef] = Field(default_factory=dict)


class AccountsSection(Section):
    """Each row is a company."""

    id: ColumnRef
    name: ColumnRef
    domain: ColumnRef | None = None
    industry: ColumnRef | None = None
    employees: ColumnRef | None = None
    created_at: ColumnRef | None = None


class DealsSection(Section):
    """Each row is a deal. Without `outcome` the outcome is read from the deal's stages."""

    id: ColumnRef
    person: PersonRefs | None = Field(None, description="The one person of the deal; several go into `deal_people`.")
    account: ColumnRef | None = None
    owner: ColumnRef | None = None
    campaign: ColumnRef | None = None
    opened_at: ColumnRef
    closed_at: ColumnRef | None = None
    recorded_at: ColumnRef | None = None
    outcome: ColumnRef | None = None
    amount: ColumnRef | None = None
    lost_reason: ColumnRef | None = None


class DealStagesSection(Section):
    """Each row is a stage that a deal entered."""

    deal: ColumnRef
    stage: ColumnRef
    entered_at: ColumnRef
    recorded_at: ColumnRef | None = None
    amount: ColumnRef | None = None
    outcomes: dict[str, OutcomeName] = Field(
        default_factory=dict, description="Stages that end a deal; a stage that is not named leaves it open."
    )


class DealPeopleSection(Section):
    """Each row is a person's part in a deal."""

    deal: ColumnRef
    person: PersonRefs
    role: ColumnRef | None = None
    recorded_at: ColumnRef | None = None


class ContractsSection(Section):
    """Each row is an agreement, or one paid period of it."""

    id: ColumnRef | None = Field(None, description="Unique within the source; absent: derived from the row's content.")
    person: PersonRefs | None = None
    account: ColumnRef | None = None
    plan: ColumnRef | None = None
    started_at: ColumnRef
    ends_at: ColumnRef | None = Field(
        None, description="End of a fixed term or paid period: the customer has left unless another row goes on."
    )
    renews_at: ColumnRef | None = Field(
        None,
        description="Next automatic renewal. Kept for people who look; it tells who stayed, so no feature reads it.",
    )
    cancelled_at: ColumnRef | None = None
    recurring_amount: ColumnRef | None = None
    recorded_at: ColumnRef | None = Field(None, description="Absent: known since it started, plus the source's delay.")
    terms_known_at: Literal["created", "export"] = Field(
        "export", description="Since when plan, amount and end are known as the file tells them."
    )


class CampaignsSection(Section):
    """Each row is a campaign."""

    id: ColumnRef
    name: ColumnRef
    channel: ColumnRef | None = None
    cost: ColumnRef | None = None
    started_at: ColumnRef | None = None
    ended_at: ColumnRef | None = None


class StaffSection(Section):
    """Each row is a salesperson."""

    id: ColumnRef
    name: ColumnRef
    email: ColumnRef | None = None
    team: ColumnRef | None = None
    daily_capacity: ColumnRef | None = None


class ConsentsSection(Section):
    """Each row is a permission given or withdrawn."""

    person: PersonRefs
    purpose: ColumnRef
    granted: ColumnRef
    at: ColumnRef | None = Field(None, description="Absent: a state as of the export, known since then.")
    recorded_at: ColumnRef | None = None


class SourceSettings(Frozen):
    """One export file or SQL table, and everything that can be read from it."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    preset: str | None = Field(None, description="A shipped mapping that these keys are laid over.")
    system: str = Field(pattern=r"^[a-z0-9_]+$", description="The system that the rows come from.")
    path: str | None = Field(None, description="A file or a glob; {home} and {real_data} are replaced.")
    format: Literal["csv", "tsv", "jsonl", "parquet", "excel", "sql"] = "csv"
    encoding: str = "utf-8"
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="For csv: default the comma.")
    sheet: str | None = None
    url_env: str | None = Field(None, description="For sql: the environment variable that holds the SQLAlchemy URL.")
    query: str | None = Field(None, description="For sql: the SELECT statement.")
    timezone: str | None = Field(None, description="For times without an offset; without it such rows are quarantined.")
    time_format: str | None = Field(
        None,
        description="strptime pattern for times that are not ISO 8601, or `epoch_seconds`, or `epoch_milliseconds`.",
    )
    delay_hours: float = Field(0, ge=0, description="Assumed time until a fact was recorded, where none is recorded.")
    clock_skew_seconds: float = Field(
        0,
        ge=0,
        description="How far the system's clock may run ahead: a time so little after the export is the export's.",
    )
    exported_at: str | None = Field(None, description="When the export was taken; default: the run's as-of.")
    optional: bool = Field(False, description="A missing file is reported instead of refused.")
    blank: tuple[str, ...] = Field((), description="Texts that stand for an empty value, for example `null`.")

    people: PeopleSection | None = None
    history: HistorySection | None = None
    links: LinksSection | None = None
    events: EventsSection | None = None
    accounts: AccountsSection | None = None
    deals: DealsSection | None = None
    deal_stages: DealStagesSection | None = None
    deal_people: DealPeopleSection | None = None
    contracts: ContractsSection | None = None
    campaigns: CampaignsSection | None = None
    staff: StaffSection | None = None
    consents: ConsentsSection | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        return zone if zone is None else require_zone(zone)

    @field_validator("time_format")
    @classmethod
    def _readable_format(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and pattern not in EPOCH_UNITS:
                datetime.strptime(datetime(2026, 1, 31, tzinfo=UTC).strftime(pattern), pattern)  # noqa: DTZ007 - only the pattern is tried
        except ValueError as error:
            raise ValueError("this is no strptime pattern; write for example %Y/%m/%d %H:%M") from error
        return pattern

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.format == "sql" and not (self.url_env and self.query):
            raise ValueError("a sql source needs url_env and query")
        if self.format != "sql" and not self.path:
            raise ValueError("a file source needs path")
        if self.path and "://" in self.path:
            raise ValueError(
                "path is a local one; mount the object storage or copy its files first, or use format: sql"
            )
        if not self.sections():
            raise ValueError(f"maps to nothing; give at least one of {', '.join(_SECTIONS)}")
        if self.events and not self.events.person and not self.people:
            raise ValueError("events need person, since the rows have no people section")
        return self

    def sections(self) -> dict[str, Section]:
        """The mappings that are given, by their keys."""
        given = ((name, getattr(self, name)) for name in _SECTIONS)
        return {name: section for name, section in given if section is not None}


_SECTIONS = (
    "people",
    "history",
    "links",
    "events",
    "accounts",
    "deals",
    "deal_stages",
    "deal_people",
    "contracts",
    "campaigns",
    "staff",
    "consents",
)
