"""What each model predicts: who may be asked about at a moment, and what came of them."""

from core.model_settings import ModelName
from training.outcomes.churn import CHURN
from training.outcomes.lead import LEAD
from training.outcomes.lookalike import LOOKALIKE
from training.outcomes.outcome import Outcome
from training.outcomes.revival import REVIVAL

__all__ = ["OUTCOMES", "Outcome"]

OUTCOMES: dict[ModelName, Outcome] = {
    "lead": LEAD,
    "churn": CHURN,
    "revival": REVIVAL,
    "lookalike": LOOKALIKE,
}
