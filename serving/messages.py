"""Requests and answers of the HTTP interface: plain types, no blanks, hardly any nesting."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Neither control characters nor anything that a database refuses.
CLEAN = r"^[^\x00-\x1f\x7f]*$"
SystemName = Annotated[str, Field(min_length=1, max_length=128, pattern=CLEAN, examples=["marketo"])]
RecordId = Annotated[str, Field(min_length=1, max_length=512, pattern=CLEAN, examples=["1001"])]
ModelText = Annotated[str, Field(min_length=1, max_length=64, pattern=CLEAN, examples=["lead"])]
LanguageText = Annotated[
    str, Field(pattern="^(ja|en|)$", description="ja or en; empty: the configured language.", examples=["ja"])
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RecordReference(_Request):
    """A record of a source system; the system `kizashi` takes the product's own customer ids."""

    system: SystemName
    id: RecordId


class ScoreRequest(RecordReference):
    """Whose score is wanted."""

    model: ModelText
    lang: LanguageText = ""


class BatchRequest(_Request):
    """Whose scores are wanted."""

    model: ModelText
    lang: LanguageText = ""
    items: Annotated[list[RecordReference], Field(min_length=1, max_length=1000)]


class AcknowledgeRequest(_Request):
    """Who takes care of the lead; empty: the name of the key."""

    by: Annotated[str, Field(max_length=255, pattern=CLEAN)] = ""


class FeedbackRequest(_Request):
    """What an alert was worth."""

    feedback: Annotated[
        str, Field(pattern="^(useful|not_useful|already_known)$", description="useful, not_useful or already_known")
    ]
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""


class ScoreAnswer(BaseModel):
    """The flat answer. Test `status` first: for anything but `ok` and `stale` there is no score."""

    status: Annotated[str, Field(description="ok, unknown, excluded, insufficient or stale", examples=["ok"])]
    system: str
    id: str
    customer_id: str
    model: str
    score: Annotated[int, Field(description="Percentile 1 to 100; 0 without a score.")]
    probability: Annotated[float, Field(description="Calibrated chance.", json_schema_extra={"format": "double"})]
    grade: Annotated[str, Field(description="A to D; - without a score.")]
    fit: Annotated[str, Field(description="Who they are: A to D; - without a score.")]
    engagement: Annotated[int, Field(description="What they do: 1 (the most) to 4; 0 without a score.")]
    trend: Annotated[str, Field(description="up, down, steady or new")]
    delta_7d: int
    hot: bool
    evidence: Annotated[str, Field(description="low, medium or high")]
    reason_1: str
    reason_2: str
    reason_3: str
    reason_4: str
    reason_5: str
    scored_at: Annotated[str, Field(description="ISO 8601 in UTC.")]
    features_as_of: Annotated[str, Field(description="ISO 8601 in UTC; empty without a score.")]
    model_version: str


class BatchAnswer(BaseModel):
    """The flat answers in the order that was asked for."""

    items: list[ScoreAnswer]


class LeadAnswer(ScoreAnswer):
    """A hot lead: its flat answer, and what sales needs to know beside it; what is not known is empty."""

    name: str
    company: str
    title: str
    hot_since: str
    alert_id: str
    acknowledged: bool
    acknowledged_at: str
    acknowledged_by: str
    feedback: str


class LeadsAnswer(BaseModel):
    """The hot leads, the best first."""

    items: list[LeadAnswer]


class AlertStateAnswer(BaseModel):
    """An alert as it stands; what has not happened yet is empty."""

    alert_id: str
    model: str
    customer_id: str
    state: str
    acknowledged_at: str
    acknowledged_by: str
    feedback: str
