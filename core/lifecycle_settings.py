"""The stages that people go through, what leads into them, and who is told: `lifecycle` in a configuration."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.source_settings import Frozen, Label

# Stands in `after` for people who have no stage yet.
NO_STAGE = "new"
# Stands in `words` for where there is no stage, or no deal, to tell.
NOTHING = "none"
TOLD_FIELDS = ("id", "email", "stage", "stage_since", "deal_state", "opted_out", "changed_at")
"""What a row of a delta file tells, in the order of its columns."""
DEAL_STATES = ("in_talks", "won", "lost")


class Condition(Frozen):
    """What the conditions share."""

    id: str | None = Field(
        None, pattern=r"^[a-z0-9_]{1,64}$", description="Named in the history; default: the stage and a number."
    )


class KnownCondition(Condition):
    """The person is known: by a record, an address or a login, and not by a browser alone."""

    kind: Literal["known"]


class EventCondition(Condition):
    """Something was done often enough; what machines clicked does not count.

    An event counts when every given list has a pattern (`*` and `?`) that it matches.
    """

    kind: Literal["events"]
    type: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    url: tuple[str, ...] = ()
    properties: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="Patterns by property.")
    at_least: int = Field(1, ge=1, le=1000)
    within_days: float | None = Field(
        None, gt=0, description="The newest `at_least` events lie within so many days; absent: however far apart."
    )

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not (self.type or self.channel or self.url or self.properties):
            raise ValueError("give at least one of type, channel, url, properties")
        if self.within_days is not None and self.at_least == 1:
            raise ValueError("within_days says how close several events lie; give at_least too")
        return self


class DealCondition(Condition):
    """A deal of the person moved.

    `opened` and `reopened` count while no deal of the person is won, `lost` once none is open or won. `stage` is the
    entry into one of the named `stages`.
    """

    kind: Literal["deal"]
    when: Literal["opened", "reopened", "stage", "won", "lost"]
    stages: tuple[str, ...] = Field((), description="For `stage`: names or patterns (`*` and `?`).")

    @model_validator(mode="after")
    def _stages_where_needed(self) -> Self:
        if (self.when == "stage") != bool(self.stages):
            raise ValueError("stages belong to `when: stage`, and are needed there")
        return self


class FieldCondition(Condition):
    """A field of one of the person's records took a value."""

    kind: Literal["field"]
    field: str
    values: tuple[str, ...] = Field(min_length=1, description="Values or patterns (`*` and `?`), in any letter case.")
    system: str | None = Field(None, description="Only in records of this system.")


AnyCondition = Annotated[KnownCondition | EventCondition | DealCondition | FieldCondition, Field(discriminator="kind")]


class StageSettings(Frozen):
    """One stage; each of its conditions brings people in.

    Without `after`, deals bring people in from any stage, and everything else from no stage, from the main stages
    listed before it (but for the last main stage, the goal) and from side stages.
    """

    name: str = Field(pattern=r"^[a-z0-9_]{1,32}$")
    label: Label
    enter: tuple[AnyCondition, ...] = Field(min_length=1)
    after: tuple[str, ...] | None = Field(
        None, description="Entered from these stages alone; `new` stands for people without a stage."
    )
    side: bool = Field(
        False,
        description="Beside the way to the goal, such as lost: events and fields lead out of it only by what occurred "
        "after it was entered.",
    )


def _stage(name: str, ja: str, en: str, enter: list[dict[str, Any]], **more: Any) -> StageSettings:
    return StageSettings.model_validate({"name": name, "label": {"ja": ja, "en": en}, "enter": enter, **more})


