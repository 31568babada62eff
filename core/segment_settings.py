"""Groups of people chosen by a model's scores, for campaigns and lists: `segments` in a configuration."""

from typing import Literal, Self

from pydantic import Field, model_validator

from core.model_settings import ModelName
from core.source_settings import Frozen


class SegmentSettings(Frozen):
    """Who belongs to a segment; the conditions that are given must all hold."""

    model: ModelName
    size: int | None = Field(None, ge=1, description="At most so many, the best first.")
    top_share: float | None = Field(None, gt=0, le=1, description="The best part of everybody who was scored.")
    min_probability: float | None = Field(None, ge=0, le=1)
    people: Literal["all", "known", "anonymous"] = "all"
    marketing: Literal["not_refused", "granted", "ignore"] = Field(
        "not_refused", description="Leaves out people who opted out, or all who have not opted in."
    )

    recipient: Literal["others", "own"] = Field(
        "others",
        description="Who gets the exported list: `others` leaves out everybody who has not agreed to transfer, `own` "
        "is for the company and those who work on its behalf.",
    )

    @model_validator(mode="after")
    def _cut_somewhere(self) -> Self:
        if self.size is None and self.top_share is None and self.min_probability is None:
            raise ValueError("give size, top_share or min_probability; without one everybody would belong")
        return self
