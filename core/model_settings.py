"""What a model predicts, for whom, how it is trained, judged and cut into grades."""

from datetime import datetime
from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from core.errors import NotFoundError
from core.source_settings import Frozen, require_offset

ModelName = Literal["lead", "churn", "revival", "lookalike"]


class LabelSettings(Frozen):
    """How far ahead the outcome is looked for."""

    horizon_days: int = Field(90, ge=1, le=3650)

    @property
    def maturity_days(self) -> int:
        """How long after an as-of its outcome is settled: the horizon, and whatever must be waited for behind it."""
        return self.horizon_days


class LeadLabel(LabelSettings):
    """A deal is won within the horizon."""

    attribution: Literal["contacts", "account"] = "contacts"


class ChurnLabel(LabelSettings):
    """A running agreement is cancelled or not renewed within the horizon, or an active buyer buys nothing in it."""

    basis: Literal["contract", "purchase"] = "contract"
    grace_days: int = Field(7, ge=0, description="For contract: an agreement that follows so soon renews the former.")
    active_days: int = Field(365, ge=1, description="For purchase: who bought within so many days is an active buyer.")

    @property
    def maturity_days(self) -> int:
        """Whether an agreement is renewed shows only when its grace has passed."""
        return self.horizon_days + (self.grace_days if self.basis == "contract" else 0)


class RevivalLabel(LabelSettings):
    """Somebody whose last deal was lost opens one within the horizon, another one or the same again."""


class LookalikeLabel(LabelSettings):
    """Somebody joins the seed within the horizon: the customers who were won, or those won with a large deal."""

    seed: Literal["won"] = "won"
    min_amount: float | None = Field(None, ge=0, description="Only deals worth at least so much make a seed customer.")


class EligibilitySettings(Frozen):
    """Whom the lead model scores and learns from, beyond: known, not won yet, profiling not refused."""

    open_deal: Literal["any", "required", "excluded"] = "any"


class SpineSettings(Frozen):
    """At which moments the past is looked at: calendar marks in the business time zone, or a time after arrival."""

    kind: Literal["calendar", "after_arrival"] = "calendar"
    every: Literal["month", "week"] = "month"
    hours_after_arrival: float = Field(24, ge=0)
    start: datetime | None = Field(None, description="No as-of before this moment.")
    rows_per_year: int = Field(
        12, ge=1, description="So many rows of one person a year at most; denser marks are taken in turns."
    )

    @field_validator("start")
    @classmethod
    def _aware(cls, start: datetime | None) -> datetime | None:
        return require_offset(start)


class ExclusionSettings(Frozen):
    """Whom a model neither learns from nor scores, by what was known of them at the moment."""

    values: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="By field, patterns of values that any record of the person had: own people, competitors, tests; "
        '`{email: ["*@our-company.co.jp"], company: ["*テスト*"]}`. Letter case does not matter.',
    )
    opted_out: bool = Field(False, description="Leave out who has withdrawn the permission for marketing.")


class SplitSettings(Frozen):
    """Shares of the as-of moments, from the newest backwards; the gap between two parts keeps their labels apart."""

    test_share: float = Field(0.2, gt=0, lt=1)
    calibration_share: float = Field(0.2, gt=0, lt=1)
    gap_days: int | None = Field(None, ge=0, description="Default: the label's horizon.")


class EstimatorSettings(Frozen):
    """The ladder: base rate, logistic model, LightGBM with shallow trees, whose exact reasons are cheap."""

    trials: int = Field(3, ge=1, description="Shapes of trees that are tried; the same number gives the same model.")
    time_budget: float = Field(
        600, gt=0, description="Seconds. A cap: no trial begins after six tenths of it, and the run says so."
    )
    members: int = Field(1, ge=1, description="Forests that may be blended; each makes reasons a little dearer.")
    max_rounds: int = Field(600, ge=1)
    early_stopping_rounds: int = Field(50, ge=1)
    learning_rate: float = Field(0.05, gt=0, le=1)
    num_leaves: int = Field(15, ge=2, description="Of the first shape that is tried, as are the next four.")
    max_depth: int = Field(6, ge=1)
    min_data_in_leaf: int = Field(40, ge=1)
    feature_fraction: float = Field(0.7, gt=0, le=1)
    lambda_l2: float = Field(5.0, ge=0)
    monotone: dict[str, Literal[-1, 1]] = Field(
        default={},
        description="By feature: 1, more of it never lowers the score; -1, it never raises it. Numbers and dates only.",
    )
    seed: int = 0


class PointsRule(Frozen):
    """One line of the company's own points rules: so many points for each counted feature, up to a maximum."""

    feature: str
    points: float
    at_most: float | None = None


