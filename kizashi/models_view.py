"""What `promote`, `rollback`, `recalibrate` and `retrain` show."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from core.source_settings import Label
from kizashi.console import Console
from kizashi.retrain import Retrained
from kizashi.texts import Locale, text
from training.promotion import PromotionResult
from training.recalibration import Recalibration

TEXTS: dict[str, Label] = {
    "answers": Label(
        ja="{model}: バージョン{champion}が回答します(これまで{former})。",
        en="{model}: version {champion} answers (before: {former}).",
    ),
    "stays": Label(
        ja="{model}: バージョン{version}は採用されませんでした。{champion}のままです。",
        en="{model}: version {version} does not answer; it stays with {champion}.",
    ),
    "stands": Label(ja="{model}: バージョン{champion}のままです。", en="{model}: it stays with version {champion}."),
    "no_need": Label(ja="{model}: 学習し直す必要はありません。", en="{model}: there is no need to train again."),
    "trained": Label(
        ja="{model}: 学習しました。{promotion}({version})。{why}",
        en="{model}: trained. {promotion} ({version}). {why}",
    ),
    "because": Label(ja="{model}: {reasons}", en="{model}: {reasons}"),
}


def show_promotion(console: Console, locale: Locale, result: PromotionResult) -> None:
    """Which version answers now, and why."""
    head = "answers" if result.promotion == "promoted" else "stays"
    console.show_lines(asdict(result), [_say(head, locale, **asdict(result)), result.why])


def show_recalibration(console: Console, locale: Locale, level: Recalibration) -> None:
    """Whether the probabilities moved, and why or why not."""
    console.show_lines(asdict(level), _level_lines(locale, level))


def show_retraining(console: Console, locale: Locale, done: Sequence[Retrained]) -> None:
    """What was trained, and why or why not."""
    content: dict[str, Any] = {}
    lines = []
    for one in done:
        reasons = list(one.need.reasons) if one.need else []
        content[one.model] = {"reasons": reasons, "trained": one.result is not None}
        if one.need is not None:
            figures = {"age_days": one.need.age_days, "drift": one.need.drift, "new_outcomes": one.need.new_outcomes}
            content[one.model] |= figures
        if reasons:
            lines.append(_say("because", locale, model=one.model, reasons=" ".join(reasons)))
        if one.result is None:
            lines.append(_say("no_need", locale, model=one.model))
            if one.level is not None:
                content[one.model]["level"] = asdict(one.level)
                lines += _level_lines(locale, one.level)
            continue
        told = {"version": one.result.version, "promotion": one.result.promotion, "why": one.result.why}
        content[one.model] |= told
        spoken = text(f"promotion_{one.result.promotion}", locale)
        lines.append(_say("trained", locale, model=one.model, **{**told, "promotion": spoken}))
    console.show_lines({"models": content}, lines)


def _level_lines(locale: Locale, level: Recalibration) -> list[str]:
    head = "answers" if level.changed else "stands"
    return [_say(head, locale, model=level.model, champion=level.version, former=level.former), level.why]


def _say(key: str, locale: Locale, **values: object) -> str:
    label = TEXTS[key]
    return (label.ja if locale == "ja" else label.en).format(**values)