def default_stages() -> tuple[StageSettings, ...]:
    """What most companies mean by the words; how much interest makes a lead qualified is theirs to say."""
    return (
        _stage("lead", "リード", "lead", [{"id": "known", "kind": "known"}]),
        _stage(
            "mql",
            "MQL(マーケティング有望)",
            "marketing qualified",
            [
                {
                    "id": "interest", "kind": "events", "type": ["form_fill", "webinar_attended", "trade_fair"],
                    "at_least": 2, "within_days": 90,
                },
                {
                    "id": "pricing_pages", "kind": "events", "type": ["web_visit"], "url": ["*pricing*", "*price*"],
                    "at_least": 3, "within_days": 30,
                },
                {
                    "id": "mql_status", "kind": "field", "field": "lead_status",
                    "values": ["MQL", "Marketing Qualified", "Marketing Qualified Lead"],
                },
            ],
        ),
        _stage(
            "sql",
            "SQL(営業有望)",
            "sales qualified",
            [
                {"id": "meeting", "kind": "events", "type": ["meeting"]},
                {"id": "calls", "kind": "events", "type": ["call"], "at_least": 2, "within_days": 30},
                {
                    "id": "sql_status", "kind": "field", "field": "lead_status",
                    "values": ["SQL", "SAL", "Sales Qualified", "Sales Qualified Lead", "Sales Accepted", "Qualified"],
                },
            ],
        ),
        _stage(
            "in_talks",
            "商談中",
            "in talks",
            [
                {"id": "deal_opened", "kind": "deal", "when": "opened"},
                {"id": "deal_reopened", "kind": "deal", "when": "reopened"},
            ],
        ),
        _stage("won", "受注", "won", [{"id": "deal_won", "kind": "deal", "when": "won"}]),
        _stage(
            "lost",
            "失注",
            "lost",
            [
                {"id": "deal_lost", "kind": "deal", "when": "lost"},
                {
                    "id": "disqualified", "kind": "field", "field": "lead_status",
                    "values": ["Disqualified", "Unqualified", "Closed - Not Converted", "対象外", "失格"],
                },
            ],
            side=True,
        ),
        _stage(
            "recycled",
            "再育成",
            "recycled",
            [
                {
                    "id": "activity", "kind": "events",
                    "type": ["web_visit", "form_fill", "email_click", "webinar_attended", "trade_fair"],
                }
            ],
            after=["lost"],
            side=True,
        ),
    )  # fmt: skip


class DeltaSettings(Frozen):
    """How one system is told about the life cycle of its records."""

    encoding: Literal["utf-8-sig", "utf-8", "cp932"] = Field(
        "utf-8-sig", description="`utf-8-sig` carries a byte-order mark, `cp932` is Shift_JIS as Windows writes it."
    )
    email: bool = Field(False, description="Also the record's e-mail address.")
    headers: dict[str, str] = Field(
        default_factory=dict,
        description=f"The columns' names in the system, by {', '.join(TOLD_FIELDS)}; default: these words, and "
        "`<system>_id`.",
    )
    words: dict[str, str] = Field(
        default_factory=dict,
        description="What the system calls stages and deal states, for example `{won: 受注}`; `none` is written where "
        "there is none (default: blank, which many systems pass over).",
    )

    @field_validator("headers")
    @classmethod
    def _known_columns(cls, headers: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(headers) - set(TOLD_FIELDS))
        if unknown:
            raise ValueError(f"there is no column {', '.join(unknown)}; there are {', '.join(TOLD_FIELDS)}")
        return headers

    def columns(self, system: str) -> dict[str, str]:
        """The file's columns by what they tell, in order.

        Raises:
            ValueError: two columns have one name.
        """
        default = {field: field for field in TOLD_FIELDS} | {"id": f"{system}_id"}
        chosen = {field: self.headers.get(field, default[field]) for field in TOLD_FIELDS}
        if not self.email:
            del chosen["email"]
        if len(set(chosen.values())) < len(chosen):
            raise ValueError("two columns have one name; give each its own in headers")
        return chosen


class LifecycleSettings(Frozen):
    """The stages in their order, and the systems that are told about them."""

    stages: tuple[StageSettings, ...] = Field(
        default_factory=default_stages, max_length=60, description="An empty list: there are no stages."
    )
    exports: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], DeltaSettings] = Field(
        default_factory=dict, description="How a system is told, by its name; without an entry by the defaults."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [stage.name for stage in self.stages]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stage names must be unique; twice: {', '.join(twice)}")
        if taken := sorted({NO_STAGE, NOTHING} & set(names)):
            raise ValueError(f"no stage can be called {taken[0]}: it stands for people without a stage")
        for stage in self.stages:
            if unknown := sorted(set(stage.after or ()) - {NO_STAGE, *names}):
                raise ValueError(f"{stage.name}.after names {', '.join(unknown)}; there are {', '.join(names)}")
        rules = [rule for stage in self.stages for rule, _ in rules_of(stage)]
        if twice := sorted({rule for rule in rules if rules.count(rule) > 1}):
            raise ValueError(f"the ids of conditions must be unique; twice: {', '.join(twice)}")
        for system, delta in self.exports.items():
            delta.columns(system)
            known = dict.fromkeys((*names, *DEAL_STATES, NOTHING))
            if unknown := sorted(set(delta.words) - set(known)):
                raise ValueError(f"exports.{system}.words names {', '.join(unknown)}; there are {', '.join(known)}")
        return self

    def delta(self, system: str) -> DeltaSettings:
        """How a system is told."""
        return self.exports.get(system, DeltaSettings())


def rules_of(stage: StageSettings) -> list[tuple[str, AnyCondition]]:
    """The conditions of a stage, each with the id by which the history names it.

    >>> [rule for rule, _ in rules_of(default_stages()[4])]
    ['deal_won']
    """
    return [(rule.id or f"{stage.name}_{number}", rule) for number, rule in enumerate(stage.enter, start=1)]