class PromotionSettings(Frozen):
    """What a model must show before it becomes champion; what is not named here is taken from `mlflow/gates.yaml`."""

    min_positives: int = Field(40, ge=1, description="Won rows needed in the test part.")
    min_auc: float = Field(0.55, ge=0, le=1)
    max_ece: float = Field(0.05, gt=0)
    max_calibration_ratio: float = Field(
        1.5, gt=1, description="Expected over observed, and the slope, may surely be off by this factor at most."
    )
    max_worse_logloss: float = Field(1.02, ge=1, description="Allowed ratio to the champion's log-loss.")
    max_auc_drop: float = Field(
        0.15, gt=0, le=1, description="How much worse than at the other cut-offs the ranking may be at the worst one."
    )
    forbid_leaks: bool = Field(True, description="Refuse a model while strong evidence of leakage is open.")


class LeakageSettings(Frozen):
    """What the leakage gate lets pass."""

    trusted: dict[str, str] = Field(
        default_factory=dict,
        description="Features to be used in spite of evidence that they know the outcome, each with the reason, which "
        "the model card repeats.",
    )


class EvaluationSettings(Frozen):
    """How thoroughly a model is judged."""

    cut_offs: int = Field(3, ge=0, le=24, description="Earlier moments at which the past is predicted once more.")
    resamples: int = Field(200, ge=0, description="Draws of people behind the confidence intervals; 0: no intervals.")
    capacity: int | None = Field(
        None, ge=1, description="People who can be worked on at each moment; default: a week of all staff's capacity."
    )


class RetrainSettings(Frozen):
    """What makes `kizashi retrain --if-needed` train before the champion's term is over."""

    max_drift: float = Field(
        0.25, gt=0, description="Population stability index of today's scores against those the model was made with."
    )
    new_outcomes: float = Field(0.3, gt=0, description="Outcomes that came since, as a share of those learned from.")


class ModelSettings(Frozen):
    """One model: what it predicts, at which moments, and how it is judged."""

    label: LabelSettings = LabelSettings()
    spine: SpineSettings = SpineSettings()
    split: SplitSettings = SplitSettings()
    estimator: EstimatorSettings = EstimatorSettings()
    points: tuple[PointsRule, ...] = ()
    exclude: ExclusionSettings = ExclusionSettings()
    leakage: LeakageSettings = LeakageSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    promotion: PromotionSettings = PromotionSettings()
    retrain: RetrainSettings = RetrainSettings()
    retrain_after_days: int = Field(
        28,
        ge=1,
        description="How long a champion answers before a run trains anew; changed settings do so at once.",
    )


class LeadSettings(ModelSettings):
    """Who will be won."""

    label: LeadLabel = LeadLabel()
    eligible: EligibilitySettings = EligibilitySettings()


class ChurnSettings(ModelSettings):
    """Who is about to leave."""

    label: ChurnLabel = ChurnLabel()


class RevivalSettings(ModelSettings):
    """Whose lost deal is coming back."""

    label: RevivalLabel = RevivalLabel()


class LookalikeSettings(ModelSettings):
    """Who behaves like the best customers did before they became that, anonymous visitors included."""

    label: LookalikeLabel = LookalikeLabel()


class ModelsSettings(Frozen):
    """The models that are wanted; one that is not named is not made."""

    lead: LeadSettings | None = None
    churn: ChurnSettings | None = None
    revival: RevivalSettings | None = None
    lookalike: LookalikeSettings | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not self.names:
            raise ValueError(f"name at least one of {', '.join(get_args(ModelName))}, for example `lead: {{}}`")
        return self

    @property
    def names(self) -> tuple[ModelName, ...]:
        """The configured models, in a fixed order."""
        return tuple(name for name in get_args(ModelName) if getattr(self, name) is not None)

    def find(self, name: str) -> ModelName | None:
        """The configured model of that name, or None."""
        return next((known for known in self.names if known == name), None)

    def __getitem__(self, name: ModelName) -> ModelSettings:
        """What is configured for a model.

        Raises:
            NotFoundError: it is not configured.
        """
        settings: ModelSettings | None = getattr(self, name)
        if settings is None:
            raise NotFoundError(f"the model {name} is not configured", ", ".join(self.names), f"add models.{name}")
        return settings


class GradeSettings(Frozen):
    """Lowest score (percentile 1-100) of each grade; D is the rest."""

    a: int = Field(90, ge=1, le=100)
    b: int = Field(70, ge=1, le=100)
    c: int = Field(40, ge=1, le=100)

    @model_validator(mode="after")
    def _descending(self) -> Self:
        if not self.a > self.b > self.c:
            raise ValueError("the cuts must fall from a to c")
        return self


class HotSettings(Frozen):
    """A lead turns hot at the enter cut and stays so until it falls below the leave cut (probabilities)."""

    enter: float = Field(0.25, gt=0, lt=1)
    leave: float = Field(0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.leave > self.enter:
            raise ValueError("leave must not be above enter")
        return self
