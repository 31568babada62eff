"""What is said about a model to people who do not train models, in Japanese and English."""

from typing import Literal

from core.model_settings import ModelName

Language = Literal["ja", "en"]

TEXTS: dict[str, dict[Language, str]] = {
    "better": {
        "ja": "上位1割のリストに平均の{lift}倍の{wins}が含まれ、{rules}より明らかに正確です。",
        "en": "The best tenth of the list holds {lift} times the average number of {wins}, clearly more accurate than "
        "{rules}.",
    },
    "points_as_good": {
        "ja": "上位1割のリストに平均の{lift}倍の{wins}が含まれますが、{rules}との差ははっきりしません。"
        "今の方法を続けてください。",
        "en": "The best tenth of the list holds {lift} times the average number of {wins}, but the difference to "
        "{rules} is not clear: keep what you use today.",
    },
    "points_better": {
        "ja": "{rules}のほうが明らかに正確です。今の方法を続けてください。",
        "en": "The accuracy of {rules} is clearly higher: go on with what you use today.",
    },
    "not_better_than_chance": {
        "ja": "後の期間の{wins}{positives}件では、全員に同じ確率を与えるより明らかに良いとは言えません。"
        "次の{wins}が誰になるかは、今ある記録からは分かりません。",
        "en": "On {positives} later {wins} the model is not clearly better than giving everybody the same chance: what "
        "is recorded today does not tell who is next.",
    },
    "rules_configured": {"ja": "貴社の点数ルール", "en": "your points rules"},
    "rules_none": {"ja": "全員に同じ確率を与える方法", "en": "giving everybody the same chance"},
    "rules_generic": {"ja": "一般的な点数ルール", "en": "usual points rules"},
    "same": {
        "ja": "同じデータで学習し直した、使用中のモデルと同じものです。",
        "en": "It is the model already in use, trained again on the same data.",
    },
    "champion_better": {
        "ja": "使用中のモデルのほうが同じ{people}で{percent}%正確なため、そのまま使います。",
        "en": "The model in use is {percent}% more accurate on the same {people}, so it stays.",
    },
    "few_wins": {
        "ja": "検証に使える{wins}は{positives}件で、{needed}件必要です。",
        "en": "There are {positives} {wins} to test on, and {needed} are needed.",
    },
    "weak_ranking": {
        "ja": "{wins}した人を上位に並べられたのは{found}%の組で、{needed}%に届きません。",
        "en": "It tells later {wins} from the rest in {found}% of pairs, below {needed}%.",
    },
    "badly_calibrated": {
        "ja": "確率が平均{found}ポイントずれており、{needed}ポイントを超えています。",
        "en": "Its probabilities are off by {found} points on average, above {needed}.",
    },
    "short_history": {
        "ja": "学習期間と検証期間を、結果が出るまでの{days}日を空けて分けるには履歴が足りません。",
        "en": "The history is too short to learn from one part and test on a later one, {days} days apart.",
    },
    "few_outcomes": {
        "ja": "学習に使える行は{rows}行、うち{wins}は{positives}行で、少なすぎます。",
        "en": "There are {rows} rows to learn from, {positives} of them {wins}, which is too few.",
    },
    "no_test_wins": {
        "ja": "検証期間に{wins}がありません。",
        "en": "There are no {wins} in the part kept for testing.",
    },
    "nothing_predicted": {
        "ja": "データが増えるまで予測は行いません。",
        "en": "Nothing is predicted until there is more.",
    },
}


# What a positive outcome and the people are called.
WORDS: dict[ModelName, dict[Language, dict[str, str]]] = {
    "lead": {"ja": {"wins": "受注", "people": "見込み客"}, "en": {"wins": "wins", "people": "leads"}},
    "churn": {"ja": {"wins": "離脱", "people": "お客様"}, "en": {"wins": "departures", "people": "customers"}},
    "revival": {
        "ja": {"wins": "再開", "people": "失注した人"},
        "en": {"wins": "revivals", "people": "lost leads"},
    },
    "lookalike": {"ja": {"wins": "受注", "people": "人"}, "en": {"wins": "wins", "people": "people"}},
}


class Sentences:
    """Speaks one language about one model.

    >>> Sentences("en", "lead")("few_wins", positives=3, needed=40)
    'There are 3 wins to test on, and 40 are needed.'
    """

    def __init__(self, language: Language, model: ModelName) -> None:
        self._language = language
        self._words = WORDS[model][language]

    def __call__(self, key: str, **values: object) -> str:
        """One sentence with its figures filled in."""
        return TEXTS[key][self._language].format(**self._words, **values)

    def join(self, *sentences: str) -> str:
        """Sentences one after the other, spaced as the language does it."""
        return ("" if self._language == "ja" else " ").join(sentences)
