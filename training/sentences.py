"""What is said about a model to people who do not train models, in Japanese and English."""

from collections.abc import Iterable
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
    "rules_naive_bayes": {
        "ja": "項目の値ごとに数える方法(CRM標準の予測)",
        "en": "counting by field value, as CRM suites predict",
    },
    "leaky": {
        "ja": "結果を知っている疑いの強い項目があります：{fields}。",
        "en": "There is strong evidence that fields know the outcome: {fields}.",
    },
    "off_expected_observed": {
        "ja": "{wins}の予測件数は実績の{found}倍で、はっきりとずれています。",
        "en": "It expects {found} times the {wins} that came, which is clearly off.",
    },
    "off_calibration_slope": {
        "ja": "確率の広がり方が実績とはっきりずれています(傾き{found}、理想は1)。",
        "en": "Its probabilities are clearly spread wrongly (slope {found}, 1 is ideal).",
    },
    "unstable": {
        "ja": "時期によって不安定です：過去の検証で最も悪い時期は{found}%の組で、"
        "他の時期より{points}ポイント低くなりました。",
        "en": "It is not stable: at the worst earlier moment it orders {found}% of pairs, {points} points below the "
        "others.",
    },
    "other_features": {
        "ja": "今の設定とは別の特徴量で作られたモデルです：{fault}",
        "en": "It was built on other features than those configured now: {fault}",
    },
    "rolled_back": {
        "ja": "バージョン{version}に戻しました(バージョン{left}は使われません)。",
        "en": "Version {version} answers again; version {left} does not.",
    },
    "never_trained": {"ja": "まだ学習していません。", "en": "It was never trained."},
    "term_over": {
        "ja": "前回の学習から{days}日たちました(期限{allowed}日)。",
        "en": "The last training is {days} days old, and {allowed} are its term.",
    },
    "drifted": {
        "ja": "採点する{people}の分布が変わりました(安定度指数{found}、上限{allowed})。",
        "en": "The {people} who are scored have changed (stability index {found}, at most {allowed}).",
    },
    "much_came": {
        "ja": "前回の学習より後に、それまでの{percent}%にあたる{wins}の結果が加わりました。",
        "en": "Since the last training as many {wins} came as are {percent}% of those before it.",
    },
    "no_need": {
        "ja": "学習し直す必要はありません。",
        "en": "There is no need to train again.",
    },
    "moved": {
        "ja": "{since}以降の{wins}は{expected}人の見込みに対し、実際は{observed}人でした。"
        "偶然では説明できない差なので、確率をこの水準に合わせます。順位と理由は変わりません。",
        "en": "Since {since}: {expected} {wins} expected, {observed} came, which chance does not explain. "
        "Probabilities move to that level; order and reasons stay.",
    },
    "level_holds": {
        "ja": "{since}以降の{wins}は{expected}人の見込みに対し、実際は{observed}人でした。"
        "はっきりした差ではないため、確率は変えません。",
        "en": "Since {since}: {expected} {wins} expected, {observed} came. That is no clear difference, "
        "so probabilities stay.",
    },
    "nothing_settled": {
        "ja": "学習より後の結果がまだ確定していないため、確率を見直せません。",
        "en": "No outcome has settled since it was trained, so there is nothing to hold its probabilities against.",
    },
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

    def enumerate(self, names: Iterable[str]) -> str:
        """Names one after the other, as the language lists them."""
        return ("、" if self._language == "ja" else ", ").join(names)

    def join(self, *sentences: str) -> str:
        """Sentences one after the other, spaced as the language does it."""
        return ("" if self._language == "ja" else " ").join(sentences)
